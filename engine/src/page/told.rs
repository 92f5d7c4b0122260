//! What the page says of each run: the accounting, the machine, the configuration, the command.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::form::Accounting;
use super::read::Run;
use super::setting::Setting;
use super::tables::side_by_side;
use crate::accounting::Records;
use crate::latency::readable;
use crate::readable::thousands;
use crate::record::Kind;

/// Most elements of a list that are written; how many more there are is said.
const ELEMENTS: usize = 20;

/// Every run with its name: the setting's letter, and a number where it is repeated.
pub fn runs(settings: &[Setting]) -> Vec<(String, &Run)> {
    let named = |setting: &'_ Setting, at: usize| match setting.runs.len() {
        1 => setting.name.clone(),
        _ => format!("{}{}", setting.name, at + 1),
    };
    settings
        .iter()
        .flat_map(|setting| setting.runs.iter().enumerate().map(move |(at, run)| (named(setting, at), run)))
        .collect()
}

/// What became of every record of a run, and whether that is all.
pub fn accounting(name: &str, run: &Run) -> Markup {
    let accounting = &run.form.accounting;
    let kinds = Kind::ALL.iter().filter_map(|kind| Some((kind.name(), accounting.records.get(kind.name())?)));
    html! {
        h3 { (name) " " span.path { (run.folder.display()) } }
        p { (verdict(accounting)) }
        div.scroll { table {
            thead { tr {
                th { "records" }
                @for column in ["committed", "recovered", "acked", "failed", "dropped", "spilled", "in flight"] { th.number { (column) } }
            } }
            tbody { @for (kind, records) in kinds { (row(html! { (kind) }, records)) } }
            tbody { @for (topic, its) in &accounting.topics {
                (row(html! { span.path { (topic) } " " span.muted { (its.kind) } }, &its.records))
            } }
        } }
    }
}

fn row(name: Markup, records: &Records) -> Markup {
    let Records { committed, recovered, acked, failed, dropped, spilled, in_flight } = *records;
    html! { tr {
        th { (name) }
        td.number { (thousands(committed)) } td.number { (thousands(recovered)) } td.number { (thousands(acked)) }
        @for lost in [failed, dropped, spilled, in_flight] { td.number.bad[lost > 0] { (thousands(lost)) } }
    } }
}

/// Whether the accounting holds, and is complete, in words.
fn verdict(accounting: &Accounting) -> Markup {
    let Records { failed, dropped, spilled, in_flight, .. } = accounting.all();
    if !accounting.holds() {
        return html! { span.bad { "The accounting does not hold: some frame or record is in no column, or in two." } };
    }
    let left = [(failed, "failed"), (dropped, "dropped"), (spilled, "on disk"), (in_flight, "in flight")];
    let left: Vec<String> = left
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", thousands(count)))
        .collect();
    html! {
        "It holds: every frame and every record is in exactly one column. "
        @if left.is_empty() { span.good { "It is complete: nothing was lost, and nothing is under way." } }
        @else { span.bad { "It is not complete: " (left.join(", ")) "." } }
    }
}

/// The other counts of all runs.
pub fn counts(runs: &[(String, &Run)]) -> Markup {
    let columns: Vec<String> = runs.iter().map(|(name, _)| name.clone()).collect();
    let values: Vec<Vec<(String, String)>> = runs.iter().map(|(_, run)| counts_of(&run.form.accounting)).collect();
    side_by_side(&columns, &joined(&values))
}

