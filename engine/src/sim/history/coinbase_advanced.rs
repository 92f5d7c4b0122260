//! Coinbase Advanced Trade's "Get Public Market Trades".
//!
//! Source: docs.cdp.coinbase.com, `get-market-trades`. Assumed: that trades are told newest first, that `start` is part of
//! the interval and `end` is not, the limit of 1,000, the words of errors. Left out: the best bid and ask.

use std::fmt::Write;

use super::archive::{Archive, Asked, Pick, Reply, list, spelled};
use super::desk::{Found, Question};
use crate::sim::number::Spelling;
use crate::sim::timestamp::iso_micros;

const SECOND: i64 = 1_000_000_000;

/// Coinbase Advanced Trade.
pub(super) struct CoinbaseAdvanced;

fn product(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v3/brokerage/market/products/")?.strip_suffix("/ticker")
}

impl Archive for CoinbaseAdvanced {
    fn owns(&self, path: &str) -> bool {
        product(path).is_some()
    }

    fn question(&self, asked: &Asked<'_>) -> Result<Question, Reply> {
        let product = product(asked.path).unwrap_or_default().to_owned();
        let wrong = |_: &str| Reply::refusal(400, r#"{"error":"INVALID_ARGUMENT"}"#);
        let (start, end) = (asked.number::<i64>("start").map_err(wrong)?, asked.number::<i64>("end").map_err(wrong)?);
        let limit = asked.number::<usize>("limit").map_err(wrong)?.ok_or("").map_err(wrong)?.min(1_000);
        let pick = match (start, end) {
            (None, None) => Pick::Newest,
            (start, end) => {
                let at = |second: i64| second.saturating_mul(SECOND);
                Pick::Between(start.map_or(0, at), end.map_or(i64::MAX, at))
            }
        };
        Ok(Question { is_meant: Box::new(move |name: &str| name == product), pick, limit })
    }

    fn reply(&self, _: &Asked<'_>, found: &Found) -> Reply {
        let name = &found.name;
        let trades = list(&found.trades, |trade, at, text| {
            let (price, size) = (spelled(Spelling::Trimmed, trade.price), spelled(Spelling::Trimmed, trade.quantity));
            let side = if trade.buyer_is_maker { "SELL" } else { "BUY" };
            let (id, time) = (trade.id, iso_micros(at));
            let _ = write!(
                text,
                r#"{{"trade_id":"{id}","product_id":"{name}","price":"{price}","size":"{size}","time":"{time}","side":"{side}","bid":"","ask":"","exchange":""}}"#
            );
        });
        Reply::ok(format!(r#"{{"trades":{trades},"best_bid":"","best_ask":""}}"#))
    }

    fn no_such_symbol(&self) -> Reply {
        Reply::refusal(404, r#"{"error":"NOT_FOUND","message":"product not found"}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::super::archive::testing::told;
    use super::*;

    #[test]
    fn trades_are_told_between_two_times() {
        let told = |query: &str| {
            let target = format!("/api/v3/brokerage/market/products/BTC-USD/ticker{query}");
            told(&CoinbaseAdvanced, "BTC-USD", &target, "")
        };
        let second = r#"{"trade_id":"2","product_id":"BTC-USD","price":"20","size":"1.5","time":"1970-01-01T00:00:02.123456Z","side":"SELL","bid":"","ask":"","exchange":""}"#;
        let expected = format!(r#"{{"trades":[{second}],"best_bid":"","best_ask":""}}"#);
        assert_eq!(told("?limit=1000&start=2&end=3"), (200, expected));
        assert!(told("?limit=1").1.starts_with(r#"{"trades":[{"trade_id":"3","#));
        assert_eq!((told("").0, told("?limit=1&start=x").0), (400, 400));
    }
}
