//! What a person sees of a demo: one screen that is drawn anew, or plain lines where there is no terminal; and the
//! summary at the end.

use console::{Term, style};

use super::verify::Verdict;
use super::{DemoArgs, WARM_UP};
use crate::accounting::Accounting;
use crate::engine::Interval;
use crate::latency::{Hop, Hops, readable};
use crate::machine::resident_bytes;
use crate::readable::thousands;
use crate::record::Kind;
use crate::sim::{Rate, Recovery, Summary};
use crate::twins::Standing;
use crate::venue::protocol::Protocol;

/// The demo's output.
pub(super) struct Screen {
    term: Term,
    is_terminal: bool,
    drawn: usize,
    seconds: u64,
    last_verified: u64,
}

impl Screen {
    /// Says what is going to happen.
    pub(super) fn new(args: &DemoArgs, seed: u64) -> Self {
        let term = Term::stdout();
        let is_terminal = term.features().is_attended();
        let rate = match args.rate {
            Rate::Max => "as many trades as come out again".to_string(),
            Rate::PerSecond(rate) => format!("{} trades/s", thousands(rate as u64)),
        };
        let screen = Screen { term, is_terminal, drawn: 0, seconds: 0, last_verified: 0 };
        screen.line(&format!(
            "{} {rate} of {} symbols{} for {}{}: exchange => feed core => ring => producer core => broker, each trade checked (seed {seed})",
            style("k2-feed demo").bold(),
            args.symbols,
            if args.exchanges.count() > 1 { format!(" each on {} exchanges", args.exchanges.count()) } else { String::new() },
            humantime::format_duration(args.run_for),
            connections(args),
        ));
        screen
    }

    /// Shows how things stand. Called once an interval.
    pub(super) fn draw(&mut self, interval: &Interval, total: &Hops, sent: u64, verified: u64, faults: u64) {
        self.seconds += 1;
        let rate = verified - self.last_verified;
        self.last_verified = verified;
        if !self.is_terminal {
            let p99 = total
                .get(Hop::Total)
                .filter(|histogram| !histogram.is_empty())
                .map(|histogram| histogram.value_at_quantile(0.99));
            let p99 = p99.map_or_else(|| "warming up".into(), |p99| format!("total p99 {}", readable(p99)));
            return self.line(&format!(
                "{:>4} s  sent {:>12}  verified {:>12}  {:>9}/s  discrepancies {faults}  {p99}",
                self.seconds,
                thousands(sent),
                thousands(verified),
                thousands(rate)
            ));
        }
        let mut lines = vec![
            String::new(),
            format!(
                "  {:>4} s   sent {}   verified {}   {}/s",
                self.seconds,
                thousands(sent),
                thousands(verified),
                style(thousands(rate)).bold()
            ),
            format!("  discrepancies {}   resident memory {} MiB", good_if_zero(faults), resident_bytes() >> 20),
            String::new(),
        ];
        lines.extend(hop_table(total));
        lines.push(String::new());
        lines.extend(record_table(&interval.accounting));
        // A terminal that has gone is no reason to stop.
        let _ = self.term.clear_last_lines(self.drawn);
        self.drawn = lines.len();
        lines.iter().for_each(|line| self.line(line));
    }

