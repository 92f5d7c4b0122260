//! What a person is told: how far it is, and what was found.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::side::Side;
use super::tally::{Counts, Tally};
use super::tolerance::Tolerance;
use super::{CompareArgs, Window};
use crate::consume::moment::{now_ms, shown};
use crate::readable::thousands;

/// The quantiles of leads that are told.
pub(super) const QUANTILES: [(f64, &str); 7] =
    [(0.001, "p0.1"), (0.01, "p1"), (0.1, "p10"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

/// How far it is, on a terminal.
pub(super) struct Progress {
    window: Window,
    /// None where nobody looks.
    next: Option<Instant>,
}

impl Progress {
    const INTERVAL: Duration = Duration::from_millis(200);

    pub(super) fn new(window: Window) -> Self {
        Progress { window, next: std::io::stderr().is_terminal().then(Instant::now) }
    }

    /// Tells, now and then, how far it is: at this record time, after so many trades.
    pub(super) fn tell(&mut self, at_ms: i64, trades: u64) {
        if let Some(next) = &mut self.next
            && Instant::now() >= *next
        {
            *next = Instant::now() + Self::INTERVAL;
            let Window { from_ms, until_ms } = self.window;
            let part = (at_ms - from_ms) as f64 / (until_ms - from_ms) as f64 * 100.0;
            eprint!("\r{:3.0} %  {}  {} trades ", part.clamp(0.0, 100.0), shown(at_ms), thousands(trades));
        }
    }

    pub(super) fn end(self) {
        if self.next.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

/// Says what was found, and whether it is allowed.
///
/// # Errors
/// If stdout is closed.
pub(super) fn print(args: &CompareArgs, tally: &Tally, verdict: &[Tolerance]) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let Counts { old, new, both, only_old, only_new, differing } = tally.all;
    let Window { from_ms, until_ms } = tally.window;
    writeln!(out, "trades of {} to {}, by the exchange's time", shown(from_ms), shown(until_ms))?;
    print_side(out, tally, Side::Old, &args.old_topic, old)?;
    print_side(out, tally, Side::New, &args.new_topic, new)?;
    for (what, count) in [("both", both), ("only old", only_old), ("only new", only_new), ("differing", differing)] {
        print_count(out, what, count, "")?;
    }
    for (name, field) in tally.fields.iter().filter(|(_, field)| field.differing + field.spelling > 0) {
        let ignored = if field.ignored { ", ignored" } else { "" };
        let (differing, spelling) = (thousands(field.differing), thousands(field.spelling));
        writeln!(out, "    {name}: {differing}{ignored}; written otherwise: {spelling}")?;
    }
    print_leads(out, tally)?;
    tally.examples.iter().try_for_each(|example| writeln!(out, "  {example}"))?;
    if tally.disordered > 0 {
        let disordered = thousands(tally.disordered);
        writeln!(out, "  {disordered} records were not in the order of their time within their partition")?;
    }
    writeln!(out, "allowed")?;
    verdict.iter().try_for_each(|one| print_tolerance(out, one))
}

fn print_count(out: &mut impl Write, what: &str, count: u64, words: &str) -> io::Result<()> {
    writeln!(out, "{}", format!("  {what:<10} {:>16}  {words}", thousands(count)).trim_end())
}

fn print_side(out: &mut impl Write, tally: &Tally, side: Side, topics: &[String], trades: u64) -> io::Result<()> {
    let (again, (undecodable, first)) = (tally.again[side as usize], &tally.undecodable[side as usize]);
    print_count(out, side.name(), trades, &topics.join(", "))?;
    if again > 0 {
        print_count(out, "", again, "again")?;
    }
    if let Some(first) = first {
        print_count(out, "", *undecodable, &format!("no trades, such as {first}"))?;
    }
    Ok(())
}

fn print_tolerance(out: &mut impl Write, one: &Tolerance) -> io::Result<()> {
    let bound = match one.most {
        None => "any number".into(),
        Some(least) if one.at_least => format!("at least {}", thousands(least)),
        Some(most) => format!("at most {}", thousands(most)),
    };
    let holds = if one.holds() { "yes" } else { "NO " };
    writeln!(out, "  {holds} {:<34} {:>14}  {bound}", one.what, thousands(one.found))
}

fn print_leads(out: &mut impl Write, tally: &Tally) -> io::Result<()> {
    let count = tally.leads.count();
    if count == 0 {
        return Ok(());
    }
    let [earlier, same, later] = tally.leads.shares().map(|of| of as f64 / count as f64 * 100.0);
    writeln!(
        out,
        "the new record was earlier in {earlier:.1} %, at the same ms in {same:.1} %, later in {later:.1} %"
    )?;
    let told = QUANTILES.map(|(at, name)| format!("{name} {:+}", tally.leads.quantile(at).unwrap_or(0)));
    writeln!(out, "  earlier by, in ms: {}", told.join("  "))
}

/// When this was.
pub(super) fn now() -> String {
    shown(now_ms())
}