fn counts_of(accounting: &Accounting) -> Vec<(String, String)> {
    let Accounting { frames, sessions, delivery, repairs, .. } = accounting;
    let given_up: u64 = repairs.given_up.values().sum();
    let mut counts = vec![
        ("frames received", frames.received),
        ("frames decoded", frames.decoded),
        ("frames about the session", frames.control),
        ("frames rejected", frames.rejected),
        ("trades decoded", accounting.trades),
        ("duplicates left out", accounting.duplicates),
        ("trades after a later one", accounting.late),
        ("gaps", accounting.gaps),
        ("trades missing in gaps", accounting.missing),
        ("gaps repaired", repairs.gaps),
        ("trades from the history", repairs.trades),
        ("gaps filled by connections", repairs.filled),
        ("gaps that stay", given_up),
        ("reconnects", accounting.reconnects),
        ("attempts to connect that failed", sessions.failed),
        ("addresses left alone", sessions.breakers_opened),
        ("connections replaced", sessions.replaced),
        ("subscriptions made anew", sessions.resubscribed),
        ("ring full", accounting.ring_full),
        ("librdkafka's queue full", delivery.queue_full),
        ("records that went to disk", delivery.spills),
        ("records given back by librdkafka", delivery.returned),
        ("records that may be there twice", delivery.possible_duplicates),
        ("Kafka clients made anew", delivery.clients),
        ("damaged places in journals", delivery.damaged),
    ];
    counts.retain(|(name, count)| *count > 0 || !name.starts_with("damaged"));
    let mut told: Vec<_> = counts.into_iter().map(|(name, count)| (name.to_string(), thousands(count))).collect();
    let reasons = repairs.given_up.iter().filter(|(_, count)| **count > 0);
    told.extend(
        reasons.map(|(reason, count)| (format!("gaps that stay: {}", reason.replace('_', " ")), thousands(*count))),
    );
    told
}

/// The machines of all runs.
pub fn machines(runs: &[(String, &Run)]) -> Markup {
    let columns: Vec<String> = runs.iter().map(|(name, _)| name.clone()).collect();
    let values: Vec<_> = runs.iter().map(|(_, run)| machine_of(run)).collect();
    side_by_side(&columns, &joined(&values))
}

fn machine_of(run: &Run) -> Vec<(String, String)> {
    let machine = &run.form.machine;
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "none told by the kernel".into());
    let list = |name: &str| run.form.plan.get(name).map_or(String::new(), written);
    let told = [
        ("processor", machine.cpu.clone()),
        ("CPUs", machine.cpus.to_string()),
        ("memory", format!("{:.1} GiB", machine.memory_bytes as f64 / (1_u64 << 30) as f64)),
        ("kernel", machine.kernel.clone()),
        ("virtualisation", virtualisation(machine.hypervisor.as_deref())),
        ("frequency governor", known(&machine.governor)),
        ("isolated CPUs", machine.isolated_cpus.clone().unwrap_or_else(|| "none".into())),
        ("clock source", known(&machine.clock_source)),
        ("CPUs of feed cores", list("feed")),
        ("CPUs of producer cores", list("producer")),
        ("CPUs of everything else", list("housekeeping")),
        ("notes", list("notes")),
        ("k2-feed", run.form.k2_feed.clone()),
        (
            "started",
            run.started.map_or("not told".into(), |since| {
                humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
            }),
        ),
    ];
    told.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn virtualisation(hypervisor: Option<&str>) -> String {
    match hypervisor {
        None => "none".into(),
        Some("unknown") => "a virtual machine, of whom is not told".into(),
        Some(vendor) => format!("a virtual machine, of {vendor}"),
    }
}

/// The configuration of all runs, by the keys of feed.toml.
pub fn configurations(runs: &[(String, &Run)]) -> Markup {
    let columns: Vec<String> = runs.iter().map(|(name, _)| name.clone()).collect();
    let values: Vec<_> = runs.iter().map(|(_, run)| keys(&run.form.config)).collect();
    side_by_side(&columns, &joined(&values))
}

/// A demo's judgement of each run that has one.
pub fn verified(runs: &[(String, &Run)]) -> Option<Markup> {
    let runs: Vec<_> = runs.iter().filter(|(_, run)| !run.form.verify.is_empty()).collect();
    let columns: Vec<String> = runs.iter().map(|(name, _)| name.clone()).collect();
    let values: Vec<_> = runs.iter().map(|(_, run)| keys(&run.form.verify)).collect();
    (!runs.is_empty()).then(|| side_by_side(&columns, &joined(&values)))
}

