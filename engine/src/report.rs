//! What a run leaves behind: `report.json`, and, written as it goes, `latency.hlog` and `counts.jsonl`.

mod counts;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::accounting::{Accounting, Records};
use crate::config::Config;
use crate::cores::Plan;
use crate::latency::{Hop, Hops};
use crate::machine::Machine;
use crate::record::Kind;
use crate::repair::Reason;
use crate::twins::Standing;
pub use counts::Counts;

/// The version of the form of all three files.
pub const VERSION: u32 = 2;
/// What became of everything, how long it took, and where.
pub const REPORT_FILE: &str = "report.json";
/// The times of each hop, a line an interval and hop, in HdrHistogram's log format.
pub const LATENCY_FILE: &str = "latency.hlog";
/// What was counted, a line an interval: [`Counts`].
pub const COUNTS_FILE: &str = "counts.jsonl";

/// Everything measured since the start, and the logs of its intervals.
pub struct Report {
    folder: Option<PathBuf>,
    logs: Option<Logs>,
    /// As it was before the process was bound to some of its CPUs.
    machine: Machine,
    started: SystemTime,
    elapsed: Duration,
    total: Hops,
    /// The counts up to the last interval's end.
    counts: Counts,
}

/// What is written as it goes.
struct Logs {
    latency: File,
    counts: File,
}

/// The times of one hop, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were recorded.
    pub count: u64,
    /// The shortest.
    pub min: u64,
    /// The mean.
    pub mean: f64,
    /// Half were no longer.
    pub p50: u64,
    /// 90 in 100 were no longer.
    pub p90: u64,
    /// 99 in 100 were no longer.
    pub p99: u64,
    /// 999 in 1,000 were no longer.
    pub p99_9: u64,
    /// 9,999 in 10,000 were no longer.
    pub p99_99: u64,
    /// The longest.
    pub max: u64,
}

impl Latency {
    /// The figures of a histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Latency {
            count: histogram.len(),
            min: histogram.min(),
            mean: histogram.mean(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p99_9: histogram.value_at_quantile(0.999),
            p99_99: histogram.value_at_quantile(0.9999),
            max: histogram.max(),
        }
    }
}

impl Report {
    /// A report to `folder`, which is made at once, so that a wrong one is known before the run; or to nowhere.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn new(folder: Option<&Path>) -> anyhow::Result<Self> {
        let create = |folder: &Path| -> std::io::Result<Logs> {
            std::fs::create_dir_all(folder)?;
            // That of an earlier run would pass for this one's if this one ended before its own.
            match std::fs::remove_file(folder.join(REPORT_FILE)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = |name| File::create(folder.join(name));
            Ok(Logs { latency: file(LATENCY_FILE)?, counts: file(COUNTS_FILE)? })
        };
        let logs = folder
            .map(|folder| create(folder).with_context(|| format!("--report {}", folder.display())))
            .transpose()?;
        Ok(Report {
            folder: folder.map(Into::into),
            logs,
            machine: Machine::read(),
            started: SystemTime::now(),
            elapsed: Duration::ZERO,
            total: Hops::of(&Hop::ALL),
            counts: Counts::default(),
        })
    }

    /// Takes in an interval that ended `elapsed` after the start: its times, and the counts since the start.
    pub fn add(&mut self, hops: &Hops, accounting: &Accounting, elapsed: Duration) {
        if let Err(error) = self.log_interval(hops, elapsed) {
            tracing::error!("the latency log cannot be written: {error:#}");
        }
        let counts = Counts::since_start(accounting, elapsed.as_secs_f64());
        if let Err(error) = self.log_counts(&counts.after(&self.counts)) {
            tracing::error!("the log of counts cannot be written: {error:#}");
        }
        self.total.add(hops);
        self.counts = counts;
        self.elapsed = elapsed;
    }

    /// All times so far.
    pub fn total(&self) -> &Hops {
        &self.total
    }

    /// All times so far, to be corrected by who knows better.
    pub fn total_mut(&mut self) -> &mut Hops {
        &mut self.total
    }

