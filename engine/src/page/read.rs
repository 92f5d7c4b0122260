//! A folder to a [`Run`].

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogHistogram, IntervalLogIterator, LogEntry, LogIteratorError,
};
use serde_json::Value;
use thiserror::Error;

use super::figures::Times;
use super::form::Form;
use crate::latency::{Hop, histogram};
use crate::report::{COUNTS_FILE, Counts, LATENCY_FILE, REPORT_FILE, VERSION};

/// Most intervals that are kept of a run: a chart cannot show more, and an hour of them would take gigabytes.
const MOST_INTERVALS: usize = 600;

/// The part of the interval before it that the last is long at least.
const SHORT: f64 = 0.25;

/// What a run left behind.
pub struct Run {
    /// The folder, as it was given.
    pub folder: PathBuf,
    /// `report.json`.
    pub form: Form,
    /// When it began, since 1970; if the log says so.
    pub started: Option<Duration>,
    /// Its intervals, in their order; of a long run, each is of several that follow each other.
    pub intervals: Vec<Interval>,
    /// All times of each hop, by [`Hop`].
    pub totals: Vec<Histogram<u64>>,
}

/// One interval, or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// When it began, in seconds since the start.
    pub start_s: f64,
    /// What was counted.
    pub counts: Counts,
    /// The times of each hop, by [`Hop`].
    pub hops: [Times; Hop::ALL.len()],
}

/// Why a folder is not read.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// It is none, or nothing was reported to it.
    #[error("{}: no folder of a report: {why}; name a folder that was given to --report, of a run that has ended", folder.display())]
    NoReport {
        /// What was named.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Another version of k2-feed wrote it.
    #[error("{}: its form is of version {found}, this k2-feed reads version {VERSION}: use the one that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it has.
        found: String,
    },
    /// A file is damaged.
    #[error("{}, line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Files do not belong together.
    #[error("{}: {why}: it is cut short, or of another run", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// In what it differs from `report.json`.
        why: String,
    },
}

impl Unreadable {
    /// Whether the command line is wrong, rather than the files.
    pub fn is_usage(&self) -> bool {
        matches!(self, Unreadable::NoReport { .. })
    }
}

impl Run {
    /// Reads a folder.
    ///
    /// # Errors
    /// What is missing, damaged, or does not fit together.
    pub fn read(folder: &Path) -> Result<Self, Unreadable> {
        let form = read_form(folder)?;
        let intervals = together(&read_counts(&folder.join(COUNTS_FILE))?);
        let Log { started, intervals, totals } = read_latency(&folder.join(LATENCY_FILE), intervals)?;
        let run = Run { folder: folder.into(), form, started, intervals, totals };
        run.check()?;
        Ok(run)
    }

    /// The logs must come to what `report.json` has. A demo's `recv` is left out: there, it has another beginning.
    fn check(&self) -> Result<(), Unreadable> {
        for hop in Hop::ALL {
            let counted = self.form.latency_ns.get(hop.name()).map_or(0, |counted| counted.count);
            let logged = self.totals[hop as usize].len();
            if logged != counted && !(hop == Hop::Recv && self.form.command == "demo") {
                let why = format!("it has {logged} times of {hop}, and {REPORT_FILE} {counted}");
                return Err(Unreadable::Short { path: self.folder.join(LATENCY_FILE), why });
            }
        }
        let (logged, counted) = (self.sum(|counts| counts.trades), self.form.accounting.trades);
        if logged != counted {
            let why = format!("it has {logged} trades, and {REPORT_FILE} {counted}");
            return Err(Unreadable::Short { path: self.folder.join(COUNTS_FILE), why });
        }
        Ok(())
    }

    /// A count, of all intervals.
    pub fn sum(&self, count: impl Fn(&Counts) -> u64) -> u64 {
        self.intervals.iter().map(|interval| count(&interval.counts)).sum()
    }

