use super::*;
use crate::record::Kind;
use crate::venue::Protocol;

mod all_at_once;
mod alternatives;
mod bad_input;
mod example;
mod explain;
mod http;
mod repair;
mod security;
mod session;
mod spill;

/// What `feed.toml` with this text comes to, in an environment with these variables.
fn explain(text: &str, variables: &[(&str, &str)]) -> Result<Explained, Vec<String>> {
    let mut errors = error::Errors::default();
    let given = file::parse("feed.toml", text, &mut errors);
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Explained::resolve(given, variables, None, errors).map_err(|ConfigErrors(errors)| errors)
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    explain(text, variables).map(|explained| explained.config)
}

fn symbols(feed: &Feed) -> Vec<&str> {
    feed.instruments().map(|instrument| instrument.symbol.as_str()).collect()
}

const BINANCE: &str = "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\n";

#[test]
fn five_variables_alone_are_enough() {
    let config = load(
        "",
        &[
            ("K2_EXCHANGE", "binance"),
            ("K2_SYMBOLS", "BTCUSDT, ETHUSDT"),
            ("K2_BINANCE_WS_URL", "ws://127.0.0.1:7000/ws"),
            ("K2_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
            ("K2_KAFKA_SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7"),
        ],
    )
    .unwrap();
    let feed = &config.feeds[0];
    assert_eq!(symbols(feed), ["BTCUSDT", "ETHUSDT"]);
    assert!(feed.instruments().map(|one| &*one.canonical).eq(["BTC/USDT", "ETH/USDT"]));
    assert_eq!(feed.endpoint.url.as_str(), "ws://127.0.0.1:7000/ws");
    assert_eq!(feed.topic(Kind::Raw), "market.crypto.trades.binance.raw");
    assert_eq!(feed.topic(Kind::Normalized), "market.crypto.trades.binance");
    assert_eq!(feed.topic(Kind::Dlq), "market.crypto.trades.binance.dlq");
    assert_eq!(config.kafka.schema_registry_url.path(), "/apis/ccompat/v7");
}

#[test]
fn the_environment_goes_before_the_file() {
    let text = format!("[kafka]\nbootstrap_servers = \"a:1\"\nlinger_us = 7\n{BINANCE}");
    let config = load(&text, &[("K2_KAFKA_BOOTSTRAP_SERVERS", "b:2"), ("K2_SYMBOLS", "ETHUSDT")]).unwrap();
    assert_eq!((config.kafka.bootstrap_servers.as_str(), config.kafka.linger_us), ("b:2", 7));
    assert_eq!(symbols(&config.feeds[0]), ["ETHUSDT"]);
}

#[test]
fn the_instruments_file_goes_before_the_symbols() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instruments.yaml");
    std::fs::write(
        &path,
        "instruments:\n  binance:\n    symbols: [BTCUSDT, SOLUSDT]\n  kraken:\n    symbols: [XBT/USD]\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let config =
        load("", &[("K2_EXCHANGE", "binance"), ("K2_SYMBOLS", "ETHUSDT"), ("K2_INSTRUMENTS_FILE", path)]).unwrap();
    assert_eq!(symbols(&config.feeds[0]), ["BTCUSDT", "SOLUSDT"]);
}

#[test]
fn everything_wrong_is_named_at_once() {
    let text = "[kafka]\nlingr_us = 5\nschema_registry_url = \"ftp://x\"\nbootstrap_servers = \"nowhere\"\n\
                [kafka.librdkafka]\nacks = 1\n[cores]\nfeed = 0\nwiat = \"spin\"\n[limits]\nmax_frame_bytes = 1\n\
                [[feed]]\nexchange = \"binance\"\nsymbols = [\"BTC-USDT\", \"ETHUSDT\", \"ETHUSDT\"]\nurl = \"http://x\"\ntopic = \"a b\"\n";
    let errors = load(text, &[]).unwrap_err();
    for expected in [
        "feed.toml:2: unknown key kafka.lingr_us, did you mean linger_us?",
        "feed.toml:9: unknown key cores.wiat, did you mean wait?",
        "kafka.schema_registry_url = \"ftp://x\"",
        "feed.toml:4: kafka.bootstrap_servers = \"nowhere\": \"nowhere\" is not host:port",
        "acks = \"1\" would break a promise",
        "feed.toml:8: cores.feed = 0",
        "limits.max_frame_bytes = 1",
        "symbol \"BTC-USDT\" is not in Binance's form: write \"BTCUSDT\"",
        "symbol \"ETHUSDT\" is listed twice",
        "url = \"http://x\": \"http\" is not one of wss, ws",
    ] {
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected:?} is not in {errors:#?}");
    }
}

#[test]
fn an_unknown_exchange_names_the_nearest() {
    let errors = load("[[feed]]\nexchange = \"binanse\"\nsymbols = [\"BTCUSDT\"]\n", &[]).unwrap_err();
    assert!(errors[0].contains("did you mean \"binance\"?"), "{errors:?}");
    assert!(load("", &[]).unwrap_err()[0].contains("K2_EXCHANGE"));
    assert!(load("", &[("K2_SYMBOLS", "BTCUSDT")]).unwrap_err()[0].contains("set K2_EXCHANGE"));
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_line() {
    // A variable that means one of its feeds is not blamed, too.
    let variables = [("K2_SYMBOLS", "ETHUSDT")];
    let errors = load(&format!("{BINANCE}[cores]\nfeed = \"two\"\n"), &variables).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors, ["feed.toml:5: cores.feed: expected a number of cores or a list of CPUs"]);
    let errors = load("[kafka]\nlinger_us = -1\n", &[]).unwrap_err();
    assert_eq!(
        errors,
        ["feed.toml:2: kafka.linger_us: invalid value: integer `-1`, expected a whole number, 0 or more"]
    );
}

#[test]
fn secrets_stay_out_of_reports() {
    let text = format!(
        "{BINANCE}[kafka]\nschema_registry_url = \"https://me:hunter2@registry\"\n[kafka.librdkafka]\n\"sasl.password\" = \"hunter2\"\n"
    );
    for text in [&text.replace("\"sasl.password\"", "sasl.password"), &text] {
        let errors = load(text, &[]).unwrap_err();
        let expected = "feed.toml:7: kafka.librdkafka: sasl.password = \"***\" is not passed through: set \
                        kafka.security.password_file, or the variable K2_KAFKA_PASSWORD";
        assert_eq!(errors, [expected]);
        // A line that is no TOML is not repeated either.
        let errors = load(&text.replace("\"hunter2\"", "hunter2"), &[]).unwrap_err();
        assert!(!format!("{errors:?}").contains("hunter2") && errors[0].starts_with("feed.toml:7: "), "{errors:?}");
    }
    let text = text.split("[kafka.librdkafka]").next().unwrap();
    let shown = serde_json::to_string(&load(text, &[]).unwrap()).unwrap();
    assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
}

#[test]
fn a_ring_holds_the_longest_message() {
    let errors = load(&format!("{BINANCE}[limits]\nring_bytes = 65536\n"), &[]).unwrap_err();
    assert!(errors[0].contains("set it to 4194304 or more"), "{errors:?}");
}

#[test]
fn the_protocol_is_named_or_told_by_the_address() {
    let protocol = |lines: &str| {
        let symbols = if lines.contains("kraken") { "XBT/USD" } else { "BTC-USD" };
        let config = load(&format!("[[feed]]\nsymbols = [\"{symbols}\"]\n{lines}"), &[]);
        config.map(|config| config.feeds[0].protocol)
    };
    for (lines, expected) in [
        ("exchange = \"kraken\"", Protocol::KrakenV2),
        ("exchange = \"kraken\"\nprotocol = \"v1\"", Protocol::KrakenV1),
        ("exchange = \"kraken\"\nurl = \"wss://ws.kraken.com\"", Protocol::KrakenV1),
        ("exchange = \"kraken\"\nurl = \"wss://ws.kraken.com/v2\"", Protocol::KrakenV2),
        ("exchange = \"kraken\"\nurl = \"wss://ws.kraken.com\"\nprotocol = \"v2\"", Protocol::KrakenV2),
        ("exchange = \"coinbase\"", Protocol::CoinbaseAdvanced),
        ("exchange = \"coinbase\"\nprotocol = \"exchange\"", Protocol::CoinbaseExchange),
        ("exchange = \"coinbase\"\nurl = \"wss://ws-feed.exchange.coinbase.com\"", Protocol::CoinbaseExchange),
    ] {
        assert_eq!(protocol(lines), Ok(expected), "{lines}");
    }
    let errors = protocol("exchange = \"coinbase\"\nprotocol = \"advance\"").unwrap_err();
    assert!(errors[0].contains("did you mean \"advanced\"? Known are: advanced, exchange"), "{errors:?}");
    let config =
        load("", &[("K2_EXCHANGE", "kraken"), ("K2_SYMBOLS", "XBT/USD"), ("K2_KRAKEN_WS_URL", "wss://ws.kraken.com")]);
    assert_eq!(config.unwrap().feeds[0].protocol, Protocol::KrakenV1);
}

#[test]
fn symbols_that_cannot_be_are_named_with_the_way_out() {
    for (lines, expected) in [
        ("exchange = \"kraken\"\nsymbols = [\"BTC-USD\"]", "write \"BTC/USD\""),
        (
            "exchange = \"kraken\"\nsymbols = [\"XBT/USD\", \"BTC/USD\"]",
            "symbols \"XBT/USD\" and \"BTC/USD\" are the same to the exchange: keep one",
        ),
        ("exchange = \"coinbase\"\nsymbols = [\"BTC-USD\", \"BTC-USDC\"]", "are the same to the exchange"),
        ("exchange = \"okx\"\nsymbols = [\"BTC/USDT\"]", "write \"BTC-USDT\""),
        (
            "exchange = \"bybit\"\nsymbols = [\"BTCXYZ\"]",
            "say what it is by canonical = { \"BTCXYZ\" = \"BASE/QUOTE\" }",
        ),
        ("exchange = \"bybit\"\nsymbols = [\"BTCXYZ\"]\ncanonical = { BTCXYZ = \"BTC\" }", "write base and quote"),
        ("exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\nconnections = 0", "connections = 0: it must be from 1 to 4"),
        ("exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\ntime_unit = \"microsecond\"", "time_unit is Binance spot's"),
    ] {
        let errors = load(&format!("[[feed]]\n{lines}\n"), &[]).unwrap_err();
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected:?} is not in {errors:#?}");
    }
    let text = "[[feed]]\nexchange = \"bybit\"\nsymbols = [\"BTCXYZ\"]\ncanonical = { BTCXYZ = \"BTC/XYZ\" }\n";
    assert_eq!(load(text, &[]).unwrap().feeds[0].instruments().next().unwrap().canonical, "BTC/XYZ");
}

#[test]
fn every_exchange_has_a_variable_for_its_address() {
    for protocol in Protocol::ALL {
        let exchange = protocol.exchange();
        let variable = match exchange {
            "binance" => "K2_BINANCE_WS_URL",
            "binance-usdm" => "K2_BINANCE_USDM_WS_URL",
            "kraken" => "K2_KRAKEN_WS_URL",
            "coinbase" => "K2_COINBASE_WS_URL",
            "bybit" => "K2_BYBIT_WS_URL",
            "okx" => "K2_OKX_WS_URL",
            other => panic!("{other} has no line here"),
        };
        let symbol = ["BTCUSDT", "BTC-USD", "BTC/USD"].into_iter().find(|name| protocol.instrument(name, None).is_ok());
        let symbol = symbol.unwrap();
        let mut url = Url::parse(protocol.facts().url).unwrap();
        url.set_host(Some("exchange.test")).unwrap();
        let variables = [("K2_EXCHANGE", exchange), ("K2_SYMBOLS", symbol), (variable, url.as_str())];
        let feed = load("", &variables).unwrap().feeds.remove(0);
        assert_eq!(feed.endpoint.url, url, "{variable}");
        let elsewhere = url.as_str().replace("exchange.test", "elsewhere.test");
        // It goes over the file, and is for no other exchange.
        let text = format!("[[feed]]\nexchange = {exchange:?}\nsymbols = [{symbol:?}]\nurl = \"{elsewhere}\"\n");
        assert_eq!(load(&text, &variables[2..]).unwrap().feeds[0].endpoint.url, url, "{variable}");
        let others = ["K2_BINANCE_WS_URL", "K2_OKX_WS_URL", "K2_BINANCE_USDM_WS_URL"].into_iter();
        for other in others.filter(|other| *other != variable) {
            let feed = load(&text, &[(other, url.as_str())]).map(|config| config.feeds[0].endpoint.url.to_string());
            assert_eq!(feed.unwrap(), elsewhere, "{other} at {exchange}");
        }
    }
}
