//! What a run leaves behind, read by who does not know how it was written.

use std::collections::BTreeMap;
use std::io::Cursor;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use crate::world::Stopped;

const HOPS: [&str; 7] = ["recv", "decode", "encode", "ring", "produce", "ack", "total"];

/// Fails the test unless both files hold what is promised and agree with each other.
pub(crate) fn check(stopped: &Stopped, command: &str) {
    let report = &stopped.report;
    assert_eq!(report["version"], 2);
    assert_eq!(report["command"], command);
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    assert!(report["machine"]["cpus"].as_u64().unwrap() > 0, "{:#}", report["machine"]);
    assert_eq!(report["config"]["feed"][0]["exchange"], "binance");
    accounting(&report["accounting"]);
    let logged = logged(&stopped.latency_log);
    for hop in HOPS {
        let latency = &report["latency_ns"][hop];
        // A kernel that has only just been asked for its time stamps may give none for a while; the hop is then left
        // out.
        if hop == "recv" && latency.is_null() {
            eprintln!("the kernel gave no receive times: the hop recv is not checked");
            continue;
        }
        ordered(hop, latency);
        let logged = logged.get(hop).unwrap_or_else(|| panic!("no interval of {hop} in the log"));
        if command == "run" {
            assert_eq!(logged.len(), latency["count"], "{hop}: the log and the report");
            assert_eq!(logged.max(), latency["max"], "{hop}: the log and the report");
        }
    }
    let count = |hop: &str| &report["latency_ns"][hop]["count"];
    if command == "run" {
        assert_eq!(*count("decode"), report["accounting"]["frames"]["decoded"]);
        assert_eq!(*count("encode"), report["accounting"]["trades"]);
    }
}

/// Every column is there, and each sum comes out even.
pub(crate) fn accounting(accounting: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number in {accounting:#}"));
    let sum = |of: &Value, names: &[&str]| names.iter().map(|name| number(&of[*name])).sum::<u64>();
    let frames = &accounting["frames"];
    assert_eq!(number(&frames["received"]), sum(frames, &["decoded", "control", "rejected"]), "{accounting:#}");
    let columns = ["acked", "failed", "dropped", "spilled", "in_flight"];
    let topics = accounting["topics"].as_object().unwrap_or_else(|| panic!("no topics in {accounting:#}"));
    for (name, topic) in topics {
        assert_eq!(number(&topic["committed"]), sum(topic, &columns), "{name}: {accounting:#}");
    }
    for kind in ["raw", "normalized", "dlq"] {
        let of_all: Vec<_> = topics.values().filter(|topic| topic["kind"] == kind).collect();
        for column in ["committed"].iter().chain(&columns) {
            let sum: u64 = of_all.iter().map(|topic| number(&topic[*column])).sum();
            assert_eq!(number(&accounting["records"][kind][*column]), sum, "{kind}, {column}: {accounting:#}");
        }
    }
    assert_eq!(number(&accounting["broken"]), 0, "{accounting:#}");
    sum(accounting, &["trades", "gaps", "duplicates", "reconnects"]);
}

/// Fails the test unless exactly these trades came, all of them acknowledged on both topics, and nothing went wrong.
pub(crate) fn flawless(report: &Value, trades: usize) {
    let accounting = &report["accounting"];
    assert_eq!(accounting["trades"], trades, "{accounting:#}");
    assert_eq!(accounting["frames"]["decoded"], trades, "{accounting:#}");
    for kind in ["raw", "normalized"] {
        assert_eq!(accounting["records"][kind]["acked"], trades, "{accounting:#}");
        assert_eq!(accounting["records"][kind]["committed"], trades, "{accounting:#}");
    }
    assert_eq!(accounting["records"]["dlq"]["committed"], 0, "{accounting:#}");
    for name in ["gaps", "duplicates", "reconnects"] {
        assert_eq!(accounting[name], 0, "{accounting:#}");
    }
    assert_eq!(accounting["frames"]["rejected"], 0, "{accounting:#}");
}

fn ordered(hop: &str, latency: &Value) {
    assert!(latency["count"].as_u64().is_some_and(|count| count > 0), "{hop}: {latency:#}");
    let names = ["min", "p50", "p90", "p99", "p99_9", "p99_99", "max"];
    let times = names.map(|name| latency[name].as_u64().unwrap_or_else(|| panic!("{hop} has no {name}")));
    assert!(times.is_sorted(), "{hop}: {latency:#}");
    let mean = latency["mean"].as_f64().unwrap();
    // A histogram knows its values to three digits.
    assert!(mean >= times[0] as f64 * 0.999 && mean <= times[6] as f64 * 1.001, "{hop}: {latency:#}");
}

/// All intervals of the log, added up by their tag.
fn logged(log: &[u8]) -> BTreeMap<String, Histogram<u64>> {
    let mut hops: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let mut deserializer = Deserializer::new();
    let (mut headers, mut ends) = (0, BTreeMap::new());
    for entry in IntervalLogIterator::new(log) {
        match entry.expect("the log's own reader reads it") {
            LogEntry::StartTime(_) | LogEntry::BaseTime(_) => headers += 1,
            LogEntry::Interval(interval) => {
                let tag = interval.tag().expect("a tag").as_str().to_string();
                let bytes = BASE64_STANDARD.decode(interval.encoded_histogram()).expect("base64");
                let histogram: Histogram<u64> = deserializer.deserialize(&mut Cursor::new(bytes)).expect("a histogram");
                let end = interval.start_timestamp() + interval.duration();
                let before = ends.insert(tag.clone(), end);
                assert!(before.is_none_or(|before| before <= end), "{tag}: intervals follow each other");
                let total = hops.entry(tag).or_insert_with(|| Histogram::new_from(&histogram));
                total.add(&histogram).unwrap();
            }
        }
    }
    assert_eq!(headers, 2, "one start time and one base time");
    hops
}
