//! Connections that stand and bring less, later, or something else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use k2_feed::sim::{Rate, SimulatorConfig, Stop, start};
use k2_feed::venue::protocol::Protocol;
use serde_json::Value;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use super::*;
use crate::client::*;

#[test]
fn a_stall_ends_with_all_that_was_due_meanwhile() {
    const TRADES: u64 = 4_000;
    let config = faulty(&["stall=200ms@50ms"]);
    let simulator = start(SimulatorConfig { stop: Stop::Count(TRADES), ..config }).unwrap();
    let mut client = both(&simulator);
    let texts: Vec<String> = (0..TRADES).map(|_| client.text()).collect();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        assert_contiguous(&ids(&texts, symbol));
    }
    let late_ms = texts.iter().map(|text| {
        let trade: Value = serde_json::from_str(text).unwrap();
        trade["E"].as_i64().unwrap() - trade["T"].as_i64().unwrap()
    });
    let latest_ms = late_ms.max().unwrap();
    assert!(latest_ms >= 190, "the latest trade was {latest_ms} ms late");
    let progress = simulator.stop().progress;
    assert_eq!((progress.sent, progress.faults.touched("stall"), progress.connections), (TRADES, 1, 1));
}

#[test]
fn a_stall_holds_handshakes_and_replies_too() {
    let simulator = start(faulty(&[&format!("stall={LONG}@0s")])).unwrap();
    let mut client = both(&simulator);
    until_struck(&simulator, "stall");
    let mut newcomer = TcpStream::connect(simulator.addr()).unwrap();
    newcomer.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n").unwrap();
    newcomer.write_all(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").unwrap();
    client.0.send(Message::text(r#"{"method":"LIST_SUBSCRIPTIONS","id":7}"#)).unwrap();
    // What is unsent now are the reply, and the upgrade's answer once that stands.
    let reply = r#"{"result":["btcusdt@trade","ethusdt@trade"],"id":7}"#;
    until(&simulator, || {
        let progress = simulator.progress();
        progress.open_connections == 2 && progress.unwritten_bytes > reply.len() + 100
    });
    newcomer.set_nonblocking(true).unwrap();
    assert_eq!(newcomer.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let reader = std::thread::spawn(move || client.rest());
    simulator.stop();
    let (texts, close) = reader.join().unwrap();
    assert_eq!((texts[0].as_str(), close.unwrap().0), (reply, CloseCode::Away));
}

#[test]
fn a_silent_connection_answers_and_brings_no_trades_until_it_is_made_anew() {
    let simulator = start(faulty(&["silent@0s"])).unwrap();
    let mut silent = both(&simulator);
    until_struck(&simulator, "silent");
    let mut other = both(&simulator);
    (0..100).for_each(|_| drop(other.text()));
    let reply = silent.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":5}"#);
    assert_eq!(reply, r#"{"result":null,"id":5}"#);
    (0..100).for_each(|_| drop(other.text()));
    let reply = silent.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":6}"#);
    assert_eq!(reply, r#"{"result":["btcusdt@trade","ethusdt@trade"],"id":6}"#);
    assert_eq!(simulator.stop().progress.faults.touched("silent"), 1);
}

#[test]
fn a_silent_connection_has_its_heartbeats() {
    let mut config = SimulatorConfig {
        symbols: vec!["BTC/USD".into()],
        close_timeout: Duration::from_millis(100),
        faults: faults(&["silent@0s"]),
        ..SimulatorConfig::new(Protocol::KrakenV2)
    };
    config.rules.heartbeat_interval = Duration::from_millis(10);
    let simulator = start(config).unwrap();
    let mut client = Client::connect(&simulator, "/v2");
    assert!(client.text().contains(r#""channel":"status""#));
    let ack = client.ask(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}"#);
    assert!(ack.contains(r#""success":true"#), "{ack}");
    for _ in 0..3 {
        assert_eq!(client.text(), r#"{"channel":"heartbeat"}"#);
    }
    simulator.stop();
}

#[test]
fn a_muted_symbol_is_heard_when_it_is_subscribed_anew() {
    let (simulator, ledger) = recorded(faulty(&["mute=BTCUSDT@0s"]));
    let mut client = both(&simulator);
    let texts: Vec<String> = (0..500).map(|_| client.text()).collect();
    assert_eq!((ids(&texts, "BTCUSDT").len(), ids(&texts, "ETHUSDT").len()), (0, 500));
    for (method, reply) in [("SUBSCRIBE", "1"), ("UNSUBSCRIBE", "2"), ("SUBSCRIBE", "3")] {
        let request = format!(r#"{{"method":"{method}","params":["btcusdt@trade"],"id":{reply}}}"#);
        client.0.send(Message::text(request)).unwrap();
        // To subscribe what is subscribed already changes nothing.
        let before = std::iter::repeat_with(|| client.text()).take_while(|text| !text.contains("result"));
        assert_eq!(ids(&before.collect::<Vec<_>>(), "BTCUSDT"), [0; 0], "before the answer {reply}");
    }
    let first = next_with(&mut client, "BTCUSDT");
    let reader = std::thread::spawn(move || client.rest().0);
    assert_eq!(simulator.stop().progress.faults.touched("mute"), 1);
    let mut received = ids([&first], "BTCUSDT");
    received.extend(ids(&reader.join().unwrap(), "BTCUSDT"));
    assert_contiguous(&received);
    assert_eq!(told(&ledger, 0), received, "what was muted is not in the ledger");
}

#[test]
fn bytes_that_drip_make_whole_frames() {
    let (simulator, ledger) = recorded(SimulatorConfig { stop: Stop::Count(500), ..faulty(&["drip=7"]) });
    let mut client = both(&simulator);
    let texts: Vec<String> = (0..500).map(|_| client.text()).collect();
    simulator.stop();
    assert_eq!(told(&ledger, 0), ids(&texts, "BTCUSDT"));
}

#[test]
fn garbage_comes_between_trades_and_is_in_no_ledger() {
    let (simulator, ledger) = recorded(SimulatorConfig { stop: Stop::Count(100), ..faulty(&["garbage@0s"]) });
    let mut client = both(&simulator);
    assert_eq!(client.text(), "garbage: this is no JSON");
    let texts: Vec<String> = (0..100).map(|_| client.text()).collect();
    assert_eq!(simulator.stop().progress.faults.touched("garbage"), 1);
    assert_eq!(told(&ledger, 0), ids(&texts, "BTCUSDT"));
}

#[test]
fn dropped_trades_leave_a_gap_in_the_ids_of_each_symbol() {
    const TRADES: u64 = 200;
    let config = SimulatorConfig { stop: Stop::Count(TRADES), first_trade_id: Some(1_000), ..faulty(&["drop=3@0s"]) };
    let (simulator, ledger) = recorded(config);
    let mut client = both(&simulator);
    let texts: Vec<String> = (0..TRADES - 6).map(|_| client.text()).collect();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let ids = ids(&texts, symbol);
        assert_eq!(ids[0], 1_003, "{symbol}");
        assert_contiguous(&ids);
    }
    until_done(&simulator);
    let progress = simulator.stop().progress;
    assert_eq!((progress.sent, progress.unheard), (TRADES - 6, 6));
    assert_eq!((progress.faults.times("drop"), progress.faults.touched("drop")), (1, 6));
    assert_eq!(told(&ledger, 0), ids(&texts, "BTCUSDT"));
}

#[test]
fn a_dropped_trade_belongs_to_the_snapshot_that_tells_it() {
    let (simulator, ledger) = recorded(SimulatorConfig {
        symbols: vec!["BTC/USD".into()],
        rate: Rate::PerSecond(0.001),
        first_trade_id: Some(70),
        close_timeout: Duration::from_millis(100),
        faults: faults(&["drop=1@0s"]),
        ..SimulatorConfig::new(Protocol::KrakenV2)
    });
    let subscribe = r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}"#;
    let mut first = Client::connect(&simulator, "/v2");
    first.0.send(Message::text(subscribe)).unwrap();
    until(&simulator, || simulator.progress().unheard == 1);
    let mut second = Client::connect(&simulator, "/v2");
    second.0.send(Message::text(subscribe)).unwrap();
    let snapshot = next_with(&mut second, "snapshot\",\"data");
    assert!(snapshot.contains(r#""trade_id":70,"#), "{snapshot}");
    let progress = simulator.stop().progress;
    assert_eq!((progress.sent, progress.unheard), (1, 0));
    assert_eq!(told(&ledger, 0), [70]);
}
