//! What is wrong, and in which words that is told.

use super::*;

/// The feeds of `feed.toml`, each a list of lines.
fn feeds(feeds: &[&str]) -> String {
    feeds.iter().map(|lines| format!("[[feed]]\n{lines}\n")).collect()
}

/// Checks that the one error of these feeds is `expected`.
#[track_caller]
fn refused(given: &[&str], expected: &str) {
    assert_eq!(load(&feeds(given), &[]).unwrap_err(), [expected], "{given:?}");
}

#[test]
fn names_that_are_not_known() {
    refused(
        &["exchange = \"binanse\"\nsymbols = [\"BTCUSDT\"]"],
        "feed.toml:2: feed binanse: exchange \"binanse\" is not known, did you mean \"binance\"? Known are: binance, \
         binance-usdm, kraken, coinbase, bybit, okx",
    );
    refused(
        &["exchange = \"kraken\"\nprotocol = \"v22\"\nsymbols = [\"XBT/USD\"]"],
        "feed.toml:3: feed kraken: kraken's protocol \"v22\" is not known, did you mean \"v2\"? Known are: v2, v1",
    );
    refused(&["symbols = [\"BTCUSDT\"]"], "feed.toml:1: feed without an exchange: say which by exchange = \"binance\"");
}

#[test]
fn symbols_in_another_exchanges_form() {
    for (exchange, symbol, form, meant) in [
        ("binance", "BTC-USDT", "Binance", "BTCUSDT"),
        ("binance-usdm", "BTC/USDT", "Binance", "BTCUSDT"),
        ("bybit", "btcusdt", "Bybit", "BTCUSDT"),
        ("kraken", "XBT-USD", "Kraken", "XBT/USD"),
        ("coinbase", "BTC/USD", "Coinbase", "BTC-USD"),
        ("okx", "BTCUSDT", "OKX", "BTC-USDT"),
    ] {
        refused(
            &[&format!("exchange = \"{exchange}\"\nsymbols = [\"{symbol}\"]")],
            &format!("feed.toml:3: feed {exchange}: symbol {symbol:?} is not in {form}'s form: write {meant:?}"),
        );
    }
}

#[test]
fn a_symbol_that_comes_twice() {
    refused(
        &["exchange = \"binance\"\nsymbols = [\"BTCUSDT\", \"BTCUSDT\"]"],
        "feed.toml:3: feed binance: symbol \"BTCUSDT\" is listed twice: keep one",
    );
    refused(
        &["exchange = \"kraken\"\nsymbols = [\"XBT/USD\", \"BTC/USD\"]"],
        "feed.toml:3: feed kraken: symbols \"XBT/USD\" and \"BTC/USD\" are the same to the exchange: keep one",
    );
    refused(
        &["exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]", "exchange = \"okx\"\nsymbols = [\"ETH-USDT\", \"BTC-USDT\"]"],
        "feed.toml:6: feed okx: symbol \"BTC-USDT\" is in topic \"market.crypto.trades.okx\" by feed okx (feed.toml:1) \
         too: keep one, or give another topic",
    );
    refused(
        &["exchange = \"kraken\"\nsymbols = [\"XBT/USD\"]", "exchange = \"kraken\"\nsymbols = [\"BTC/USD\"]"],
        "feed.toml:6: feed kraken: symbols \"XBT/USD\" and \"BTC/USD\" are the same to the exchange, and in topic \
         \"market.crypto.trades.kraken\" by feed kraken (feed.toml:1) too: keep one, or give another topic",
    );
    // Trades on topics of their own, frames on one.
    let shared = "exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\ntopic_raw = \"frames\"";
    refused(
        &[shared, &format!("{shared}\ntopic = \"others\"")],
        "feed.toml:7: feed okx: symbol \"BTC-USDT\" is in topic \"frames\" by feed okx (feed.toml:1) too: keep one, or \
         give another topic",
    );
    let text = feeds(&[shared, "exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\ntopic = \"others\""]);
    assert_eq!(load(&text, &[]).unwrap().feeds.len(), 2);
}

#[test]
fn connections_that_are_too_few_or_too_many() {
    let lines = |connections| format!("exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\nconnections = {connections}");
    for connections in [0, 5] {
        refused(
            &[&lines(connections)],
            &format!(
                "feed.toml:4: feed okx: connections = {connections}: it must be from 1 to 4, that many carry each symbol"
            ),
        );
    }
    assert_eq!(load(&feeds(&[&lines(4)]), &[]).unwrap().feeds[0].connections, 4);
    // As many symbols as do not fit one connection are spread.
    let symbols: Vec<_> = (0..201).map(|number| format!("A{number}USDT")).collect();
    let config = load(&feeds(&[&format!("exchange = \"bybit\"\nsymbols = {symbols:?}")]), &[]).unwrap();
    let carried: Vec<_> = config.feeds[0].subscriptions.iter().map(|one| one.instruments.len()).collect();
    assert_eq!(carried, [101, 100]);
}

