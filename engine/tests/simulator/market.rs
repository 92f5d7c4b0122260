//! The schedule, the seed, the ledger, and readers that do not keep up.

use std::time::{Duration, Instant};

use k2_feed::sim::{Arrivals, Burst, Ledger, Rate, SimulatorConfig, Stop, start};
use serde_json::Value;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::client::*;

#[test]
fn a_seed_decides_everything_but_the_times() {
    let read = |seed| {
        let simulator =
            start(SimulatorConfig { seed, start_when: 2, ..counted(&["BTCUSDT", "ETHUSDT"], 500) }).unwrap();
        let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade", "ethusdt@trade"]);
        let trades: Vec<Value> = (0..500)
            .map(|_| {
                let mut trade = client.json();
                trade["E"].take();
                trade["T"].take();
                trade
            })
            .collect();
        simulator.stop();
        trades
    };
    assert_eq!(read(5), read(5));
    assert_ne!(read(5), read(6));
}

#[test]
fn ids_grow_a_digit_without_a_broken_frame() {
    let simulator =
        start(SimulatorConfig { first_trade_id: Some(9_999_999_990), ..counted(&["BTCUSDT"], 20) }).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let ids: Vec<u64> = (0..20).map(|_| id(&client.json())).collect();
    assert_eq!(ids[19], 10_000_000_009);
    assert_contiguous(&ids);
    simulator.stop();
}

#[test]
fn the_market_goes_on_while_a_client_is_cut_off() {
    let simulator = start(SimulatorConfig { rate: Rate::PerSecond(20_000.0), ..config(&["BTCUSDT"]) }).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    client.text();
    simulator.cut_all();
    let (texts, close) = client.rest();
    assert_eq!(close, None, "a cut is no close");
    let before: Vec<u64> = texts.iter().map(|text| id(&serde_json::from_str(text).unwrap())).collect();
    assert_contiguous(&before);
    let unheard = simulator.progress().unheard;
    while simulator.progress().unheard < unheard + 10 {
        std::thread::yield_now();
    }
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let after: Vec<u64> = (0..100).map(|_| id(&client.json())).collect();
    assert_contiguous(&after);
    assert!(after[0] > before.last().unwrap_or(&0) + 10);
    assert_eq!(simulator.stop().progress.connections, 2);
}

#[test]
fn a_reader_that_pauses_does_not_slow_the_schedule() {
    let count = 30_000;
    let simulator =
        start(SimulatorConfig { rate: Rate::PerSecond(100_000.0), stop: Stop::Count(count), ..config(&["BTCUSDT"]) })
            .unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    // Nothing is read until every trade has been made: over 4 MB, more than the sockets hold without a reader.
    while simulator.progress().scheduled < count {
        std::thread::yield_now();
    }
    let trades: Vec<Value> = (0..count).map(|_| client.json()).collect();
    assert_contiguous(&trades.iter().map(id).collect::<Vec<_>>());
    let time = |trade: &Value| trade["T"].as_i64().unwrap();
    let took = time(trades.last().unwrap()) - time(&trades[0]);
    assert!((299..=301).contains(&took), "300 ms of trades by their own times, not {took}");
    until_done(&simulator);
    assert_eq!(simulator.stop().progress.lateness.frames, count);
}

#[test]
fn a_reader_that_stays_away_is_cut_and_counted_and_others_are_not() {
    let simulator = start(SimulatorConfig {
        rate: Rate::PerSecond(100_000.0),
        backlog_bytes: 1024 * 1024,
        close_timeout: PATIENCE,
        ..config(&["BTCUSDT"])
    })
    .unwrap();
    let mut slow = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let mut quick = Client::subscribed(&simulator, "/stream", &["btcusdt@trade"]);
    let quick = std::thread::spawn(move || quick.rest());
    let begun = Instant::now();
    while simulator.progress().slow_readers_cut == 0 {
        assert!(begun.elapsed() < PATIENCE, "not cut: {:?}", simulator.progress());
        std::thread::yield_now();
    }
    let (texts, close) = slow.rest();
    assert!(!texts.is_empty() && close.is_none());
    assert_eq!(simulator.stop().progress.slow_readers_cut, 1);
    let (mut texts, close) = quick.join().unwrap();
    assert_eq!(close, Some((CloseCode::Away, String::new())));
    texts.pop();
    let trade = |text: &String| id(&serde_json::from_str::<Value>(text).unwrap()["data"]);
    assert_contiguous(&texts.iter().map(trade).collect::<Vec<_>>());
}

#[test]
fn the_end_by_time_is_the_end_of_the_schedule() {
    let simulator = start(SimulatorConfig {
        rate: Rate::PerSecond(10_000.0),
        arrivals: Arrivals::Burst(Burst { factor: 5.0, period: Duration::from_millis(50) }),
        stop: Stop::After(Duration::from_millis(200)),
        ..config(&["BTCUSDT"])
    })
    .unwrap();
    let _client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    until_done(&simulator);
    assert_eq!(simulator.stop().progress.scheduled, 2_000);
}

#[test]
fn the_ledger_is_what_a_client_reads() {
    let (ledger, reader) = Ledger::new(4, Some(1_000));
    let count: usize = 20_000;
    let simulator = start(SimulatorConfig {
        ledger: Some(ledger),
        start_when: 2,
        ..counted(&["BTCUSDT", "PEPEUSDT"], count as u64)
    })
    .unwrap();
    let mut client = Client::subscribed(&simulator, "/stream", &["btcusdt@trade", "pepeusdt@trade"]);
    let counts = reader.counts();
    let mut seen = 0;
    while seen < count {
        let batch = reader.recv_timeout(PATIENCE).unwrap();
        let at = |range: &std::ops::Range<usize>| std::str::from_utf8(&batch.bytes[range.clone()]).unwrap();
        assert_eq!(batch.frames.len(), batch.trades.len());
        for (frame, sent) in batch.frames.iter().zip(&batch.trades) {
            let text = client.text();
            assert_eq!(at(&frame.payload), text);
            let trade = &serde_json::from_str::<Value>(&text).unwrap()["data"];
            assert_eq!(trade["s"], simulator.symbols()[frame.symbol as usize].as_str());
            assert_eq!((frame.trades.len(), frame.due_unix_ns), (1, sent.due_unix_ns));
            let sent_id = sent.id.as_ref().map(at);
            assert_eq!((sent_id, trade["m"].as_bool()), (Some(&*id(trade).to_string()), Some(sent.taker_sold)));
            assert_eq!(
                (at(&sent.price), at(&sent.quantity)),
                (trade["p"].as_str().unwrap(), trade["q"].as_str().unwrap())
            );
            assert_eq!(trade["T"].as_i64(), Some(sent.due_unix_ns / 1_000_000));
            assert_eq!(sent.exchange_unix_ns, sent.due_unix_ns / 1_000_000 * 1_000_000);
        }
        seen += batch.trades.len();
        let in_flight = simulator.progress().sent - counts.verified();
        assert!(in_flight <= 1_000, "{in_flight} sent but not verified");
        batch.frames.iter().for_each(|_| reader.settle(1));
        reader.give_back(batch);
    }
    assert_eq!(seen, count);
    simulator.stop();
    assert!(reader.recv().is_none());
}
