//! Coinbase Advanced Trade.

use tungstenite::protocol::frame::coding::CloseCode;

use super::*;

const TRADES: &str = r#"{"type":"subscribe","channel":"market_trades","product_ids":["BTC-USD"]}"#;
const HEARTBEATS: &str = r#"{"type":"subscribe","channel":"heartbeats"}"#;

#[test]
fn everything_that_is_subscribed_is_listed_and_numbered() {
    let simulator = start(closed_market(Protocol::CoinbaseAdvanced, &["BTC-USD", "ETH-USD"])).unwrap();
    let mut client = Client::connect(&simulator, "/");
    assert_text(
        &client.ask(TRADES),
        r#"{"channel":"subscriptions","client_id":"","timestamp":"20*Z","sequence_num":0,"events":[{"subscriptions":{"market_trades":["BTC-USD"]}}]}"#,
    );
    assert_text(
        &client.ask(HEARTBEATS),
        r#"{"channel":"subscriptions","client_id":"","timestamp":"20*Z","sequence_num":1,"events":[{"subscriptions":{"market_trades":["BTC-USD"],"heartbeats":["heartbeats"]}}]}"#,
    );
    assert_eq!(
        client.ask(r#"{"type":"subscribe","channel":"market_trades","product_ids":["FOO-BAR"]}"#),
        r#"{"type":"error","message":"FOO-BAR is not a valid product"}"#
    );
    assert!(client.text().contains(r#""sequence_num":2,"events":[{"subscriptions":{"market_trades":["BTC-USD"]"#));
    assert!(
        client
            .ask(r#"{"type":"unsubscribe","channel":"market_trades","product_ids":["BTC-USD"]}"#)
            .contains(r#""sequence_num":3,"events":[{"subscriptions":{"heartbeats":["heartbeats"]}}]}"#)
    );
    simulator.stop();
}

#[test]
fn trades_and_heartbeats_have_their_shape() {
    let market = quiet_market(Protocol::CoinbaseAdvanced, &["BTC-USD"]);
    let simulator = start(with_rules(market, |rules| rules.heartbeat_interval = SOON)).unwrap();
    let mut client = Client::connect(&simulator, "/");
    client.ask(TRADES);
    assert_text(
        &client.text(),
        r#"{"channel":"market_trades","client_id":"","timestamp":"20*Z","sequence_num":1,"events":[{"type":"update","trades":[{"trade_id":"*","product_id":"BTC-USD","price":"*","size":"*","side":"*","time":"20*Z"}]}]}"#,
    );
    client.ask(HEARTBEATS);
    assert_text(
        &client.text(),
        r#"{"channel":"heartbeats","client_id":"","timestamp":"20*Z","sequence_num":3,"events":[{"current_time":"20*Z","heartbeat_counter":*}]}"#,
    );
    simulator.stop();
}

#[test]
fn a_snapshot_comes_first_with_the_newest_trade_first() {
    let market = quiet_market(Protocol::CoinbaseAdvanced, &["BTC-USD"]);
    let (ledger, reader) = Ledger::new(ROOMY, None);
    let market = SimulatorConfig { rate: Rate::PerSecond(5_000.0), ledger: Some(ledger), ..market };
    let simulator = start(with_rules(market, |rules| rules.heartbeat_interval = SOON)).unwrap();
    let mut client = Client::connect(&simulator, "/");
    client.ask(TRADES);
    client.0.send(tungstenite::Message::text(HEARTBEATS)).unwrap();
    let mut first: Vec<String> = (0..200).map(|_| client.text()).collect();
    first.extend(until_cut(&simulator, &mut client));
    until_unheard(&simulator, 20);
    let mut client = Client::connect(&simulator, "/");
    assert!(client.ask(TRADES).contains(r#""channel":"subscriptions""#));
    let snapshot = client.text();
    let mut second = vec![snapshot.clone()];
    second.extend(stop_reading(simulator, client));

    for connection in [&first, &second] {
        let numbers: Vec<u64> = connection.iter().map(|text| parsed(text)["sequence_num"].as_u64().unwrap()).collect();
        assert_eq!(numbers[0], 1, "after the acknowledgement's 0");
        assert_contiguous(&numbers);
    }
    let event = &parsed(&snapshot)["events"][0];
    assert_eq!(event["type"], "snapshot");
    let id = |trade: &Value| trade["trade_id"].as_str().unwrap().parse::<u64>().unwrap();
    let mut ids: Vec<u64> = event["trades"].as_array().unwrap().iter().map(id).collect();
    ids.reverse();
    assert_eq!(ids.len(), 50);
    assert_contiguous(&ids);

    let mut received = first;
    received.extend(second);
    received.retain(|text| text.contains("market_trades\",\"client_id"));
    let told = told(&reader);
    assert_received(&told, &received);
    let again = told.iter().find(|frame| frame.text == snapshot).unwrap();
    let new: Vec<u64> = again.trades.iter().map(|trade| trade.id.as_ref().unwrap().parse().unwrap()).collect();
    assert_eq!(new, ids[50 - new.len()..], "from the oldest to the newest");
}

#[test]
fn a_quiet_connection_is_closed() {
    let market = closed_market(Protocol::CoinbaseAdvanced, &["BTC-USD", "ETH-USD"]);
    let simulator = start(with_rules(market, |rules| rules.longest_quiet = Some(25 * SOON))).unwrap();
    let mut client = Client::connect(&simulator, "/");
    client.ask(TRADES);
    assert_eq!(client.rest().1, Some((CloseCode::Policy, "Idle timeout".to_owned())));
    simulator.stop();
}
