//! Kraken v1.

use std::collections::HashSet;

use super::*;

const SUBSCRIBE: &str = r#"{"event":"subscribe","pair":["XBT/USD"],"subscription":{"name":"trade"}}"#;

#[test]
fn each_pair_is_answered_by_itself() {
    let simulator = start(closed_market(Protocol::KrakenV1, &["XBT/USD", "ETH/USD"])).unwrap();
    let mut client = Client::connect(&simulator, "/");
    assert_eq!(client.text(), r#"{"connectionID":1,"event":"systemStatus","status":"online","version":"1.9.6"}"#);
    assert_text(
        &client.ask(r#"{"event":"subscribe","pair":["XBT/USD","FOO/BAR"],"subscription":{"name":"trade"},"reqid":5}"#),
        r#"{"channelID":*,"channelName":"trade","event":"subscriptionStatus","pair":"XBT/USD","reqid":5,"status":"subscribed","subscription":{"name":"trade"}}"#,
    );
    assert_eq!(
        client.text(),
        r#"{"errorMessage":"Currency pair not supported FOO/BAR","event":"subscriptionStatus","pair":"FOO/BAR","reqid":5,"status":"error","subscription":{"name":"trade"}}"#
    );
    assert_text(
        &client.ask(r#"{"event":"unsubscribe","pair":["XBT/USD"],"subscription":{"name":"trade"}}"#),
        r#"{"channelID":*,"channelName":"trade","event":"subscriptionStatus","pair":"XBT/USD","status":"unsubscribed","subscription":{"name":"trade"}}"#,
    );
    assert_eq!(client.ask(r#"{"event":"ping","reqid":42}"#), r#"{"event":"pong","reqid":42}"#);
    simulator.stop();
}

#[test]
fn trades_and_heartbeats_have_their_shape() {
    let config = with_rules(quiet_market(Protocol::KrakenV1, &["XBT/USD"]), |rules| rules.heartbeat_interval = SOON);
    let simulator = start(config).unwrap();
    let mut client = Client::connect(&simulator, "/");
    client.text();
    client.ask(SUBSCRIBE);
    assert_text(&next_with(&mut client, "XBT/USD"), r#"[*,[["*.*","*.*","*.*","*","*",""]],"trade","XBT/USD"]"#);
    assert_eq!(client.text(), r#"{"event":"heartbeat"}"#);
    simulator.stop();
}

#[test]
fn the_last_50_trades_come_first_and_nothing_is_told_twice() {
    let (simulator, reader) = busy_market(Protocol::KrakenV1, &["XBT/USD"]);
    let mut client = Client::connect(&simulator, "/");
    client.text();
    client.ask(SUBSCRIBE);
    let mut received: Vec<String> = (0..200).map(|_| client.text()).collect();
    received.extend(until_cut(&simulator, &mut client));
    until_unheard(&simulator, 20);
    let mut client = Client::connect(&simulator, "/");
    client.text();
    client.ask(SUBSCRIBE);
    let snapshot = client.text();
    assert_eq!(parsed(&snapshot)[1].as_array().unwrap().len(), 50);
    received.push(snapshot.clone());
    received.extend(stop_reading(simulator, client));

    let told = told(&reader);
    assert_received(&told, &received);
    let again = told.iter().find(|frame| frame.text == snapshot).unwrap();
    assert!((20..=50).contains(&again.trades.len()), "{} are new", again.trades.len());
    let trades: Vec<&ToldTrade> = told.iter().flat_map(|frame| &frame.trades).collect();
    assert!(trades.iter().all(|trade| trade.id.is_none()));
    let times: Vec<i64> = trades.iter().map(|trade| trade.exchange_unix_ns).collect();
    assert!(times.is_sorted());
    let distinct: HashSet<i64> = times.iter().copied().collect();
    assert!(distinct.len() < times.len(), "some trades of a frame share their time");
    for frame in &told {
        let last = frame.trades.last().map(|trade| trade.exchange_unix_ns);
        let others = told.iter().filter(|other| !std::ptr::eq(*other, frame)).flat_map(|other| &other.trades);
        assert!(others.into_iter().all(|other| Some(other.exchange_unix_ns) != last), "frames share no time");
    }
}
