//! Handshake, requests, limits, keep-alive, shutdown.

use std::collections::{HashMap, HashSet};
use std::io::BufReader;
use std::time::Duration;

use k2_feed::sim::{Rate, Replay, Rules, SimError, SimulatorConfig, Speed, start};
use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::client::*;

#[test]
fn a_subscription_is_acknowledged_before_its_trades_and_ids_are_contiguous() {
    let simulator = start(counted(&["BTCUSDT", "ETHUSDT"], 2_000)).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade", "ethusdt@trade"]);
    let mut ids: HashMap<String, Vec<u64>> = HashMap::new();
    let mut prices = HashSet::new();
    for _ in 0..2_000 {
        let trade = client.json();
        let fields: Vec<&String> = trade.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["e", "E", "s", "t", "p", "q", "T", "m", "M"]);
        assert_eq!((&trade["e"], &trade["M"]), (&json!("trade"), &json!(true)));
        assert!(trade["m"].is_boolean());
        for decimal in ["p", "q"] {
            let (whole, fraction) = trade[decimal].as_str().unwrap().split_once('.').unwrap();
            assert!(whole.parse::<u64>().is_ok() && fraction.len() == 8, "{trade}");
        }
        let (event, traded) = (trade["E"].as_i64().unwrap(), trade["T"].as_i64().unwrap());
        assert!((1_700_000_000_000..5_000_000_000_000).contains(&traded) && event >= traded, "{trade}");
        prices.insert(trade["p"].as_str().unwrap().to_owned());
        ids.entry(trade["s"].as_str().unwrap().to_owned()).or_default().push(id(&trade));
    }
    assert_eq!(ids.len(), 2);
    ids.values().for_each(|ids| assert_contiguous(ids));
    assert!(prices.len() > 100, "{} prices", prices.len());
    until_done(&simulator);
    let summary = simulator.stop();
    assert_eq!((summary.progress.sent, summary.progress.unheard), (2_000, 0));
    assert_eq!(summary.progress.lateness.frames, 2_000);
}

