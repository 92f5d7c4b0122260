//! Coinbase Advanced Trade's trades of the past: `GET /api/v3/brokerage/market/products/<product>/ticker`, "Get Public
//! Market Trades".
//!
//! Source: docs.cdp.coinbase.com, `advanced-trade-api/rest-api/products/get-market-trades` (2025), which is the same with a
//! key; the path without one from the crates cbat and the gem coinbase-advanced.
//!
//! | what | rule |
//! |-|-|
//! | address | `https://api.coinbase.com`; no key is needed at this path |
//! | page | by time: the trades from `start` to `end`, in whole seconds, newest first; 1,000 are asked for (from memory, that is the most) |
//! | side | as the WebSocket's, see `SIDE_IS_THE_TAKERS` |
//! | id | `trade_id`, taken to be the WebSocket's number; the page's example shows a UUID, with which a gap stays one |
//! | names | products with `-USDC` tell their trades as `-USD`, as on the WebSocket |
//! | limits | 10 requests a second and address; half of it is taken |
//! | cache | answers are a second old unless the header `cache-control: no-cache` is sent (from memory) |
//!
//! A second that holds more trades than a page cannot be read to its beginning: what is before stays missing.

use std::time::Duration;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::trade;
use crate::venue::field::{array, fields};
use crate::venue::history::{History, Missing, Order, Page, Query};
use crate::venue::json::Value;
use crate::venue::time::NANOS_PER_SECOND;
use crate::venue::{Instrument, Reject, TimeUnit};

/// Most trades of a page.
const PAGE: u64 = 1_000;

pub(super) const HISTORY: History = History {
    url: "https://api.coinbase.com",
    interval: Duration::from_millis(200),
    order: Order::NewestFirst,
    query,
    read,
};

/// The times are cut to seconds, so that they span a second more at either end.
fn query(instrument: &Instrument, missing: &Missing, _: TimeUnit) -> Query {
    let start = missing.after_ns.div_euclid(NANOS_PER_SECOND);
    let end = missing.before_ns.div_euclid(NANOS_PER_SECOND) + 1;
    let product = &instrument.framed;
    Query {
        path: format!("/api/v3/brokerage/market/products/{product}/ticker?limit={PAGE}&start={start}&end={end}"),
        header: Some(("cache-control", "no-cache")),
    }
}

fields!(Body { trades: "trades" });
fn read<'body>(root: Value<'_, 'body>, _: TimeUnit, arena: &'body Bump) -> Result<Page<'body>, Reject> {
    let mut trades = Vec::new_in(arena);
    for element in array("trades", Body::read("body", root)?.trades)? {
        trades.push(trade(element, |_| Ok(0))?);
    }
    Ok(Page::Trades(trades))
}

#[cfg(test)]
mod tests {
    use crate::venue::TimeUnit::Millisecond;
    use crate::venue::coinbase_advanced::CoinbaseAdvanced;
    use crate::venue::history::testing;

    /// The page's shape, with the WebSocket's ids: made up.
    const BODY: &str = r#"{"trades":[{"trade_id":"995098701","product_id":"BTC-USD","price":"140.91","size":"4","time":"2021-05-31T09:59:59.000Z","side":"SELL","exchange":""}],"best_bid":"291.13","best_ask":"292.40"}"#;

    fn read(body: &str) -> Result<Vec<String>, String> {
        testing::read::<CoinbaseAdvanced>(body, Millisecond)
    }

    #[test]
    fn a_page_is_asked_for_by_the_times_around() {
        for (symbol, product) in [("BTC-USD", "BTC-USD"), ("BTC-USDC", "BTC-USD")] {
            let asked = testing::query::<CoinbaseAdvanced>(symbol, Millisecond);
            let path = "?limit=1000&start=1700000000&end=1700000003";
            assert_eq!(asked.path, format!("/api/v3/brokerage/market/products/{product}/ticker{path}"));
            assert_eq!(asked.header, Some(("cache-control", "no-cache")));
        }
    }

    #[test]
    fn a_page_is_read() {
        let expected = "995098701 Sell 4 @ 140.91 at 1622455199000000000 ns".to_string();
        assert_eq!(read(BODY), Ok(vec![expected]));
        assert_eq!(read(r#"{"trades":[],"best_bid":"","best_ask":""}"#), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let uuid = "34b080bf-fcfd-445a-832b-46b5ddc65601";
        for (from, to, reason) in [
            ("995098701", uuid, format!("trade_id: is {uuid:?}, a whole number is expected")),
            ("SELL", "UNKNOWN_ORDER_SIDE", "side: is \"UNKNOWN_ORDER_SIDE\", \"BUY\" or \"SELL\" is expected".into()),
            ("\"trades\"", "\"ticks\"", "trades: is missing".into()),
        ] {
            assert_eq!(read(&BODY.replacen(from, to, 1)), Err(reason), "{from} -> {to}");
        }
    }
}
