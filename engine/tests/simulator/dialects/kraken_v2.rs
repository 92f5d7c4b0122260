//! Kraken v2.

use super::*;

const GREETING: &str = r#"{"channel":"status","type":"update","data":[{"version":"2.0.9","system":"online","api_version":"v2","connection_id":1}]}"#;

#[test]
fn each_symbol_is_answered_by_itself() {
    let simulator = start(closed_market(Protocol::KrakenV2, &["BTC/USD", "ETH/USD"])).unwrap();
    assert!(simulator.url().ends_with("/v2"));
    let mut client = Client::connect(&simulator, "/v2");
    assert_eq!(client.text(), GREETING);
    let ack = client.ask(
        r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","FOO/BAR","btc"],"snapshot":false},"req_id":1}"#,
    );
    assert_text(
        &ack,
        r#"{"method":"subscribe","req_id":1,"result":{"channel":"trade","symbol":"BTC/USD","snapshot":false},"success":true,"time_in":"*","time_out":"*"}"#,
    );
    assert_text(
        &client.text(),
        r#"{"error":"Currency pair not supported FOO/BAR","method":"subscribe","req_id":1,"success":false,"symbol":"FOO/BAR","time_in":"*","time_out":"*"}"#,
    );
    assert_text(
        &client.text(),
        r#"{"error":"Currency pair not in ISO 4217-A3 format btc","method":"subscribe","req_id":1,"success":false,"symbol":"btc","time_in":"*","time_out":"*"}"#,
    );
    assert_text(
        &client.ask(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}"#),
        r#"{"error":"Already subscribed","method":"subscribe","success":false,"symbol":"BTC/USD","time_in":"*","time_out":"*"}"#,
    );
    assert_text(
        &client.ask(r#"{"method":"unsubscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}"#),
        r#"{"method":"unsubscribe","result":{"channel":"trade","symbol":"BTC/USD"},"success":true,"time_in":"*","time_out":"*"}"#,
    );
    assert_text(
        &client.ask(r#"{"method":"ping","req_id":7}"#),
        r#"{"method":"pong","req_id":7,"time_in":"*","time_out":"*"}"#,
    );
    simulator.stop();
}

#[test]
fn a_trade_has_its_shape() {
    let simulator = start(quiet_market(Protocol::KrakenV2, &["BTC/USD"])).unwrap();
    let mut client = Client::connect(&simulator, "/v2");
    client.text();
    client.ask(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false}}"#);
    assert_text(
        &client.text(),
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"*","price":*,"qty":*,"ord_type":"*","trade_id":*,"timestamp":"20*Z"}]}"#,
    );
    assert!(stop_reading(simulator, client).is_empty(), "no notice");
}

#[test]
fn heartbeats_come_to_subscribers() {
    let config = with_rules(quiet_market(Protocol::KrakenV2, &["BTC/USD"]), |rules| rules.heartbeat_interval = SOON);
    let simulator = start(config).unwrap();
    let mut client = Client::connect(&simulator, "/v2");
    client.text();
    client.ask(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false}}"#);
    for _ in 0..3 {
        assert_eq!(next_with(&mut client, "heartbeat"), r#"{"channel":"heartbeat"}"#);
    }
    simulator.stop();
}

#[test]
fn a_snapshot_shows_trades_again_and_those_that_were_missed() {
    const SUBSCRIBE: &str =
        r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":true}}"#;
    let (simulator, reader) = busy_market(Protocol::KrakenV2, &["BTC/USD"]);
    let mut client = Client::connect(&simulator, "/v2");
    client.text();
    client.ask(SUBSCRIBE);
    let mut received: Vec<String> = (0..20).map(|_| client.text()).collect();
    received.extend(until_cut(&simulator, &mut client));
    until_unheard(&simulator, 20);
    let mut client = Client::connect(&simulator, "/v2");
    client.text();
    client.ask(SUBSCRIBE);
    let snapshot = client.text();
    assert!(snapshot.starts_with(r#"{"channel":"trade","type":"snapshot","data":[{"symbol":"BTC/USD","#), "{snapshot}");
    let frame = parsed(&snapshot);
    let ids: Vec<u64> =
        frame["data"].as_array().unwrap().iter().map(|trade| trade["trade_id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), 50);
    assert_contiguous(&ids);
    received.push(snapshot);
    received.extend(stop_reading(simulator, client));

    let told = told(&reader);
    assert_received(&told, &received);
    let again = told.iter().find(|frame| frame.text.contains("snapshot")).unwrap();
    assert!(!again.trades.is_empty(), "trades were made while nobody was connected");
    let new = &ids[ids.len() - again.trades.len()..];
    let told_ids: Vec<u64> = again.trades.iter().map(|trade| trade.id.as_ref().unwrap().parse().unwrap()).collect();
    assert_eq!(told_ids, new, "the newest, from the oldest to the newest");
}

#[test]
fn frames_hold_up_to_ten_trades_with_numbers_in_many_spellings() {
    let (simulator, reader) = busy_market(Protocol::KrakenV2, &["BTC/USD", "PEPE/USD"]);
    let mut client = Client::connect(&simulator, "/v2");
    client.text();
    client
        .ask(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","PEPE/USD"],"snapshot":false}}"#);
    client.text();
    let mut received: Vec<String> = (0..400).map(|_| client.text()).collect();
    let symbols = simulator.symbols();
    received.extend(stop_reading(simulator, client));
    // The second acknowledgement may come between trades of the first symbol.
    received.retain(|text| !text.contains("success"));
    let told = told(&reader);
    assert_received(&told, &received);
    let longest = told.iter().map(|frame| frame.trades.len()).max();
    assert_eq!(longest, Some(10));
    for frame in &told {
        let parsed = parsed(&frame.text);
        let data = parsed["data"].as_array().unwrap();
        assert_eq!(data.len(), frame.trades.len());
        for (trade, sent) in data.iter().zip(&frame.trades) {
            assert_eq!(trade["symbol"], symbols[frame.symbol as usize].as_str());
            assert_eq!(trade["trade_id"].to_string(), *sent.id.as_ref().unwrap());
            assert_eq!(trade["side"] == "sell", sent.taker_sold);
            assert_eq!(trade["price"].as_f64(), sent.price.parse().ok());
            assert!(frame.text.contains(&format!(r#""price":{},"qty":{},"#, sent.price, sent.quantity)));
            let time = trade["timestamp"].as_str().unwrap();
            let told_ns = humantime::parse_rfc3339(time).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
            assert_eq!(told_ns.as_nanos() as i64, sent.exchange_unix_ns);
        }
    }
    let numbers: Vec<&String> =
        told.iter().flat_map(|frame| &frame.trades).flat_map(|t| [&t.price, &t.quantity]).collect();
    assert!(numbers.iter().any(|number| number.contains("E-")), "an exponent");
    assert!(numbers.iter().any(|number| number.contains('.') && number.ends_with('0')), "a zero at the end");
}

#[test]
fn both_protocols_are_served_at_one_address() {
    let simulator = start(quiet_market(Protocol::KrakenV2, &["XBT/USD", "BTC/USD"])).unwrap();
    let mut old = Client::connect(&simulator, "/");
    assert!(old.text().contains(r#""event":"systemStatus""#));
    let mut new = Client::connect(&simulator, "/v2");
    assert!(new.text().contains(r#""channel":"status""#));
    let refused = Client::try_connect(&simulator, "/v3").err().unwrap();
    assert!(refused.contains("404"), "{refused}");
    simulator.stop();
}
