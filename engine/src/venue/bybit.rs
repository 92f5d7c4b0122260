//! Bybit v5, public trades.
//!
//! Source: bybit-exchange.github.io/docs/v5. No recording of v5 could be had: the frames in the tests are made up from
//! there.
//!
//! | what | rule |
//! |-|-|
//! | address | `/v5/public/spot`, `/linear`, `/inverse`; subscribed by requests, each acknowledged as a whole |
//! | times | milliseconds |
//! | side | the taker's |
//! | id | `i`, a UUID or a number as text: each trade has its own, in no order, so gaps are not seen |
//! | limits | from memory: 10 topics a request on spot |
//! | ping | `{"op":"ping"}` every 20 s, as documented; cut after 10 minutes without |

use std::time::Duration;

use bumpalo::Bump;

use super::field::{self, decimal, fields, optional_whole, price, required, text, words};
use super::json::{Json, Value};
use super::time::{NANOS_PER_MILLI, whole};
use super::{
    About, Connects, Control, Endpoint, Facts, Frame, Instrument, Limits, Ping, Reject, SequenceRule, Subscription,
    Symbols, Venue, Verb,
};
use crate::instruments::{self, Pair};
use crate::trade::{Trade, TradeId};

const PATH: &str = "/v5/public/spot";
const TOPIC: &str = "publicTrade.";

/// Decodes the trades of one connection.
pub struct Bybit;

impl Venue for Bybit {
    const FACTS: Facts = Facts {
        exchange: "bybit",
        protocol: "v5",
        url: "wss://stream.bybit.com/v5/public/spot",
        alternatives: &[],
        serves: |_| true,
        opening: None,
        limits: Limits {
            symbols_per_connection: 200,
            symbols_per_request: 10,
            message_interval: Duration::from_millis(100),
            // 500 in five minutes.
            connects: Connects { interval: Duration::from_millis(630), at_once: 20 },
            // Three pings unanswered.
            max_silence: Duration::from_secs(65),
            max_age: None,
            ping: Some(Ping { interval: Duration::from_secs(20), text: r#"{"op":"ping"}"# }),
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Named;
    const MIN_TRADE_BYTES: usize = 50;

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        instruments::check_joined(symbol, "Bybit")?;
        let pair = pair.or_else(|| instruments::split_bybit(symbol)).ok_or_else(|| instruments::unresolved(symbol))?;
        Ok(Instrument::new(symbol, pair.to_string()))
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        Ok(Subscription::by_requests(endpoint.or_path(PATH), instruments))
    }

    fn request(_: &Endpoint, verb: Verb, id: u64, names: &[&str]) -> String {
        let topics: Vec<_> = names.iter().map(|name| format!("{TOPIC}{name}")).collect();
        let operation = verb.pick("subscribe", "unsubscribe");
        serde_json::json!({"op": operation, "args": topics, "req_id": id.to_string()}).to_string()
    }

    fn new(_: &Subscription) -> Self {
        Bybit
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
            match message.topic {
                Some(topic) => {
                    text("topic", Some(topic))?
                        .strip_prefix(TOPIC)
                        .ok_or_else(|| Reject::mistyped("topic", topic, "\"publicTrade.\""))?;
                    field::trades("data", message.data, arena, |element| trade(element, symbols))
                }
                None => message.answer(),
            }
        })
    }
}

fields!(Message {
    topic: "topic",
    data: "data",
    operation: "op",
    success: "success",
    words: "ret_msg",
    request: "req_id",
});

impl<'tape, 'frame> Message<'tape, 'frame> {
    #[cold]
    fn answer(&self) -> Result<Frame<'frame>, Reject> {
        let operation = self.operation.ok_or_else(|| Reject::missing("topic"))?;
        let id = self.request.and_then(Value::text).and_then(|id| id.parse().ok());
        let about = id.map_or(About::Oldest, About::Request);
        Ok(Frame::Control(match text("op", Some(operation))? {
            "ping" | "pong" => Control::Heartbeat,
            "subscribe" | "unsubscribe" => match required("success", self.success, Value::boolean, "true or false")? {
                true => Control::Acknowledged(about),
                false => Control::Refused { about, code: "", words: words(self.words) },
            },
            other => return Err(Reject::not_as_expected("op", other, "\"subscribe\" or \"ping\"")),
        }))
    }
}

/// A trade's id. Without one, all such trades would be taken for the same.
#[inline]
fn name<'frame>(id: Option<Value<'_, 'frame>>) -> Result<&'frame str, Reject> {
    match text("i", id)? {
        "" => Err(Reject::not_as_expected("i", "", "an id")),
        id => Ok(id),
    }
}

fields!(Element { time: "T", symbol: "s", side: "S", quantity: "v", at: "p", id: "i", sequence: "seq" });

#[inline]
fn trade<'frame>(element: Value<'_, 'frame>, symbols: &Symbols) -> Result<Trade<'frame>, Reject> {
    let Element { time, symbol, side, quantity, at, id, sequence } = Element::read("data", element)?;
    Ok(Trade {
        instrument: symbols.find("s", text("s", symbol)?)?,
        id: TradeId::Text(name(id)?),
        price: price("p", at)?,
        quantity: decimal("v", quantity)?,
        side: field::side("S", side, "Buy", "Sell")?,
        exchange_time_ns: whole("T", time, NANOS_PER_MILLI)?,
        sequence: optional_whole("seq", sequence)?,
        is_buyer_maker: None,
        buyer_order_id: None,
        seller_order_id: None,
    })
}

#[cfg(test)]
mod tests;
