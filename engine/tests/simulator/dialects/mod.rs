//! What each exchange says, letter by letter. In expected texts `*` stands for what changes from run to run: times and
//! what a seed decides.

mod binance_usdm;
mod bybit;
mod coinbase_advanced;
mod coinbase_exchange;
mod kraken_v1;
mod kraken_v2;
mod okx;

use std::time::Duration;

use k2_feed::sim::{Batch, Ledger, LedgerReader, Rate, Rules, Simulator, SimulatorConfig, start};
use k2_feed::venue::protocol::Protocol;
use serde_json::Value;

use crate::client::*;

/// A market of these symbols that makes one trade when the first of them is subscribed, and no other while a test
/// runs. Heartbeats do not come of themselves.
fn quiet_market(protocol: Protocol, symbols: &[&str]) -> SimulatorConfig {
    let config = SimulatorConfig {
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        rate: Rate::PerSecond(0.001),
        close_timeout: Duration::from_millis(100),
        ..SimulatorConfig::new(protocol)
    };
    let rules = Rules { heartbeat_interval: Duration::from_secs(3_600), ..config.rules };
    SimulatorConfig { rules, ..config }
}

/// The same, but nothing is traded as long as not all symbols are subscribed.
fn closed_market(protocol: Protocol, symbols: &[&str]) -> SimulatorConfig {
    SimulatorConfig { start_when: symbols.len(), ..quiet_market(protocol, symbols) }
}

/// A market that trades all the time, with its ledger.
fn busy_market(protocol: Protocol, symbols: &[&str]) -> (Simulator, LedgerReader) {
    let (ledger, reader) = Ledger::new(ROOMY, None);
    let config =
        SimulatorConfig { rate: Rate::PerSecond(5_000.0), ledger: Some(ledger), ..quiet_market(protocol, symbols) };
    (start(config).expect("a simulator"), reader)
}

fn with_rules(config: SimulatorConfig, change: impl FnOnce(&mut Rules)) -> SimulatorConfig {
    let mut rules = config.rules;
    change(&mut rules);
    SimulatorConfig { rules, ..config }
}

/// Batches of a ledger that is read only at the end.
const ROOMY: usize = 100_000;
const SOON: Duration = Duration::from_millis(20);

/// Fails unless `text` is `expected`, where `*` stands for anything but a quotation mark.
fn assert_text(text: &str, expected: &str) {
    let mut rest = text;
    for (place, part) in expected.split('*').enumerate() {
        let found = match place {
            0 => rest.starts_with(part).then_some(0),
            _ if part.is_empty() => Some(rest.find(['"', '}']).unwrap_or(rest.len())),
            _ => rest.find(part),
        };
        let at = found.unwrap_or_else(|| panic!("\n     got {text}\nexpected {expected}"));
        assert!(!rest[..at].contains('"'), "\n     got {text}\nexpected {expected}");
        rest = &rest[at + part.len()..];
    }
    assert!(rest.is_empty(), "\n     got {text}\nexpected {expected}");
}

/// Everything that the ledger holds once the simulator has stopped.
fn batches(reader: &LedgerReader) -> Vec<Batch> {
    std::iter::from_fn(|| reader.recv()).collect()
}

/// A frame of the ledger: its text, and the texts of its new trades' ids, prices and quantities.
struct Told {
    symbol: u32,
    text: String,
    trades: Vec<ToldTrade>,
}

struct ToldTrade {
    id: Option<String>,
    price: String,
    quantity: String,
    taker_sold: bool,
    exchange_unix_ns: i64,
}

fn told(reader: &LedgerReader) -> Vec<Told> {
    let mut frames = Vec::new();
    for batch in batches(reader) {
        let text =
            |range: &std::ops::Range<usize>| String::from_utf8(batch.bytes[range.clone()].to_vec()).expect("UTF-8");
        frames.extend(batch.frames.iter().map(|frame| {
            Told {
                symbol: frame.symbol,
                text: text(&frame.payload),
                trades: batch.trades[frame.trades.clone()]
                    .iter()
                    .map(|trade| ToldTrade {
                        id: trade.id.as_ref().map(text),
                        price: text(&trade.price),
                        quantity: text(&trade.quantity),
                        taker_sold: trade.taker_sold,
                        exchange_unix_ns: trade.exchange_unix_ns,
                    })
                    .collect(),
            }
        }));
    }
    frames
}

/// The next text with this in it; what comes before is let go.
fn next_with(client: &mut Client, part: &str) -> String {
    loop {
        let text = client.text();
        if text.contains(part) {
            return text;
        }
    }
}

/// Reads on after the connection is cut and until it ends.
fn until_cut(simulator: &Simulator, client: &mut Client) -> Vec<String> {
    simulator.cut_all();
    client.rest().0
}

/// Waits until so many more trades have been made than nobody hears.
fn until_unheard(simulator: &Simulator, more: u64) {
    let before = simulator.progress().unheard;
    while simulator.progress().unheard < before + more {
        std::thread::yield_now();
    }
}

/// Stops the simulator while a client reads what is still to come.
fn stop_reading(simulator: Simulator, mut client: Client) -> Vec<String> {
    let reader = std::thread::spawn(move || client.rest().0);
    simulator.stop();
    reader.join().expect("a reader")
}

/// Fails unless the frames of the ledger are those that were received, in their order.
fn assert_received(told: &[Told], received: &[String]) {
    let told: Vec<&String> = told.iter().map(|frame| &frame.text).collect();
    let received: Vec<&String> = received.iter().collect();
    let first = told.iter().zip(&received).position(|(told, received)| told != received);
    assert_eq!(first, None, "{:?} was told, {:?} received", first.map(|at| told[at]), first.map(|at| received[at]));
    assert_eq!(told.len(), received.len());
}

/// Fails unless the ids of all trades, in the order of the ledger, rise by one.
fn assert_ids(told: &[Told]) {
    let ids = told.iter().flat_map(|frame| &frame.trades);
    let ids: Vec<u64> = ids.map(|trade| trade.id.as_ref().expect("an id").parse().expect("a number")).collect();
    assert_contiguous(&ids);
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
