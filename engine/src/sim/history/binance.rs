//! Binance spot's "Old trade lookup".
//!
//! Source: binance-spot-api-docs, `rest-api.md` and `errors.md`. Assumed: that a limit above 1,000 is cut to it.

use std::fmt::Write;

use super::archive::{Archive, Asked, Pick, Reply, list, spelled};
use super::desk::{Found, Question};
use crate::sim::number::{ONE, Spelling};

const PATH: &str = "/api/v3/historicalTrades";

/// Binance spot.
pub(super) struct Binance;

impl Archive for Binance {
    fn owns(&self, path: &str) -> bool {
        path == PATH
    }

    fn question(&self, asked: &Asked<'_>) -> Result<Question, Reply> {
        let symbol = asked.parameter("symbol").filter(|symbol| !symbol.is_empty()).map(str::to_owned);
        let symbol = symbol.ok_or_else(|| {
            malformed(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        })?;
        let illegal = |name: &str| {
            malformed(
                -1100,
                &format!("Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."),
            )
        };
        let from = asked.number("fromId").map_err(|_| illegal("fromId"))?;
        let limit = asked.number::<usize>("limit").map_err(|_| illegal("limit"))?.unwrap_or(500).min(1_000);
        let is_meant = Box::new(move |name: &str| name == symbol);
        Ok(Question { is_meant, pick: from.map_or(Pick::Last, Pick::From), limit })
    }

    fn reply(&self, asked: &Asked<'_>, found: &Found) -> Reply {
        let in_micros = asked.header("X-MBX-TIME-UNIT").is_some_and(|unit| unit.eq_ignore_ascii_case("microsecond"));
        let unit_ns = if in_micros { 1_000 } else { 1_000_000 };
        let fixed = |units| spelled(Spelling::Fixed(8), units);
        Reply::ok(list(&found.trades, |trade, at, text| {
            let volume = u128::from(trade.price) * u128::from(trade.quantity) / u128::from(ONE);
            let _ = write!(
                text,
                r#"{{"id":{},"price":"{}","qty":"{}","quoteQty":"{}","time":{},"isBuyerMaker":{},"isBestMatch":true}}"#,
                trade.id,
                fixed(trade.price),
                fixed(trade.quantity),
                fixed(u64::try_from(volume).unwrap_or(u64::MAX)),
                at / unit_ns,
                trade.buyer_is_maker,
            );
        }))
    }

    fn no_such_symbol(&self) -> Reply {
        malformed(-1121, "Invalid symbol.")
    }
}

fn malformed(code: i32, words: &str) -> Reply {
    Reply::refusal(400, &format!(r#"{{"code":{code},"msg":"{words}"}}"#))
}

#[cfg(test)]
mod tests {
    use super::super::archive::testing::told;
    use super::*;

    #[test]
    fn trades_are_told_from_an_id_on() {
        let told = |target: &str, header: &str| told(&Binance, "BTCUSDT", target, header);
        assert_eq!(
            told("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=2&limit=1", ""),
            (
                200,
                r#"[{"id":2,"price":"20.00000000","qty":"1.50000000","quoteQty":"30.00000000","time":2123,"isBuyerMaker":true,"isBestMatch":true}]"#
                    .to_string()
            )
        );
        let (_, last) = told("/api/v3/historicalTrades?symbol=BTCUSDT&limit=1", "x-mbx-time-unit: MICROSECOND");
        assert!(last.starts_with(r#"[{"id":3,"#) && last.contains(r#""time":3123456,"isBuyerMaker":false"#), "{last}");
        let invalid = r#"{"code":-1121,"msg":"Invalid symbol."}"#.to_string();
        assert_eq!(told("/api/v3/historicalTrades?symbol=NO", ""), (400, invalid));
        assert_eq!(told("/api/v3/historicalTrades", "").0, 400);
        assert_eq!(told("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=x", "").0, 400);
    }
}