#[test]
fn a_core_beyond_those_that_are_configured() {
    for (core, cores, expected) in [
        (1, "", Some("cores.feed = 1 makes 1, numbered from 0: set core to 0 or less, or cores.feed to 2 or more")),
        (
            2,
            "feed = 2",
            Some("cores.feed = 2 makes 2, numbered from 0: set core to 1 or less, or cores.feed to 3 or more"),
        ),
        (
            2,
            "feed = [5, 6]",
            Some("cores.feed = [5, 6] makes 2, numbered from 0: set core to 1 or less, or cores.feed to 3 or more"),
        ),
        (1, "feed = 2", None),
        (1, "feed = [5, 6]", None),
    ] {
        let errors = load(&format!("{BINANCE}core = {core}\n[cores]\n{cores}\n"), &[]).err();
        let expected = expected.map(|expected| vec![format!("feed.toml:4: feed binance: core = {core}: {expected}")]);
        assert_eq!(errors, expected, "{core} of {cores}");
    }
}

#[test]
fn an_instruments_file_that_does_not_serve() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instruments.yaml");
    let shown = path.display();
    let text = format!("[[feed]]\nexchange = \"binance\"\ninstruments = {path:?}\n");
    let error = || load(&text, &[]).unwrap_err();
    let at = "feed.toml:3: feed binance: instruments = ";
    assert_eq!(error(), [format!("{at}\"{shown}\": No such file or directory (os error 2)")]);
    for (yaml, expected) in [
        ("instruments: [1]", "instruments: invalid type: sequence, expected a map at line 1 column 14"),
        ("instruments: {binance: {}}", "instruments.binance: missing field `symbols` at line 1 column 24"),
        ("kraken: 1", "missing field `instruments`"),
        ("instruments: {kraken: {symbols: [XBT/USD]}}", "it lists no symbols under instruments.binance"),
        (
            "instruments: {binanse: {symbols: [BTCUSDT]}}",
            "it lists no symbols under instruments.binance, did you mean instruments.binanse?",
        ),
        ("instruments: {binance: {symbols: []}}", "the list instruments.binance.symbols is empty"),
    ] {
        std::fs::write(&path, yaml).unwrap();
        assert_eq!(error(), [format!("{at}\"{shown}\": {expected}")], "{yaml}");
    }
    std::fs::write(&path, "instruments: {binance: {symbols: [BTCUSDT], canonical: {BTCUSD: BTC/USD}}}").unwrap();
    assert_eq!(
        error(),
        [format!(
            "{shown}, named by feed.toml:3: feed binance: canonical.\"BTCUSD\": the symbol is not listed, did you mean \
             \"BTCUSDT\"?"
        )]
    );
    let missing = folder.path().join("missing.yaml");
    let variables = [("K2_EXCHANGE", "okx"), ("K2_INSTRUMENTS_FILE", missing.to_str().unwrap())];
    let expected =
        format!("K2_INSTRUMENTS_FILE: feed okx: instruments = {missing:?}: No such file or directory (os error 2)");
    assert_eq!(load("", &variables).unwrap_err(), [expected]);
}

#[test]
fn symbols_and_an_instruments_file() {
    refused(
        &["exchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\ninstruments = \"instruments.yaml\""],
        "feed.toml:4: feed binance: instruments = \"instruments.yaml\": symbols (feed.toml:3) are given, too: keep one",
    );
}

#[test]
fn a_canonical_entry_of_what_is_not_listed() {
    let lines = "exchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\ncanonical = { BTCUSDC = \"BTC/USDC\" }";
    refused(
        &[lines],
        "feed.toml:4: feed binance: canonical.\"BTCUSDC\": the symbol is not listed, did you mean \
         \"BTCUSDT\"?",
    );
    // Symbols that stand in for those of the file are no fault of its map.
    assert!(load(&feeds(&[lines]), &[("K2_SYMBOLS", "ETHUSDT")]).is_ok());
}

#[test]
fn a_raw_topic_of_no_frames() {
    let lines = "exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\nraw = \"off\"";
    refused(
        &[&format!("{lines}\ntopic_raw = \"frames\"")],
        "feed.toml:5: feed okx: topic_raw = \"frames\": raw = \"off\" (feed.toml:4) publishes no frames as received: leave one \
         of them out",
    );
    // A topic that is not used is nobody's.
    let text = feeds(&[&format!("{lines}\ntopic_dlq = \"market.crypto.trades.okx.raw\"")]);
    let explained = explain(&text, &[]).unwrap();
    assert_eq!(explained.config.feeds[0].kinds().collect::<Vec<_>>(), [Kind::Normalized, Kind::Dlq]);
    assert_eq!(explain(&explained.to_string(), &[]).unwrap().config, explained.config);
}

#[test]
fn topics_of_two_kinds() {
    refused(
        &["exchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\ntopic = \"a\"\ntopic_dlq = \"a\""],
        "feed.toml:5: feed binance: topic_dlq = \"a\" is topic of feed binance (feed.toml:1): give them different topics",
    );
    refused(
        &[
            "exchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\ntopic = \"trades\"",
            "exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\ntopic = \"okx\"\ntopic_raw = \"trades\"",
        ],
        "feed.toml:9: feed okx: topic_raw = \"trades\" is topic of feed binance (feed.toml:1): give them different topics",
    );
    let shared = "\ntopic = \"trades\"\ntopic_dlq = \"refused\"";
    let text = feeds(&[
        &format!("exchange = \"binance\"\nsymbols = [\"BTCUSDT\"]{shared}"),
        &format!("exchange = \"okx\"\nsymbols = [\"BTC-USDT\"]{shared}"),
    ]);
    assert_eq!(load(&text, &[]).unwrap().feeds[1].topic(Kind::Raw), "trades.raw", "a topic of one kind may be shared");
}
