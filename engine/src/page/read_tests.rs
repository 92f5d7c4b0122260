use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::accounting::{FeedTally, ProducerTally};
use crate::clock::Nanos;
use crate::config::Config;
use crate::cores::{CpuSet, Plan};
use crate::latency::Hops;
use crate::report::Report;

const CONFIG: &str = r#"
[kafka]
bootstrap_servers = "localhost:9092"
schema_registry_url = "http://localhost:8081"
[[feed]]
exchange = "binance"
symbols = ["BTCUSDT"]
url = "ws://localhost:1/ws"
"#;

/// Times of so many trades, 1 us more at each of them.
fn times(trades: u64) -> Hops {
    let mut hops = Hops::of(&Hop::ALL);
    for hop in [Hop::Decode, Hop::Total] {
        (1..=trades).for_each(|value| hops.record(hop, Nanos(0), Nanos(value * 1_000)));
    }
    hops
}

/// What a run leaves behind that saw so many trades in each of its seconds.
fn reported(trades: &[u64]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new(Some(folder.path())).unwrap();
    let mut accounting = crate::accounting::Accounting::of(FeedTally::default(), ProducerTally::default(), &[]);
    for (at, trades) in trades.iter().enumerate() {
        accounting.feed.trades += trades;
        report.add(&times(*trades), &accounting, Duration::from_millis(1_003 * (at as u64 + 1)));
    }
    let config = Config::parse("feed.toml", CONFIG).unwrap();
    let plan = Plan::fit(&config.wish(), &CpuSet::of(0..4)).unwrap();
    report.write("run", &config, &plan, &accounting, &[], None).unwrap();
    folder
}

/// What reading says once the file's text was changed.
fn damaged(name: &str, change: impl FnOnce(String) -> String) -> Unreadable {
    let folder = reported(&[10, 20]);
    let path = folder.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(text)).unwrap();
    let error = Run::read(folder.path()).err().expect("it is damaged");
    assert!(error.to_string().contains(name), "{error}");
    assert!(!error.is_usage());
    error
}

/// The text up to its last line.
fn without_last_line(text: &str) -> String {
    text.trim_end().rsplit_once('\n').unwrap().0.to_string() + "\n"
}

#[test]
fn what_is_written_is_read() {
    let folder = reported(&[10, 0, 2_000]);
    let run = Run::read(folder.path()).unwrap();
    assert_eq!((run.form.command.as_str(), run.form.accounting.trades), ("run", 2_010));
    assert!(run.form.accounting.holds() && run.started.is_some());
    let trades: Vec<u64> = run.intervals.iter().map(|interval| interval.counts.trades).collect();
    assert_eq!(trades, [10, 0, 2_000]);
    let counts: Vec<u64> = run.intervals.iter().map(|interval| interval.hops[Hop::Total as usize].count()).collect();
    assert_eq!(counts, [10, 0, 2_000]);
    assert_eq!(run.intervals[2].start_s, 2.006);
    assert_eq!(run.totals[Hop::Total as usize].len(), 2_010);
    assert_eq!(run.intervals[2].hops[Hop::Decode as usize].quantile(0.5), Some(1_000_447), "to three digits");
}

