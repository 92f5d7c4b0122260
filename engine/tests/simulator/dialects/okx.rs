//! OKX v5.

use tungstenite::protocol::frame::coding::CloseCode;

use super::*;

const PATH: &str = "/ws/v5/public";

#[test]
fn each_argument_is_answered_by_itself() {
    let simulator = start(closed_market(Protocol::Okx, &["BTC-USDT", "ETH-USDT"])).unwrap();
    let mut client = Client::connect(&simulator, PATH);
    assert_eq!(
        client.ask(
            r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"},{"channel":"trades","instId":"FOO-BAR"}]}"#
        ),
        r#"{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#
    );
    assert_eq!(
        client.text(),
        r#"{"event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:FOO-BAR doesn't exist. Please use the correct URL, channel and parameters referring to API document."}"#
    );
    assert_eq!(
        client.ask(r#"{"op":"subscribed"}"#),
        r#"{"event":"error","code":"60012","msg":"Invalid request: {\"op\":\"subscribed\"}"}"#
    );
    assert_eq!(
        client.ask(r#"{"op":"unsubscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}"#),
        r#"{"event":"unsubscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#
    );
    assert_eq!(client.ask("ping"), "pong");
    simulator.stop();
}

#[test]
fn trades_have_their_shape_and_share_frames() {
    let (simulator, reader) = busy_market(Protocol::Okx, &["BTC-USDT"]);
    let mut client = Client::connect(&simulator, PATH);
    client.ask(r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}"#);
    let mut received: Vec<String> = (0..200).map(|_| client.text()).collect();
    received.extend(stop_reading(simulator, client));
    let single = received.iter().find(|text| text.matches("tradeId").count() == 1).unwrap();
    assert_text(
        single,
        r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"*","px":"*","sz":"*","side":"*","ts":"*","count":"*","source":"0","seqId":*}]}"#,
    );
    let told = told(&reader);
    assert_received(&told, &received);
    assert_ids(&told);
    assert!(told.iter().any(|frame| frame.trades.len() > 1));
}

#[test]
fn who_is_silent_while_nothing_comes_is_disconnected_and_who_pings_is_not() {
    let market = closed_market(Protocol::Okx, &["BTC-USDT", "ETH-USDT"]);
    assert_eq!(market.rules.longest_quiet, Some(Duration::from_secs(30)));
    let simulator = start(with_rules(market, |rules| rules.longest_quiet = Some(25 * SOON))).unwrap();
    let mut silent = Client::connect(&simulator, PATH);
    let mut pinging = Client::connect(&simulator, PATH);
    let silent = std::thread::spawn(move || silent.rest().1);
    while !silent.is_finished() {
        assert_eq!(pinging.ask("ping"), "pong");
    }
    assert_eq!(silent.join().unwrap(), Some((CloseCode::Policy, "Idle timeout".to_owned())));
    assert_eq!(pinging.ask("ping"), "pong");
    simulator.stop();
}
