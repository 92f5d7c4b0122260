//! Where the trades of gaps are fetched from.

use super::*;

/// The addresses of the REST APIs that the feeds come to.
fn rest_urls(text: &str, variables: &[(&str, &str)]) -> Vec<Option<String>> {
    let config = load(text, variables).unwrap();
    config.feeds.iter().map(|feed| feed.rest_url.as_ref().map(ToString::to_string)).collect()
}

/// What `--print-config` says of `rest_url`, without the room between.
fn shown(text: &str) -> String {
    let shown = explain(text, &[]).unwrap().to_string();
    let line = shown.lines().find(|line| line.contains("rest_url")).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn feed(exchange: &str, symbol: &str, more: &str) -> String {
    format!("[[feed]]\nexchange = \"{exchange}\"\nsymbols = [\"{symbol}\"]\n{more}\n")
}

#[test]
fn exchanges_that_tell_their_history_are_asked_for_it() {
    for (exchange, symbol, more, expected) in [
        ("binance", "BTCUSDT", "", Some("https://data-api.binance.vision/")),
        ("binance-usdm", "BTCUSDT", "", None),
        ("kraken", "BTC/USD", "", Some("https://api.kraken.com/")),
        ("kraken", "BTC/USD", "protocol = \"v1\"", None),
        ("coinbase", "BTC-USD", "", Some("https://api.coinbase.com/")),
        ("coinbase", "BTC-USD", "protocol = \"exchange\"", Some("https://api.exchange.coinbase.com/")),
        ("bybit", "BTCUSDT", "", None),
        ("okx", "BTC-USDT", "", None),
    ] {
        assert_eq!(rest_urls(&feed(exchange, symbol, more), &[]), [expected.map(String::from)], "{exchange} {more}");
    }
}

/// A simulator's gaps are not filled with the exchange's trades.
#[test]
fn who_connects_elsewhere_does_not_ask_the_exchange() {
    let binance = |more: &str| feed("binance", "BTCUSDT", more);
    let own = Some("https://data-api.binance.vision/".to_string());
    for (more, expected) in [
        ("url = \"ws://127.0.0.1:7000/ws\"", None),
        ("url = \"wss://proxy.example/ws\"", None),
        ("url = \"wss://stream.binance.com:443/stream\"", own),
        (
            "url = \"ws://127.0.0.1:7000/ws\"\nrest_url = \"http://127.0.0.1:7000/api\"",
            Some("http://127.0.0.1:7000/api".into()),
        ),
        ("rest_url = \"https://api.binance.com\"", Some("https://api.binance.com/".into())),
    ] {
        assert_eq!(rest_urls(&binance(more), &[]), [expected], "{more}");
    }
    let variables = [("K2_BINANCE_WS_URL", "ws://127.0.0.1:7000/ws")];
    assert_eq!(rest_urls(&binance(""), &variables), [None]);
    let variables = [variables[0], ("K2_BINANCE_REST_URL", "http://127.0.0.1:7001"), ("K2_OKX_REST_URL", "no url")];
    assert_eq!(
        rest_urls(&binance("rest_url = \"https://api.binance.com\""), &variables),
        [Some("http://127.0.0.1:7001/".into())]
    );
}

#[test]
fn repair_can_be_turned_off_and_bounded() {
    let config = load(&format!("{BINANCE}[repair]\nenabled = false\nmax_trades = 7\n"), &[]).unwrap();
    assert_eq!((config.repair, &config.feeds[0].rest_url), (Repair { enabled: false, max_trades: 7 }, &None));
    for wrong in [0, 1_000_001] {
        let errors = load(&format!("{BINANCE}[repair]\nmax_trades = {wrong}\n"), &[]).unwrap_err();
        assert_eq!(
            errors,
            [format!(
                "feed.toml:5: repair.max_trades = {wrong}: it must be from 1 to 1000000, each takes memory until it is published; to \
                 fetch none, set repair.enabled to false"
            )]
        );
    }
}

#[test]
fn an_address_that_serves_nothing_is_refused() {
    for (given, expected) in [
        (
            feed("bybit", "BTCUSDT", "rest_url = \"https://api.bybit.com\""),
            "feed.toml:4: feed bybit: rest_url = \"https://api.bybit.com\": bybit v5 has no history by trade id that is \
             open to everybody: leave it out, its gaps are counted and named only",
        ),
        (
            feed("binance", "BTCUSDT", "rest_url = \"wss://api.binance.com\""),
            "feed.toml:4: feed binance: rest_url = \"wss://api.binance.com\": \"wss\" is not one of https, http: write \
             https://host:port/path",
        ),
        (
            feed("kraken", "BTC/USD", "protocol = \"v1\"\nrest_url = \"https://me:secret@host\""),
            "feed.toml:5: feed kraken: rest_url = \"(not shown)\": kraken v1 has no history by trade id that is open to \
             everybody: leave it out, its gaps are counted and named only",
        ),
    ] {
        assert_eq!(load(&given, &[]), Err(vec![expected.to_string()]));
    }
}

#[test]
fn how_often_a_history_is_asked_is_the_exchanges_limit_or_what_is_given() {
    let interval = |text: &str| load(text, &[]).unwrap().feeds[0].rest_interval;
    assert_eq!(interval(BINANCE), Duration::from_millis(500));
    let given = feed("binance", "BTCUSDT", "rest_interval_ms = 100");
    assert_eq!(interval(&given), Duration::from_millis(100));
    let shown = explain(&given, &[]).unwrap().to_string();
    assert!(shown.contains("rest_interval_ms = 100"), "{shown}");
    for wrong in [0, 60_001] {
        let errors = load(&feed("binance", "BTCUSDT", &format!("rest_interval_ms = {wrong}")), &[]).unwrap_err();
        let expected = format!("feed.toml:4: feed binance: rest_interval_ms = {wrong}: it must be from 1 to 60000");
        assert_eq!(errors, [expected]);
    }
}

#[test]
fn why_gaps_stay_is_shown() {
    let local = feed("binance", "BTCUSDT", "url = \"ws://127.0.0.1:7000/ws\"");
    for (text, expected) in [
        (BINANCE.to_string(), "rest_url = \"https://data-api.binance.vision/\" # default"),
        (local.clone(), "# rest_url # gaps stay: url is not the exchange's own, so rest_url must be given, too"),
        (format!("{BINANCE}[repair]\nenabled = false"), "# rest_url # gaps stay: repair.enabled is false"),
        (
            feed("okx", "BTC-USDT", ""),
            "# rest_url # gaps stay: the exchange has no history by trade id that is open to everybody",
        ),
        (
            format!("{local}rest_url = \"http://u:p@127.0.0.1\""),
            "rest_url = \"http://u:***@127.0.0.1/\" # feed.toml:5, secret not shown",
        ),
    ] {
        assert_eq!(shown(&text), expected);
        let again = explain(&explain(&text, &[]).unwrap().to_string(), &[]).unwrap();
        let is_hidden = text.contains("u:p@");
        assert!(is_hidden || again.config == explain(&text, &[]).unwrap().config, "{text}");
    }
}
