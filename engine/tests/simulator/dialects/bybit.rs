//! Bybit v5.

use super::*;

const CONNECTION: &str = "00000000-0000-4000-8000-000000000001";

#[test]
fn requests_are_answered_as_a_whole() {
    let simulator = start(closed_market(Protocol::Bybit, &["BTCUSDT", "ETHUSDT"])).unwrap();
    let mut client = Client::connect(&simulator, "/v5/public/spot");
    assert_eq!(
        client.ask(r#"{"op":"subscribe","args":["publicTrade.BTCUSDT"],"req_id":"1"}"#),
        format!(r#"{{"success":true,"ret_msg":"","conn_id":"{CONNECTION}","req_id":"1","op":"subscribe"}}"#)
    );
    assert_eq!(
        client.ask(r#"{"op":"subscribe","args":["publicTrade.ETHUSDT","publicTrade.FOOBAR"]}"#),
        format!(
            r#"{{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.FOOBAR","conn_id":"{CONNECTION}","op":"subscribe"}}"#
        )
    );
    let eleven: Vec<String> = (0..11).map(|n| format!("publicTrade.S{n}")).collect();
    assert!(
        client
            .ask(&serde_json::json!({ "op": "subscribe", "args": eleven }).to_string())
            .starts_with(r#"{"success":false,"ret_msg":"args size >10","#)
    );
    assert_eq!(
        client.ask(r#"{"op":"ping"}"#),
        format!(r#"{{"success":true,"ret_msg":"pong","conn_id":"{CONNECTION}","op":"ping"}}"#)
    );
    assert_eq!(
        client.ask(r#"{"op":"unsubscribe","args":["publicTrade.BTCUSDT"]}"#),
        format!(r#"{{"success":true,"ret_msg":"","conn_id":"{CONNECTION}","op":"unsubscribe"}}"#)
    );
    simulator.stop();
}

#[test]
fn ids_are_numbers_or_uuids_by_symbol() {
    let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LTCUSDT", "TRXUSDT"];
    let (simulator, reader) = busy_market(Protocol::Bybit, &symbols);
    let mut client = Client::connect(&simulator, "/v5/public/linear");
    let topics: Vec<String> = symbols.iter().map(|symbol| format!("publicTrade.{symbol}")).collect();
    client.ask(&serde_json::json!({ "op": "subscribe", "args": topics }).to_string());
    let mut received: Vec<String> = (0..400).map(|_| client.text()).collect();
    received.extend(stop_reading(simulator, client));
    let single = received.iter().find(|text| text.matches("\"i\"").count() == 1).unwrap();
    assert_text(
        single,
        r#"{"topic":"publicTrade.*","type":"snapshot","ts":*,"data":[{"T":*,"s":"*","S":"*","v":"*","p":"*","L":"*","i":"*","BT":false,"seq":*}]}"#,
    );
    let told = told(&reader);
    assert_received(&told, &received);
    for kind in [36, 10] {
        let ids = told.iter().flat_map(|frame| &frame.trades).filter(|trade| trade.id.as_ref().unwrap().len() == kind);
        assert!(ids.count() > 50, "ids of {kind} characters");
    }
    assert!(told.iter().any(|frame| frame.trades.len() > 1));
}
