//! Where connections go and what they ask for.

use super::*;
use crate::venue::testing::Connection;
use crate::venue::{Protocol, TimeUnit};

fn instruments(count: usize) -> Vec<Instrument> {
    (0..count).map(|number| Binance::instrument(&format!("COIN{number}USDT"), None).unwrap()).collect()
}

fn connections(url: &str, time_unit: TimeUnit, instruments: &[Instrument]) -> Result<Vec<Subscription>, String> {
    Protocol::BinanceSpot.subscriptions(&Endpoint { url: url.parse().unwrap(), time_unit }, instruments)
}

fn plan(url: &str, time_unit: TimeUnit, instruments: &[Instrument]) -> Vec<Subscription> {
    connections(url, time_unit, instruments).unwrap()
}

/// The address of the one connection that two symbols take, and whether it subscribes them.
fn address(url: &str, time_unit: TimeUnit) -> (String, bool) {
    let instruments = ["BTCUSDT", "ETHUSDT"].map(|symbol| Binance::instrument(symbol, None).unwrap());
    let [subscription] = &plan(url, time_unit, &instruments)[..] else { panic!("one connection") };
    assert_eq!(subscription.instruments, instruments);
    (subscription.endpoint.url.to_string(), subscription.by_address)
}

#[test]
fn the_address_says_how_to_subscribe() {
    for (url, expected, by_address) in [
        ("wss://x.example:9443/ws", "wss://x.example:9443/ws", false),
        ("wss://x.example:9443/ws/", "wss://x.example:9443/ws/", false),
        ("wss://x.example:9443/stream", "wss://x.example:9443/stream", false),
        ("wss://x.example:9443", "wss://x.example:9443/ws", false),
        ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws", false),
        ("ws://127.0.0.1:8080?x=1", "ws://127.0.0.1:8080/ws?x=1", false),
        ("wss://x.example/stream?streams=", "wss://x.example/stream?streams=btcusdt@trade/ethusdt@trade", true),
        (
            "wss://x.example/stream?streams=old@trade",
            "wss://x.example/stream?streams=btcusdt@trade/ethusdt@trade",
            true,
        ),
        // `/ws` has no such parameter: nothing would ever come.
        ("wss://x.example/ws?streams=old@trade", "wss://x.example/ws", false),
    ] {
        assert_eq!(address(url, TimeUnit::Millisecond), (expected.to_string(), by_address), "{url}");
    }
}

#[test]
fn the_time_unit_is_set_or_in_the_address() {
    let (milli, micro) = (TimeUnit::Millisecond, TimeUnit::Microsecond);
    for (url, setting, expected) in [
        ("wss://x.example/ws", milli, "wss://x.example/ws"),
        ("wss://x.example/ws", micro, "wss://x.example/ws?timeUnit=MICROSECOND"),
        ("wss://x.example/ws?timeUnit=MICROSECOND", milli, "wss://x.example/ws?timeUnit=MICROSECOND"),
        ("wss://x.example/ws?timeUnit=microsecond", milli, "wss://x.example/ws?timeUnit=MICROSECOND"),
        ("wss://x.example/ws?timeUnit=MILLISECOND", milli, "wss://x.example/ws"),
        (
            "wss://x.example/stream?timeUnit=MICROSECOND&streams=",
            milli,
            "wss://x.example/stream?streams=btcusdt@trade/ethusdt@trade&timeUnit=MICROSECOND",
        ),
    ] {
        assert_eq!(address(url, setting).0, expected, "{url}");
        let unit = if expected.contains("MICRO") { micro } else { milli };
        let planned = plan(url, setting, &instruments(1));
        assert_eq!(planned[0].endpoint.time_unit, unit, "{url}");
        assert_eq!(Binance::new(&planned[0]).time_unit_ns, if unit == micro { 1_000 } else { 1_000_000 });
    }
}

