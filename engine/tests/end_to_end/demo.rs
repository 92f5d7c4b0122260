//! `demo`: the whole path in one process. That its judge can find fault is tested where the judge is.

use std::path::Path;

use serde_json::{Value, json};

use crate::child::{Child, Ended, k2_feed};
use crate::report;
use crate::world::{Stopped, alone};

fn demo(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = k2_feed(&[&["demo", "--report", "out"], arguments].concat());
    command.current_dir(folder);
    Child::start(command).ended()
}

#[test]
fn a_demo_verifies_every_trade() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let ended = demo(folder.path(), &["--rate", "2000", "--symbols", "5", "--for", "2s", "--seed", "7"]).expect(0);
    assert!(ended.stdout.contains("VERIFIED") && !ended.stdout.contains("NOT VERIFIED"), "{}", ended.stdout);
    let control = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    assert!(!control(&ended.stdout) && !control(&ended.stderr), "a pipe gets plain lines: {:?}", ended.stdout);

    let read = |name: &str| std::fs::read(folder.path().join("out").join(name)).unwrap();
    let report: Value = serde_json::from_slice(&read("report.json")).unwrap();
    let stopped = Stopped { ended, report, latency_log: read("latency.hlog") };
    report::check(&stopped, "demo");
    report::flawless(&stopped.report, 4_000);
    let clean = json!({
        "expected": 4_000, "seen": 4_000, "missing": 0, "duplicate": 0, "raw_again": 0, "mismatched": 0, "out_of_order": 0,
        "discrepancies": [],
    });
    assert_eq!(stopped.report["verify"], clean);
}

#[test]
fn a_demo_without_a_limit_verifies_every_trade() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path(), &["--rate", "max", "--for", "2s"]).expect(0);
    let report: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/report.json")).unwrap()).unwrap();
    let verify = &report["verify"];
    assert!(verify["expected"].as_u64() > Some(4_000), "{verify:#}");
    assert_eq!(verify["expected"], verify["seen"]);
}

/// All protocols in one process, their connections cut again and again: what some of them tell again comes out once, and
/// those that tell the last trades on every subscription lose nothing.
#[test]
fn all_exchanges_at_once_are_verified_across_cuts() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--exchanges", "all", "--rate", "1600", "--symbols", "4", "--for", "3s", "--cut-every", "1s"];
    demo(folder.path(), &arguments).expect(0);
    let report: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/report.json")).unwrap()).unwrap();
    let (verify, accounting) = (&report["verify"], &report["accounting"]);
    assert!(verify["expected"].as_u64() > Some(3_000) && verify["expected"] == verify["seen"], "{verify:#}");
    assert!(
        accounting["reconnects"].as_u64() >= Some(8) && accounting["duplicates"].as_u64() > Some(0),
        "{accounting:#}"
    );
    let recovery = verify["recovery"]["binance spot"].clone();
    assert!(recovery["recovered"].as_u64() >= Some(1) && recovery["p99_ns"].as_u64() > Some(0), "{verify:#}");

    let arguments =
        ["--exchanges", "kraken/v1,coinbase", "--rate", "400", "--symbols", "4", "--for", "3s", "--cut-every", "1s"];
    demo(folder.path(), &arguments).expect(0);
    let report: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/report.json")).unwrap()).unwrap();
    assert_eq!(report["verify"]["expected"], 1_200, "{:#}", report["verify"]);
    assert!(report["accounting"]["gaps"] == 0 && report["accounting"]["reconnects"].as_u64() >= Some(2));
}

/// Faults of connections and of trades: whatever was sent comes out right, and the report tells of both.
#[test]
fn faulty_exchanges_are_verified() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let faults = "drip=200,drop=3@400ms,garbage@600ms,stall=200ms@800ms,cut-one@1200ms,close=1012@2500ms,\
                  refuse=100ms@2500ms";
    let arguments = ["--exchanges", "binance,kraken,coinbase,okx", "--rate", "1600", "--symbols", "4", "--for", "5s"];
    let ended = demo(folder.path(), &[&arguments[..], &["--fault", faults]].concat()).expect(0);
    for exchange in ["binance spot", "kraken v2", "coinbase advanced", "okx v5"] {
        let line = |what: &str| {
            let mut lines = ended.stdout.lines().map(str::trim);
            let line = lines.find(|line| line.starts_with(exchange) && line.contains(what));
            line.unwrap_or_else(|| panic!("no {what} of {exchange} in:\n{}", ended.stdout)).to_owned()
        };
        let struck = line("faults: ");
        for fault in ["refuse 1 (", "close 1 (1 ", "stall 1 (", "garbage 1 (1 ", "drop 1 (12 trades)", "cut-one 1 (1 "]
        {
            assert!(struck.contains(fault), "{fault:?} is not in {struck}");
        }
        assert!(line("recovery: ").contains("2 of 2 times, in p50 "), "{}", line("recovery: "));
    }
    let report: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/report.json")).unwrap()).unwrap();
    let (verify, accounting) = (&report["verify"], &report["accounting"]);
    assert!(verify["expected"].as_u64() > Some(3_000) && verify["expected"] == verify["seen"], "{verify:#}");
    assert!(accounting["gaps"].as_u64() > Some(0), "a gap was made: {accounting:#}");
}

