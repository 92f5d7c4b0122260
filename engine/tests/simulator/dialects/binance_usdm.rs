//! Binance USD-M futures.

use super::*;

#[test]
fn trades_have_their_shape_and_some_are_none_of_the_market() {
    let (simulator, reader) = busy_market(Protocol::BinanceUsdm, &["BTCUSDT"]);
    let mut client = Client::subscribed(&simulator, "/public/ws", &["btcusdt@trade"]);
    let mut received: Vec<String> = (0..2_000).map(|_| client.text()).collect();
    received.extend(stop_reading(simulator, client));
    let with = |word: &str| received.iter().find(|text| text.contains(word)).unwrap_or_else(|| panic!("no {word}"));
    assert_text(with("MARKET"), r#"{"e":"trade","E":*,"T":*,"s":"BTCUSDT","t":*,"p":"*","q":"*","X":"MARKET","m":*}"#);
    assert_text(
        with("INSURANCE_FUND"),
        r#"{"e":"trade","E":*,"T":*,"s":"BTCUSDT","t":*,"p":"*","q":"*","X":"INSURANCE_FUND","m":*}"#,
    );
    assert_text(with("NA"), r#"{"e":"trade","E":*,"T":*,"s":"BTCUSDT","t":*,"p":"0","q":"0","X":"NA","m":*}"#);
    assert_contiguous(&received.iter().map(|text| id(&parsed(text))).collect::<Vec<_>>());

    let told = told(&reader);
    assert_received(&told, &received);
    for frame in &told {
        assert_eq!(frame.trades.len(), usize::from(frame.text.contains(r#""X":"MARKET""#)), "{}", frame.text);
    }
}

#[test]
fn combined_streams_are_wrapped_and_old_addresses_are_silent() {
    let simulator = start(quiet_market(Protocol::BinanceUsdm, &["BTCUSDT"])).unwrap();
    let mut old = Client::subscribed(&simulator, "/ws", &["btcusdt@trade"]);
    let mut client = Client::connect(&simulator, "/public/stream?streams=btcusdt@trade");
    assert!(client.text().starts_with(r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":"#));
    assert_eq!(
        old.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":2}"#),
        r#"{"result":["btcusdt@trade"],"id":2}"#,
        "acknowledged, and silent"
    );
    simulator.stop();
}
