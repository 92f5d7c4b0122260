//! Binance spot.
//!
//! Source: binance-spot-api-docs, `web-socket-streams.md` (July 2026), and recorded frames.
//!
//! | what | rule |
//! |-|-|
//! | address | `/ws` (trades at the top level, SUBSCRIBE), `/stream` (wrapped in `stream` and `data`, SUBSCRIBE), `/stream?streams=` (wrapped, the address subscribes) |
//! | times | milliseconds, or microseconds with `timeUnit=MICROSECOND` |
//! | side | `m`, the buyer was the maker: the taker sold |
//! | id | `t`, a number that rises by one for each trade of a symbol |
//! | limits | 1,024 streams a connection, 5 messages a second from us (pongs counted) |
//! | ping | a frame every 20 s, to be answered within 60 s |

mod layout;

use std::ops::Range;
use std::slice;
use std::time::Duration;

use bumpalo::Bump;
use url::Url;

use layout::Places;

use super::json::{Fields, Json, Value};
use super::{Control, Frame, Limits, Reject, Request, SequenceRule, Subscription, Symbols, TimeUnit, Venue};
use crate::decimal::Decimal;
use crate::instruments::split_binance;
use crate::trade::{Side, Trade, TradeId};

/// Where Binance spot is reached.
pub const DEFAULT_URL: &str = "wss://stream.binance.com:9443/ws";

/// The path whose frames are not wrapped.
const BARE_PATH: &str = "/ws";
/// The path whose frames are wrapped in `stream` and `data`.
const COMBINED_PATH: &str = "/stream";

const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_MICRO: i64 = 1_000;

/// Decodes the trades of one connection.
pub struct Binance {
    /// How many nanoseconds a unit of `T` is.
    time_unit_ns: i64,
}

impl Venue for Binance {
    const SEQUENCE: SequenceRule = SequenceRule::Contiguous;
    const LIMITS: Limits = Limits {
        streams_per_connection: 1_024,
        symbols_per_request: 200,
        // Five a second, pongs counted: three of ours leave room for them.
        message_interval: Duration::from_millis(350),
        // Three pings missed.
        max_silence: Duration::from_secs(70),
    };
    const MIN_TRADE_BYTES: usize = 60;

    fn new(subscription: &Subscription) -> Self {
        let time_unit_ns = match subscription.time_unit {
            TimeUnit::Millisecond => NANOS_PER_MILLI,
            TimeUnit::Microsecond => NANOS_PER_MICRO,
        };
        Binance { time_unit_ns }
    }

    #[inline]
    fn decode<'frame>(
        &self,
        frame: &'frame mut [u8],
        symbols: &Symbols,
        json: &mut Json,
        arena: &'frame Bump,
    ) -> Result<Frame<'frame>, Reject> {
        if let Some(places) = layout::read(frame) {
            return Ok(Frame::Trades(slice::from_ref(arena.alloc(self.trade_in_places(frame, &places, symbols)?))));
        }
        json.parse(frame, arena, |root| {
            let (mut body, mut message) = (root, Message::read(object("frame", root)?));
            if let Some(data) = message.data {
                (body, message) = (data, Message::read(object("data", data)?));
            }
            match message.event.and_then(Value::text) {
                Some("trade") => Ok(Frame::Trades(slice::from_ref(arena.alloc(self.trade(&message, symbols)?)))),
                Some("serverShutdown") => Ok(Frame::Control(Control::ShuttingDown)),
                Some(_) | None => Answer::read(object("frame", body)?).control(message.event),
            }
        })
    }
}

/// The fields that make a trade, wherever they stood; the rest is passed over.
#[derive(Default)]
struct Message<'tape, 'frame> {
    data: Option<Value<'tape, 'frame>>,
    event: Option<Value<'tape, 'frame>>,
    symbol: Option<Value<'tape, 'frame>>,
    id: Option<Value<'tape, 'frame>>,
    price: Option<Value<'tape, 'frame>>,
    quantity: Option<Value<'tape, 'frame>>,
    time: Option<Value<'tape, 'frame>>,
    buyer_is_maker: Option<Value<'tape, 'frame>>,
    buyer_order: Option<Value<'tape, 'frame>>,
    seller_order: Option<Value<'tape, 'frame>>,
}

impl<'tape, 'frame> Message<'tape, 'frame> {
    #[inline]
    fn read(fields: Fields<'tape, 'frame>) -> Self {
        let mut message = Message::default();
        for (key, value) in fields {
            match key.as_bytes() {
                b"e" => message.event = Some(value),
                b"s" => message.symbol = Some(value),
                b"t" => message.id = Some(value),
                b"p" => message.price = Some(value),
                b"q" => message.quantity = Some(value),
                b"T" => message.time = Some(value),
                b"m" => message.buyer_is_maker = Some(value),
                // Not sent since June 2024, and in older recordings.
                b"b" => message.buyer_order = Some(value),
                b"a" => message.seller_order = Some(value),
                b"data" => message.data = Some(value),
                _ => {}
            }
        }
        message
    }
}

