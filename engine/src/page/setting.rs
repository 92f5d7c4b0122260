//! Runs that repeat each other are one setting.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::read::Run;
use crate::latency::Hop;

/// Rates that are no further apart than this part of the lesser are one: who sends decides the rate, and no
/// configuration tells it.
const SAME_RATE: f64 = 0.1;
/// Keys of a configuration with the name of a topic.
const TOPICS: [&str; 3] = ["topic", "topic_raw", "topic_dlq"];

/// What was measured once or several times.
pub struct Setting {
    /// A letter, by which charts and tables name it.
    pub name: String,
    /// Its runs, in the order in which they were given; one at least.
    pub runs: Vec<Run>,
    /// All times of each hop, of all runs, by [`Hop`].
    pub totals: Vec<Histogram<u64>>,
}

impl Setting {
    fn new(place: usize, run: Run) -> Self {
        let totals = run.totals.clone();
        Setting { name: name(place), runs: vec![run], totals }
    }

    fn add(&mut self, run: Run) {
        for (mine, theirs) in self.totals.iter_mut().zip(&run.totals) {
            mine.add(theirs).expect("all histograms share their bounds");
        }
        self.runs.push(run);
    }

    /// All times of a hop.
    pub fn total(&self, hop: Hop) -> &Histogram<u64> {
        &self.totals[hop as usize]
    }

    /// Trades acknowledged in a second, the mean of its runs.
    pub fn rate(&self) -> f64 {
        self.runs.iter().map(Run::rate).sum::<f64>() / self.runs.len() as f64
    }
}

/// Puts runs of the same command, configuration, machine and rate together, in the order in which they were given.
pub fn settings(runs: Vec<Run>) -> Vec<Setting> {
    let mut settings: Vec<(Value, Setting)> = Vec::new();
    for run in runs {
        let key = key(&run);
        let same = |(other, setting): &&mut (Value, Setting)| *other == key && is_same_rate(setting, &run);
        match settings.iter_mut().find(same) {
            Some((_, setting)) => setting.add(run),
            None => settings.push((key, Setting::new(settings.len(), run))),
        }
    }
    settings.into_iter().map(|(_, setting)| setting).collect()
}

/// Whether the settings differ in their rate, so that there is a curve over it.
pub fn is_sweep(settings: &[Setting]) -> bool {
    let rates = || settings.iter().map(Setting::rate);
    let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    most > least * (1.0 + SAME_RATE)
}

fn is_same_rate(setting: &Setting, run: &Run) -> bool {
    let (one, other) = (setting.runs[0].rate(), run.rate());
    one.max(other) <= one.min(other) * (1.0 + SAME_RATE)
}

/// What repeats have in common.
fn key(run: &Run) -> Value {
    let form = &run.form;
    json!([form.command, arguments(&form.arguments), comparable(&json!(form.config)), form.machine, form.k2_feed])
}

/// Without the folder that was reported to, which is another's in each run, and the file of the configuration, which is
/// compared as it was resolved.
fn arguments(arguments: &[String]) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        let is_left_out =
            |name: &str| argument.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
        if std::mem::take(&mut is_value) {
            continue;
        }
        match ["--report", "--config"].into_iter().any(is_left_out) {
            true => is_value = !argument.contains('='),
            false => kept.push(argument.as_str()),
        }
    }
    kept
}

/// Without the names of topics, since those of a measurement are new for each run, and without ports on loopback: they
/// were given by the system, where a simulator or an embedded broker listens.
fn comparable(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_port(text)),
        Value::Array(values) => values.iter().map(comparable).collect(),
        Value::Object(values) => {
            let kept = values.iter().filter(|(key, _)| !TOPICS.contains(&key.as_str()));
            kept.map(|(key, value)| (key.clone(), comparable(value))).collect()
        }
        other => other.clone(),
    }
}

fn without_port(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    let starts = |text: &str| {
        ["127.0.0.1:", "localhost:", "[::1]:"].into_iter().filter_map(|host| Some(text.find(host)? + host.len())).min()
    };
    while let Some(end) = starts(rest) {
        kept.push_str(&rest[..end]);
        rest = rest[end..].trim_start_matches(|digit: char| digit.is_ascii_digit());
    }
    kept + rest
}

/// A, B … Z, AA, AB …
fn name(mut place: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + (place % 26) as u8));
        if place < 26 {
            return letters.iter().rev().collect();
        }
        place = place / 26 - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::run;

    #[test]
    fn repeats_differ_in_their_folder_their_topics_and_in_ports_that_the_system_gave() {
        let with = |report: &str, port: u16, linger_us: u64, trades: u64| {
            let mut run = run(&[trades; 4]);
            run.form.arguments = ["run", "--report", report, "--for", "4s"].map(Into::into).into();
            run.form.config = json!({
                "kafka": {"bootstrap_servers": format!("127.0.0.1:{port},kafka:9092"), "linger_us": linger_us},
                "feed": [{"exchange": "binance", "topic": report, "topic_raw": report, "topic_dlq": report}],
            })
            .as_object()
            .unwrap()
            .clone();
            run
        };
        let runs =
            vec![with("a", 1, 500, 1_000), with("b", 0, 500, 2_000), with("c", 2, 500, 1_050), with("d", 1, 0, 1_000)];
        let settings = settings(runs);
        let told: Vec<_> = settings.iter().map(|one| (one.name.as_str(), one.runs.len(), one.rate())).collect();
        assert_eq!(told, [("A", 2, 1_025.0), ("B", 1, 2_000.0), ("C", 1, 1_000.0)]);
        assert!(is_sweep(&settings) && !is_sweep(&settings[..1]));
        assert_eq!(settings[0].total(Hop::Total).len(), 4 * 2_050);
    }

    #[test]
    fn arguments_that_name_files_are_left_out() {
        let given = ["run", "--config", "a.toml", "--for", "4s", "--report=x", "--reporting"].map(String::from);
        assert_eq!(arguments(&given), ["run", "--for", "4s", "--reporting"]);
    }

    #[test]
    fn ports_elsewhere_are_part_of_the_address() {
        assert_eq!(without_port("ws://127.0.0.1:4000/ws"), "ws://127.0.0.1:/ws");
        assert_eq!(without_port("localhost:1,localhost:22"), "localhost:,localhost:");
        assert_eq!(without_port("wss://stream.binance.com:9443/ws"), "wss://stream.binance.com:9443/ws");
    }

    #[test]
    fn names_go_on_after_z() {
        assert_eq!([0, 25, 26, 51, 52, 702].map(name), ["A", "Z", "AA", "AZ", "BA", "AAA"]);
    }
}
