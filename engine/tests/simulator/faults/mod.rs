//! Each fault as a client meets it.

mod connections;
mod requests;
mod trades;

use std::time::Instant;

use k2_feed::sim::{Fault, Ledger, LedgerReader, Rate, Simulator, SimulatorConfig, start};
use serde_json::Value;

use crate::client::*;

const BTC: &str = "btcusdt@trade";
const ETH: &str = "ethusdt@trade";
/// Longer than any test.
const LONG: &str = "1h";

fn faults(faults: &[&str]) -> Vec<Fault> {
    faults.iter().map(|fault| fault.parse().expect("a fault")).collect()
}

/// 20,000 trades a second of BTCUSDT and ETHUSDT, once both are subscribed.
fn faulty(wrong: &[&str]) -> SimulatorConfig {
    SimulatorConfig {
        rate: Rate::PerSecond(20_000.0),
        start_when: 2,
        faults: faults(wrong),
        ..config(&["BTCUSDT", "ETHUSDT"])
    }
}

fn recorded(mut config: SimulatorConfig) -> (Simulator, LedgerReader) {
    let (ledger, reader) = Ledger::new(100_000, None);
    config.ledger = Some(ledger);
    (start(config).expect("a simulator"), reader)
}

fn both(simulator: &Simulator) -> Client {
    Client::subscribed(simulator, "/ws", &[BTC, ETH])
}

/// The ids of a symbol's trades among texts.
fn ids<'a>(texts: impl IntoIterator<Item = &'a String>, symbol: &str) -> Vec<u64> {
    let trades = texts.into_iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    trades.filter(|trade| trade["s"] == symbol).map(|trade| id(&trade)).collect()
}

/// The ids of the ledger's trades of a symbol, once the simulator has stopped.
fn told(reader: &LedgerReader, symbol: u32) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(batch) = reader.recv() {
        for frame in batch.frames.iter().filter(|frame| frame.symbol == symbol) {
            let trades = &batch.trades[frame.trades.clone()];
            let text =
                |range: &std::ops::Range<usize>| String::from_utf8_lossy(&batch.bytes[range.clone()]).into_owned();
            let id = |range| text(range).parse::<u64>().expect("a number");
            ids.extend(trades.iter().map(|trade| id(trade.id.as_ref().expect("an id"))));
        }
    }
    ids
}

/// Waits until it is so; how long that may take has a bound.
fn until(simulator: &Simulator, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so: {:?}", simulator.progress());
        std::thread::yield_now();
    }
}

fn until_struck(simulator: &Simulator, fault: &str) {
    until(simulator, || simulator.progress().faults.times(fault) > 0);
}

/// The next text with this in it; what comes before is let go.
fn next_with(client: &mut Client, part: &str) -> String {
    std::iter::repeat_with(|| client.text()).find(|text| text.contains(part)).expect("a text")
}