/// The fields of an answer to a request, which come rarely.
#[derive(Default)]
struct Answer<'tape, 'frame> {
    request: Option<Value<'tape, 'frame>>,
    result: bool,
    code: Option<Value<'tape, 'frame>>,
    words: Option<Value<'tape, 'frame>>,
    error: Option<Value<'tape, 'frame>>,
}

impl<'tape, 'frame> Answer<'tape, 'frame> {
    #[cold]
    fn read(fields: Fields<'tape, 'frame>) -> Self {
        let mut answer = Answer::default();
        for (key, value) in fields {
            match key {
                "id" => answer.request = Some(value),
                "result" => answer.result = true,
                "code" => answer.code = Some(value),
                "msg" => answer.words = Some(value),
                "error" => answer.error = Some(value),
                _ => {}
            }
        }
        answer
    }

    /// A frame that is no trade: an answer to a request, or nothing we know.
    fn control(&self, event: Option<Value<'_, '_>>) -> Result<Frame<'frame>, Reject> {
        let id = self.request.and_then(Value::unsigned);
        // An error stands at the top level or in a field of its own, whose own fields are not looked into further.
        let (code, words) = match self.error {
            Some(error) => {
                let error = Answer::read(object("error", error)?);
                (Some(error.code.ok_or_else(|| Reject::missing("code"))?), error.words)
            }
            None => (self.code, self.words),
        };
        if let Some(code) = code {
            let code = required("code", Some(code), Value::signed, "a whole number")?;
            let words = words.and_then(Value::text).unwrap_or("");
            return Ok(Frame::Control(Control::Refused { id, code, words }));
        }
        match (self.result, id) {
            (true, Some(id)) => Ok(Frame::Control(Control::Acknowledged(id))),
            _ => Err(match event {
                Some(event) => Reject::mistyped("e", event, "the event \"trade\""),
                None => Reject::missing("e"),
            }),
        }
    }
}

impl Binance {
    #[inline]
    fn trade_in_places<'frame>(
        &self,
        frame: &'frame [u8],
        places: &Places,
        symbols: &Symbols,
    ) -> Result<Trade<'frame>, Reject> {
        // The places hold nothing but ASCII.
        let text = |place: &Range<usize>| std::str::from_utf8(&frame[place.clone()]).map_err(|_| Reject::not_utf8());
        let decimal = |field, place| {
            let text = text(place)?;
            Decimal::parse(text).map_err(|problem| Reject::not_decimal(field, text, problem))
        };
        let symbol = text(&places.symbol)?;
        Ok(Trade {
            symbol,
            instrument: symbols.find("s", symbol)?,
            id: TradeId::Number(places.id),
            price: decimal("p", &places.price)?,
            quantity: decimal("q", &places.quantity)?,
            side: if places.buyer_is_maker { Side::Sell } else { Side::Buy },
            exchange_time_ns: self.exchange_time_ns(places.time)?,
            sequence: Some(places.id as i64),
            is_buyer_maker: Some(places.buyer_is_maker),
            buyer_order_id: None,
            seller_order_id: None,
        })
    }

    #[inline]
    fn exchange_time_ns(&self, time: i64) -> Result<i64, Reject> {
        time.checked_mul(self.time_unit_ns)
            .filter(|time| *time >= 0)
            .ok_or_else(|| Reject::new("T", format!("is {time}, which is no time between 1970 and 2262")))
    }

    #[inline]
    fn trade<'frame>(&self, message: &Message<'_, 'frame>, symbols: &Symbols) -> Result<Trade<'frame>, Reject> {
        let id = required("t", message.id, Value::unsigned, "a number from 0 to 18446744073709551615")?;
        let sequence = i64::try_from(id)
            .map_err(|_| Reject::new("t", format!("is {id}, the largest sequence is {}", i64::MAX)))?;
        let time = required("T", message.time, Value::signed, "a whole number")?;
        let buyer_is_maker = required("m", message.buyer_is_maker, Value::boolean, "true or false")?;
        let symbol = required("s", message.symbol, Value::text, "text")?;
        Ok(Trade {
            symbol,
            instrument: symbols.find("s", symbol)?,
            id: TradeId::Number(id),
            price: decimal("p", message.price)?,
            quantity: decimal("q", message.quantity)?,
            side: if buyer_is_maker { Side::Sell } else { Side::Buy },
            exchange_time_ns: self.exchange_time_ns(time)?,
            sequence: Some(sequence),
            is_buyer_maker: Some(buyer_is_maker),
            buyer_order_id: optional("b", message.buyer_order)?,
            seller_order_id: optional("a", message.seller_order)?,
        })
    }
}

