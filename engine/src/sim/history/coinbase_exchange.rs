//! Coinbase Exchange's "Get product trades".
//!
//! Source: docs.cdp.coinbase.com, `get-product-trades` and its page on pagination. Left out: the cursor `before`.

use std::fmt::Write;

use super::archive::{Archive, Asked, Pick, Reply, list, spelled};
use super::desk::{Found, Question};
use crate::sim::number::Spelling;
use crate::sim::timestamp::iso_micros;

/// Coinbase Exchange.
pub(super) struct CoinbaseExchange;

/// The product of `/products/<product>/trades`.
fn product(path: &str) -> Option<&str> {
    path.strip_prefix("/products/")?.strip_suffix("/trades")
}

impl Archive for CoinbaseExchange {
    fn owns(&self, path: &str) -> bool {
        product(path).is_some()
    }

    fn question(&self, asked: &Asked<'_>) -> Result<Question, Reply> {
        let product = product(asked.path).unwrap_or_default().to_owned();
        let wrong = |_: &str| Reply::refusal(400, r#"{"message":"Invalid parameters"}"#);
        let after = asked.number("after").map_err(wrong)?;
        let limit = asked.number::<usize>("limit").map_err(wrong)?.unwrap_or(1_000).min(1_000);
        let is_meant = Box::new(move |name: &str| name == product);
        Ok(Question { is_meant, pick: after.map_or(Pick::Newest, Pick::Before), limit })
    }

    /// The side is the maker's.
    fn reply(&self, _: &Asked<'_>, found: &Found) -> Reply {
        let mut reply = Reply::ok(list(&found.trades, |trade, at, text| {
            let (price, size) = (spelled(Spelling::Trimmed, trade.price), spelled(Spelling::Fixed(8), trade.quantity));
            let side = if trade.buyer_is_maker { "buy" } else { "sell" };
            let (id, time) = (trade.id, iso_micros(at));
            let _ = write!(
                text,
                r#"{{"trade_id":{id},"side":"{side}","size":"{size}","price":"{price}","time":"{time}"}}"#
            );
        }));
        if let (Some(first), Some(last)) = (found.trades.first(), found.trades.last()) {
            reply.headers = format!("CB-BEFORE: {}\r\nCB-AFTER: {}\r\n", first.trade.id, last.trade.id);
        }
        reply
    }

    fn no_such_symbol(&self) -> Reply {
        Reply::refusal(404, r#"{"message":"NotFound"}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::super::archive::testing::told;
    use super::*;

    #[test]
    fn trades_are_told_before_an_id() {
        let told = |target: &str| told(&CoinbaseExchange, "BTC-USD", target, "");
        let second =
            r#"{"trade_id":2,"side":"buy","size":"1.50000000","price":"20","time":"1970-01-01T00:00:02.123456Z"}"#;
        let first =
            r#"{"trade_id":1,"side":"sell","size":"1.50000000","price":"20","time":"1970-01-01T00:00:01.123456Z"}"#;
        assert_eq!(told("/products/BTC-USD/trades?after=3&limit=2"), (200, format!("[{second},{first}]")));
        assert!(told("/products/BTC-USD/trades").1.starts_with(r#"[{"trade_id":3,"#));
        assert_eq!(told("/products/NO-USD/trades"), (404, r#"{"message":"NotFound"}"#.into()));
        assert_eq!(told("/products/BTC-USD/trades?after=x").0, 400);
        assert!(!CoinbaseExchange.owns("/products/BTC-USD"));
    }
}
