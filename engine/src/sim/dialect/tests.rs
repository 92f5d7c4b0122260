//! What all dialects have in common.

use super::*;

/// A frame of each protocol as its exchange writes it, its stream, and the symbol whose trades that carries.
const FRAMES: [(Protocol, &str, &str, &str); 8] = [
    (
        Protocol::BinanceSpot,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT"}}"#,
        "btcusdt@trade",
        "BTCUSDT",
    ),
    (
        Protocol::BinanceUsdm,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","X":"MARKET"}}"#,
        "btcusdt@trade",
        "BTCUSDT",
    ),
    (
        Protocol::KrakenV2,
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":59121.8}]}"#,
        "trade:BTC/USD",
        "BTC/USD",
    ),
    (
        Protocol::KrakenV1,
        r#"[993,[["354.11000000","0.89594024","1618678142.557535","s","l",""]],"trade","XMR/USD"]"#,
        "trade:XMR/USD",
        "XMR/USD",
    ),
    (
        Protocol::CoinbaseAdvanced,
        r#"{"channel":"market_trades","sequence_num":5,"events":[{"type":"update","trades":[{"product_id":"BTC-USD"}]}]}"#,
        "market_trades:BTC-USD",
        "BTC-USD",
    ),
    (
        Protocol::CoinbaseExchange,
        r#"{"type":"match","trade_id":280232,"product_id":"SKL-BTC"}"#,
        "matches:SKL-BTC",
        "SKL-BTC",
    ),
    (Protocol::Bybit, r#"{"topic":"publicTrade.BTCUSD","type":"snapshot","data":[]}"#, "publicTrade.BTCUSD", "BTCUSD"),
    (
        Protocol::Okx,
        r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT"}]}"#,
        "trades:BTC-USDT",
        "BTC-USDT",
    ),
];

#[test]
fn recorded_frames_name_their_stream() {
    for (protocol, frame, stream, symbol) in FRAMES {
        let recorded = of(protocol).recorded(frame).unwrap_or_else(|| panic!("{protocol}: no stream in {frame}"));
        assert_eq!(recorded.stream, stream, "{protocol}");
        assert_eq!(of(protocol).traded_symbol(stream, Shape::default()).as_deref(), Some(symbol), "{protocol}");
        assert_eq!(of(protocol).recorded(r#"{"event":"heartbeat"}"#), None, "{protocol}");
    }
}

#[test]
fn frames_are_those_of_their_own_streams() {
    for (protocol, _, stream, symbol) in FRAMES {
        let session = Session { streams: vec![stream.to_owned()], ..Session::new(protocol) };
        let dialect = of(session.protocol);
        let symbol = Symbol { name: symbol, price_decimals: 2, quantity_decimals: 5 };
        let mut pen = crate::sim::template::Pen::default();
        let trade = crate::sim::market::SymbolMarket::new(symbol.name, 1, None).next();
        let timed = crate::sim::template::TimedTrade { trade, trade_ns: 0, due_ns: 0 };
        let envelope = crate::sim::template::Envelope { event_ns: 0, sequence: 0 };
        pen.write(&dialect.template(&symbol, Shape(1)), &[timed], &envelope);
        let frame = String::from_utf8(pen.frame).unwrap();
        assert_eq!(dialect.recorded(&frame).map(|recorded| recorded.stream).as_deref(), Some(stream), "{frame}");
        assert_eq!(pen.written[0].id.is_some(), dialect.has_ids(), "{frame}");
    }
}

#[test]
fn pairs_are_spelled_as_each_exchange_does() {
    let pair = Pair { base: "DOGE".into(), quote: "BTC".into() };
    let symbols: Vec<_> = Protocol::ALL.iter().map(|protocol| pair.symbol(*protocol)).collect();
    assert_eq!(symbols, ["DOGEBTC", "DOGEBTC", "DOGE/BTC", "XDG/XBT", "DOGE-BTC", "DOGE-BTC", "DOGEBTC", "DOGE-BTC"]);
    assert_eq!(pair.canonical(), "DOGE/BTC");
    for (protocol, symbol) in Protocol::ALL.iter().copied().zip(&symbols) {
        let dialect = of(protocol);
        assert!(dialect.is_symbol(symbol) && !dialect.is_symbol(&symbol.to_lowercase()), "{protocol}");
        let session = open(protocol, dialect.default_path(), None).unwrap();
        assert_eq!(session, Session { shape: session.shape, ..Session::new(protocol) });
        assert_eq!(open(protocol, "/nowhere", None).unwrap_err().status, 404, "{protocol}");
    }
}
