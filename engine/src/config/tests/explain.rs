//! What `--print-config` shows.

use super::*;

/// The comment of the line that begins with `key =`, the first of them.
#[track_caller]
fn source<'a>(shown: &'a str, key: &str) -> &'a str {
    let begin = format!("{key} = ");
    let line = shown.lines().find(|line| line.starts_with(&begin));
    let line = line.unwrap_or_else(|| panic!("{key} is not in:\n{shown}"));
    line.rsplit_once("  # ").unwrap_or_else(|| panic!("{line:?} has no comment")).1
}

/// What is shown of feeds, and after them.
fn feeds(shown: &str) -> &str {
    &shown[shown.find("[[feed]]").unwrap()..]
}

/// Two feeds that give much of what can be given.
const TWO: &str = r#"[kafka]
linger_us = 7
[kafka.librdkafka]
"socket.keepalive.enable" = true
[[feed]]
exchange = "kraken"
url = "wss://ws.kraken.com"
symbols = ["XBT/USD", "XDG/USD", "ETH/EUR"]
connections = 2
core = 1
[feed.canonical]
"ETH/EUR" = "ETH/EURO"

[[feed]]
exchange = "binance"
symbols = ["BTCUSDT"]
time_unit = "microsecond"
topic_raw = "frames"
[cores]
feed = [0, 1]
housekeeping = [2]
wait = "spin"
[limits]
ring_full = "drop_newest"
[tls]
extra_ca = "/etc/root.pem"
[session]
breaker_probe_max_s = 60
max_age_s = 3600
[state]
dir = "/var/lib/k2-feed"
"#;

#[test]
fn what_is_shown_resolves_to_the_same() {
    for text in [TWO, BINANCE, EXAMPLE] {
        let explained = explain(text, &[]).unwrap();
        let shown = explained.to_string();
        let again = explain(&shown, &[]).unwrap_or_else(|errors| panic!("{errors:#?}\n{shown}"));
        assert_eq!(again.config, explained.config, "{shown}");
    }
}

#[test]
fn every_line_says_where_it_comes_from() {
    let shown = explain(TWO, &[]).unwrap().to_string();
    for (key, expected) in [
        ("bootstrap_servers", "default"),
        ("compression", "default"),
        ("linger_us", "feed.toml:2"),
        ("\"socket.keepalive.enable\"", "feed.toml:4"),
        ("exchange", "feed.toml:6"),
        ("protocol", "told by url"),
        ("symbols", "feed.toml:8"),
        ("canonical.\"ETH/EUR\"", "feed.toml:12"),
        ("url", "feed.toml:7"),
        ("connections", "feed.toml:9"),
        ("core", "feed.toml:10"),
        ("time_unit", "feed.toml:17"),
        ("raw", "default"),
        ("topic", "default"),
        ("feed", "feed.toml:20"),
        ("producer", "default"),
        ("housekeeping", "feed.toml:21"),
        ("ring_bytes", "default"),
        ("extra_ca", "feed.toml:26"),
        ("backoff_min_ms", "default"),
        ("breaker_probe_max_s", "feed.toml:28"),
        ("max_age_s", "feed.toml:29"),
        ("dir", "feed.toml:31"),
    ] {
        // Kafka's security has one, too.
        let shown = if key == "protocol" { feeds(&shown) } else { &shown };
        assert_eq!(source(shown, key), expected, "{key}");
    }
    let silent: Vec<_> = shown
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '[']) && !line.contains("  # "))
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
    for told in [
        "# connections 1 to 2 of 2: 3 symbols\n#   XBT/USD is BTC/USD\n#   XDG/USD is DOGE/USD\n#   ETH/EUR is ETH/EURO\n",
        "# connection 1 of 1: 1 symbol\n#   BTCUSDT is BTC/USDT\n",
    ] {
        assert!(shown.contains(told), "{told:?} is not in:\n{shown}");
    }
}

