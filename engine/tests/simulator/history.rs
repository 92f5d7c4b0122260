//! Trades of the past by plain HTTP, beside the WebSocket.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use k2_feed::sim::{Rate, Rules, Simulator, SimulatorConfig, start};
use k2_feed::venue::protocol::Protocol;
use serde_json::{Value, json};

use crate::client::*;

/// The answer to a GET of `target`: status, `Retry-After`, body.
fn get(simulator: &Simulator, target: &str) -> (u16, Option<String>, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).proxy(None);
    let agent: ureq::Agent = config.build().into();
    let mut response = agent.get(format!("http://{}{target}", simulator.addr())).call().expect("an answer");
    let pause = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let length = response.headers()["content-length"].to_str().unwrap().parse::<usize>().unwrap();
    let body = response.body_mut().read_to_string().unwrap();
    assert_eq!(body.len(), length);
    (status, pause, serde_json::from_str(&body).expect("JSON"))
}

fn counted_by(protocol: Protocol, symbol: &str, count: u64) -> SimulatorConfig {
    SimulatorConfig { protocol, rules: Rules::of(protocol), ..counted(&[symbol], count) }
}

#[test]
fn the_history_has_what_was_live_and_what_nobody_heard() {
    // One that made them as fast as they are taken would wait for its reader.
    let config = SimulatorConfig { rate: Rate::PerSecond(10_000.0), ..counted(&["BTCUSDT"], 3_000) };
    let simulator = start(config).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let live: Vec<Value> = (0..500).map(|_| client.json()).collect();
    drop(client);
    until_done(&simulator);
    let first = id(&live[0]);
    let page =
        |from: u64| get(&simulator, &format!("/api/v3/historicalTrades?symbol=BTCUSDT&fromId={from}&limit=1000")).2;
    let told: Vec<Value> = (0..3).flat_map(|number| page(first + number * 1_000).as_array().unwrap().clone()).collect();
    assert_eq!(told.len(), 3_000);
    assert!(told.iter().zip(first..).all(|(told, id)| told["id"] == id), "contiguous");
    for (live, told) in live.iter().zip(&told) {
        let same = [("p", "price"), ("q", "qty"), ("T", "time"), ("m", "isBuyerMaker")];
        assert!(same.iter().all(|(live_name, name)| live[*live_name] == told[*name]), "{live} {told}");
    }
    assert_eq!(page(first + 3_000), json!([]));
    let (status, _, words) = get(&simulator, "/api/v3/historicalTrades?symbol=ETHUSDT&fromId=1");
    assert_eq!((status, words), (400, json!({"code": -1121, "msg": "Invalid symbol."})));
    simulator.stop();
}

#[test]
fn a_market_that_was_ended_makes_no_more_trades_and_still_tells_of_them() {
    let config = SimulatorConfig { rate: Rate::PerSecond(10_000.0), ..config(&["BTCUSDT"]) };
    let simulator = start(config).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let first = id(&client.json());
    simulator.end_market();
    until_done(&simulator);
    let made = simulator.progress().scheduled;
    let last = (1..made).map(|_| id(&client.json())).last().unwrap_or(first);
    assert_eq!(last, first + made - 1, "all that were made had been sent");
    let page = get(&simulator, &format!("/api/v3/historicalTrades?symbol=BTCUSDT&fromId={last}")).2;
    assert_eq!((page[0]["id"].as_u64(), page.as_array().map(Vec::len)), (Some(last), Some(1)));
    assert_eq!(simulator.progress().scheduled, made);
    // The connection stands: it is closed when the simulator is stopped, in order.
    let closing = std::thread::spawn(move || client.rest());
    simulator.stop();
    assert!(closing.join().unwrap().1.is_some());
}