    /// One line a hop, in HdrHistogram's log format.
    fn log_interval(&mut self, hops: &Hops, elapsed: Duration) -> anyhow::Result<()> {
        let Some(Logs { latency, .. }) = &mut self.logs else { return Ok(()) };
        let mut serializer = V2DeflateSerializer::new();
        let mut builder = IntervalLogWriterBuilder::new();
        let is_first = self.elapsed.is_zero();
        builder
            .add_comment("k2-feed: one line an interval and hop, in nanoseconds; recv is from the kernel's time stamp");
        builder.with_start_time(self.started).with_base_time(self.started).with_max_value_divisor(1.0);
        let mut lines = Vec::new();
        let mut writer = builder.begin_log_with(&mut lines, &mut serializer)?;
        for hop in Hop::ALL {
            if let (Some(histogram), Some(tag)) = (hops.get(hop), Tag::new(hop.name())) {
                writer.write_histogram(histogram, self.elapsed, elapsed.saturating_sub(self.elapsed), Some(tag))?;
            }
        }
        // Each writer begins with the header; only the first one's is kept.
        let header =
            lines.split_inclusive(|byte| *byte == b'\n').take_while(|line| is_header(line)).map(<[u8]>::len).sum();
        Ok(latency.write_all(if is_first { &lines } else { &lines[header..] })?)
    }

    /// One line, in one write: who reads it meanwhile sees it whole.
    fn log_counts(&mut self, counts: &Counts) -> anyhow::Result<()> {
        let Some(Logs { counts: log, .. }) = &mut self.logs else { return Ok(()) };
        let mut line = serde_json::to_vec(counts)?;
        line.push(b'\n');
        Ok(log.write_all(&line)?)
    }

    /// Writes `report.json`. `twins` is how connections with the same symbols stand to each other, `verify` is what a demo found.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(
        &self,
        command: &str,
        config: &Config,
        plan: &Plan,
        accounting: &Accounting,
        twins: &[Standing],
        verify: Option<Value>,
    ) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut report = json!({
            "version": VERSION,
            "command": command,
            "arguments": arguments(),
            "k2_feed": env!("CARGO_PKG_VERSION"),
            "seconds": self.elapsed.as_secs_f64(),
            "machine": self.machine,
            "config": config,
            "plan": plan,
            "accounting": accounting_json(accounting),
            "twins": twins,
            "latency_ns": latency_json(&self.total),
        });
        if let Some(verify) = verify {
            report["verify"] = verify;
        }
        let path = folder.join(REPORT_FILE);
        std::fs::write(&path, format!("{report:#}\n")).with_context(|| path.display().to_string())
    }
}

/// As the process was started with, without its name; secrets are never among them.
fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect()
}

fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.starts_with(b"\"")
}

/// The accounting as `report.json` and the status have it.
pub(crate) fn accounting_json(accounting: &Accounting) -> Value {
    let records: Map<String, Value> =
        Kind::ALL.into_iter().map(|kind| (kind.name().to_string(), json!(accounting.records(kind)))).collect();
    let topics: Map<String, Value> =
        accounting.topics.iter().map(|(name, topic)| (name.to_string(), topic_json(topic))).collect();
    let repairs = accounting.feed.repairs;
    let given_up: Map<String, Value> =
        Reason::ALL.into_iter().map(|reason| (reason.name().to_string(), json!(repairs.given_up(reason)))).collect();
    json!({
        "frames": accounting.feed.frames,
        "trades": accounting.feed.trades,
        "records": records,
        "topics": topics,
        "gaps": accounting.feed.gaps,
        "missing": accounting.feed.missing,
        "repairs": {
            "gaps": repairs.gaps,
            "trades": repairs.trades,
            "filled": repairs.filled,
            "given_up": given_up,
        },
        "late": accounting.feed.late,
        "duplicates": accounting.feed.duplicates,
        "reconnects": accounting.feed.reconnects,
        "sessions": accounting.feed.sessions,
        "ring_full": accounting.feed.ring_full,
        "broken": accounting.broken,
        "delivery": accounting.producer.delivery,
    })
}

fn topic_json((kind, records): &(Kind, Records)) -> Value {
    let mut topic = json!(records);
    topic["kind"] = kind.name().into();
    topic
}

/// A hop without a value, such as `recv` where the kernel gives no time, is left out.
fn latency_json(hops: &Hops) -> Value {
    let known = Hop::ALL.into_iter().filter_map(|hop| {
        let histogram = hops.get(hop).filter(|histogram| !histogram.is_empty())?;
        Some((hop.name().to_string(), json!(Latency::of(histogram))))
    });
    Value::Object(known.collect())
}
