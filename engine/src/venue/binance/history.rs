//! Binance spot's trades of the past: `GET /api/v3/historicalTrades`, "Old trade lookup".
//!
//! Source: binance-spot-api-docs, `rest-api/market-data-endpoints` (2024 to 2026).
//!
//! | what | rule |
//! |-|-|
//! | address | `https://data-api.binance.vision`, market data only; `https://api.binance.com` has it, too |
//! | key | none is needed: the page of 2021 says `(MARKET_DATA)`, later ones name no security type, which is `NONE` |
//! | page | `fromId` and up to 1,000 trades behind it, oldest first; `aggTrades` would have ids of its own |
//! | times | milliseconds, or microseconds with the header `X-MBX-TIME-UNIT` (from memory) |
//! | limits | a weight of 25, of 6,000 a minute (the latter from memory): 240 requests a minute. Half of it is taken |
//! | refusals | 429, and 418 for who goes on, with `Retry-After` |
//! | lag | it is told from a database, which may be behind the live trades by a moment |

use std::time::Duration;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use crate::trade::{Side, Trade, TradeId};
use crate::venue::field::{array, decimal, fields, price, required, sequence_number};
use crate::venue::history::{History, Missing, Order, Page, Query};
use crate::venue::json::Value;
use crate::venue::{Instrument, Reject, TimeUnit, time};

/// Most trades of a page.
const PAGE: u64 = 1_000;

pub(super) const HISTORY: History = History {
    url: "https://data-api.binance.vision",
    interval: Duration::from_millis(500),
    order: Order::OldestFirst,
    query,
    read,
};

fn query(instrument: &Instrument, missing: &Missing, unit: TimeUnit) -> Query {
    let symbol: String = url::form_urlencoded::byte_serialize(instrument.framed.as_bytes()).collect();
    let limit = missing.count().min(PAGE);
    Query {
        path: format!("/api/v3/historicalTrades?symbol={symbol}&fromId={}&limit={limit}", missing.first),
        header: (unit == TimeUnit::Microsecond).then_some(("X-MBX-TIME-UNIT", "MICROSECOND")),
    }
}

fields!(Element { id: "id", at: "price", quantity: "qty", time: "time", is_buyer_maker: "isBuyerMaker" });

fn read<'body>(root: Value<'_, 'body>, unit: TimeUnit, arena: &'body Bump) -> Result<Page<'body>, Reject> {
    let mut trades = Vec::new_in(arena);
    for element in array("body", Some(root))? {
        let Element { id, at, quantity, time, is_buyer_maker } = Element::read("body", element)?;
        let (id, number) = sequence_number("id", id)?;
        let is_buyer_maker = required("isBuyerMaker", is_buyer_maker, Value::boolean, "true or false")?;
        trades.push(Trade {
            instrument: 0,
            id: TradeId::Number(id),
            price: price("price", at)?,
            quantity: decimal("qty", quantity)?,
            side: if is_buyer_maker { Side::Sell } else { Side::Buy },
            exchange_time_ns: time::whole("time", time, unit.nanos())?,
            sequence: Some(number),
            is_buyer_maker: Some(is_buyer_maker),
            buyer_order_id: None,
            seller_order_id: None,
        });
    }
    Ok(Page::Trades(trades))
}

#[cfg(test)]
mod tests {
    use crate::venue::binance::Binance;
    use crate::venue::history::testing::{query, read};
    use crate::venue::{Query, TimeUnit};

    /// The page's own example.
    const BODY: &str = r#"[{"id":28457,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true}]"#;

    #[test]
    fn a_page_is_asked_for_by_the_first_id() {
        let path = "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1000&limit=10".to_string();
        let asked = Query { path, header: None };
        assert_eq!(query::<Binance>("BTCUSDT", TimeUnit::Millisecond), asked);
        let asked = Query { header: Some(("X-MBX-TIME-UNIT", "MICROSECOND")), ..asked };
        assert_eq!(query::<Binance>("BTCUSDT", TimeUnit::Microsecond), asked);
        let asked = query::<Binance>("币安USDT", TimeUnit::Millisecond);
        assert_eq!(asked.path, "/api/v3/historicalTrades?symbol=%E5%B8%81%E5%AE%89USDT&fromId=1000&limit=10");
    }

    #[test]
    fn a_page_is_read() {
        let expected = "28457 Sell 12.00000000 @ 4.00000100 at 1499865549590000000 ns, maker bought";
        assert_eq!(read::<Binance>(BODY, TimeUnit::Millisecond), Ok(vec![expected.to_string()]));
        let body = BODY.replace("1499865549590", "1499865549590123").replace("true,\"isBest", "false,\"isBest");
        let expected = "28457 Buy 12.00000000 @ 4.00000100 at 1499865549590123000 ns, maker sold";
        assert_eq!(read::<Binance>(&body, TimeUnit::Microsecond), Ok(vec![expected.to_string()]));
        assert_eq!(read::<Binance>("[]", TimeUnit::Millisecond), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, reason) in [
            ("28457", "\"28457\"", "id: is \"28457\", a number from 0 to 18446744073709551615 is expected"),
            ("\"4.00000100\"", "4.1", "price: is 4.1, text is expected"),
            ("12.00000000", "-12", "qty: \"-12\" is not an unsigned decimal number (byte 0)"),
            ("1499865549590", "null", "time: is null, a whole number is expected"),
            ("true,\"isBest", "1,\"isBest", "isBuyerMaker: is 1, true or false is expected"),
            ("[", "", "frame: is not JSON: "),
        ] {
            let read = read::<Binance>(&BODY.replacen(from, to, 1), TimeUnit::Millisecond).unwrap_err();
            assert!(read.starts_with(reason), "{from} -> {to}: {read}");
        }
        let refused = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
        assert_eq!(
            read::<Binance>(refused, TimeUnit::Millisecond),
            Err("body: is an object, an array is expected".into())
        );
    }
}
