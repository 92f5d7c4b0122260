//! Other addresses of a feed.

use super::*;

/// The other addresses that the one feed comes to, as they are connected to.
fn reached(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let feed = load(text, variables).unwrap().feeds.remove(0);
    let instruments: Vec<_> = feed.instruments().cloned().collect();
    let ways = feed.ways(&instruments);
    assert!(ways.iter().all(|way| way.instruments == instruments));
    ways[1..].iter().map(|way| way.endpoint.url.to_string()).collect()
}

const DOCUMENTED: [&str; 2] = ["wss://stream.binance.com/ws", "wss://data-stream.binance.vision/ws"];
const LOCAL: &str = "url = \"ws://127.0.0.1:7000/ws\"\n";

#[test]
fn those_that_the_exchange_documents_are_there_unless_something_else_is_said() {
    assert_eq!(reached(BINANCE, &[]), DOCUMENTED);
    for other in ["alternatives = []", "url = \"wss://stream.binance.com:9443/ws\"", LOCAL] {
        assert_eq!(reached(&format!("{BINANCE}{other}\n"), &[]), [""; 0], "{other}");
    }
    let given = "alternatives = [\"wss://proxy.example/ws\"]\n";
    assert_eq!(reached(&format!("{BINANCE}{given}"), &[]), ["wss://proxy.example/ws"]);
    let two = "alternatives = [\"ws://127.0.0.1:7001/\", \"ws://127.0.0.1:7002/ws/\"]\n";
    let expected = ["ws://127.0.0.1:7001/ws", "ws://127.0.0.1:7002/ws/"];
    assert_eq!(reached(&format!("{BINANCE}{LOCAL}{two}"), &[]), expected, "a path that is left out is the usual one");
}

/// Whoever feeds from a simulator does not mean to fall back to the exchange.
#[test]
fn a_variable_with_an_address_goes_without_those_of_the_file() {
    let given = format!("{BINANCE}alternatives = [\"wss://proxy.example/ws\"]\n");
    for text in [BINANCE, &given] {
        assert_eq!(reached(text, &[("K2_BINANCE_WS_URL", "ws://127.0.0.1:7000/ws")]), [""; 0]);
    }
}

/// All of an exchange's own addresses fit together.
#[test]
fn every_protocols_alternatives_hold() {
    for protocol in Protocol::ALL {
        let symbol = ["BTCUSDT", "BTC-USD", "BTC/USD"].into_iter().find(|name| protocol.instrument(name, None).is_ok());
        let text = format!(
            "[[feed]]\nexchange = {:?}\nprotocol = {:?}\nsymbols = [{:?}]\n",
            protocol.exchange(),
            protocol.name(),
            symbol.unwrap()
        );
        assert_eq!(reached(&text, &[]).len(), protocol.facts().alternatives.len(), "{protocol}");
    }
}

#[test]
fn the_time_unit_is_that_of_the_feed_at_all_addresses() {
    let by_key = format!("{BINANCE}time_unit = \"microsecond\"\n");
    let by_url = format!(
        "{BINANCE}url = \"wss://a.example/ws?timeUnit=microsecond\"\nalternatives = [\"wss://b.example/ws\"]\n"
    );
    for text in [by_key, by_url] {
        let all = reached(&text, &[]);
        assert!(!all.is_empty() && all.iter().all(|url| url.ends_with("/ws?timeUnit=MICROSECOND")), "{all:?}");
    }
}

#[test]
fn the_exchanges_history_is_its_own_by_whichever_address() {
    let text = format!("{BINANCE}url = \"wss://data-stream.binance.vision/ws\"\n");
    assert!(load(&text, &[]).unwrap().feeds[0].rest_url.is_some());
}