#[test]
fn a_folder_that_is_none_is_wrong_usage() {
    let folder = reported(&[1]);
    for path in [folder.path().join("nowhere"), folder.path().join(REPORT_FILE)] {
        let error = Run::read(&path).err().unwrap();
        assert!(error.is_usage() && error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
    fs::remove_file(folder.path().join(REPORT_FILE)).unwrap();
    let error = Run::read(folder.path()).err().unwrap();
    assert!(error.is_usage() && error.to_string().contains("has ended"), "{error}");
}

#[test]
fn a_file_that_is_missing_is_named() {
    for name in [LATENCY_FILE, COUNTS_FILE] {
        let folder = reported(&[1]);
        fs::remove_file(folder.path().join(name)).unwrap();
        let error = Run::read(folder.path()).err().unwrap().to_string();
        assert!(error.contains(name) && error.contains("No such file"), "{error}");
    }
}

#[test]
fn another_version_is_named() {
    let error = damaged(REPORT_FILE, |text| text.replace("\"version\": 2", "\"version\": 1"));
    assert!(matches!(&error, Unreadable::Version { found, .. } if found == "1"), "{error}");
    let error = damaged(REPORT_FILE, |text| text.replace("\"version\"", "\"vision\""));
    assert!(matches!(&error, Unreadable::Version { found, .. } if found == "null"), "{error}");
}

#[test]
fn a_damaged_line_is_named() {
    let line = |error: &Unreadable| match error {
        Unreadable::Line { line, .. } => *line,
        other => panic!("{other}"),
    };
    let error = damaged(REPORT_FILE, |text| without_last_line(&text));
    assert!(line(&error) > 10, "{error}");
    let error = damaged(REPORT_FILE, |text| text.replace("\"cpus\"", "\"gpus\""));
    assert!(error.to_string().contains("missing field `cpus`"), "{error}");
    assert_eq!(line(&damaged(COUNTS_FILE, |text| text.replacen("{\"end_s\":2", "{\"end_s\":x", 1))), 2);
    assert_eq!(line(&damaged(COUNTS_FILE, |text| text.replacen("{\"end_s\":2", "{\"end_s\":0", 1))), 2, "backwards");
    assert_eq!(line(&damaged(COUNTS_FILE, |text| text[..text.len() - 9].to_string())), 2, "cut short");
    // Three lines of heading, seven hops an interval.
    assert_eq!(line(&damaged(LATENCY_FILE, |text| text[..text.len() - 9].to_string())), 17, "cut short");
    assert_eq!(line(&damaged(LATENCY_FILE, |text| text.replacen("Tag=encode", "Tag=encore", 1))), 6);
    assert_eq!(line(&damaged(LATENCY_FILE, |text| text.replacen("HISTFAAAA", "HITTFAAAA", 1))), 4);
    assert_eq!(line(&damaged(LATENCY_FILE, |text| text.replacen("HISTFAAAA", "HIST?AAAA", 1))), 4);
}

#[test]
fn logs_that_lack_lines_are_noticed() {
    for name in [LATENCY_FILE, COUNTS_FILE] {
        let error = damaged(name, |text| without_last_line(&text));
        assert!(matches!(error, Unreadable::Short { .. }), "{error}");
    }
}

#[test]
fn a_run_that_has_not_ended_has_no_report_of_an_earlier_one() {
    let folder = reported(&[1]);
    drop(Report::new(Some(folder.path())).unwrap());
    assert!(Run::read(folder.path()).err().unwrap().is_usage());
}

#[test]
fn of_a_long_run_intervals_are_together_and_nothing_is_lost() {
    let counts = |at: u64| Counts { end_s: at as f64, trades: at, spilled: at, ..Counts::default() };
    let counts: Vec<Counts> = (1..=2_500).map(counts).collect();
    let few = together(&counts);
    assert_eq!(few.len(), 500);
    assert_eq!(few.iter().map(|interval| interval.counts.trades).sum::<u64>(), 2_500 * 2_501 / 2);
    assert_eq!((few[0].start_s, few[0].counts.end_s, few[0].counts.spilled), (0.0, 5.0, 5));
    assert!(few.windows(2).all(|pair| pair[0].counts.end_s == pair[1].start_s));
    assert_eq!(few.last().map(|last| last.counts.end_s), Some(2_500.0));
    assert_eq!(together(&counts[..MOST_INTERVALS]).len(), MOST_INTERVALS);
}

#[test]
fn times_of_a_long_run_are_where_they_were_measured() {
    let trades: Vec<u64> = (0..1_300).map(|second| second / 3 % 7).collect();
    let folder = reported(&trades);
    let run = Run::read(folder.path()).unwrap();
    assert_eq!(run.intervals.len(), 1_300_usize.div_ceil(3));
    for interval in &run.intervals {
        assert_eq!(interval.hops[Hop::Total as usize].count(), interval.counts.trades, "at {} s", interval.start_s);
    }
}

#[test]
fn a_moment_at_the_end_belongs_to_the_interval_before() {
    let ending = |end_s| Counts { end_s, trades: 10, in_flight: end_s as u64, ..Counts::default() };
    let told = |last| {
        let intervals = together(&[ending(1.0), ending(2.0), ending(last)]);
        intervals
            .iter()
            .map(|interval| (interval.start_s, interval.length_s(), interval.counts.trades))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(2.125), [(0.0, 1.0, 10), (1.0, 1.125, 20)]);
    assert_eq!(told(2.5), [(0.0, 1.0, 10), (1.0, 1.0, 10), (2.0, 0.5, 10)]);
}
