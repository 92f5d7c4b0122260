//! Kraken's WebSocket API v2.
//!
//! Source: docs.kraken.com (2025). No recording could be had: the frames in the tests are made up from there.
//!
//! | what | rule |
//! |-|-|
//! | address | `/v2`; subscribed by requests, each symbol acknowledged by itself |
//! | other addresses | `beta-ws.kraken.com/v2`, which gets changes before the others do: not taken by itself |
//! | numbers | prices and quantities are JSON numbers, whose trailing zeros and exponents are kept |
//! | times | RFC 3339, microseconds |
//! | side | the taker's |
//! | id | `trade_id`, a number that rises by one for each trade of a symbol |
//! | snapshot | the last 50 trades, not asked for (the documents contradict each other on the default) |
//! | limits | none stated for symbols; from memory: 50 a request, 150 connects in ten minutes |
//! | heartbeat | one a second while subscribed |
//! | past | by time, see `history` |

mod history;

use std::time::Duration;

use bumpalo::Bump;

use super::field::{self, decimal_number, fields, price_number, required, sequence_number, text, words};
use super::json::{Json, Value};
use super::time::rfc3339;
use super::{
    About, Connects, Control, Endpoint, Facts, Frame, History, Instrument, Limits, Reject, SequenceRule, Subscription,
    Symbols, Venue, Verb, kraken,
};
use crate::instruments::Pair;
use crate::trade::{Trade, TradeId};

const PATH: &str = "/v2";

/// Decodes the trades of one connection.
pub struct KrakenV2;

impl Venue for KrakenV2 {
    const FACTS: Facts = Facts {
        exchange: "kraken",
        protocol: "v2",
        url: "wss://ws.kraken.com/v2",
        alternatives: &[],
        serves: |url| url.path().trim_end_matches('/') == PATH,
        opening: None,
        limits: Limits {
            symbols_per_connection: 250,
            symbols_per_request: 50,
            message_interval: Duration::from_millis(200),
            connects: Connects { interval: Duration::from_millis(4_300), at_once: 10 },
            // Ten heartbeats missed.
            max_silence: Duration::from_secs(10),
            max_age: None,
            ping: None,
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Contiguous;
    const MIN_TRADE_BYTES: usize = 80;
    const HISTORY: Option<History> = Some(history::HISTORY);

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        kraken::instrument(symbol, pair, kraken::Names::Usual)
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        Ok(Subscription::by_requests(endpoint.or_path(PATH), instruments))
    }

    fn request(_: &Endpoint, verb: Verb, id: u64, names: &[&str]) -> String {
        let params = match verb {
            Verb::Subscribe => serde_json::json!({"channel": "trade", "symbol": names, "snapshot": false}),
            Verb::Unsubscribe => serde_json::json!({"channel": "trade", "symbol": names}),
        };
        let method = verb.pick("subscribe", "unsubscribe");
        serde_json::json!({"method": method, "params": params, "req_id": id}).to_string()
    }

    fn new(_: &Subscription) -> Self {
        KrakenV2
    }

    #[inline]
    fn decode<'frame>(
        &self,
        frame: &'frame mut [u8],
        symbols: &Symbols,
        json: &mut Json,
        arena: &'frame Bump,
    ) -> Result<Frame<'frame>, Reject> {
        json.parse(frame, arena, |root| {
            let message = Message::read("frame", root)?;
            match message.channel.and_then(Value::text) {
                Some("trade") => field::trades("data", message.data, arena, |element| trade(element, symbols)),
                Some("heartbeat" | "status") => Ok(Frame::Control(Control::Heartbeat)),
                _ => message.answer(symbols, arena),
            }
        })
    }
}

fields!(Message {
    channel: "channel",
    data: "data",
    method: "method",
    success: "success",
    error: "error",
    symbol: "symbol",
    result: "result",
});

impl<'tape, 'frame> Message<'tape, 'frame> {
    /// The answer to a request, or nothing we know.
    #[cold]
    fn answer(&self, symbols: &Symbols, arena: &'frame Bump) -> Result<Frame<'frame>, Reject> {
        let done = match self.method.and_then(Value::text) {
            Some("pong") => return Ok(Frame::Control(Control::Heartbeat)),
            Some("subscribe") => Control::Acknowledged,
            Some("unsubscribe") => Control::Unsubscribed,
            _ => {
                return Err(match self.channel {
                    Some(channel) => Reject::mistyped("channel", channel, "\"trade\""),
                    None => Reject::missing("channel"),
                });
            }
        };
        let succeeded = required("success", self.success, Value::boolean, "true or false")?;
        // It stands in the result, or, where there is none, at the top level.
        let in_result =
            self.result.and_then(Value::object).and_then(|mut fields| fields.find(|(key, _)| *key == "symbol"));
        let symbol = in_result.map(|(_, symbol)| symbol).or(self.symbol).and_then(Value::text);
        let about = About::named(symbol, symbols, arena);
        let words = words(self.error);
        Ok(Frame::Control(match succeeded {
            true => done(about),
            false => Control::Refused { about, code: "", words },
        }))
    }
}

fields!(Element { symbol: "symbol", side: "side", price: "price", quantity: "qty", id: "trade_id", time: "timestamp" });

#[inline]
fn trade<'frame>(element: Value<'_, 'frame>, symbols: &Symbols) -> Result<Trade<'frame>, Reject> {
    let Element { symbol, side, price, quantity, id, time } = Element::read("data", element)?;
    let (id, number) = sequence_number("trade_id", id)?;
    Ok(Trade {
        instrument: symbols.find("symbol", text("symbol", symbol)?)?,
        id: TradeId::Number(id),
        price: price_number("price", price)?,
        quantity: decimal_number("qty", quantity)?,
        side: field::side("side", side, "buy", "sell")?,
        exchange_time_ns: rfc3339("timestamp", time)?,
        sequence: Some(number),
        is_buyer_maker: None,
        buyer_order_id: None,
        seller_order_id: None,
    })
}

#[cfg(test)]
mod tests;