    /// Trades acknowledged in a second, from the first interval that has any to the last.
    pub fn rate(&self) -> f64 {
        let is_busy = |interval: &&Interval| interval.counts.acked_trades > 0;
        let (first, last) = (self.intervals.iter().find(is_busy), self.intervals.iter().rfind(is_busy));
        let busy_s = first.zip(last).map_or(0.0, |(first, last)| last.counts.end_s - first.start_s);
        if busy_s > 0.0 { self.sum(|counts| counts.acked_trades) as f64 / busy_s } else { 0.0 }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Unreadable> {
    fs::read(path).map_err(|error| Unreadable::Io { path: path.into(), error })
}

fn read_form(folder: &Path) -> Result<Form, Unreadable> {
    let no_report = |why: &str| Unreadable::NoReport { folder: folder.into(), why: why.into() };
    match fs::metadata(folder) {
        Err(error) => return Err(no_report(&error.to_string())),
        Ok(found) if !found.is_dir() => return Err(no_report("it is a file")),
        Ok(_) => {}
    }
    let path = folder.join(REPORT_FILE);
    let text = match bytes(&path) {
        Err(Unreadable::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
            return Err(no_report("it has no report.json"));
        }
        read => read?,
    };
    let damaged = |error: serde_json::Error| {
        // An error of a value that was read whole has no line.
        Unreadable::Line { path: path.clone(), line: error.line().max(1), why: error.to_string() }
    };
    let value: Value = serde_json::from_slice(&text).map_err(damaged)?;
    if value["version"] != VERSION {
        return Err(Unreadable::Version { path, found: value["version"].to_string() });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

fn read_counts(path: &Path) -> Result<Vec<Counts>, Unreadable> {
    let damaged = |line: usize, why: String| Unreadable::Line { path: path.into(), line, why };
    let mut counts: Vec<Counts> = Vec::new();
    for (at, text) in bytes(path)?.split(|byte| *byte == b'\n').enumerate().filter(|(_, text)| !text.is_empty()) {
        let one: Counts = serde_json::from_slice(text).map_err(|error| damaged(at + 1, error.to_string()))?;
        let before = counts.last().map_or(0.0, |before| before.end_s);
        // NaN is not after anything either.
        if one.end_s.partial_cmp(&before).is_none_or(std::cmp::Ordering::is_lt) {
            return Err(damaged(at + 1, format!("it ends at {} s, before {before} s, where it begins", one.end_s)));
        }
        counts.push(one);
    }
    Ok(counts)
}

/// As many intervals as can be told apart, each of several where there are more, without their times.
fn together(counts: &[Counts]) -> Vec<Interval> {
    let several = counts.len().div_ceil(MOST_INTERVALS).max(1);
    let mut start_s = 0.0;
    let interval = |several: &[Counts]| {
        let counts = several.iter().fold(Counts::default(), |sum, counts| sum.and(counts));
        let start_s = std::mem::replace(&mut start_s, counts.end_s);
        Interval { start_s, counts, hops: Default::default() }
    };
    let mut intervals: Vec<Interval> = counts.chunks(several).map(interval).collect();
    // What is left at the end may be a moment, of which a rate would mean nothing: it belongs to the one before.
    if let [.., before, last] = intervals.as_mut_slice()
        && last.length_s() < SHORT * before.length_s()
    {
        before.counts = before.counts.and(&last.counts);
        intervals.pop();
    }
    intervals
}

impl Interval {
    /// How long it took, in seconds.
    pub fn length_s(&self) -> f64 {
        self.counts.end_s - self.start_s
    }
}

/// `latency.hlog`.
struct Log {
    started: Option<Duration>,
    intervals: Vec<Interval>,
    totals: Vec<Histogram<u64>>,
}

fn read_latency(path: &Path, intervals: Vec<Interval>) -> Result<Log, Unreadable> {
    let bytes = bytes(path)?;
    let line_at = |offset: usize| bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
    let damaged = |line: usize, why: String| Unreadable::Line { path: path.into(), line, why };
    let mut log = Log { started: None, intervals, totals: Hop::ALL.map(|_| histogram()).into() };
    let mut deserializer = Deserializer::new();
    for entry in IntervalLogIterator::new(&bytes) {
        match entry {
            Err(LogIteratorError::ParseError { offset }) => {
                return Err(damaged(line_at(offset), "no line of HdrHistogram's log, or cut short".into()));
            }
            Ok(LogEntry::StartTime(started)) => log.started = Some(started),
            Ok(LogEntry::BaseTime(_)) => {}
            Ok(LogEntry::Interval(interval)) => {
                let at = interval.encoded_histogram().as_ptr() as usize - bytes.as_ptr() as usize;
                log.add(&interval, &mut deserializer).map_err(|why| damaged(line_at(at), why))?;
            }
        }
    }
    Ok(log)
}

impl Log {
    fn add(&mut self, interval: &IntervalLogHistogram, deserializer: &mut Deserializer) -> Result<(), String> {
        let tag = interval.tag().ok_or("it has no tag")?;
        let hop = Hop::ALL.into_iter().find(|hop| hop.name() == tag.as_str());
        let hop = hop.ok_or_else(|| format!("{} is no hop", tag.as_str()))?;
        let encoded = BASE64_STANDARD.decode(interval.encoded_histogram());
        let encoded = encoded.map_err(|error| format!("the histogram is no base64: {error}"))?;
        let histogram: Histogram<u64> = deserializer
            .deserialize(&mut Cursor::new(encoded))
            .map_err(|error| format!("the histogram is damaged: {error}"))?;
        self.totals[hop as usize].add(&histogram).map_err(|error| format!("the histogram is another's: {error}"))?;
        // The log rounds to milliseconds: the middle lies in the same interval, or at the end of the last.
        let middle_s = (interval.start_timestamp() + interval.duration() / 2).as_secs_f64();
        let at = self.intervals.partition_point(|interval| interval.counts.end_s < middle_s);
        let last = self.intervals.len().checked_sub(1).ok_or_else(|| format!("{COUNTS_FILE} has no interval"))?;
        let times = &mut self.intervals[at.min(last)].hops[hop as usize];
        *times = Times::together([&*times, &Times::of(&histogram)]);
        Ok(())
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
