//! What a campaign came to: whether all holds, as lines for people and as a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use k2_feed::machine::Machine;
use serde::Serialize;
use serde_json::Value;

use crate::campaign::{Struck, counts};
use crate::engine::Run;
use crate::judge::{Absence, Named, Verdict};
use crate::plan::Kind;
use crate::samples::Sample;
use crate::settings::{QUEUE_RECORDS, RING_BYTES, Settings};

/// Records that may be there again because an engine was killed: those with librdkafka at that moment.
const DUPLICATES_OF_A_KILL: u64 = QUEUE_RECORDS;
/// Frames that a kill may take: those with librdkafka, and those in the ring where it was not drained.
const FRAMES_OF_A_KILL: u64 = QUEUE_RECORDS + RING_BYTES / FRAME_BYTES;
/// The least that a frame takes in the ring.
const FRAME_BYTES: u64 = 150;

/// The result, small enough to be kept.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) command: String,
    pub(crate) seed: u64,
    pub(crate) machine: Machine,
    pub(crate) seconds: f64,
    pub(crate) faults: BTreeMap<&'static str, usize>,
    /// Kills of the engine while records were on its disk.
    pub(crate) engine_kills_with_spill: usize,
    pub(crate) engine_runs: usize,
    /// Those that could not start since something was away.
    pub(crate) engine_starts_in_vain: usize,
    pub(crate) verdict: Verdict,
    /// What the engine's reports say may be there twice.
    pub(crate) possible_duplicates: u64,
    /// What kills explain beyond that.
    pub(crate) duplicates_explained_by_kills: u64,
    pub(crate) max_resident_bytes: u64,
    pub(crate) resident_bound_bytes: u64,
    pub(crate) resident_bound: String,
    pub(crate) max_spilled_bytes: u64,
    pub(crate) spilled_records: u64,
    /// The longest time in which the broker took no record of the engine.
    pub(crate) longest_outage_s: f64,
    /// What does not hold.
    pub(crate) wrong: Vec<String>,
}

impl Outcome {
    /// Sees what holds.
    pub(crate) fn new(
        seed: u64,
        command: String,
        verdict: Verdict,
        runs: &[Run],
        struck: &[Struck],
        samples: &[Sample],
        outage: Duration,
    ) -> Self {
        let (resident_bound_bytes, resident_bound) = Settings::memory_bound();
        let reported = |path: &str| runs.iter().filter_map(Run::report).map(|report| count(&report, path)).sum();
        let most = |of: fn(&Sample) -> u64| samples.iter().map(of).max().unwrap_or(0);
        let mut outcome = Outcome {
            command,
            seed,
            machine: Machine::read(),
            seconds: samples.last().map_or(0.0, |sample| sample.at_s),
            faults: counts(struck),
            engine_kills_with_spill: struck
                .iter()
                .filter(|one| one.kind == Kind::EngineKilled && one.is_spilled)
                .count(),
            engine_runs: runs.len(),
            engine_starts_in_vain: runs.iter().filter(|run| !run.has_subscribed()).count(),
            verdict,
            possible_duplicates: reported("delivery/possible_duplicates"),
            duplicates_explained_by_kills: 0,
            max_resident_bytes: most(|sample| sample.most_resident_bytes),
            resident_bound_bytes,
            resident_bound,
            max_spilled_bytes: most(|sample| sample.spilled_bytes),
            spilled_records: reported("delivery/spills"),
            longest_outage_s: outage.as_secs_f64(),
            wrong: Vec::new(),
        };
        outcome.judge(runs);
        outcome
    }