#[inline]
fn object<'tape, 'frame>(field: &'static str, value: Value<'tape, 'frame>) -> Result<Fields<'tape, 'frame>, Reject> {
    value.object().ok_or_else(|| Reject::mistyped(field, value, "an object"))
}

#[inline]
fn required<'tape, 'frame, T>(
    field: &'static str,
    value: Option<Value<'tape, 'frame>>,
    read: impl Fn(Value<'tape, 'frame>) -> Option<T>,
    expected: &str,
) -> Result<T, Reject> {
    let value = value.ok_or_else(|| Reject::missing(field))?;
    read(value).ok_or_else(|| Reject::mistyped(field, value, expected))
}

#[inline]
fn decimal<'frame>(field: &'static str, value: Option<Value<'_, 'frame>>) -> Result<Decimal<'frame>, Reject> {
    let text = required(field, value, Value::text, "text")?;
    Decimal::parse(text).map_err(|problem| Reject::not_decimal(field, text, problem))
}

#[inline]
fn optional(field: &'static str, value: Option<Value<'_, '_>>) -> Result<Option<i64>, Reject> {
    value.map(|value| value.signed().ok_or_else(|| Reject::mistyped(field, value, "a whole number"))).transpose()
}

/// See [`super::Exchange::canonical_symbol`].
pub fn canonical_symbol(symbol: &str) -> Result<String, String> {
    // Binance allows any UTF-8 in a symbol since December 2025; separators and lower case are other notations.
    let plain: String =
        symbol.chars().filter(|c| !matches!(c, '/' | '-' | '_' | ' ')).collect::<String>().to_uppercase();
    if symbol.is_empty() || plain != symbol {
        return Err(format!("symbol {symbol:?} is not in Binance's form: write {plain:?}"));
    }
    let (base, quote) = split_binance(symbol).ok_or_else(|| {
        format!("symbol {symbol:?} ends in no quote asset known of Binance: name a pair such as \"BTCUSDT\"")
    })?;
    Ok(format!("{base}/{quote}"))
}

/// See [`super::Exchange::connections`].
pub fn connections(url: &Url, time_unit: TimeUnit, symbols: &[String]) -> Result<Vec<Subscription>, String> {
    let mut url = url.clone();
    if url.path() == "/" {
        url.set_path(BARE_PATH);
    }
    let url = &url;
    if ![BARE_PATH, COMBINED_PATH].contains(&url.path().trim_end_matches('/')) {
        return Err(format!(
            "url {url}: the path {:?} is not one of Binance's: end it in \"/ws\" or \"/stream\" and list the symbols",
            url.path()
        ));
    }
    // `/ws` knows no such parameter and would send nothing.
    let is_combined = url.path().trim_end_matches('/') == COMBINED_PATH;
    let by_url = is_combined && url.query_pairs().any(|(key, _)| key == "streams");
    let in_url = url.query_pairs().any(|(key, value)| key == "timeUnit" && value.eq_ignore_ascii_case("microsecond"));
    let time_unit = if in_url { TimeUnit::Microsecond } else { time_unit };
    let per_connection = Binance::LIMITS.streams_per_connection;
    Ok(symbols.chunks(per_connection).map(|symbols| subscription(url, by_url, time_unit, symbols)).collect())
}

/// One connection that carries `symbols`, subscribed by its address or by requests.
fn subscription(url: &Url, by_url: bool, time_unit: TimeUnit, symbols: &[String]) -> Subscription {
    let streams =
        |symbols: &[String]| symbols.iter().map(|s| format!("{}@trade", s.to_lowercase())).collect::<Vec<_>>();
    let ours = |pair: &&str| matches!(pair.split('=').next(), Some("streams" | "timeUnit" | ""));
    // The others are kept as they are written: decoded, a value could end in the next one.
    let others = url.query().unwrap_or_default().split('&').filter(|pair| !ours(pair));
    let mut query: Vec<String> = others.map(str::to_string).collect();
    if by_url {
        query.push(format!("streams={}", streams(symbols).join("/")));
    }
    if time_unit == TimeUnit::Microsecond {
        query.push("timeUnit=MICROSECOND".to_string());
    }
    let mut url = url.clone();
    url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
    let batches = symbols.chunks(Binance::LIMITS.symbols_per_request).enumerate().map(|(index, symbols)| {
        let id = index as u64 + 1;
        let text = serde_json::json!({"method": "SUBSCRIBE", "params": streams(symbols), "id": id}).to_string();
        Request { id, text }
    });
    let requests = if by_url { Vec::new() } else { batches.collect() };
    Subscription { url, time_unit, symbols: symbols.to_vec(), requests }
}

#[cfg(test)]
mod address_tests;
#[cfg(test)]
mod reject_tests;
#[cfg(test)]
mod tests;
