//! Kraken's WebSocket API v1, which today's consumers know.
//!
//! Source: docs.kraken.com and recorded frames (2021).
//!
//! | what | rule |
//! |-|-|
//! | address | any path but `/v2`; subscribed by requests, each pair acknowledged by itself |
//! | times | seconds with six decimals, as text |
//! | side | the taker's, `b` or `s` |
//! | id | none: see below |
//! | snapshot | the last 50 trades come first on every subscription |
//! | limits | none stated for pairs; from memory: 50 a request, 150 connects in ten minutes |
//! | heartbeat | one a second while nothing else comes |
//!
//! The id of a record is made of what the trade is: `<time in microseconds>-<digest>`, the digest being FNV-1a of price,
//! quantity, side, order type and the last field as they are written. It is the same on every connection and after every
//! restart. Trades that are alike in all of that get `-1`, `-2` … behind it
//! ([`crate::sequence`]). Where the first of them was lost (its
//! frame came while we were away, and the snapshot begins behind it), the number starts too low: then one of them counts
//! as seen. No such pair has been recorded.

use std::time::Duration;

use bumpalo::Bump;

use super::field::{self, array, decimal, fields, price, text};
use super::json::{Elements, Json, Value};
use super::time::{NANOS_PER_MICRO, seconds_text};
use super::{
    About, Connects, Control, Endpoint, Facts, Frame, Instrument, Limits, Reject, SequenceRule, Subscription, Symbols,
    Venue, Verb, kraken,
};
use crate::fnv1a::Fnv1a;
use crate::instruments::Pair;
use crate::trade::{Content, Trade, TradeId};

/// Decodes the trades of one connection.
pub struct KrakenV1;

impl Venue for KrakenV1 {
    const FACTS: Facts = Facts {
        exchange: "kraken",
        protocol: "v1",
        url: "wss://ws.kraken.com",
        alternatives: &[],
        serves: |_| true,
        opening: None,
        limits: Limits {
            symbols_per_connection: 250,
            symbols_per_request: 50,
            // Bursts are answered by "Exceeded msg rate".
            message_interval: Duration::from_millis(500),
            connects: Connects { interval: Duration::from_millis(4_300), at_once: 10 },
            max_silence: Duration::from_secs(10),
            max_age: None,
            ping: None,
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Unnamed;
    // `["1","1","1","b"],`
    const MIN_TRADE_BYTES: usize = 18;

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        kraken::instrument(symbol, pair, kraken::Names::Own)
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        Ok(Subscription::by_requests(endpoint.clone(), instruments))
    }

    fn request(_: &Endpoint, verb: Verb, id: u64, names: &[&str]) -> String {
        let (event, trade) = (verb.pick("subscribe", "unsubscribe"), serde_json::json!({"name": "trade"}));
        serde_json::json!({"event": event, "pair": names, "subscription": trade, "reqid": id}).to_string()
    }

    fn new(_: &Subscription) -> Self {
        KrakenV1
    }

    #[inline]
    fn decode<'frame>(
        &self,
        frame: &'frame mut [u8],
        symbols: &Symbols,
        json: &mut Json,
        arena: &'frame Bump,
    ) -> Result<Frame<'frame>, Reject> {
        json.parse(frame, arena, |root| match root.array() {
            Some(elements) => trades(elements, symbols, arena),
            None => event(root, symbols, arena),
        })
    }
}

/// `[<channel>,[[<price>,<quantity>,<time>,<side>,<type>,<misc>],…],"trade","XBT/USD"]`
#[inline]
fn trades<'frame>(
    mut elements: Elements<'_, 'frame>,
    symbols: &Symbols,
    arena: &'frame Bump,
) -> Result<Frame<'frame>, Reject> {
    let (_channel, list, name, pair) = (elements.next(), elements.next(), elements.next(), elements.next());
    match text("channel", name)? {
        "trade" => {}
        other => return Err(Reject::not_as_expected("channel", other, "\"trade\"")),
    }
    let instrument = symbols.find("pair", text("pair", pair)?)?;
    field::trades("trades", list, arena, |element| trade(array("trades", Some(element))?, instrument))
}

#[inline]
fn trade<'frame>(mut fields: Elements<'_, 'frame>, instrument: usize) -> Result<Trade<'frame>, Reject> {
    let price = price("price", fields.next())?;
    let quantity = decimal("volume", fields.next())?;
    let exchange_time_ns = seconds_text("time", fields.next())?;
    let side = fields.next();
    let mut digest = Fnv1a::default();
    for part in [price.text(), quantity.text(), text("side", side)?] {
        digest.text(part);
    }
    fields.filter_map(Value::text).for_each(|part| digest.text(part));
    let content = Content { at_us: exchange_time_ns / NANOS_PER_MICRO, digest: digest.finish(), before: 0 };
    Ok(Trade {
        instrument,
        id: TradeId::Content(content),
        price,
        quantity,
        side: field::side("side", side, "b", "s")?,
        exchange_time_ns,
        sequence: None,
        is_buyer_maker: None,
        buyer_order_id: None,
        seller_order_id: None,
    })
}

fields!(Event { event: "event", status: "status", pair: "pair", words: "errorMessage" });

/// A frame about the session.
#[cold]
fn event<'frame>(root: Value<'_, 'frame>, symbols: &Symbols, arena: &'frame Bump) -> Result<Frame<'frame>, Reject> {
    let Event { event, status, pair, words } = Event::read("frame", root)?;
    let (status, pair) = (status.and_then(Value::text), pair.and_then(Value::text));
    let about = About::named(pair, symbols, arena);
    let words = field::words(words);
    Ok(Frame::Control(match (text("event", event)?, status) {
        ("subscriptionStatus", Some("subscribed")) => Control::Acknowledged(about),
        ("subscriptionStatus", Some("unsubscribed")) => Control::Unsubscribed(about),
        ("subscriptionStatus", Some("error")) | ("error", _) => Control::Refused { about, code: "", words },
        ("heartbeat" | "systemStatus" | "pong" | "subscriptionStatus", _) => Control::Heartbeat,
        (other, _) => return Err(Reject::not_as_expected("event", other, "one that Kraken documents")),
    }))
}

#[cfg(test)]
mod tests;