    fn judge(&mut self, runs: &[Run]) {
        let kills = runs.iter().filter(|run| run.is_killed).count() as u64;
        let beyond = self.verdict.duplicates.saturating_sub(self.possible_duplicates);
        self.duplicates_explained_by_kills = beyond.min(kills * DUPLICATES_OF_A_KILL);
        let Verdict { lost, frames_lost, frames_lost_by_kills, reordered, different, unknown, .. } = self.verdict;
        let counted = [
            (lost, "trades are lost"),
            (frames_lost, "frames are lost"),
            (
                frames_lost_by_kills.saturating_sub(kills * FRAMES_OF_A_KILL),
                "frames beyond what kills explain are lost",
            ),
            (reordered, "records are out of order"),
            (different, "records are not what was sent"),
            (unknown, "records are of trades that nobody made"),
            (beyond - self.duplicates_explained_by_kills, "records are there again that the engine did not report"),
            (self.max_resident_bytes.saturating_sub(self.resident_bound_bytes), "bytes of memory beyond the bound"),
        ];
        // The exchange tells everybody its history, and what the end of a run keeps the engine from is for the next.
        self.wrong.extend(self.verdict.named_why.iter().map(|(why, count)| format!("{count} trades given up: {why}")));
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        self.wrong.extend(counted.map(|(count, what)| format!("{count} {what}")));
        self.wrong.extend(runs.iter().filter_map(Run::fault));
        self.wrong.extend(runs.iter().filter_map(unaccounted));
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Says it.
    pub(crate) fn print(&self) {
        let Verdict { made, live, from_rest, lost, named, frames_lost, frames_lost_by_kills, .. } = self.verdict;
        let Verdict { duplicates, reordered, different, unknown, ref examples, .. } = self.verdict;
        let faults: Vec<_> = self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        println!("faults      {}", faults.join(", "));
        println!("trades      {made} made, {live} live and {from_rest} from the history on the topic");
        println!("missing     {lost} lost, {named} named by the engine");
        self.verdict.named_why.iter().for_each(|(why, count)| println!("named       {count}: {why}"));
        println!("frames      {frames_lost} lost, {frames_lost_by_kills} by kills of the engine");
        println!(
            "again       {duplicates} records; the engine reported {}, kills explain {}",
            self.possible_duplicates, self.duplicates_explained_by_kills
        );
        println!("otherwise   {reordered} out of order, {different} different, {unknown} unknown");
        println!(
            "memory      {:.1} MiB at most, {:.1} allowed ({})",
            mib(self.max_resident_bytes),
            mib(self.resident_bound_bytes),
            self.resident_bound
        );
        println!("disk        {} records, {:.1} MiB at most", self.spilled_records, mib(self.max_spilled_bytes));
        println!("outage      {:.1} s at most", self.longest_outage_s);
        println!(
            "engine      {} runs, {} that could not start; killed with records on its disk {} times",
            self.engine_runs, self.engine_starts_in_vain, self.engine_kills_with_spill
        );
        examples.iter().for_each(|example| println!("example     {example}"));
        self.wrong.iter().for_each(|wrong| println!("WRONG       {wrong}"));
        if self.wrong.is_empty() {
            println!("all holds, seed {}", self.seed);
        }
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What a run's own report says was lost.
fn unaccounted(run: &Run) -> Option<String> {
    let report = run.report()?;
    let sum = |column: &str| {
        let kinds = ["raw", "normalized", "dlq"];
        kinds.into_iter().map(|kind| count(&report, &format!("records/{kind}/{column}"))).sum::<u64>()
    };
    let (failed, dropped, in_flight, broken) =
        (sum("failed"), sum("dropped"), sum("in_flight"), count(&report, "broken"));
    (failed + dropped + in_flight + broken > 0).then(|| {
        let name = run.name();
        format!("{name}: failed {failed}, dropped {dropped}, left in flight {in_flight}, did not add up {broken} times")
    })
}

/// A count of a report's accounting.
fn count(report: &Value, path: &str) -> u64 {
    report.pointer(&format!("/accounting/{path}")).and_then(Value::as_u64).unwrap_or(0)
}

/// The times at which no engine heard the market.
pub(crate) fn absences(runs: &[Run]) -> Vec<Absence> {
    let mut absences: Vec<Absence> = Vec::new();
    for (run, at_ms) in runs.iter().filter_map(|run| Some((run, run.subscribed_at_ms?))) {
        if let Some(last) = absences.last_mut() {
            last.to_ms = last.to_ms.min(at_ms);
        }
        if let Some(from_ms) = run.told_at_ms {
            let since_ms = run.started_at_ms;
            absences.push(Absence { since_ms, from_ms, to_ms: i64::MAX, is_killed: run.is_killed });
        }
    }
    absences
}

/// The trades that the engine's logs say it cannot have.
pub(crate) fn named(runs: &[Run]) -> Vec<Named> {
    let logs = runs.iter().filter_map(|run| std::fs::read_to_string(run.folder.join("log")).ok());
    logs.flat_map(|log| log.lines().filter_map(named_by).collect::<Vec<_>>()).collect()
}

/// How the engine begins to say that it cannot have trades.
const NAMED: &str = "gap: trades cannot be had: ";

fn named_by(line: &str) -> Option<Named> {
    // Most lines say something else.
    let line: Value = line.contains(NAMED).then(|| serde_json::from_str(line).ok())??;
    let (id, text) = (|name: &str| line[name].as_u64(), |name: &str| line[name].as_str().map(String::from));
    let why = text("message")?.trim_start_matches(NAMED).to_string();
    Some(Named { symbol: text("symbol")?, first: id("first")?, last: id("last")?, why })
}

/// When the broker took records, to a hundredth of a second.
#[derive(Debug, Default)]
pub(crate) struct Appends(BTreeSet<i64>);

impl Appends {
    /// It took one, at this time in milliseconds since 1970.
    pub(crate) fn add(&mut self, at_ms: i64) {
        self.0.insert(at_ms / 10);
    }

    /// The longest time in which it took none.
    pub(crate) fn longest_gap(&self) -> Duration {
        let gaps = self.0.iter().zip(self.0.iter().skip(1)).map(|(one, next)| next - one);
        Duration::from_millis(gaps.max().unwrap_or(0).unsigned_abs() * 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_names_is_read_and_nothing_else() {
        let line = r#"{"timestamp":"2026-11-21T22:00:00Z","level":"ERROR","message":"gap: trades cannot be had: HTTP 403","symbol":"BTCUSDT","first":7,"last":9,"missing":3,"repaired":0,"reason":"refused"}"#;
        assert_eq!(named_by(line), Some(Named { symbol: "BTCUSDT".into(), first: 7, last: 9, why: "HTTP 403".into() }));
        assert_eq!(named_by(&line.replace("cannot be had", "are missing")), None);
        assert_eq!(named_by("gap: trades cannot be had"), None);
    }

    #[test]
    fn the_longest_gap_is_found() {
        let mut appends = Appends::default();
        assert_eq!(appends.longest_gap(), Duration::ZERO);
        [5_000, 1_000, 2_500, 5_010].into_iter().for_each(|at_ms| appends.add(at_ms));
        assert_eq!(appends.longest_gap(), Duration::from_millis(2_500));
    }

    #[test]
    fn no_engine_ran_from_an_end_to_the_next_that_heard_the_market() {
        let run = |started_at_ms, subscribed_at_ms, told_at_ms, is_killed| Run {
            folder: "run".into(),
            ended: None,
            is_killed,
            started_at_ms,
            told_at_ms,
            subscribed_at_ms,
        };
        let runs = [run(5, Some(10), Some(20), true), run(25, None, None, false), run(35, Some(40), Some(50), false)];
        let expected = [
            Absence { since_ms: 5, from_ms: 20, to_ms: 40, is_killed: true },
            Absence { since_ms: 35, from_ms: 50, to_ms: i64::MAX, is_killed: false },
        ];
        assert_eq!(absences(&runs), expected);
    }
}
