//! Subscriptions that are refused or never answered, and faults that make no sense.

use std::time::Duration;

use k2_feed::sim::{Rate, Simulator, SimulatorConfig, start};
use k2_feed::venue::protocol::Protocol;
use tungstenite::Message;

use super::*;
use crate::client::*;

/// A protocol, a symbol that goes wrong, where to connect, a request for it and another, and what is in the answers.
type Asked = (Protocol, &'static str, &'static str, &'static str, &'static [&'static str]);

fn market(protocol: Protocol, wrong: &str) -> Simulator {
    let config = SimulatorConfig {
        rate: Rate::PerSecond(0.001),
        // No trade comes between.
        start_when: 1_000,
        close_timeout: Duration::from_millis(100),
        faults: faults(&[wrong]),
        ..SimulatorConfig::new(protocol)
    };
    start(config).expect("a simulator")
}

#[test]
fn a_rejected_symbol_is_refused_in_the_exchanges_words() {
    const ASKED: [Asked; 6] = [
        (
            Protocol::BinanceSpot,
            "BTCUSDT",
            "/ws",
            r#"{"method":"SUBSCRIBE","params":["ethusdt@trade","btcusdt@trade"],"id":1}"#,
            &[r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#],
        ),
        (
            Protocol::KrakenV2,
            "BTC/USD",
            "/v2",
            r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"]}}"#,
            &[r#""channel":"status""#, r#"{"error":"Currency pair not supported BTC/USD","#, r#""symbol":"ETH/USD""#],
        ),
        (
            Protocol::KrakenV1,
            "XBT/USD",
            "/",
            r#"{"event":"subscribe","pair":["XBT/USD","ETH/USD"],"subscription":{"name":"trade"}}"#,
            &["systemStatus", r#""errorMessage":"Currency pair not supported XBT/USD""#, r#""status":"subscribed""#],
        ),
        (
            Protocol::CoinbaseExchange,
            "BTC-USD",
            "/",
            r#"{"type":"subscribe","channels":["matches"],"product_ids":["BTC-USD","ETH-USD"]}"#,
            &[
                r#"{"type":"error","message":"Failed to subscribe","reason":"BTC-USD is not a valid product"}"#,
                r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["ETH-USD"]}]}"#,
            ],
        ),
        (
            Protocol::Bybit,
            "BTCUSDT",
            "/v5/public/spot",
            r#"{"op":"subscribe","args":["publicTrade.ETHUSDT","publicTrade.BTCUSDT"]}"#,
            &[r#"{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.BTCUSDT""#],
        ),
        (
            Protocol::Okx,
            "BTC-USDT",
            "/ws/v5/public",
            r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"},{"channel":"trades","instId":"ETH-USDT"}]}"#,
            &[
                r#"{"event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:BTC-USDT doesn't exist"#,
                r#"{"event":"subscribe""#,
            ],
        ),
    ];
    for (protocol, symbol, path, request, answers) in ASKED {
        let simulator = market(protocol, &format!("reject={symbol}"));
        let mut client = Client::connect(&simulator, path);
        client.0.send(Message::text(request)).unwrap();
        for answer in answers {
            let text = client.text();
            assert!(text.contains(answer), "{protocol}\n     got {text}\nexpected {answer}");
        }
        assert_eq!(simulator.stop().progress.faults.times("reject"), 1, "{protocol}");
    }
}

#[test]
fn a_path_that_names_a_rejected_symbol_is_refused() {
    let simulator = market(Protocol::BinanceSpot, "reject=BTCUSDT");
    let refused = Client::try_connect(&simulator, "/ws/ethusdt@trade/btcusdt@trade").err().unwrap();
    assert!(refused.contains("400"), "{refused}");
    Client::connect(&simulator, "/ws/ethusdt@trade");
    simulator.stop();
}

#[test]
fn a_subscription_that_is_never_answered_leaves_the_connection_up() {
    const ASKED: [Asked; 4] = [
        (
            Protocol::BinanceSpot,
            "BTCUSDT",
            "/ws",
            r#"{"method":"SUBSCRIBE","params":["ethusdt@trade","btcusdt@trade"],"id":1}"#,
            &[r#"{"result":[],"id":9}"#],
        ),
        (
            Protocol::KrakenV2,
            "BTC/USD",
            "/v2",
            r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"]}}"#,
            &[r#""channel":"status""#, r#""symbol":"ETH/USD""#, r#""method":"pong""#],
        ),
        (
            Protocol::CoinbaseExchange,
            "BTC-USD",
            "/",
            r#"{"type":"subscribe","channels":["matches"],"product_ids":["BTC-USD","ETH-USD"]}"#,
            &[
                r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["ETH-USD"]}]}"#,
                "Failed to parse",
            ],
        ),
        (
            Protocol::Okx,
            "BTC-USDT",
            "/ws/v5/public",
            r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}"#,
            &["pong"],
        ),
    ];
    for (protocol, symbol, path, request, answers) in ASKED {
        let simulator = market(protocol, &format!("noack={symbol}"));
        let mut client = Client::connect(&simulator, path);
        client.0.send(Message::text(request)).unwrap();
        let another = match protocol {
            Protocol::BinanceSpot => r#"{"method":"LIST_SUBSCRIPTIONS","id":9}"#,
            Protocol::KrakenV2 => r#"{"method":"ping"}"#,
            _ => "ping",
        };
        client.0.send(Message::text(another)).unwrap();
        for answer in answers {
            let text = client.text();
            assert!(text.contains(answer), "{protocol}\n     got {text}\nexpected {answer}");
        }
        assert_eq!(simulator.stop().progress.faults.times("noack"), 1, "{protocol}");
    }
}

#[test]
fn a_fault_that_makes_no_sense_is_an_error_at_the_start() {
    let config = SimulatorConfig { faults: faults(&["shutdown@5s"]), ..SimulatorConfig::new(Protocol::Okx) };
    let error = start(config).err().expect("an error").to_string();
    assert_eq!(
        error,
        "the fault shutdown=10s@5s makes no sense here: okx v5 does not announce that it goes away; use cut"
    );
}
