//! The page's tables of figures: at a glance, by hop, and how settings differ.

use maud::{Markup, html};

use super::difference::{Blocks, Ratio, Unknown, compare};
use super::draw::{css, setting_color};
use super::figures::{COMPARED, quantile};
use super::read::Run;
use super::setting::Setting;
use crate::latency::{Hop, readable};
use crate::readable::thousands;

/// The quantiles in the table of hops.
const SHOWN: [(f64, &str); 5] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];

/// A setting's letter, in its colour.
pub fn letter(place: usize, setting: &Setting) -> Markup {
    html! { span.letter style=(format!("--mark:{}", css(setting_color(place)))) { (setting.name) } }
}

/// A row for each setting.
pub fn glance(settings: &[Setting]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "setting" } th { "folders" } th.number { "duration" } th.number { "trades/s" }
                @for (_, name) in COMPARED { th.number { "total " (name) } }
                th.number { "max" } th { "accounting" }
            } }
            tbody { @for (place, setting) in settings.iter().enumerate() {
                tr {
                    td { (letter(place, setting)) }
                    td { @for run in &setting.runs { div.path { (run.folder.display()) } } }
                    td.number { @for run in &setting.runs { div { (format!("{:.1} s", run.form.seconds)) } } }
                    td.number { (thousands(setting.rate().round() as u64)) }
                    @for (part, _) in COMPARED { td.number { (time(quantile(setting.total(Hop::Total), part))) } }
                    td.number { (readable(setting.total(Hop::Total).max())) }
                    td { @for run in &setting.runs { div { (verdict(run)) } } }
                }
            } }
        } }
    }
}

/// A few words for what the accounting came to.
fn verdict(run: &Run) -> Markup {
    let accounting = &run.form.accounting;
    match (accounting.holds(), accounting.is_complete()) {
        (false, _) => html! { span.bad { "does not hold" } },
        (true, false) => html! { span.bad { "not complete" } },
        (true, true) => html! { span.good { "nothing lost" } },
    }
}

/// A row for each hop and setting.
pub fn hops(settings: &[Setting]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "hop" }
                @if settings.len() > 1 { th { "setting" } }
                th.number { "count" } th.number { "mean" }
                @for (_, name) in SHOWN { th.number { (name) } }
                th.number { "max" }
            } }
            @for hop in Hop::ALL { tbody { @for (place, setting) in settings.iter().enumerate() {
                @let times = setting.total(hop);
                tr {
                    @if place == 0 { th rowspan=(settings.len()) { (hop.name()) } }
                    @if settings.len() > 1 { td { (letter(place, setting)) } }
                    td.number { (thousands(times.len())) }
                    td.number { (time((!times.is_empty()).then(|| times.mean().round() as u64))) }
                    @for (part, _) in SHOWN { td.number { (time(quantile(times, part))) } }
                    td.number { (time((!times.is_empty()).then(|| times.max()))) }
                }
            } } }
        } }
    }
}

/// How `other`, which is at this place among the settings, differs from the first.
pub fn difference(first: &Setting, other: &Setting, place: usize, seed: u64) -> Markup {
    let rows: Vec<(Hop, [Result<Ratio, Unknown>; COMPARED.len()])> = Hop::ALL
        .into_iter()
        .map(|hop| (hop, compare(&blocks(first, hop), &blocks(other, hop), COMPARED.map(|(part, _)| part), seed)))
        .collect();
    html! {
        h3 { (letter(place, other)) " against " (letter(0, first)) }
        div.scroll { table.difference {
            thead { tr {
                th { "hop" } th { "quantile" } th.number { (first.name) } th.number { (other.name) }
                th.number { (other.name) " / " (first.name) } th.number { "95 % of draws" } th { "difference" }
            } }
            @for (hop, ratios) in &rows { tbody { @for (at, (part, name)) in COMPARED.into_iter().enumerate() {
                tr {
                    @if at == 0 { th rowspan=(COMPARED.len()) { (hop.name()) } }
                    td { (name) }
                    td.number { (with_repeats(first, *hop, part)) }
                    td.number { (with_repeats(other, *hop, part)) }
                    (ratio_cells(&ratios[at]))
                }
            } } }
        } }
    }
}

fn blocks(setting: &Setting, hop: Hop) -> Blocks {
    let times =
        setting.runs.iter().map(|run| run.intervals.iter().map(|interval| &interval.hops[hop as usize]).collect());
    Blocks::of(&times.collect::<Vec<_>>())
}