#[test]
fn other_parameters_are_kept_as_they_are() {
    let kept = "a=1&b=%26c%3D2&flag&d=x+y";
    let url = format!("wss://x.example/ws?{kept}");
    assert_eq!(address(&url, TimeUnit::Millisecond).0, url);
    assert_eq!(address(&url, TimeUnit::Microsecond).0, format!("{url}&timeUnit=MICROSECOND"));
    let url = "wss://x.example/stream?a=%26&streams=old&timeUnit=MICROSECOND&b=2";
    let expected =
        "wss://x.example/stream?a=%26&b=2&streams=btcusdt@trade/ethusdt@trade&timeUnit=MICROSECOND".to_string();
    assert_eq!(address(url, TimeUnit::Millisecond), (expected, true));
}

#[test]
fn another_path_is_refused_with_the_way_out() {
    for path in ["/ws/btcusdt@trade", "/ws-api/v3", "/streams", "/wsx"] {
        let url = format!("wss://x.example{path}");
        let error = connections(&url, TimeUnit::Millisecond, &instruments(1)).unwrap_err();
        let expected = format!(
            "url wss://x.example{path}: the path {path:?} is not one of Binance's: end it in \"/ws\" or \"/stream\" \
             and list the symbols"
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn a_connection_carries_as_many_streams_as_are_allowed() {
    for (count, expected) in [(1, vec![1]), (1_024, vec![1_024]), (1_025, vec![513, 512]), (5_000, vec![1_000; 5])] {
        let all = instruments(count);
        for url in ["wss://x.example/ws", "wss://x.example/stream?streams="] {
            let planned = plan(url, TimeUnit::Millisecond, &all);
            assert_eq!(planned.iter().map(|one| one.instruments.len()).collect::<Vec<_>>(), expected);
            let carried: Vec<_> = planned.iter().flat_map(|one| one.instruments.iter().cloned()).collect();
            assert_eq!(carried, all, "each once, in order");
        }
    }
}

#[test]
fn requests_are_bounded_and_name_each_stream_once() {
    let symbols: Vec<_> = (0..1_024).map(|number| format!("C{number}USDT")).collect();
    let names: Vec<_> = symbols.iter().map(String::as_str).collect();
    let mut named = Vec::new();
    let requests = Connection::<Binance>::at("wss://x.example/ws", &names).requests();
    assert_eq!(requests.len(), 6);
    for (index, request) in requests.iter().enumerate() {
        let value: serde_json::Value = serde_json::from_str(request).unwrap();
        assert_eq!((&value["method"], value["id"].as_u64()), (&"SUBSCRIBE".into(), Some(index as u64 + 1)));
        let streams = value["params"].as_array().unwrap();
        assert_eq!(streams.len(), if index < 5 { 200 } else { 24 });
        named.extend(streams.iter().map(|stream| stream.as_str().unwrap().to_string()));
    }
    assert_eq!(named, symbols.iter().map(|symbol| format!("{}@trade", symbol.to_lowercase())).collect::<Vec<_>>());
    let request = r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#;
    let one = Connection::<Binance>::at("wss://x.example/stream", &["BTCUSDT"]);
    one.asks(request, ("SUBSCRIBE", "UNSUBSCRIBE"), "");
}

#[test]
fn a_symbol_in_another_notation_is_told_the_right_one() {
    let canonical = |symbol, pair| Binance::instrument(symbol, pair).map(|instrument| instrument.canonical);
    assert_eq!(canonical("BTCUSDT", None).as_deref(), Ok("BTC/USDT"));
    let given = Pair { base: "BTC", quote: "XYZ" };
    assert_eq!(canonical("BTCXYZ", Some(given)).as_deref(), Ok("BTC/XYZ"));
    for (symbol, expected) in [
        ("btcusdt", "symbol \"btcusdt\" is not in Binance's form: write \"BTCUSDT\""),
        ("BTC-USDT", "symbol \"BTC-USDT\" is not in Binance's form: write \"BTCUSDT\""),
        ("BTC/USDT", "symbol \"BTC/USDT\" is not in Binance's form: write \"BTCUSDT\""),
        (
            "BTCXYZ",
            "symbol \"BTCXYZ\" ends in no quote asset that is known: say what it is by canonical = { \"BTCXYZ\" = \"BASE/QUOTE\" }",
        ),
    ] {
        assert_eq!(canonical(symbol, None).unwrap_err(), expected);
    }
}
