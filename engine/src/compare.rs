//! `k2-feed compare`: two handlers' trades side by side, so that it is known what a switch from one to the other changes.
//!
//! Both topics' partitions are read as one stream in the order of record time. `side` makes trades of records, `join`
//! finds the two records of a trade and forgets both once none can come any more, `difference` looks at their fields,
//! `tally` counts, `tolerance` judges, `told` says it, `report` writes it down.

mod difference;
mod join;
mod lead;
#[cfg(feature = "report")]
mod page;
mod raw;
mod report;
mod side;
mod tally;
mod told;
mod tolerance;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::consume::merge::Merge;
use crate::consume::moment::{Moment, millis, now_ms, shown};
use crate::consume::source::{Catalog, Source, SourceArgs};
use crate::consume::stream::Stream;
use crate::outcome::{Outcome, duration};
use join::{Joiner, Limits};
use report::Report;
use side::{Reader, Side};
use tally::Tally;
use told::Progress;
use tolerance::{Tolerance, Tolerances};

/// How far an exchange's clock may be ahead of ours.
const CLOCKS_APART_MS: i64 = 10_000;

/// Compare what two handlers wrote to Kafka, trade by trade.
///
/// Reads both topics, whatever of raw and normalized they are, joins trades by exchange, symbol and trade id, and says what
/// only one of them has, which fields differ, and which was earlier by how much. Of Kraken, whose first protocol has no ids,
/// trades are joined by time (to the millisecond), price, quantity and side. A trade belongs to the window by the exchange's
/// time. Memory does not grow with the window. Exit codes: 0 all is within what is allowed; 1 it is not; 2 wrong usage.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A topic of the handler before; may be given several times.
    #[arg(long, required = true, value_name = "NAME")]
    pub old_topic: Vec<String>,
    /// A topic of the handler after; may be given several times.
    #[arg(long, required = true, value_name = "NAME")]
    pub new_topic: Vec<String>,
    /// The beginning of the window: how long ago, or a time with its zone.
    #[arg(long, default_value = "-24h", allow_hyphen_values = true, value_name = "MOMENT")]
    pub from: Moment,
    /// The length of the window.
    #[arg(long = "for", default_value = "24h", value_name = "DURATION", value_parser = duration)]
    pub length: Duration,
    /// Write there: report.json, minutes.csv, only-old.csv, only-new.csv, differing.csv, report.html.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// What makes two records one trade.
    #[arg(long, value_enum, default_value_t)]
    pub join: JoinBy,
    /// How much later than the other's a record may come. What comes later counts as missing.
    #[arg(long, default_value = "2m", value_name = "DURATION", value_parser = duration)]
    pub late: Duration,
    /// What is younger is left out: what one handler has, and the other is about to.
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub settle: Duration,
    /// A field that may differ, such as quote_volume; may be given several times.
    #[arg(long, value_name = "FIELD", value_parser = difference::field)]
    pub ignore: Vec<&'static str>,
    /// What is allowed.
    #[command(flatten)]
    pub tolerances: Tolerances,
    /// The exchange of topics whose names do not say it; only raw topics need it.
    #[arg(long, value_name = "NAME")]
    pub exchange: Option<String>,
    /// Where the new topics are, and the old ones unless it is said.
    #[command(flatten)]
    pub source: SourceArgs,
    /// As --config, for the old topics.
    #[arg(long, value_name = "FILE")]
    pub old_config: Option<PathBuf>,
    /// Where the old topics are, if elsewhere.
    #[arg(long, value_name = "SERVERS")]
    pub old_bootstrap_servers: Option<String>,
    /// Where the old topics' schemas are, if elsewhere.
    #[arg(long, value_name = "URL")]
    pub old_schema_registry_url: Option<String>,
}

impl CompareArgs {
    /// Where the old topics are: as the new ones, but for what is said; by a configuration of their own, by that alone.
    fn old_source(&self) -> SourceArgs {
        let beside = if self.old_config.is_some() { SourceArgs::default() } else { self.source.clone() };
        SourceArgs {
            config: self.old_config.clone().or(beside.config),
            bootstrap_servers: self.old_bootstrap_servers.clone().or(beside.bootstrap_servers),
            schema_registry_url: self.old_schema_registry_url.clone().or(beside.schema_registry_url),
        }
    }
}