fn ratio_cells(ratio: &Result<Ratio, Unknown>) -> Markup {
    match ratio {
        Ok(ratio) => html! {
            td.number { (part(ratio.ratio)) }
            td.number { (part(ratio.low)) " to " (part(ratio.high)) }
            @if ratio.is_within_noise() { td.muted { "within noise" } }
            @else if ratio.low > 1.0 { td.bad { "▲ longer" } }
            @else { td.good { "▼ shorter" } }
        },
        Err(Unknown::Values) => html! { td.number { "–" } td.number { "–" } td.muted { "too few values" } },
        Err(Unknown::Blocks) => html! { td.number { "–" } td.number { "–" } td.muted { "too short to say" } },
    }
}

/// A ratio in as many digits as tell it from 1, and no more than can be meant.
fn part(ratio: f64) -> String {
    let decimals = match ratio {
        ratio if ratio < 0.01 => 4,
        ratio if ratio < 0.1 || (ratio - 1.0).abs() < 0.01 => 3,
        ratio if ratio < 10.0 => 2,
        ratio if ratio < 100.0 => 1,
        _ => 0,
    };
    format!("{ratio:.decimals$}")
}

/// A setting's quantile, and from where to where its repeats have it.
fn with_repeats(setting: &Setting, hop: Hop, part: f64) -> Markup {
    let each = setting.runs.iter().filter_map(|run| quantile(&run.totals[hop as usize], part));
    let (least, most) = each.fold((u64::MAX, 0), |(least, most), one| (least.min(one), most.max(one)));
    html! {
        (time(quantile(setting.total(hop), part)))
        @if setting.runs.len() > 1 && least <= most { div.repeats { (readable(least)) " to " (readable(most)) } }
    }
}

fn time(ns: Option<u64>) -> String {
    ns.map_or("–".into(), readable)
}

/// A row for each name and a column for each of `columns`; what is the same in all of them is written once.
pub fn side_by_side(columns: &[String], rows: &[(String, Vec<String>)]) -> Markup {
    html! {
        div.scroll { table.side {
            @if columns.len() > 1 { thead { tr { th {} @for column in columns { th { (column) } } } } }
            tbody { @for (name, values) in rows {
                @let is_same = values.windows(2).all(|pair| pair[0] == pair[1]);
                tr.differs[!is_same] {
                    th { (name) }
                    @if is_same { td colspan=(columns.len()) { (values.first().map_or("", String::as_str)) } }
                    @else { @for value in values { td { (value) } } }
                }
            } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::difference::SEED;
    use crate::page::setting::settings;
    use crate::page::testing::run;

    fn two(first: &[u64], other: &[u64]) -> String {
        let (mut one, mut two) = (run(first), run(other));
        one.form.command = "one".into();
        two.form.command = "two".into();
        let settings = settings(vec![one, two]);
        difference(&settings[0], &settings[1], 1, SEED).into_string()
    }

    #[test]
    fn a_difference_is_told_from_noise() {
        assert_eq!(two(&[1_000; 12], &[1_000; 12]).matches("within noise").count(), 21);
        // Times rise with the number of trades.
        assert_eq!(two(&[1_000; 12], &[2_000; 12]).matches("▲ longer").count(), 21);
        assert_eq!(two(&[2_000; 12], &[1_000; 12]).matches("▼ shorter").count(), 21);
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        assert_eq!(two(&[1_000; 3], &[1_000; 12]).matches("too short to say").count(), 21);
        assert_eq!(two(&[20; 12], &[20; 12]).matches("too few values").count(), 7, "p99.9 of 240");
    }

    #[test]
    fn ratios_have_the_digits_that_matter() {
        let told = [0.0028, 0.0213, 0.514, 0.9973, 1.0021, 1.2345, 12.34, 787.29].map(part);
        assert_eq!(told, ["0.0028", "0.021", "0.51", "0.997", "1.002", "1.23", "12.3", "787"]);
    }

    #[test]
    fn what_is_the_same_is_written_once() {
        let row = |name: &str, values: [&str; 2]| (name.to_string(), values.map(String::from).into());
        let rows = [row("same", ["1", "1"]), row("other", ["1", "2"])];
        let table = side_by_side(&["A".into(), "B".into()], &rows).into_string();
        assert!(table.contains(r#"<th>same</th><td colspan="2">1</td>"#), "{table}");
        assert!(table.contains(r#"<tr class="differs"><th>other</th><td>1</td><td>2</td>"#), "{table}");
    }
}
