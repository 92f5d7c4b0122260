//! A recording from the exchange's own hand, through the whole path.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;

use crate::oracle::{MILLISECOND, contiguous, same_trades};
use crate::reader::{Reader, dead_letters};
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

/// Frames that name the orders, as they did until June 2024, between some that are no trades.
#[test]
fn what_cannot_be_decoded_is_a_dead_letter_and_stops_nothing() {
    let _alone = alone();
    let trade = |id: u64, price: &str| {
        format!(
            r#"{{"e":"trade","E":5,"s":"BTCUSDT","t":{id},"p":{price},"q":"0.00100","b":88,"a":50,"T":4,"m":false}}"#
        )
    };
    let letters = [(trade(3, "61837.63"), "p"), (trade(4, r#""much""#), "p"), (r#"{"e":"kline"}"#.to_string(), "e")];
    let frames = [trade(1, r#""61837.6""#), letters[0].0.clone(), letters[1].0.clone(), letters[2].0.clone()];
    let frames = frames.into_iter().chain([trade(2, r#""0.00000001""#)]);
    let lines: String = frames.map(|frame| format!("1 {TRADE}{frame}}}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.txt");
    std::fs::write(&file, lines).unwrap();

    let (broker, exchange) =
        (Broker::start(), Exchange::start(&["--replay", file.to_str().unwrap(), "--speed", "max"]));
    let run = Run::start(&broker, &exchange.url, "BTCUSDT").subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(2);
    let found = dead_letters(&broker, letters.len());
    let stopped = run.stop();
    // Without a key they are spread over the partitions.
    for (sent, field) in &letters {
        let reason = found.iter().find(|(frame, _)| frame == sent).map(|(_, reason)| reason).expect("verbatim");
        assert!(reason.contains(field), "{reason:?} names {field:?}");
    }
    let ids = same_trades(&reader.into_all(), MILLISECOND);
    assert_eq!(ids["BTCUSDT"], [1, 2]);
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    assert_eq!((&accounting["frames"]["rejected"], &accounting["records"]["dlq"]["acked"]), (&3.into(), &3.into()));
}
