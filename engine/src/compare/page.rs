//! The comparison as one page to look at.

use maud::{Markup, html};

use super::tally::{Counts, Tally};
use super::told::QUANTILES;
use super::tolerance::Tolerance;
use super::{CompareArgs, Window, told};
use crate::consume::moment::shown;
use crate::page::axis::Axis;
use crate::page::draw::{COLORS, Drawn, MUTED, Panel, WIDTH, chart, line, names_at_right, panel};
use crate::page::html::document;
use crate::readable::thousands;

const HEIGHT: u32 = 620;
/// Room right of a panel for the names of lines.
const NAMES: u32 = 200;
/// Times apart that have a name on the axis, in milliseconds.
const NAMED_MS: [i64; 6] = [1, 10, 100, 1_000, 10_000, 100_000];

/// Renders the page.
///
/// # Errors
/// If a chart cannot be drawn.
pub(super) fn page(args: &CompareArgs, tally: &Tally, verdict: &[Tolerance]) -> anyhow::Result<String> {
    let Window { from_ms, until_ms } = tally.window;
    let holds = verdict.iter().all(Tolerance::holds);
    let main = html! {
        p {
            "Trades of " (shown(from_ms)) " to " (shown(until_ms)) ", by the exchange's time. Old: "
            span.path { (args.old_topic.join(", ")) } "; new: " span.path { (args.new_topic.join(", ")) }
            "; made " (told::now()) "."
        }
        p class=(if holds { "good" } else { "bad" }) {
            @if holds { "All is within what is allowed." } @else { "Not all is within what is allowed." }
        }
        h2 { "Allowed" } (allowed(verdict))
        h2 { "Trades" } (counts(tally)) (over_time(tally)?)
        h2 { "Which was earlier" } (leads(tally)?)
        h2 { "Fields" } (fields(tally))
        @if !tally.examples.is_empty() {
            h2 { "Examples" }
            pre { @for example in &tally.examples { (example) "\n" } }
            p.note { "All are in only-old.csv, only-new.csv and differing.csv beside this page; counts by minute are in minutes.csv." }
        }
    };
    Ok(document("k2-feed comparison", &html! {}, &main))
}

fn allowed(verdict: &[Tolerance]) -> Markup {
    html! { div.scroll { table {
        thead { tr { th { "what" } th.number { "found" } th.number { "allowed" } th {} } }
        tbody { @for one in verdict { tr {
            td { (one.what) }
            td.number { (thousands(one.found)) }
            td.number {
                @if one.at_least { "at least " }
                (one.most.map_or("any".into(), thousands))
            }
            td class=(if one.holds() { "good" } else { "bad" }) { (if one.holds() { "yes" } else { "no" }) }
        } } }
    } } }
}

fn counts(tally: &Tally) -> Markup {
    let Counts { old, new, both, only_old, only_new, differing } = tally.all;
    let columns = [old, new, both, only_old, only_new, differing, tally.again[0], tally.again[1]];
    let names = ["old", "new", "both", "only old", "only new", "differing", "old again", "new again"];
    html! { div.scroll { table {
        thead { tr { @for name in names { th.number { (name) } } } }
        tbody { tr { @for count in columns { td.number { (thousands(count)) } } } }
    } } }
}

fn over_time(tally: &Tally) -> anyhow::Result<Markup> {
    let part_s = (tally.window.until_ms - tally.window.from_ms) as f64 / 1e3 / tally.parts.len() as f64;
    let lines = ["both", "only old", "only new"];
    let of = |part: &Counts| [part.both, part.only_old, part.only_new];
    let all = || tally.parts.iter().flat_map(of);
    let most = all().max().unwrap_or(1).max(1) as f64 / part_s;
    let drawn = chart((WIDTH, HEIGHT), "Trades a second over the window", |area| {
        let (x, y) = (Axis::seconds(part_s * tally.parts.len() as f64), Axis::numbers(most, 6));
        let mut panel = panel(area, "trades a second, over the time since the window's beginning", &x, &y, NAMES)?;
        let mut names = Vec::new();
        for (place, (name, color)) in lines.into_iter().zip(COLORS).enumerate() {
            let point =
                |(at, part): (usize, &Counts)| Some(((at as f64 + 0.5) * part_s, of(part)[place] as f64 / part_s));
            let points: Vec<_> = tally.parts.iter().enumerate().map(point).collect();
            line(&mut panel, &points, color, 4)?;
            names.extend(points.last().copied().flatten().map(|(_, end)| (end, name.to_string(), color)));
        }
        names_at_right(area, &panel, &names)
    })?;
    let told = "Mean of each of 240 parts of the window. By minute and exchange: minutes.csv.";
    Ok(html! { figure { (drawn) figcaption { (told) } } })
}

