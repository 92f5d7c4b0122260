//! Kraken's "Get Recent Trades".
//!
//! Source: docs.kraken.com, `get-recent-trades`. Assumed: that the trade at `since` is not told again, that the result is
//! called as the pair was asked for (Kraken has internal names), the number of decimals.

use std::fmt::Write;

use super::archive::{Archive, Asked, Pick, Reply, list, spelled};
use super::desk::{Found, Question};
use crate::sim::number::Spelling;

const PATH: &str = "/0/public/Trades";
/// Names that mean the same.
const ALIASES: [(&str, &str); 2] = [("XBT", "BTC"), ("XDG", "DOGE")];

/// Kraken.
pub(super) struct Kraken;

impl Archive for Kraken {
    fn owns(&self, path: &str) -> bool {
        path == PATH
    }

    fn question(&self, asked: &Asked<'_>) -> Result<Question, Reply> {
        let arguments = || error("EGeneral:Invalid arguments");
        let pair = usual(asked.parameter("pair").ok_or_else(arguments)?);
        let since = asked.number("since").map_err(|_| arguments())?;
        let limit = asked.number::<usize>("count").map_err(|_| arguments())?.unwrap_or(1_000);
        if !(1..=1_000).contains(&limit) {
            return Err(arguments());
        }
        let is_meant = Box::new(move |name: &str| usual(name) == pair);
        Ok(Question { is_meant, pick: since.map_or(Pick::Last, Pick::After), limit })
    }

    fn reply(&self, asked: &Asked<'_>, found: &Found) -> Reply {
        let decimals = found.price_decimals.max(5);
        let trades = list(&found.trades, |trade, at, text| {
            let (price, volume) =
                (spelled(Spelling::Fixed(decimals), trade.price), spelled(Spelling::Fixed(8), trade.quantity));
            let (second, rest) = (at / 1_000_000_000, at % 1_000_000_000 / 100);
            let side = if trade.buyer_is_maker { 's' } else { 'b' };
            let _ = write!(text, r#"["{price}","{volume}",{second}.{rest:07},"{side}","m","",{}]"#, trade.id);
        });
        let pair = asked.parameter("pair").unwrap_or_default();
        let last = found.trades.last().map_or(0, |timed| timed.trade_ns);
        Reply::ok(format!(r#"{{"error":[],"result":{{"{pair}":{trades},"last":"{last}"}}}}"#))
    }

    fn no_such_symbol(&self) -> Reply {
        error("EQuery:Unknown asset pair")
    }
}

/// A pair without its slash, by the usual names.
fn usual(pair: &str) -> String {
    let mut pair = pair.replace('/', "");
    for (own, usual) in ALIASES {
        pair = pair.replace(own, usual);
    }
    pair
}

/// Errors have the status of success.
fn error(words: &str) -> Reply {
    Reply::ok(format!(r#"{{"error":["{words}"]}}"#))
}

#[cfg(test)]
mod tests {
    use super::super::archive::testing::told;
    use super::*;

    #[test]
    fn trades_are_told_after_a_time() {
        let told = |target: &str| told(&Kraken, "BTC/USD", target, "").1;
        assert_eq!(
            told("/0/public/Trades?pair=XBTUSD&since=1500000000&count=1"),
            r#"{"error":[],"result":{"XBTUSD":[["20.00000","1.50000000",2.1234567,"s","m","",2]],"last":"2123456789"}}"#
        );
        assert!(told("/0/public/Trades?pair=XBT/USD").contains(r#"3.1234567,"b","m","",3]],"last":"3123456789""#));
        assert_eq!(told("/0/public/Trades?pair=ETHUSD"), r#"{"error":["EQuery:Unknown asset pair"]}"#);
        for wrong in ["", "?pair=XBTUSD&since=x", "?pair=XBTUSD&count=1001"] {
            assert_eq!(told(&format!("{PATH}{wrong}")), r#"{"error":["EGeneral:Invalid arguments"]}"#, "{wrong}");
        }
    }
}
