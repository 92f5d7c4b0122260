//! Coinbase Exchange.

use tungstenite::protocol::frame::coding::CloseCode;

use super::*;

const SUBSCRIBE: &str = r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches","heartbeat"]}"#;

#[test]
fn everything_that_is_subscribed_is_listed() {
    let simulator = start(closed_market(Protocol::CoinbaseExchange, &["BTC-USD", "ETH-USD", "SOL-USD"])).unwrap();
    let mut client = Client::connect(&simulator, "/");
    assert_eq!(
        client.ask(SUBSCRIBE),
        r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]},{"name":"heartbeat","product_ids":["BTC-USD"]}]}"#
    );
    assert_eq!(
        client.ask(r#"{"type":"subscribe","channels":[{"name":"matches","product_ids":["ETH-USD","FOO-BAR"]}]}"#),
        r#"{"type":"error","message":"Failed to subscribe","reason":"FOO-BAR is not a valid product"}"#
    );
    assert_eq!(
        client.text(),
        r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD","ETH-USD"]},{"name":"heartbeat","product_ids":["BTC-USD"]}]}"#
    );
    assert_eq!(
        client.ask(r#"{"type":"unsubscribe","product_ids":["BTC-USD"],"channels":["matches","heartbeat"]}"#),
        r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["ETH-USD"]}]}"#
    );
    assert_eq!(client.ask("{"), r#"{"type":"error","message":"Failed to parse JSON"}"#);
    simulator.stop();
}

#[test]
fn matches_tell_the_makers_side_and_heartbeats_the_last_trade() {
    let market = quiet_market(Protocol::CoinbaseExchange, &["BTC-USD"]);
    let (ledger, reader) = Ledger::new(100, None);
    let market =
        with_rules(SimulatorConfig { ledger: Some(ledger), ..market }, |rules| rules.heartbeat_interval = SOON);
    let simulator = start(market).unwrap();
    let mut client = Client::connect(&simulator, "/");
    client.ask(SUBSCRIBE);
    let text = next_with(&mut client, "match");
    assert_text(
        &text,
        r#"{"type":"match","trade_id":*,"maker_order_id":"*","taker_order_id":"*","side":"*","size":"*","price":"*","product_id":"BTC-USD","sequence":*,"time":"20*Z"}"#,
    );
    let trade = parsed(&text);
    assert_text(
        &next_with(&mut client, "heartbeat"),
        &format!(
            r#"{{"type":"heartbeat","last_trade_id":{},"product_id":"BTC-USD","sequence":*,"time":"20*Z"}}"#,
            trade["trade_id"]
        ),
    );
    simulator.stop();
    let [told] = &told(&reader)[..] else { panic!("one frame") };
    assert_eq!(told.trades[0].taker_sold, trade["side"] == "buy", "the maker bought what the taker sold");
}

#[test]
fn who_comes_back_gets_the_last_match() {
    let (simulator, reader) = busy_market(Protocol::CoinbaseExchange, &["BTC-USD"]);
    let mut client = Client::connect(&simulator, "/");
    client.ask(SUBSCRIBE);
    let mut received: Vec<String> = (0..20).map(|_| client.text()).collect();
    received.extend(until_cut(&simulator, &mut client));
    until_unheard(&simulator, 5);
    let mut client = Client::connect(&simulator, "/");
    client.ask(SUBSCRIBE);
    let (last, next) = (client.text(), client.text());
    assert!(last.starts_with(r#"{"type":"last_match","trade_id":"#), "{last}");
    let id = |text: &str| parsed(text)["trade_id"].as_u64().unwrap();
    assert_eq!(id(&next), id(&last) + 1);
    received.extend([last.clone(), next]);
    received.extend(stop_reading(simulator, client));
    let told = told(&reader);
    assert_received(&told, &received);
    let again = told.iter().find(|frame| frame.text == last).unwrap();
    assert_eq!(again.trades.len(), 1, "it was made while nobody was connected");
}

#[test]
fn who_does_not_subscribe_is_disconnected() {
    let market = quiet_market(Protocol::CoinbaseExchange, &["BTC-USD"]);
    assert_eq!(market.rules.subscribe_within, Some(Duration::from_secs(5)));
    let simulator = start(with_rules(market, |rules| rules.subscribe_within = Some(SOON))).unwrap();
    let (texts, close) = Client::connect(&simulator, "/").rest();
    assert_eq!((texts.len(), close), (0, Some((CloseCode::Policy, "Subscribe timeout".to_owned()))));
    assert_eq!(simulator.stop().progress.limits_exceeded, 1);
}
