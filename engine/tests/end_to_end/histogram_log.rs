//! `latency.hlog` read by HdrHistogram's own tool, which comes with Kafka's libraries.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::page::reported;
use crate::required::{done, or_skipped, script};

/// The figures in the last line of the tool's summary, in its order.
const FIGURES: [&str; 6] = ["p50", "p90", "p99", "p99_9", "p99_99", "max"];

/// What the tool makes of a hop: how many there are, and [`FIGURES`].
fn processed(log: &Path, hop: &str, folder: &Path) -> (u64, Vec<u64>) {
    let out = folder.join(hop);
    let mut tool = script("kafka.sh");
    tool.args(["tool", "org.HdrHistogram.HistogramLogProcessor", "-tag", hop, "-outputValueUnitRatio", "1", "-i"]);
    done(tool.arg(log).arg("-o").arg(&out)).unwrap();
    let summary = fs::read_to_string(&out).unwrap();
    // `… T:79880 ( 1373183.000 2899967.000 52199423.000 118685695.000 136708095.000 138018815.000 )`
    let (_, total) = summary.trim_end().rsplit_once("T:").unwrap_or_else(|| panic!("{hop}: {summary}"));
    let mut numbers = total.split_whitespace().filter(|part| !["(", ")"].contains(part));
    let count = numbers.next().unwrap().parse().unwrap();
    (count, numbers.map(|number| number.parse::<f64>().unwrap() as u64).collect())
}

#[test]
fn histogram_tools_read_what_is_reported() {
    if !or_skipped(&done(script("kafka.sh").arg("fetch"))) {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let [folder, _] = reported();
    let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    let hops = report["latency_ns"].as_object().unwrap();
    assert!(hops.len() >= 6, "all but recv are in every run: {hops:?}");
    for (hop, latency) in hops {
        let (count, figures) = processed(&folder.join("latency.hlog"), hop, work.path());
        let ours: Vec<u64> = FIGURES.iter().map(|name| latency[*name].as_u64().unwrap()).collect();
        assert_eq!((count, figures), (latency["count"].as_u64().unwrap(), ours), "{hop}");
    }
}