#[test]
fn each_endpoint_has_its_shape_and_its_unit_of_time() {
    for (target, combined, micros) in [
        ("/ws/btcusdt@trade", false, false),
        ("/ws/btcusdt@trade?timeUnit=MICROSECOND", false, true),
        ("/stream?streams=btcusdt@trade/ethusdt@trade", true, false),
        ("/stream?streams=btcusdt@trade&timeUnit=MICROSECOND", true, true),
    ] {
        let simulator = start(counted(&["BTCUSDT"], 3)).unwrap();
        let mut client = Client::connect(&simulator, target);
        let text = client.text();
        let frame: Value = serde_json::from_str(&text).unwrap();
        let trade = if combined {
            assert!(text.starts_with(r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":"#), "{text}");
            frame["data"].clone()
        } else {
            assert!(text.starts_with(r#"{"e":"trade","E":"#), "{text}");
            frame
        };
        assert_eq!(trade["s"], "BTCUSDT", "{target}");
        assert_eq!(trade["T"].as_i64().unwrap() > 100_000_000_000_000, micros, "{text}");
        simulator.stop();
    }
}

#[test]
fn subscriptions_are_listed_and_end_on_request() {
    let simulator = quiet();
    let mut client = Client::subscribed(&simulator, "/stream", &["ethusdt@trade", "btcusdt@depth@100ms"]);
    assert_eq!(
        client.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":"list"}"#),
        r#"{"result":["ethusdt@trade","btcusdt@depth@100ms"],"id":"list"}"#
    );
    assert_eq!(
        client.ask(r#"{"method":"UNSUBSCRIBE","params":["ethusdt@trade"],"id":3}"#),
        r#"{"result":null,"id":3}"#
    );
    assert_eq!(client.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":4}"#), r#"{"result":["btcusdt@depth@100ms"],"id":4}"#);
    simulator.stop();
}

#[test]
fn errors_are_replies_and_leave_the_connection_up() {
    let simulator = quiet();
    let mut client = Client::connect(&simulator, "/ws");
    assert_eq!(client.ask("{"), r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#);
    assert_eq!(
        client.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt"],"id":7}"#),
        r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":7}"#
    );
    let too_many: Vec<String> = (0..1_025).map(|n| format!("s{n}@trade")).collect();
    assert_eq!(
        client.ask(&json!({"method": "SUBSCRIBE", "params": too_many, "id": 8}).to_string()),
        r#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":8}"#
    );
    assert_eq!(client.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":9}"#), r#"{"result":[],"id":9}"#);
    simulator.stop();
}

#[test]
fn the_sixth_message_of_a_second_ends_the_connection() {
    let simulator = quiet();
    let mut client = Client::connect(&simulator, "/ws");
    for n in 0..6 {
        client.0.send(Message::text(format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{n}}}"#))).unwrap();
    }
    let (replies, close) = client.rest();
    assert_eq!(replies.len(), 5);
    assert_eq!(close, Some((CloseCode::Policy, "Too many requests".to_owned())));
    assert_eq!(simulator.stop().progress.limits_exceeded, 1);
}

#[test]
fn a_path_that_does_not_exist_is_a_404_at_the_upgrade() {
    let simulator = quiet();
    let refused = Client::try_connect(&simulator, "/websocket").err().unwrap();
    assert!(refused.contains("404"), "{refused}");
    assert_eq!(simulator.stop().progress.connections, 0);
}

#[test]
fn pings_come_and_a_client_that_does_not_answer_is_closed() {
    let interval = Duration::from_millis(20);
    let config = config(&["BTCUSDT"]);
    let rules = Rules { ping_interval: Some(interval), pong_timeout: 10 * interval, ..config.rules };
    let simulator = start(SimulatorConfig { rules, ..config }).unwrap();
    let mut client = Client::connect(&simulator, "/ws");
    let Message::Ping(payload) = client.0.read().unwrap() else { panic!("no ping") };
    assert!(!payload.is_empty());
    // Reading through tungstenite answers pings, so this client reads past it.
    let mut raw = Client::connect(&simulator, "/ws").0;
    let socket = raw.get_mut().try_clone().unwrap();
    let mut silent = BufReader::new(socket);
    let mut received = Vec::new();
    std::io::Read::read_to_end(&mut silent, &mut received).unwrap();
    let close = [&[0x88, 2 + 12, 0x03, 0xf0][..], b"Pong timeout"].concat();
    assert!(received.starts_with(&[0x89]) && received.ends_with(&close), "{received:?}");
    simulator.stop();
}

#[test]
fn shutdown_is_announced_in_the_connections_shape_and_closes_with_1001() {
    for (target, start_of_notice) in [
        ("/ws", r#"{"e":"serverShutdown","E":"#),
        ("/stream", r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":"#),
    ] {
        let simulator = quiet();
        let mut client = Client::subscribed(&simulator, target, &["ethusdt@trade"]);
        let reader = std::thread::spawn(move || client.rest());
        simulator.stop();
        let (texts, close) = reader.join().unwrap();
        assert!(texts.last().unwrap().starts_with(start_of_notice), "{texts:?}");
        assert_eq!(close, Some((CloseCode::Away, String::new())));
    }
}

#[test]
fn symbols_that_do_not_exist_are_acknowledged_and_silent() {
    let simulator = start(counted(&["BTCUSDT"], 100)).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["nosuch@trade", "BTCUSDT@trade", "btcusdt@trade"]);
    for _ in 0..100 {
        assert_eq!(client.json()["s"], "BTCUSDT");
    }
    simulator.stop();
    let open = start(counted(&[], 100)).unwrap();
    let mut client = Client::subscribed(&open, "/ws", &["nosuch@trade"]);
    assert_eq!(client.json()["s"], "NOSUCH");
    assert_eq!(open.symbols(), ["NOSUCH"]);
    open.stop();
}

#[test]
fn what_cannot_be_done_is_refused_with_the_value_and_the_way_out() {
    let error = |config| match start(config) {
        Err(error) => error,
        Ok(simulator) => panic!("started on {}", simulator.addr()),
    };
    let first = quiet();
    let taken = error(SimulatorConfig { listen: first.addr(), ..config(&[]) });
    assert!(taken.to_string().contains(&format!("cannot listen on {}", first.addr())), "{taken}");
    assert!(taken.to_string().contains("port 0"), "{taken}");
    first.stop();
    let SimError::Symbol { symbol: bad, .. } = error(config(&["btcusdt"])) else { panic!("another error") };
    assert_eq!(bad, "btcusdt");
    error(SimulatorConfig { start_when: 2, ..config(&["BTCUSDT"]) });
    error(SimulatorConfig { rate: Rate::PerSecond(0.0), ..config(&[]) });
    let missing = Some(Replay { file: "/no/such.gz".into(), speed: Speed::Max });
    let missing = error(SimulatorConfig { replay: missing, ..config(&[]) }).to_string();
    assert!(missing.contains("/no/such.gz"), "{missing}");
}
