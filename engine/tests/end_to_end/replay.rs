//! A recording from the exchange's own hand, through the whole path.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;

use crate::oracle::{MILLISECOND, contiguous, same_trades};
use crate::reader::Reader;
use crate::report;
use crate::world::{Broker, Exchange, Run, alone};

const TRADE: &str = r#"{"stream":"btcusdt@trade","data":"#;

/// The recording and the trades in it, as they come on `/ws`.
fn recording() -> Option<(PathBuf, Vec<String>)> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recorded/binance-spot-btcusdt.txt.gz");
    let Ok(opened) = std::fs::File::open(&file) else {
        eprintln!("skipped: no recording at {}", file.display());
        return None;
    };
    let lines = BufReader::new(MultiGzDecoder::new(opened)).lines().map(|line| line.expect("a line"));
    let trade = |line: String| {
        let (_, frame) = line.split_once(' ').expect("a time and a frame");
        Some(frame.strip_prefix(TRADE)?.strip_suffix('}').expect("an envelope").to_string())
    };
    Some((file, lines.filter_map(trade).collect()))
}

#[test]
fn a_recording_arrives_byte_for_byte() {
    let Some((file, sent)) = recording() else { return };
    let _alone = alone();
    assert!(sent.len() > 9_000, "{} trades in the recording", sent.len());
    let broker = Broker::start();
    let exchange = Exchange::start(&["--replay", file.to_str().unwrap(), "--speed", "max"]);
    let run = Run::start(&broker, &exchange.url, "BTCUSDT").subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(sent.len());
    let stopped = run.stop();
    let found = reader.into_all();
    let received: Vec<_> = found.raw.iter().map(|raw| raw.frame.as_str()).collect();
    assert!(received == sent, "{} frames of {}", received.len(), sent.len());
    let ids = same_trades(&found, MILLISECOND);
    assert_eq!(ids.keys().collect::<Vec<_>>(), ["BTCUSDT"]);
    contiguous(&ids);
    report::check(&stopped, "run");
    report::flawless(&stopped.report, sent.len());
}
