//! Every recorded frame is to the engine what it is to [`crate::judge`], in number, order and digits.

use std::collections::{BTreeMap, BTreeSet};

use k2_feed::venue::Protocol;
use serde_json::Value;

use crate::judge::{self, Judge};
use crate::recording::{Read, Told, decode, frames};

/// Compares the readings of a recording, of whose frames `controls` are about the session. Returns its trades, and the
/// reasons against frames that are neither.
fn agreed(protocol: Protocol, judge: Judge, frames: &[String], controls: usize) -> (Vec<Told>, Vec<String>) {
    let parse = |frame: &String| judge(&serde_json::from_str::<Value>(frame).expect("JSON"));
    let judged: Vec<Vec<Told>> = frames.iter().map(parse).collect();
    let symbols: BTreeSet<&str> = judged.iter().flatten().map(|trade| trade.symbol.as_str()).collect();
    let (mut all, mut reasons, mut found_controls) = (Vec::new(), Vec::new(), 0);
    let reads = decode(protocol, &symbols.into_iter().collect::<Vec<_>>(), frames);
    assert_eq!(reads.len(), frames.len());
    for ((frame, expected), read) in frames.iter().zip(judged).zip(reads) {
        match read {
            Read::Trades(trades) => {
                // Made ids are compared by the caller.
                let without = |trade: &Told| Told { id: String::new(), ..trade.clone() };
                let has_ids = expected.iter().all(|trade| !trade.id.is_empty());
                let comparable: Vec<_> = if has_ids { trades.clone() } else { trades.iter().map(without).collect() };
                assert!(!expected.is_empty() && comparable == expected, "{frame}: {trades:?}");
                all.extend(trades);
            }
            Read::Control => {
                assert!(expected.is_empty(), "{frame}");
                found_controls += 1;
            }
            Read::Rejected(reason) => {
                assert!(expected.is_empty(), "{frame}: {reason}");
                reasons.push(reason);
            }
        }
    }
    assert_eq!(found_controls, controls);
    (all, reasons)
}

/// Each reason with how often it was given.
fn counted(reasons: Vec<String>) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    reasons.into_iter().for_each(|reason| *counts.entry(reason).or_default() += 1);
    counts.into_iter().collect()
}

/// Each symbol's ids rise one by one.
fn contiguous(trades: &[Told]) {
    let mut last = BTreeMap::new();
    for trade in trades {
        let id: u64 = trade.id.parse().unwrap();
        let before = last.insert(&trade.symbol, id);
        assert!(before.is_none_or(|before| before + 1 == id), "{trade:?} after {before:?}");
    }
}

#[test]
fn binance_spot() {
    let Some(frames) = frames("binance-spot-btcusdt.txt.gz") else { return };
    let (trades, reasons) = agreed(Protocol::BinanceSpot, judge::binance, &frames, 0);
    assert_eq!(trades.len(), 9_757);
    // Book tickers and a snapshot of the book have no `e`.
    let depth = r#"e: is "depthUpdate", the event "trade" is expected"#;
    assert_eq!(counted(reasons), [(depth.into(), 3_451), ("e: is missing".into(), 28_041)]);
    contiguous(&trades);
}

#[test]
fn binance_usdm() {
    let Some(frames) = frames("binance-usdm-btcusdt.txt.gz") else { return };
    let (trades, reasons) = agreed(Protocol::BinanceUsdm, judge::binance, &frames, 0);
    assert_eq!(trades.len(), 21_313);
    // A snapshot of the book has no `e`.
    let ticker = r#"e: is "bookTicker", the event "trade" is expected"#;
    assert_eq!(counted(reasons), [(ticker.into(), 66_089), ("e: is missing".into(), 1)]);
    contiguous(&trades);
}

#[test]
fn coinbase_exchange() {
    let Some(frames) = frames("coinbase-exchange.txt") else { return };
    let (trades, reasons) = agreed(Protocol::CoinbaseExchange, judge::coinbase_exchange, &frames, 3);
    assert_eq!((trades.len(), reasons), (60, vec![]));
    contiguous(&trades);
}

#[test]
fn okx() {
    let Some(frames) = frames("okx.txt") else { return };
    let (trades, reasons) = agreed(Protocol::Okx, judge::okx, &frames, 18);
    assert_eq!((trades.len(), reasons), (44, vec![]));
}

#[test]
fn kraken_v1() {
    let Some(frames) = frames("kraken-v1.txt") else { return };
    let (trades, reasons) = agreed(Protocol::KrakenV1, judge::kraken_v1, &frames, 40);
    assert_eq!((trades.len(), reasons), (10, vec![]));
    for trade in &trades {
        let (micros, digest) = trade.id.split_once('-').unwrap();
        assert_eq!(micros.parse::<i64>().unwrap() * 1_000, trade.time_ns);
        assert!(digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    }
    let ids: BTreeSet<_> = trades.iter().map(|trade| &trade.id).collect();
    assert_eq!(ids.len(), trades.len());
}

/// The shape that Bybit sent until v5 is not read as v5's, and the dead letters say why.
#[test]
fn bybit_before_v5() {
    let Some(frames) = frames("bybit-before-v5.txt") else { return };
    let reads = decode(Protocol::Bybit, &["BCHUSDT", "BTCUSD"], &frames);
    let mut acknowledgements = 0;
    for (frame, read) in frames.iter().zip(reads) {
        let Read::Rejected(reason) = read else { panic!("{read:?} of {frame}") };
        match serde_json::from_str::<Value>(frame).unwrap()["topic"].as_str() {
            Some(topic) => assert_eq!(reason, format!("topic: is {topic:?}, \"publicTrade.\" is expected")),
            None => {
                assert_eq!(reason, "topic: is missing");
                acknowledgements += 1;
            }
        }
    }
    assert_eq!((frames.len(), acknowledgements), (105, 20));
}
