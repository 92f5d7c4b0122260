//! A consumer in another language: Python's confluent-kafka with its registry's Avro deserializer, held against what the
//! simulator's ledger says was sent.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use k2_feed::sim::{self, Ledger, LedgerReader, Rate, SimulatorConfig, Stop};
use k2_feed::venue::Protocol;
use serde_json::{Value, json};

use crate::oracle::{MILLISECOND, product};
use crate::reader::{Reader, TOPIC, TOPIC_RAW};
use crate::real::{Real, kept};
use crate::report;
use crate::required::{done, or_skipped};
use crate::world::{Run, alone};

const REQUIREMENTS: &str = include_str!("requirements.txt");
const COUNT: usize = 6_000;
/// Batches that the ledger holds: more than there are trades.
const LEDGER: usize = 10_000;

/// What is on the two topics, each symbol's records in their order.
#[derive(Debug, Default, PartialEq)]
struct Topics {
    frames: BTreeMap<String, Vec<String>>,
    /// Without what only the engine knows.
    trades: BTreeMap<String, Vec<Value>>,
}

#[test]
fn another_client_reads_what_the_exchange_sent() {
    let _alone = alone();
    let Some(python) = python() else { return };
    let Some(real) = Real::start() else { return };
    let (ledger, ledger_reader) = Ledger::new(LEDGER, None);
    let simulator = sim::start(SimulatorConfig {
        rate: Rate::PerSecond(6_000.0),
        stop: Stop::Count(COUNT as u64),
        start_when: 3,
        ledger: Some(ledger),
        ..SimulatorConfig::new(Protocol::BinanceSpot)
    })
    .unwrap();
    let run = Run::start(&real.broker, &simulator.url(), "BTCUSDT,ETHUSDT,SOLUSDT").subscribed();
    Reader::start(&real.broker).until(COUNT);
    report::flawless(&run.stop().report, COUNT);
    let symbols = simulator.symbols();
    simulator.stop();
    let sent = sent(&ledger_reader, &symbols);

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_kafka/reader.py");
    let arguments = [&real.broker.servers, &real.broker.registry, TOPIC_RAW, TOPIC];
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["raw"].as_array().map(Vec::len), Some(COUNT));
    let found = read(&found);
    assert_eq!(found.frames, sent.frames);
    assert_eq!(found.trades, sent.trades);
}

/// What the simulator put on the wire.
fn sent(ledger: &LedgerReader, symbols: &[String]) -> Topics {
    let mut sent = Topics::default();
    while let Some(batch) = ledger.recv() {
        let text = |range: &Range<usize>| std::str::from_utf8(&batch.bytes[range.clone()]).unwrap();
        for frame in &batch.frames {
            let symbol = &symbols[frame.symbol as usize];
            sent.frames.entry(symbol.clone()).or_default().push(text(&frame.payload).into());
            for trade in &batch.trades[frame.trades.clone()] {
                let (price, quantity) = (text(&trade.price), text(&trade.quantity));
                let expected = json!({
                    "schema_version": "1.0.0",
                    "exchange": "binance",
                    "symbol": symbol,
                    "canonical_symbol": format!("{}/USDT", symbol.strip_suffix("USDT").unwrap()),
                    "trade_id": text(trade.id.as_ref().unwrap()),
                    "price": price,
                    "quantity": quantity,
                    "quote_volume": product(price, quantity),
                    "side": if trade.taker_sold { "SELL" } else { "BUY" },
                    "exchange_timestamp": trade.exchange_unix_ns / MILLISECOND,
                    "exchange_timestamp_ns": trade.exchange_unix_ns,
                    "is_buyer_maker": trade.taker_sold,
                });
                sent.trades.entry(symbol.clone()).or_default().push(expected);
            }
        }
    }
    sent
}

/// What Python found. Its numbers must be numbers: whoever reads dynamically has no use for objects of time.
fn read(found: &Value) -> Topics {
    let mut topics = Topics::default();
    let key = |record: &Value| record["key"].as_str().unwrap().to_string();
    for record in found["raw"].as_array().unwrap() {
        let headers: Vec<_> = record["headers"].as_object().unwrap().keys().collect();
        assert_eq!(headers, ["exchange", "connection", "received_ns"]);
        topics.frames.entry(key(record)).or_default().push(record["frame"].as_str().unwrap().into());
    }
    for record in found["normalized"].as_array().unwrap() {
        let mut trade = record["trade"].clone();
        let fields = trade.as_object_mut().unwrap();
        let mut take = |name: &str| fields.remove(name).unwrap_or_else(|| panic!("no {name}: {record}"));
        let received_ns = take("received_timestamp_ns").as_i64().expect("a number");
        assert!(take("timestamp").as_i64().expect("a number") >= received_ns / MILLISECOND, "{record}");
        assert_eq!(take("connection"), "binance-0.1");
        let metadata = take("metadata");
        fields.insert("is_buyer_maker".into(), metadata["is_buyer_maker"].clone());
        assert_eq!(
            metadata["sequence_number"].as_i64().map(|id| id.to_string()).as_deref(),
            fields["trade_id"].as_str()
        );
        topics.trades.entry(key(record)).or_default().push(trade);
    }
    topics
}

/// The Python of a virtual environment with the client, made once for each list of requirements.
fn python() -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    REQUIREMENTS.hash(&mut hasher);
    let folder = kept(&format!("python-{:016x}", hasher.finish()));
    let python = folder.join("bin/python");
    let outcome = match folder.join("complete").exists() {
        true => Ok(()),
        false => install(&folder, &python),
    };
    or_skipped(&outcome).then_some(python)
}

fn install(folder: &Path, python: &Path) -> Result<(), String> {
    let wrong = |why: String| format!("Python 3 with venv and pip, and PyPI or a mirror of it, are needed: {why}");
    done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder)).map_err(wrong)?;
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_kafka/requirements.txt");
    done(Command::new(python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements)).map_err(wrong)?;
    std::fs::write(folder.join("complete"), "").map_err(|error| wrong(error.to_string()))
}
