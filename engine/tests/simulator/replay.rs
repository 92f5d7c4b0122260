//! Recordings, sent again.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use k2_feed::sim::{Replay, SimulatorConfig, Speed, start};
use k2_feed::venue::protocol::Protocol;
use serde_json::json;

use crate::client::*;

/// Lines of a recording that others made at an exchange, if it is there.
fn recording(name: &str) -> Option<(PathBuf, Vec<String>)> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recorded").join(name);
    let Ok(opened) = std::fs::File::open(&file) else {
        eprintln!("skipped: no recording at {}", file.display());
        return None;
    };
    let plain: Box<dyn std::io::Read> =
        if name.ends_with(".gz") { Box::new(MultiGzDecoder::new(opened)) } else { Box::new(opened) };
    let lines = BufReader::new(plain).lines();
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
    let Some((file, frames)) = recording("binance-spot-btcusdt.txt.gz") else {
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

/// What a client gets of a recording of this protocol's after this request, the answers to it aside.
fn replayed_to(protocol: Protocol, file: PathBuf, path: &str, request: &str, answers: usize) -> Vec<String> {
    let replay = Some(Replay { file, speed: Speed::Max });
    let config = SimulatorConfig { replay, close_timeout: PATIENCE, ..SimulatorConfig::new(protocol) };
    let simulator = start(config).expect("a simulator");
    let mut client = Client::connect(&simulator, path);
    client.ask(request);
    (1..answers).for_each(|_| drop(client.text()));
    let reader = std::thread::spawn(move || client.rest().0);
    until_done(&simulator);
    simulator.stop();
    reader.join().expect("a reader")
}

fn with<'a>(frames: &'a [String], parts: &[&str]) -> Vec<&'a String> {
    let found: Vec<&String> = frames.iter().filter(|frame| parts.iter().all(|part| frame.contains(part))).collect();
    assert!(!found.is_empty(), "no {parts:?} in the recording");
    found
}

#[test]
fn usdm_is_replayed_without_its_envelope() {
    const STREAM: &str = r#"{"stream":"btcusdt@trade","data":"#;
    let Some((file, frames)) = recording("binance-usdm-btcusdt.txt.gz") else {
        return;
    };
    let request = json!({ "method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1 }).to_string();
    let got = replayed_to(Protocol::BinanceUsdm, file, "/public/ws", &request, 1);
    let trades = with(&frames, &[STREAM]);
    let bare: Vec<&str> = trades.iter().map(|frame| &frame[STREAM.len()..frame.len() - 1]).collect();
    assert!(got == bare, "{} frames of {}", got.len(), bare.len());
}

#[test]
fn kraken_v1_is_replayed_by_pair() {
    let Some((file, frames)) = recording("kraken-v1.txt") else {
        return;
    };
    let request = r#"{"event":"subscribe","pair":["XMR/USD"],"subscription":{"name":"trade"}}"#;
    // The greeting comes before the answer.
    let got = replayed_to(Protocol::KrakenV1, file, "/", request, 2);
    assert_eq!(got.iter().collect::<Vec<_>>(), with(&frames, &[r#""trade","XMR/USD"]"#]));
}

#[test]
fn coinbase_exchange_is_replayed_by_product() {
    let Some((file, frames)) = recording("coinbase-exchange.txt") else {
        return;
    };
    let request = r#"{"type":"subscribe","product_ids":["SKL-USD"],"channels":["matches"]}"#;
    let got = replayed_to(Protocol::CoinbaseExchange, file, "/", request, 1);
    assert_eq!(got.iter().collect::<Vec<_>>(), with(&frames, &[r#"match","trade_id""#, r#""product_id":"SKL-USD""#]));
}

#[test]
fn okx_is_replayed_by_instrument() {
    let Some((file, frames)) = recording("okx.txt") else {
        return;
    };
    let request = r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}"#;
    let got = replayed_to(Protocol::Okx, file, "/ws/v5/public", request, 1);
    let trades = with(&frames, &[r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":["#]);
    assert_eq!(got.iter().collect::<Vec<_>>(), trades);
}

#[test]
fn a_recording_of_another_exchange_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.txt");
    std::fs::write(&file, "1 {\"topic\":\"publicTrade.BTCUSDT\",\"data\":[]}\n").unwrap();
    let replay = Some(Replay { file, speed: Speed::Max });
    let Err(error) = start(SimulatorConfig { replay, ..SimulatorConfig::new(Protocol::KrakenV2) }) else {
        panic!("started");
    };
    let error = error.to_string();
    assert!(error.contains("other.txt has no frame that names its stream as kraken v2 does"), "{error}");
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