#[test]
fn variables_are_named() {
    let variables = [
        ("K2_EXCHANGE", "binance"),
        ("K2_SYMBOLS", "ETHUSDT"),
        ("K2_BINANCE_WS_URL", "ws://127.0.0.1:7000/ws"),
        ("K2_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        ("K2_KAFKA_SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081"),
        ("K2_KAFKA_TOPIC_RAW", "raw"),
        ("K2_KAFKA_TOPIC_NORMALIZED", "trades"),
        ("K2_STATE_DIR", "state"),
    ];
    for text in [TWO, ""] {
        let shown = explain(text, &variables).unwrap().to_string();
        for (key, variable) in [
            ("exchange", "K2_EXCHANGE"),
            ("symbols", "K2_SYMBOLS"),
            ("url", "K2_BINANCE_WS_URL"),
            ("bootstrap_servers", "K2_KAFKA_BOOTSTRAP_SERVERS"),
            ("schema_registry_url", "K2_KAFKA_SCHEMA_REGISTRY_URL"),
            ("topic_raw", "K2_KAFKA_TOPIC_RAW"),
            ("topic", "K2_KAFKA_TOPIC_NORMALIZED"),
            ("dir", "K2_STATE_DIR"),
            // It has but one.
            ("protocol", "default"),
        ] {
            let shown = if key == "protocol" { feeds(&shown) } else { &shown };
            assert_eq!(source(shown, key), variable, "{key}");
        }
    }
}

#[test]
fn an_instruments_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instruments.yaml");
    std::fs::write(&path, "instruments: {bybit: {symbols: [BTCXYZ], canonical: {BTCXYZ: BTC/XYZ}}}").unwrap();
    let by_file = format!("[[feed]]\nexchange = \"bybit\"\ninstruments = {path:?}\n");
    let variables = [("K2_EXCHANGE", "bybit"), ("K2_INSTRUMENTS_FILE", path.to_str().unwrap())];
    // A variable goes before what the file says of symbols.
    let other = "[[feed]]\nexchange = \"bybit\"\nsymbols = [\"ETHUSDT\"]\n";
    for (text, variables, named) in [
        (&*by_file, &[][..], "feed.toml:3"),
        ("", &variables, "K2_INSTRUMENTS_FILE"),
        (other, &variables, "K2_INSTRUMENTS_FILE"),
    ] {
        let explained = explain(text, variables).unwrap();
        let shown = explained.to_string();
        let expected = format!("{}, named by {named}", path.display());
        assert_eq!(source(&shown, "symbols"), expected);
        assert_eq!(source(&shown, "canonical.BTCXYZ"), expected);
        assert_eq!(explain(&shown, &[]).unwrap().config, explained.config);
    }
    // What feed.toml says of a symbol goes before what the instruments file says of it.
    let shown = explain(&format!("{by_file}canonical = {{ BTCXYZ = \"XBT/XYZ\" }}\n"), &[]).unwrap().to_string();
    assert_eq!(source(&shown, "canonical.BTCXYZ"), "feed.toml:4");
    assert!(shown.contains("#   BTCXYZ is XBT/XYZ\n"), "{shown}");
    // A variable with symbols goes before the file's instruments.
    let shown = explain(&by_file, &[("K2_SYMBOLS", "ETHUSDT")]).unwrap();
    assert_eq!(symbols(&shown.config.feeds[0]), ["ETHUSDT"]);
}

#[test]
fn secrets_are_not_shown() {
    let text = format!(
        "{BINANCE}url = \"wss://me:hunter2@exchange/ws\"\n[kafka]\nschema_registry_url = \"https://me:hunter2@registry\"\n"
    );
    let shown = explain(&text, &[]).unwrap().to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(source(&shown, "schema_registry_url"), "feed.toml:6, secret not shown");
    assert!(shown.contains("https://me:***@registry") && shown.contains("wss://me:***@exchange/ws"), "{shown}");
}
