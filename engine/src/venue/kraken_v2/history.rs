//! Kraken's trades of the past: `GET /0/public/Trades`, "Get Recent Trades".
//!
//! Source: docs.kraken.com, `api-reference/market-data/get-recent-trades` (2026), and support.kraken.com on the same.
//!
//! | what | rule |
//! |-|-|
//! | address | `https://api.kraken.com`; no key is needed |
//! | page | by time: up to 1,000 trades from `since` on, in nanoseconds, oldest first. Whether the trade at that time itself is among them the pages contradict each other on, so it is asked from a microsecond before |
//! | names | `XBTUSD`, Kraken's own names without the slash |
//! | trade | `[price, volume, time, side, order type, miscellaneous, trade_id]`; the id is the one of the WebSocket |
//! | numbers | price and volume are text here, with zeros that the WebSocket's numbers do not have |
//! | times | a JSON number of seconds, of which the digits are taken as they are: finer than the WebSocket's by one |
//! | limits | "15 requests per 45 seconds" by crypto-rest-client, one a second by others (support pages, from memory), which is taken; who asks too often is told so, see below |
//! | refusals | HTTP 200 with a list `error`: `EAPI:Rate limit exceeded`, `EGeneral:Too many requests` and `EService:…` pass |

use std::time::Duration;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use crate::trade::{Trade, TradeId};
use crate::venue::field::{self, array, decimal, fields, object, price, required, sequence_number};
use crate::venue::history::{History, Missing, Order, Page, Query};
use crate::venue::json::{Elements, Value};
use crate::venue::time::{NANOS_PER_MICRO, seconds};
use crate::venue::{Instrument, Reject, TimeUnit, kraken};

/// Most trades of a page.
const PAGE: usize = 1_000;
/// Errors after which the same may be asked again.
const PASSING: [&str; 3] = ["EAPI:Rate limit", "EGeneral:Too many requests", "EService:"];

pub(super) const HISTORY: History =
    History { url: "https://api.kraken.com", interval: Duration::from_secs(1), order: Order::OldestFirst, query, read };

fn query(instrument: &Instrument, missing: &Missing, _: TimeUnit) -> Query {
    let pair = kraken::rest_name(&instrument.framed);
    let since = missing.after_ns.saturating_sub(NANOS_PER_MICRO);
    Query { path: format!("/0/public/Trades?pair={pair}&since={since}&count={PAGE}"), header: None }
}

fields!(Body { error: "error", result: "result" });

fn read<'body>(root: Value<'_, 'body>, _: TimeUnit, arena: &'body Bump) -> Result<Page<'body>, Reject> {
    let Body { error, result } = Body::read("body", root)?;
    if let Some(words) = array("error", error)?.next().and_then(Value::text) {
        return Ok(Page::Refused { words, may_pass: PASSING.iter().any(|passing| words.starts_with(passing)) });
    }
    // The pair under whichever of its names, and `last`, the time of the page's last trade.
    let mut lists =
        object("result", result.ok_or_else(|| Reject::missing("result"))?)?.filter(|(key, _)| *key != "last");
    let list = lists.next().map(|(_, list)| list);
    let elements = array("result", list)?;
    let mut trades = Vec::with_capacity_in(elements.len(), arena);
    for element in elements {
        trades.push(trade(array("result", Some(element))?)?);
    }
    Ok(Page::Trades(trades))
}

fn trade<'body>(mut fields: Elements<'_, 'body>) -> Result<Trade<'body>, Reject> {
    let price = price("price", fields.next())?;
    let quantity = decimal("volume", fields.next())?;
    let exchange_time_ns = seconds("time", required("time", fields.next(), Value::number, "a number")?)?;
    let side = field::side("side", fields.next(), "b", "s")?;
    let (_order_type, _miscellaneous, id) = (fields.next(), fields.next(), fields.next());
    let (id, number) = sequence_number("trade_id", id)?;
    Ok(Trade {
        instrument: 0,
        id: TradeId::Number(id),
        price,
        quantity,
        side,
        exchange_time_ns,
        sequence: Some(number),
        is_buyer_maker: None,
        buyer_order_id: None,
        seller_order_id: None,
    })
}

#[cfg(test)]
mod tests {
    use crate::venue::TimeUnit::Millisecond;
    use crate::venue::history::testing;
    use crate::venue::kraken_v2::KrakenV2;

    /// From the page's own example.
    const BODY: &str = r#"{"error":[],"result":{"XXBTZUSD":[["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952],["30243.30000","0.00376960",1688669598.2804112,"s","l","",61044953]],"last":"1688671969993150842"}}"#;

    fn read(body: &str) -> Result<Vec<String>, String> {
        testing::read::<KrakenV2>(body, Millisecond)
    }

    #[test]
    fn a_page_is_asked_for_by_the_time_of_the_trade_before() {
        for (symbol, pair) in
            [("BTC/USD", "XBTUSD"), ("XBT/USD", "XBTUSD"), ("DOGE/EUR", "XDGEUR"), ("ETH/USD", "ETHUSD")]
        {
            let path = format!("/0/public/Trades?pair={pair}&since=1699999999999999000&count=1000");
            assert_eq!(testing::query::<KrakenV2>(symbol, Millisecond).path, path);
        }
    }

    #[test]
    fn a_page_is_read() {
        let expected = [
            "61044952 Buy 0.34507674 @ 30243.40000 at 1688669597827736900 ns",
            "61044953 Sell 0.00376960 @ 30243.30000 at 1688669598280411200 ns",
        ];
        assert_eq!(read(BODY), Ok(expected.map(String::from).to_vec()));
        assert_eq!(read(r#"{"error":[],"result":{"XXBTZUSD":[],"last":"1688671969993150842"}}"#), Ok(vec![]));
    }

    #[test]
    fn refusals_that_pass_are_told_from_others() {
        for (words, may_pass) in [
            ("EAPI:Rate limit exceeded", true),
            ("EGeneral:Too many requests", true),
            ("EService:Unavailable", true),
            ("EQuery:Unknown asset pair", false),
            ("EGeneral:Invalid arguments", false),
        ] {
            assert_eq!(read(&format!(r#"{{"error":["{words}"]}}"#)), Err(format!("refused ({may_pass}): {words}")));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, reason) in [
            ("\"30243.40000\"", "30243.4", "price: is 30243.4, text is expected"),
            ("1688669597.8277369", "1.6886695e9", "time: is \"1.6886695e9\", seconds with a fraction is expected"),
            ("1688669597.8277369", "\"1688669597\"", "time: is \"1688669597\", a number is expected"),
            ("\"b\"", "\"B\"", "side: is \"B\", \"b\" or \"s\" is expected"),
            (",61044952", "", "trade_id: is missing"),
            (r#""error":[],"#, "", "error: is missing"),
            (r#""XXBTZUSD""#, r#""last""#, "result: is missing"),
        ] {
            assert_eq!(read(&BODY.replacen(from, to, 1)), Err(reason.to_string()), "{from} -> {to}");
        }
    }
}