#[test]
fn what_brings_something_else_is_refused() {
    let binance = |more: &str| format!("{BINANCE}{more}\n");
    let feed = |exchange: &str, symbol: &str, more: &str| {
        format!("[[feed]]\nexchange = {exchange:?}\nsymbols = [{symbol:?}]\n{more}\n")
    };
    for (text, expected) in [
        (
            binance("alternatives = [\"ws://127.0.0.1:7000/ws\"]"),
            "feed.toml:4: feed binance: alternatives = \"ws://127.0.0.1:7000/ws\": it begins with ws:// and url with \
             wss://: trades come encrypted by all addresses or by none, give them the same",
        ),
        (
            binance("alternatives = [\"http://127.0.0.1:7000/ws\"]"),
            "feed.toml:4: feed binance: alternatives = \"http://127.0.0.1:7000/ws\": \"http\" is not one of wss, ws: \
             write wss://host:port/path",
        ),
        (
            binance("alternatives = [\"wss://u:secret@a.example/elsewhere\"]"),
            "feed.toml:4: feed binance: alternatives: url wss://u:***@a.example/elsewhere: the path \"/elsewhere\" is not one of \
             Binance's: end it in \"/ws\" or \"/stream\" and list the symbols",
        ),
        (
            binance("alternatives = [\"wss://u:secret@a.example/stream\"]"),
            "feed.toml:4: feed binance: alternatives = \"wss://u:***@a.example/stream\": its path \"/stream\" is not url's \
             \"/ws\", and brings other frames: give them the same",
        ),
        (
            binance("alternatives = [\"wss://stream.binance.com:9443\"]"),
            "feed.toml:4: feed binance: alternatives = \"wss://stream.binance.com:9443/\": it is url itself: leave it out",
        ),
        (
            binance("alternatives = [\"wss://a.example/ws\", \"wss://a.example:443\"]"),
            "feed.toml:4: feed binance: alternatives = \"wss://a.example/\": it is listed twice: keep one",
        ),
        (
            binance("alternatives = [\"wss://a.example/ws?timeUnit=MICROSECOND\"]"),
            "feed.toml:4: feed binance: alternatives = \"wss://a.example/ws?timeUnit=MICROSECOND\": it asks for another \
             time unit than url: leave timeUnit out",
        ),
        (
            feed("kraken", "BTC/USD", "alternatives = [\"wss://ws.kraken.com/v1\"]"),
            "feed.toml:4: feed kraken: alternatives = \"wss://ws.kraken.com/v1\": it is not an address of kraken v2, as url \
             is: give it a feed of its own",
        ),
        (
            feed("bybit", "BTCUSDT", "alternatives = [\"wss://stream.bybit.com/v5/public/linear\"]"),
            "feed.toml:4: feed bybit: alternatives = \"wss://stream.bybit.com/v5/public/linear\": its path \
             \"/v5/public/linear\" is not url's \"/v5/public/spot\", and brings other frames: give them the same",
        ),
    ] {
        assert_eq!(load(&text, &[]), Err(vec![expected.to_string()]));
    }
}

#[test]
fn they_are_shown_with_where_they_come_from() {
    let line = |text: &str| {
        let shown = explain(text, &[]).unwrap();
        let again = explain(&shown.to_string(), &[]).unwrap();
        assert!(text.contains('@') || again.config == shown.config, "{shown}");
        let shown = shown.to_string();
        let line = shown.lines().find(|line| line.starts_with("alternatives")).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (more, expected) in [
        ("", "alternatives = [\"wss://stream.binance.com/ws\", \"wss://data-stream.binance.vision/ws\"] # default"),
        (LOCAL, "alternatives = [] # default"),
        ("alternatives = [\"wss://a.example/ws\"]", "alternatives = [\"wss://a.example/ws\"] # feed.toml:4"),
        (
            "alternatives = [\"wss://u:secret@a.example/ws\"]",
            "alternatives = [\"wss://u:***@a.example/ws\"] # feed.toml:4, secret not shown",
        ),
    ] {
        assert_eq!(line(&format!("{BINANCE}{more}\n")), expected);
    }
}