/// One with ids, one with names, one with neither.
const THREE: [&str; 8] = ["--exchanges", "binance,bybit,kraken/v1", "--rate", "1200", "--symbols", "2", "--for", "5s"];

/// The report of a demo of three exchanges.
fn three(arguments: &[&str]) -> (Ended, Value) {
    let folder = tempfile::tempdir().unwrap();
    let ended = demo(folder.path(), &[&THREE[..], arguments].concat()).expect(0);
    let report = std::fs::read(folder.path().join("out/report.json")).unwrap();
    (ended, serde_json::from_slice(&report).unwrap())
}

/// Connections have successors again and again, while trades go on: each trade comes once, and in order.
#[test]
fn connections_are_replaced_and_every_trade_comes_once() {
    let _alone = alone();
    let (ended, report) = three(&["--rotate-every", "1s", "--log-level", "info"]);
    let (verify, accounting) = (&report["verify"], &report["accounting"]);
    assert!(verify["expected"] == 6_000 && verify["seen"] == 6_000, "{verify:#}");
    for exchange in ["binance", "bybit", "kraken"] {
        let is_of = |line: &&str| line.contains("another has taken its place") && line.contains(exchange);
        let replaced = ended.stderr.lines().filter(is_of).count();
        assert!(replaced >= 2, "{exchange}: {replaced} times in\n{}", ended.stderr);
    }
    assert!(accounting["duplicates"].as_u64() > Some(0), "they overlap: {accounting:#}");
    assert_eq!(
        (&accounting["gaps"], &accounting["late"], &accounting["reconnects"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(report["twins"], json!([]), "a connection is not compared with its successor");
}

/// Of two connections one is cut, and later the other: each trade comes once, and the report says which was first.
#[test]
fn of_two_connections_one_is_cut_and_every_trade_comes_once() {
    let _alone = alone();
    let (ended, report) = three(&["--connections", "2", "--fault", "cut-one@1s,cut-one@3s"]);
    let (verify, accounting) = (&report["verify"], &report["accounting"]);
    assert!(verify["expected"] == 6_000 && verify["seen"] == 6_000, "{verify:#}");
    assert!(accounting["gaps"] == 0 && accounting["late"] == 0, "{accounting:#}");
    assert!(accounting["reconnects"].as_u64() >= Some(6), "{accounting:#}");
    for exchange in ["binance", "bybit", "kraken"] {
        let twins = report["twins"].as_array().unwrap();
        let twins: Vec<_> = twins.iter().filter(|twin| twin["exchange"] == exchange).collect();
        let [a, b] = twins[..] else { panic!("two of {exchange} in {:#}", report["twins"]) };
        let count = |twin: &Value, what: &str| twin[what].as_u64().unwrap();
        assert_eq!((count(a, "connection"), count(b, "connection")), (0, 1));
        assert_eq!((count(a, "first"), count(b, "first")), (count(b, "second"), count(a, "second")), "{a:#} {b:#}");
        let compared = count(a, "first") + count(a, "second");
        assert!((1_000..=2_000).contains(&compared), "{a:#}");
        for twin in [a, b] {
            let [p50, p99, max] = ["p50", "p99", "max"].map(|name| count(&twin["lead_ns"], name));
            assert!(p50 <= p99 && p99 <= max, "{twin:#}");
            let name = format!("{exchange}-{} ", twin["connection"]);
            let mut lines = ended.stdout.lines().map(str::trim);
            assert!(lines.any(|line| line.starts_with(&name) && line.contains(" first with ")), "{}", ended.stdout);
        }
    }
}