/// What makes two records one trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum JoinBy {
    /// Of Kraken the content, of others the id.
    #[default]
    Auto,
    /// Exchange, symbol and trade id.
    Id,
    /// Exchange, symbol, time, price, quantity and side: for ids that are not the exchange's.
    Content,
}

/// The trades that are compared, by the exchange's time in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
}

impl Window {
    fn of(args: &CompareArgs, now_ms: i64) -> anyhow::Result<Window> {
        let from_ms = args.from.at(now_ms);
        let until_ms = from_ms.saturating_add(millis(args.length)).min(now_ms.saturating_sub(millis(args.settle)));
        if until_ms <= from_ms {
            let settle = humantime::format_duration(args.settle);
            let from = shown(from_ms);
            anyhow::bail!(
                "the window is empty: it begins at {from}, and what is younger than {settle} is left out (--settle)"
            );
        }
        Ok(Window { from_ms, until_ms })
    }

    pub(crate) fn contains(self, time_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&time_ms)
    }
}

/// Reads, compares, and says what was found.
///
/// # Errors
/// The configuration, Kafka, a registry, or the report's folder.
pub fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let window = Window::of(args, now_ms())?;
    let mut report = args.report.as_deref().map(Report::create).transpose()?;
    let (readers, mut merge) = open(args, window)?;
    let tally = compare(args, window, readers, &mut merge, report.as_mut())?;
    let verdict = args.tolerances.judge(&tally);
    told::print(args, &tally, &verdict)?;
    if let Some(report) = report {
        report.finish(args, &tally, &verdict)?;
    }
    let holds = verdict.iter().all(Tolerance::holds);
    Ok(if holds { Outcome::Complete } else { Outcome::Lost }.into())
}

/// The old and the new side's partitions, with what reads the records of each.
fn open(args: &CompareArgs, window: Window) -> anyhow::Result<([Reader; 2], Merge<Stream>)> {
    // What is wrong with either configuration is said before a broker is waited for.
    let (new, old) = (args.source.resolve()?, args.old_source().resolve()?);
    // A record is made when its trade is known, no sooner; and no later than is waited for.
    let (from_ms, until_ms) = (window.from_ms - CLOCKS_APART_MS, window.until_ms.saturating_add(millis(args.late)));
    let mut all = Vec::new();
    let mut reader = |source: Source, topics: &[String]| {
        let wanted = |catalog: &Catalog| catalog.topics(topics);
        let (streams, decoder) = source.open(wanted, from_ms, Some(until_ms), false)?;
        all.extend(streams);
        Reader::new(decoder, topics, args.exchange.as_deref(), all.len())
    };
    let readers = [reader(old, &args.old_topic)?, reader(new, &args.new_topic)?];
    Ok((readers, Merge::new(all)))
}

fn compare(
    args: &CompareArgs,
    window: Window,
    mut readers: [Reader; 2],
    merge: &mut Merge<Stream>,
    mut report: Option<&mut Report>,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new(window, &args.ignore);
    let mut joiner = Joiner::new(Limits { window, late_ms: millis(args.late), by: args.join });
    let mut progress = Progress::new(window);
    let of_old = readers[0].partitions_to;
    while let Some((place, record)) = merge.take_next()? {
        let side = if place < of_old { Side::Old } else { Side::New };
        progress.tell(record.time_ms, tally.read());
        let topic = &merge.partitions()[place].span().topic;
        let mut found = Vec::new();
        joiner.pass(record.time_ms, &mut found);
        readers[side as usize].trades(topic, &record, |trade| match trade {
            Ok(trade) => joiner.take(side, record.time_ms, &trade, &mut found),
            Err(why) => tally.undecodable(side, || format!("{topic} offset {}: {why}", record.offset)),
        })?;
        tally.take(found, report.as_deref_mut())?;
    }
    let mut found = Vec::new();
    joiner.finish(&mut found);
    tally.take(found, report.as_deref_mut())?;
    tally.finish(&joiner, merge.disordered(), report)?;
    progress.end();
    Ok(tally)
}