/// Which of the connections with the same symbols was first, in each run that has such.
pub fn twins(runs: &[(String, &Run)]) -> Option<Markup> {
    let rows = || runs.iter().flat_map(|(name, run)| run.form.twins.iter().map(move |twin| (name, twin)));
    rows().next()?;
    Some(html! { div.scroll { table {
        thead { tr { th { "run" } th { "connection" } th.number { "first" } th.number { "second" } th.number { "lead p50" } th.number { "lead p99" } } }
        tbody { @for (name, twin) in rows() { tr {
            td { (name) } th { (twin.exchange) "-" (twin.connection) }
            td.number { (thousands(twin.first)) } td.number { (thousands(twin.second)) }
            td.number { (readable(twin.lead_ns.p50)) } td.number { (readable(twin.lead_ns.p99)) }
        } } }
    } } })
}

/// The command that a run was started with, as a shell takes it.
pub fn command(run: &Run) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+".contains(character);
    let quoted = |argument: &String| match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.clone(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    };
    std::iter::once("k2-feed".to_string()).chain(run.form.arguments.iter().map(quoted)).collect::<Vec<_>>().join(" ")
}

/// All keys of a table, with dots, and their values.
fn keys(table: &Map<String, Value>) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    table.iter().for_each(|(key, value)| collect(key, value, &mut keys));
    keys
}

fn collect(key: &str, value: &Value, keys: &mut Vec<(String, String)>) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            table.iter().for_each(|(name, value)| collect(&format!("{key}.{name}"), value, keys));
        }
        Value::Array(values) if values.iter().any(Value::is_object) => {
            values.iter().enumerate().for_each(|(at, value)| collect(&format!("{key}[{at}]"), value, keys));
        }
        _ => keys.push((key.to_string(), written(value))),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".into(),
        Value::Array(values) => {
            let shown: Vec<String> = values.iter().take(ELEMENTS).map(written).collect();
            let more = values.len().saturating_sub(ELEMENTS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            shown.join(", ") + &more
        }
        other => other.to_string(),
    }
}

/// A row for each name that any of the columns has, in the order in which they come.
fn joined(columns: &[Vec<(String, String)>]) -> Vec<(String, Vec<String>)> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in columns.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let value = |column: &Vec<(String, String)>, name: &String| {
        column.iter().find(|(its, _)| its == name).map_or("–".to_string(), |(_, value)| value.clone())
    };
    let row = |name: &String| (name.clone(), columns.iter().map(|column| value(column, name)).collect());
    names.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::setting::settings;
    use crate::page::testing::run;
    use serde_json::json;

    #[test]
    fn words_say_what_the_figures_do() {
        let mut run = run(&[10; 2]);
        assert!(accounting("A", &run).into_string().contains("It is complete"));
        let topic = run.form.accounting.topics.get_mut("trades").unwrap();
        (topic.records.acked, topic.records.spilled) = (15, 5);
        assert!(accounting("A", &run).into_string().contains("It is not complete: 5 on disk."));
        run.form.accounting.frames.received += 1;
        assert!(accounting("A", &run).into_string().contains("does not hold"));
    }

    #[test]
    fn keys_are_those_of_the_file() {
        let config =
            json!({"kafka": {"linger_us": 5, "librdkafka": {}}, "feed": [{"symbols": (0..30).collect::<Vec<_>>()}]});
        let told = keys(config.as_object().unwrap());
        assert_eq!(told[0], ("kafka.linger_us".into(), "5".into()));
        assert_eq!(told[1], ("kafka.librdkafka".into(), "{}".into()));
        assert!(told[2].0 == "feed[0].symbols" && told[2].1.ends_with("18, 19 and 10 more"), "{told:?}");
    }

    #[test]
    fn a_command_can_be_given_to_a_shell() {
        let mut run = run(&[1]);
        run.form.arguments = ["demo", "--rate", "max", "--report", "it's here"].map(Into::into).into();
        assert_eq!(command(&run), r"k2-feed demo --rate max --report 'it'\''s here'");
    }

    #[test]
    fn repeats_have_numbers() {
        let mut other = run(&[1]);
        other.form.command = "demo".into();
        let settings = settings(vec![run(&[1]), other, run(&[1])]);
        let names: Vec<String> = runs(&settings).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["A1", "A2", "B"]);
    }

    #[test]
    fn a_name_that_one_run_lacks_has_a_row() {
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let rows = joined(&[vec![pair("a", "1")], vec![pair("a", "1"), pair("b", "2")]]);
        assert_eq!(rows[1], ("b".to_string(), vec!["–".to_string(), "2".to_string()]));
    }
}