    /// The summary.
    pub(super) fn conclude(
        &mut self,
        accounting: &Accounting,
        standings: &[Standing],
        hops: &Hops,
        verdict: &Verdict,
        sent: &[(Protocol, Summary)],
        interrupted: bool,
    ) {
        let _ = self.term.clear_last_lines(self.drawn);
        self.line("");
        hop_table(hops).iter().for_each(|line| self.line(line));
        let end_to_end = row("end to end", &verdict.end_to_end);
        self.line(&end_to_end);
        self.line(&style(format!(
            "  recv and end to end count from the intended send time; the rest are the engine's hops; the first {} s are left out",
            WARM_UP.as_secs()
        )).dim().to_string());
        self.line("");
        record_table(accounting).iter().for_each(|line| self.line(line));
        self.line("");
        let width = sent.iter().map(|(protocol, _)| protocol.to_string().len()).max().unwrap_or_default();
        for (protocol, sent) in sent {
            self.line(&format!(
                "  {:<width$} {} trades sent in {:.1} s, {}/s; late by p50 {}, p99 {}, max {}",
                protocol.to_string(),
                thousands(sent.progress.sent),
                sent.sending.as_secs_f64(),
                thousands(sent.rate as u64),
                readable(sent.progress.lateness.p50_ns),
                readable(sent.progress.lateness.p99_ns),
                readable(sent.progress.lateness.max_ns)
            ));
        }
        for (protocol, Summary { progress, .. }) in sent {
            if !progress.faults.is_empty() {
                let (protocol, faults) = (protocol.to_string(), progress.faults);
                self.line(&format!("  {protocol:<width$} faults: {faults}"));
            }
            if progress.recovery != Recovery::default() {
                self.line(&format!("  {:<width$} recovery: {}", protocol.to_string(), progress.recovery));
            }
        }
        self.line(&format!(
            "  topics    {} of {} trades found right on both; missing {}, twice {}, different {}, out of order {}",
            thousands(verdict.seen),
            thousands(verdict.expected),
            good_if_zero(verdict.missing),
            good_if_zero(verdict.duplicate),
            good_if_zero(verdict.mismatched),
            good_if_zero(verdict.out_of_order)
        ));
        if verdict.raw_again > 0 {
            let again = thousands(verdict.raw_again);
            self.line(&format!(
                "            {again} raw frames came more than once, as they may where connections overlap"
            ));
        }
        self.line(&format!(
            "  engine    gaps {}, reconnects {}, ring full {}, queue full {}; resident memory of all parts {} MiB",
            good_if_zero(accounting.feed.gaps),
            accounting.feed.reconnects,
            accounting.feed.ring_full,
            accounting.producer.delivery.queue_full,
            resident_bytes() >> 20
        ));
        standings.iter().for_each(|one| self.line(&first(one)));
        self.line("");
        verdict.discrepancies.iter().for_each(|what| self.line(&format!("  {} {what}", style("-").red())));
        let all = verdict.is_clean() && accounting.is_complete();
        let verdict = match (all, interrupted) {
            (true, false) => style("VERIFIED  every trade, once, in order, digit for digit").green().bold(),
            (true, true) => style("VERIFIED  every trade up to the interruption").green().bold(),
            (false, _) => style("NOT VERIFIED  see above").red().bold(),
        };
        self.line(&format!("  {verdict}"));
    }

    fn line(&self, text: &str) {
        // Nobody reads any more: the exit code still tells.
        let _ = self.term.write_line(text);
    }
}

/// How many connections there are and how long they live, where that is not as usual.
fn connections(args: &DemoArgs) -> String {
    let twins = (args.connections > 1).then(|| format!(", by {} connections each", args.connections));
    let age = args.rotate_every.map(|age| format!(", connections replaced every {}", humantime::format_duration(age)));
    [twins, age].into_iter().flatten().collect()
}

/// How often a connection was first, of those that carry the same.
fn first(standing: &Standing) -> String {
    let Standing { first, second, lead_ns, .. } = standing;
    format!(
        "  {:<9} first with {} trades, second with {}; first by p50 {}, p99 {}, max {}",
        standing.name(),
        thousands(*first),
        thousands(*second),
        readable(lead_ns.p50),
        readable(lead_ns.p99),
        readable(lead_ns.max)
    )
}

fn hop_table(hops: &Hops) -> Vec<String> {
    let mut lines = vec![
        style(format!("  {:<11}{:>11}{:>11}{:>11}{:>11}{:>13}", "hop", "p50", "p99", "p99.9", "max", "count"))
            .bold()
            .to_string(),
    ];
    lines.extend(Hop::ALL.iter().filter_map(|hop| hops.get(*hop).map(|histogram| row(hop.name(), histogram))));
    lines
}

fn row(name: &str, histogram: &hdrhistogram::Histogram<u64>) -> String {
    if histogram.is_empty() {
        return format!("  {name:<11}{:>11}", "-");
    }
    let at = |quantile: f64| readable(histogram.value_at_quantile(quantile));
    let (p50, p99, p99_9, max) = (at(0.5), at(0.99), at(0.999), readable(histogram.max()));
    format!("  {name:<11}{p50:>11}{p99:>11}{p99_9:>11}{max:>11}{:>13}", thousands(histogram.len()))
}

fn record_table(accounting: &Accounting) -> Vec<String> {
    let columns = ["committed", "acked", "failed", "dropped", "spilled", "in flight"];
    let header: String = columns.iter().map(|column| format!("{column:>12}")).collect();
    let mut lines = vec![style(format!("  {:<11}{header}", "records")).bold().to_string()];
    for kind in Kind::ALL {
        let records = accounting.records(kind);
        let counts =
            [records.committed, records.acked, records.failed, records.dropped, records.spilled, records.in_flight];
        let counts: String = counts.iter().map(|count| format!("{:>12}", thousands(*count))).collect();
        lines.push(format!("  {:<11}{counts}", kind.name()));
    }
    lines
}

fn good_if_zero(count: u64) -> String {
    let shown = thousands(count);
    if count == 0 { style(shown).green().to_string() } else { style(shown).red().bold().to_string() }
}