fn leads(tally: &Tally) -> anyhow::Result<Markup> {
    let [earlier, same, later] = tally.leads.shares();
    let count = tally.leads.count().max(1) as f64;
    let part = |of: u64| format!("{:.1} %", of as f64 / count * 100.0);
    let drawn = chart((WIDTH, HEIGHT), "By how much the new record was earlier, over all trades", |area| {
        let x = Axis {
            named: [0, 25, 50, 75, 100].map(|at| (f64::from(at), format!("{at} %"))).into(),
            from: 0.0,
            to: 100.0,
            unnamed: Vec::new(),
        };
        let y = signed(tally);
        let mut panel = panel(
            area,
            "ms by which the new record was earlier (below 0: later), over the trades that have no more",
            &x,
            &y,
            60,
        )?;
        zero(&mut panel)?;
        let at = |step: u32| Some((f64::from(step) / 10.0, place(tally.leads.quantile(f64::from(step) / 1_000.0)?)));
        line(&mut panel, &(0..=1_000).map(at).collect::<Vec<_>>(), COLORS[0], 4)
    })?;
    Ok(html! {
        p { "The new record was earlier in " (part(earlier)) " of all trades that both have, at the same millisecond in " (part(same)) ", later in " (part(later)) "." }
        div.scroll { table {
            thead { tr { th { "earlier by, ms" } @for (_, name) in QUANTILES { th.number { (name) } } } }
            tbody { tr { td {} @for (at, _) in QUANTILES {
                td.number { (tally.leads.quantile(at).map_or("-".into(), |lead| format!("{lead:+}"))) }
            } } }
        } }
        figure { (drawn) figcaption { "By the times of records: when each handler had handed them over, by its own host's clock." } }
    })
}

fn zero(panel: &mut Panel) -> Drawn {
    line(panel, &[Some((0.0, 0.0)), Some((100.0, 0.0))], MUTED, 2)
}

/// Where a lead stands on its axis: by its logarithm on both sides of zero.
fn place(lead_ms: i64) -> f64 {
    let far = (lead_ms.unsigned_abs() as f64 + 1.0).log10();
    if lead_ms < 0 { -far } else { far }
}

fn signed(tally: &Tally) -> Axis {
    let at = |part| tally.leads.quantile(part).unwrap_or(0);
    let (least, most) = (at(0.0).min(-1), at(1.0).max(1));
    let both = NAMED_MS.iter().flat_map(|ms| [-ms, *ms]).filter(|ms| (least * 2..=most * 2).contains(ms));
    let name = |ms: i64| if ms == 0 { "0".into() } else { format!("{ms:+}") };
    let named = both.chain([0]).map(|ms| (place(ms), name(ms))).collect();
    Axis { from: place(least * 2), to: place(most * 2), named, unnamed: Vec::new() }
}

fn fields(tally: &Tally) -> Markup {
    html! { div.scroll { table {
        thead { tr { th { "field" } th.number { "differs" } th.number { "written otherwise" } th {} } }
        tbody { @for (name, field) in &tally.fields { tr {
            td { (name) }
            td.number { (thousands(field.differing)) }
            td.number { (thousands(field.spelling)) }
            td.muted { @if field.ignored { "ignored" } }
        } } }
    } } }
}
