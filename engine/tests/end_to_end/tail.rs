//! `tail` shows what an independent consumer reads, in order, as rows for people and for programs.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::child::{Child, Ended, k2_feed};
use crate::oracle::{field, long, text};
use crate::reader::{Found, Reader, TOPIC};
use crate::world::{Broker, Exchange, Run, alone, variables};

const COUNT: usize = 3_000;
const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";

/// `tail` where the configuration is that of a run.
fn tail(broker: &Broker, arguments: &[&str]) -> Ended {
    let mut command = k2_feed(&[&["tail"], arguments].concat());
    command.envs(variables(broker, "ws://127.0.0.1:1/ws", SYMBOLS));
    Child::start(command).ended()
}

/// An engine's trades on a broker, and what another reader finds there.
fn world() -> (Broker, Found) {
    let broker = Broker::start();
    let exchange = Exchange::start(&["--rate", "3000", "--count", "3000"]);
    let run = Run::start(&broker, &exchange.url, SYMBOLS).subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(COUNT);
    run.stop();
    let found = reader.into_all();
    assert_eq!(found.normalized.len(), COUNT);
    (broker, found)
}

/// What identifies a trade, with what must be right of it.
type Told = (String, String, String, String, i64);

fn expected(found: &Found) -> Vec<Told> {
    let told = |fields: &[(String, apache_avro::types::Value)]| {
        let of = |name: &str| text(field(fields, name)).to_string();
        (of("symbol"), of("trade_id"), of("price"), of("side"), long(field(fields, "exchange_timestamp_ns")))
    };
    let mut all: Vec<_> = found.normalized.iter().map(|record| told(&record.fields)).collect();
    all.sort_unstable();
    all
}

fn rows(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn told(rows: &[Value]) -> Vec<Told> {
    let told = |row: &Value| {
        let of = |name: &str| row[name].as_str().unwrap().to_string();
        (of("symbol"), of("trade_id"), of("price"), of("side"), row["exchange_timestamp_ns"].as_i64().unwrap())
    };
    let mut all: Vec<_> = rows.iter().map(told).collect();
    all.sort_unstable();
    all
}

#[test]
fn all_trades_come_in_order_and_those_asked_for_alone() {
    let _alone = alone();
    let (broker, found) = world();
    let expected = expected(&found);

    let ended = tail(&broker, &["--format", "json"]).expect(0);
    let all = rows(&ended.stdout);
    assert_eq!(told(&all), expected);
    assert!(all.is_sorted_by_key(|row| row["record_timestamp"].as_i64()));

    let ended = tail(&broker, &["--format", "json", "--sort", "trade-time", "--symbol", "ETH/USDT"]).expect(0);
    let some = rows(&ended.stdout);
    assert!(some.is_sorted_by_key(|row| row["exchange_timestamp_ns"].as_i64()));
    let of_symbol: Vec<_> = expected.iter().filter(|(symbol, ..)| symbol == "ETHUSDT").cloned().collect();
    assert!(of_symbol.len() > COUNT / 10);
    assert_eq!(told(&some), of_symbol);

    let ended = tail(&broker, &["--exchange", "binance"]).expect(0);
    let mut lines = ended.stdout.lines();
    assert!(lines.next().unwrap().starts_with("TIME "));
    assert_eq!(lines.count(), COUNT);
    let ended = tail(&broker, &["--format", "csv", "--topic", TOPIC]).expect(0);
    assert!(ended.stdout.starts_with("exchange,symbol,") && ended.stdout.lines().count() == COUNT + 1);
}

#[test]
fn what_is_not_there_is_named() {
    let _alone = alone();
    let (broker, _) = world();
    tail(&broker, &["--symbol", "DOGEUSDT"]).expect(0).says(&["no such trade within the last 5m", "ETHUSDT"]);
    tail(&broker, &["--last", "1ms"]).expect(0).says(&["no such trade within the last 1ms"]);
    tail(&broker, &["--exchange", "kraken"]).expect(1).says(&["--exchange kraken", "has binance"]);
    tail(&broker, &["--topic", "market.crypto.trades.binanse"])
        .expect(1)
        .says(&["is it market.crypto.trades.binance?"]);
    tail(&broker, &["--last", "5"]).expect(2).says(&["500ms, 30s or 5m"]);
    // Frames are no trades.
    tail(&broker, &["--topic", "market.crypto.trades.binance.raw"])
        .expect(1)
        .says(&["is no trade: it is not Confluent-framed", "3,000 record(s) are no trades"]);
    let mut command = k2_feed(&["tail"]);
    command.envs([
        ("K2_KAFKA_BOOTSTRAP_SERVERS", &*broker.servers),
        ("K2_KAFKA_SCHEMA_REGISTRY_URL", "http://127.0.0.1:1"),
    ]);
    Child::start(command).ended().expect(1).says(&["http://127.0.0.1:1/"]);
}

/// Whoever has seen enough closes the pipe: no error.
#[test]
fn a_reader_may_have_seen_enough() {
    let _alone = alone();
    let (broker, _) = world();
    let mut command = k2_feed(&["tail", "--format", "json"]);
    command.envs(variables(&broker, "ws://127.0.0.1:1/ws", SYMBOLS));
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    drop(lines);
    let ended = process.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn it_follows_what_comes() {
    let _alone = alone();
    let broker = Broker::start();
    let exchange = Exchange::start(&["--rate", "1000"]);
    let run = Run::start(&broker, &exchange.url, SYMBOLS).subscribed();
    Reader::start(&broker).until(1);
    let mut command = k2_feed(&["tail", "--follow", "--format", "json", "--symbol", "BTCUSDT"]);
    command.envs(variables(&broker, "ws://127.0.0.1:1/ws", SYMBOLS));
    let mut tail = Child::start(command);
    let first: Value = serde_json::from_str(&tail.stdout_line("BTCUSDT")).unwrap();
    // Far behind what was there when it began.
    let id = first["trade_id"].as_str().unwrap().parse::<u64>().unwrap() + 1_000;
    tail.stdout_line(&format!("\"trade_id\":\"{id}\""));
    tail.terminate();
    let mut ids =
        rows(&tail.ended().expect(0).stdout).into_iter().map(|row| row["trade_id"].as_str().unwrap().to_string());
    let first = ids.next().unwrap().parse::<u64>().unwrap();
    assert!(ids.enumerate().all(|(at, id)| id == (first + 1 + at as u64).to_string()));
    run.stop();
}