/// The sides of the live frames and of the history say the same of a trade, in the exchange's own words.
#[test]
fn each_exchange_has_its_paths_and_its_form() {
    for (protocol, symbol, subscribe, target) in [
        (
            Protocol::KrakenV2,
            "BTC/USD",
            json!({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": false}}),
            "/0/public/Trades?pair=XBTUSD&since=0",
        ),
        (
            Protocol::CoinbaseExchange,
            "BTC-USD",
            json!({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["matches"]}),
            "/products/BTC-USD/trades?limit=1000",
        ),
        (
            Protocol::CoinbaseAdvanced,
            "BTC-USD",
            json!({"type": "subscribe", "channel": "market_trades", "product_ids": ["BTC-USD"]}),
            "/api/v3/brokerage/market/products/BTC-USD/ticker?limit=1000",
        ),
    ] {
        let simulator = start(counted_by(protocol, symbol, 50)).unwrap();
        let path = if protocol == Protocol::KrakenV2 { "/v2" } else { "/" };
        let mut client = Client::connect(&simulator, path);
        client.0.send(tungstenite::Message::text(subscribe.to_string())).unwrap();
        let mut live = Vec::new();
        while live.len() < 50 {
            live.extend(trades(&client.json()));
        }
        let (status, _, body) = get(&simulator, target);
        assert_eq!(status, 200);
        let mut told = trades(&body);
        told.sort_by_key(|trade| trade.0);
        assert_eq!(told, live, "{protocol}");
        simulator.stop();
    }
}

/// Id, price, quantity and side of the trades in a frame or body: each exchange calls them by other names.
fn trades(message: &Value) -> Vec<(u64, f64, f64, String)> {
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap());
    let list = match message {
        Value::Array(list) => list.clone(),
        Value::Object(_) if message["type"] == "match" => vec![message.clone()],
        Value::Object(_) if message["events"][0]["type"] == "update" => {
            message["events"][0]["trades"].as_array().unwrap().clone()
        }
        Value::Object(_) => {
            let lists = [&message["data"], &message["trades"], &message["result"]["XBTUSD"]];
            lists.into_iter().find_map(Value::as_array).cloned().unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let trade = |trade: &Value| {
        if let Value::Array(fields) = trade {
            let side = if fields[3] == "b" { "buy" } else { "sell" };
            return (fields[6].as_u64().unwrap(), number(&fields[0]), number(&fields[1]), side.to_owned());
        }
        let quantity = if trade["qty"].is_null() { &trade["size"] } else { &trade["qty"] };
        let id = number(&trade["trade_id"]) as u64;
        (id, number(&trade["price"]), number(quantity), trade["side"].as_str().unwrap().to_owned())
    };
    list.iter().filter(|trade| !trade["version"].is_string()).map(trade).collect()
}

#[test]
fn the_history_is_refused_on_request_and_the_websocket_is_not() {
    for (status, pause) in [(429, Some("1".to_owned())), (503, None)] {
        let config = SimulatorConfig { history_status: Some(status), ..counted(&["BTCUSDT"], 10) };
        let simulator = start(config).unwrap();
        let (refused, retry_after, _) = get(&simulator, "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1");
        assert_eq!((refused, retry_after), (status, pause));
        let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
        assert_eq!(client.json()["e"], "trade");
        simulator.stop();
    }
}

#[test]
fn no_more_is_remembered_than_asked_for() {
    let config = SimulatorConfig { history_trades: 100, ..counted(&["BTCUSDT"], 1_000) };
    let simulator = start(config).unwrap();
    let mut client = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let last = (0..1_000).map(|_| id(&client.json())).last().unwrap();
    until_done(&simulator);
    let (_, _, told) = get(&simulator, "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1&limit=1000");
    let ids: Vec<u64> = told.as_array().unwrap().iter().map(|trade| trade["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (last - 99..=last).collect::<Vec<_>>());
    simulator.stop();
}

#[test]
fn a_request_may_come_in_pieces() {
    let simulator = start(counted(&["BTCUSDT"], 10)).unwrap();
    let mut socket = TcpStream::connect(simulator.addr()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    for piece in ["GET /api/v3/histor", "icalTrades?symbol=BTCUSDT HTTP/1.1\r", "\nHost: here\r\n", "\r\n"] {
        socket.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    // The market has not opened, but the symbol is listed.
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n[]"), "{answer}");
    simulator.stop();
}
