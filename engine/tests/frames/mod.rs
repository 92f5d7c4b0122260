//! Frames of every protocol in the shape in which they usually come, written with whatever a test wants to vary.

use k2_feed::venue::Protocol;

/// What differs from trade to trade.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Varying<'a> {
    /// As the exchange's frames have it.
    pub(crate) symbol: &'a str,
    /// Ten digits. Where the exchange has no ids it is the time in whole seconds.
    pub(crate) id: u64,
    /// Text of a decimal number.
    pub(crate) price: &'a str,
    /// Text of a decimal number.
    pub(crate) quantity: &'a str,
    /// Whether the taker bought.
    pub(crate) taker_buys: bool,
}

/// A symbol in the exchange's form; no other number has it.
pub(crate) fn symbol(protocol: Protocol, number: usize) -> String {
    match protocol {
        Protocol::BinanceSpot | Protocol::BinanceUsdm | Protocol::Bybit => format!("C{number}USDT"),
        Protocol::KrakenV1 | Protocol::KrakenV2 => format!("C{number}/USD"),
        Protocol::CoinbaseAdvanced | Protocol::CoinbaseExchange => format!("C{number}-USD"),
        Protocol::Okx => format!("C{number}-USDT"),
    }
}

/// Most trades that a usual frame has.
pub(crate) fn most_trades(protocol: Protocol) -> usize {
    match protocol {
        Protocol::BinanceSpot | Protocol::BinanceUsdm | Protocol::CoinbaseExchange => 1,
        Protocol::KrakenV1 | Protocol::KrakenV2 | Protocol::CoinbaseAdvanced | Protocol::Bybit | Protocol::Okx => 10,
    }
}

/// A frame with these trades, at least one and all of one symbol.
pub(crate) fn frame(protocol: Protocol, trades: &[Varying<'_>]) -> String {
    let elements: Vec<_> = trades.iter().map(|trade| element(protocol, trade)).collect();
    let (all, symbol) = (elements.join(","), trades[0].symbol);
    match protocol {
        Protocol::BinanceSpot | Protocol::CoinbaseExchange => all,
        Protocol::BinanceUsdm => format!(r#"{{"stream":"{}@trade","data":{all}}}"#, symbol.to_lowercase()),
        Protocol::KrakenV1 => format!(r#"[993,[{all}],"trade","{symbol}"]"#),
        Protocol::KrakenV2 => format!(r#"{{"channel":"trade","type":"update","data":[{all}]}}"#),
        Protocol::CoinbaseAdvanced => format!(
            r#"{{"channel":"market_trades","client_id":"","timestamp":"2025-11-21T10:13:20.323456789Z","sequence_num":5,"events":[{{"type":"update","trades":[{all}]}}]}}"#
        ),
        Protocol::Bybit => {
            format!(r#"{{"topic":"publicTrade.{symbol}","type":"snapshot","ts":1763720000124,"data":[{all}]}}"#)
        }
        Protocol::Okx => format!(r#"{{"arg":{{"channel":"trades","instId":"{symbol}"}},"data":[{all}]}}"#),
    }
}

fn element(protocol: Protocol, trade: &Varying<'_>) -> String {
    let Varying { symbol, id, price, quantity, taker_buys } = *trade;
    let maker_buys = !taker_buys;
    let taker = |buy: &'static str, sell: &'static str| if taker_buys { buy } else { sell };
    match protocol {
        Protocol::BinanceSpot => format!(
            r#"{{"e":"trade","E":1763720000124,"s":"{symbol}","t":{id},"p":"{price}","q":"{quantity}","T":1763720000123,"m":{maker_buys},"M":true}}"#
        ),
        Protocol::BinanceUsdm => format!(
            r#"{{"e":"trade","E":1763720000124,"T":1763720000123,"s":"{symbol}","t":{id},"p":"{price}","q":"{quantity}","X":"MARKET","m":{maker_buys}}}"#
        ),
        Protocol::KrakenV1 => {
            format!(r#"["{price}","{quantity}","{id}.123456","{}","{}",""]"#, taker("b", "s"), taker("l", "m"))
        }
        Protocol::KrakenV2 => format!(
            r#"{{"symbol":"{symbol}","side":"{}","price":{price},"qty":{quantity},"ord_type":"market","trade_id":{id},"timestamp":"2025-11-21T10:13:20.123456Z"}}"#,
            taker("buy", "sell")
        ),
        Protocol::CoinbaseAdvanced => format!(
            r#"{{"trade_id":"{id}","product_id":"{symbol}","price":"{price}","size":"{quantity}","side":"{}","time":"2025-11-21T10:13:20.123456Z"}}"#,
            taker("BUY", "SELL")
        ),
        // The side is the maker's.
        Protocol::CoinbaseExchange => format!(
            r#"{{"type":"match","trade_id":{id},"maker_order_id":"dfb5a42f-5844-46a5-a35d-78fbf64defd2","taker_order_id":"9d25ce81-97e3-4505-93db-78a74030aca4","side":"{}","size":"{quantity}","price":"{price}","product_id":"{symbol}","sequence":201391021,"time":"2025-11-21T10:13:20.123456Z"}}"#,
            taker("sell", "buy")
        ),
        Protocol::Bybit => format!(
            r#"{{"T":1763720000123,"s":"{symbol}","S":"{}","v":"{quantity}","p":"{price}","L":"PlusTick","i":"0cbf2330-8f2c-5e5d-8a3b-00{id}","BT":false}}"#,
            taker("Buy", "Sell")
        ),
        Protocol::Okx => format!(
            r#"{{"instId":"{symbol}","tradeId":"{id}","px":"{price}","sz":"{quantity}","side":"{}","ts":"1763720000123","count":"1"}}"#,
            taker("buy", "sell")
        ),
    }
}
