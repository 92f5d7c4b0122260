//! Recordings, sent again.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use k2_feed::sim::{Replay, SimulatorConfig, Speed, start};

use crate::client::*;

/// Lines of the recording that others made at Binance, if it is there.
fn recording() -> Option<(PathBuf, Vec<String>)> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recorded/binance-spot-btcusdt.txt.gz");
    let Ok(opened) = std::fs::File::open(&file) else {
        eprintln!("skipped: no recording at {}", file.display());
        return None;
    };
    let lines = BufReader::new(MultiGzDecoder::new(opened)).lines();
    let frames = lines.map(|line| line.expect("a line").split_once(' ').expect("a time").1.to_owned()).collect();
    Some((file, frames))
}

fn replayed(file: PathBuf, target: &str, streams: &[&str]) -> Vec<String> {
    let replay = Some(Replay { file, speed: Speed::Max });
    let simulator =
        start(SimulatorConfig { replay, start_when: streams.len(), close_timeout: PATIENCE, ..config(&[]) })
            .expect("a simulator");
    let mut client = Client::subscribed(&simulator, target, streams);
    let reader = std::thread::spawn(move || client.rest().0);
    until_done(&simulator);
    simulator.stop();
    let mut texts = reader.join().expect("a reader");
    assert!(texts.pop().expect("a notice").contains("serverShutdown"));
    texts
}

#[test]
fn a_recording_is_replayed_byte_for_byte() {
    let Some((file, frames)) = recording() else {
        return;
    };
    let starts = |stream: &str| format!(r#"{{"stream":"{stream}","data":"#);
    let (trade, ticker) = (starts("btcusdt@trade"), starts("btcusdt@bookTicker"));
    let trades: Vec<&str> = frames.iter().filter(|frame| frame.starts_with(&trade)).map(String::as_str).collect();
    assert!(trades.len() > 9_000, "{} trades in the recording", trades.len());

    let wrapped = replayed(file.clone(), "/stream", &["btcusdt@trade"]);
    assert!(wrapped == trades, "{} frames of {}", wrapped.len(), trades.len());

    let bare = replayed(file.clone(), "/ws", &["btcusdt@trade"]);
    let expected: Vec<&str> = trades.iter().map(|frame| &frame[trade.len()..frame.len() - 1]).collect();
    assert!(bare == expected, "{} frames of {}", bare.len(), expected.len());

    let both = replayed(file, "/stream", &["btcusdt@bookTicker", "btcusdt@trade"]);
    let expected: Vec<&String> =
        frames.iter().filter(|frame| frame.starts_with(&trade) || frame.starts_with(&ticker)).collect();
    assert!(both.iter().eq(expected.iter().copied()), "{} frames of {}", both.len(), expected.len());
}

#[test]
fn a_replay_keeps_the_recorded_spacing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.txt");
    let line = |ms: u64| format!("{} {{\"stream\":\"a@trade\",\"data\":{{\"t\":{ms}}}}}\n", ms * 1_000_000);
    std::fs::write(&file, [line(1_000), line(1_001), line(1_400)].concat()).unwrap();
    let replay = Some(Replay { file, speed: Speed::Times(2.0) });
    let simulator = start(SimulatorConfig { replay, ..config(&[]) }).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["a@trade"]);
    let begun = Instant::now();
    assert_eq!(client.text(), r#"{"t":1000}"#);
    assert_eq!(client.text(), r#"{"t":1001}"#);
    assert_eq!(client.text(), r#"{"t":1400}"#);
    assert!(begun.elapsed() >= Duration::from_millis(150), "400 ms at twice the speed, not {:?}", begun.elapsed());
    until_done(&simulator);
    simulator.stop();
}
