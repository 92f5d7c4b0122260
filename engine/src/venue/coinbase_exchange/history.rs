//! Coinbase Exchange's trades of the past: `GET /products/<product>/trades`, "Get product trades".
//!
//! Source: docs.cdp.coinbase.com, `exchange-api/rest-api/products/get-product-trades`, and its pages on pagination and rate
//! limits (2025).
//!
//! | what | rule |
//! |-|-|
//! | address | `https://api.exchange.coinbase.com`; no key is needed |
//! | page | up to 1,000 trades before the id `after` (older ones: the cursor is named by the pages), newest first |
//! | side | the **maker's**, as the page says; it is turned here |
//! | id | `trade_id`, the WebSocket's |
//! | limits | 10 requests a second and address, 15 in a burst; half of it is taken |

use std::time::Duration;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::Message;
use crate::venue::field::array;
use crate::venue::history::{History, Missing, Order, Page, Query};
use crate::venue::json::Value;
use crate::venue::{Instrument, Reject, TimeUnit};

/// Most trades of a page.
const PAGE: u64 = 1_000;

pub(super) const HISTORY: History = History {
    url: "https://api.exchange.coinbase.com",
    interval: Duration::from_millis(200),
    order: Order::NewestFirst,
    query,
    read,
};

fn query(instrument: &Instrument, missing: &Missing, _: TimeUnit) -> Query {
    let (product, after) = (&instrument.requested, missing.last.saturating_add(1));
    let limit = missing.count().min(PAGE);
    Query { path: format!("/products/{product}/trades?after={after}&limit={limit}"), header: None }
}

fn read<'body>(root: Value<'_, 'body>, _: TimeUnit, arena: &'body Bump) -> Result<Page<'body>, Reject> {
    let mut trades = Vec::new_in(arena);
    for element in array("body", Some(root))? {
        trades.push(Message::read("body", element)?.trade(|_| Ok(0))?);
    }
    Ok(Page::Trades(trades))
}

#[cfg(test)]
mod tests {
    use crate::venue::TimeUnit::Millisecond;
    use crate::venue::coinbase_exchange::CoinbaseExchange;
    use crate::venue::history::testing;

    /// Made up in the page's shape.
    const BODY: &str = r#"[{"trade_id":75,"side":"sell","size":"0.01000000","price":"10.00000001","time":"2014-11-07T22:19:28.578544Z"},{"trade_id":74,"side":"buy","size":"2","price":"10","time":"2014-11-07T22:19:28Z"}]"#;

    fn read(body: &str) -> Result<Vec<String>, String> {
        testing::read::<CoinbaseExchange>(body, Millisecond)
    }

    #[test]
    fn a_page_is_asked_for_by_the_id_behind_the_last() {
        let asked = testing::query::<CoinbaseExchange>("BTC-USD", Millisecond);
        assert_eq!(asked.path, "/products/BTC-USD/trades?after=1010&limit=10");
    }

    #[test]
    fn a_page_is_read() {
        let expected = [
            "75 Buy 0.01000000 @ 10.00000001 at 1415398768578544000 ns, maker sold",
            "74 Sell 2 @ 10 at 1415398768000000000 ns, maker bought",
        ];
        assert_eq!(read(BODY), Ok(expected.map(String::from).to_vec()));
        assert_eq!(read("[]"), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, reason) in [
            (":75", ":\"75\"", "trade_id: is \"75\", a number from 0 to 18446744073709551615 is expected"),
            ("sell", "SELL", "side: is \"SELL\", \"buy\" or \"sell\" is expected"),
            ("\"10.00000001\"", "\"0\"", "price: is 0, no trade has a price of zero"),
            ("\"size\"", "\"qty\"", "size: is missing"),
        ] {
            assert_eq!(read(&BODY.replacen(from, to, 1)), Err(reason.to_string()), "{from} -> {to}");
        }
        assert_eq!(read(r#"{"message":"NotFound"}"#), Err("body: is an object, an array is expected".into()));
    }
}
