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
//! | limits | 1,024 streams a connection, 5 messages a second from us (pongs counted), 300 connects in five minutes |
//! | ping | a frame every 20 s, to be answered within 60 s |
//! | life | 24 hours |
//! | past | by id, see `history` |

pub(super) mod address;
mod history;
mod layout;
pub(super) mod message;

use std::ops::Range;
use std::slice;
use std::time::Duration;

use bumpalo::Bump;

use super::json::Json;
use super::time::in_units;
use super::{
    Connects, Control, Endpoint, Facts, Frame, History, Instrument, Limits, Reject, SequenceRule, Subscription,
    Symbols, Venue, Verb, field,
};
use crate::instruments::Pair;
use crate::trade::{Side, Trade, TradeId};
use layout::Places;
use message::{Answer, Message};

/// Where Binance spot is reached.
pub const DEFAULT_URL: &str = "wss://stream.binance.com:9443/ws";

/// The same streams elsewhere, by "General WSS information" of `web-socket-streams.md`: the usual port, which more firewalls
/// let through, and a host for market data alone, on machines of its own.
const ALTERNATIVES: &[&str] = &["wss://stream.binance.com:443/ws", "wss://data-stream.binance.vision/ws"];

/// Paths whose frames are as they are, and paths whose frames are wrapped in `stream` and `data`.
const PATHS: address::Paths = address::Paths { bare: &["/ws"], combined: &["/stream"] };

/// The part of a stream's name behind the symbol.
const CHANNEL: &str = "trade";

/// Decodes the trades of one connection.
pub struct Binance {
    /// How many nanoseconds a unit of `T` is.
    time_unit_ns: i64,
}

impl Venue for Binance {
    const FACTS: Facts = Facts {
        exchange: "binance",
        protocol: "spot",
        url: DEFAULT_URL,
        alternatives: ALTERNATIVES,
        serves: |_| true,
        opening: None,
        limits: Limits {
            symbols_per_connection: 1_024,
            symbols_per_request: 200,
            // Five a second, pongs counted: three of ours leave room for them.
            message_interval: Duration::from_millis(350),
            // 300 in five minutes.
            connects: Connects { interval: Duration::from_millis(1_100), at_once: 20 },
            // Three pings missed.
            max_silence: Duration::from_secs(70),
            max_age: Some(Duration::from_hours(24)),
            ping: None,
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Contiguous;
    const MIN_TRADE_BYTES: usize = 60;
    const HISTORY: Option<History> = Some(history::HISTORY);

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        address::instrument(symbol, pair)
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        address::subscription(endpoint, &PATHS, CHANNEL, instruments)
    }

    fn request(_: &Endpoint, verb: Verb, id: u64, names: &[&str]) -> String {
        address::request(CHANNEL, verb, id, names)
    }

    fn new(subscription: &Subscription) -> Self {
        Binance { time_unit_ns: subscription.endpoint.time_unit.nanos() }
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
            let (body, message) = Message::unwrap(root)?;
            match message.event() {
                Some("trade") => {
                    let trade = message.trade("t", message.id, symbols, self.time_unit_ns)?;
                    Ok(Frame::Trades(slice::from_ref(arena.alloc(Trade {
                        buyer_order_id: field::optional_whole("b", message.buyer_order)?,
                        seller_order_id: field::optional_whole("a", message.seller_order)?,
                        ..trade
                    }))))
                }
                Some("serverShutdown") => Ok(Frame::Control(Control::ShuttingDown)),
                _ => Answer::of(body, &message),
            }
        })
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
        Ok(Trade {
            instrument: symbols.find("s", text(&places.symbol)?)?,
            id: TradeId::Number(places.id),
            price: field::parse_price("p", text(&places.price)?)?,
            quantity: field::parse_decimal("q", text(&places.quantity)?)?,
            side: if places.buyer_is_maker { Side::Sell } else { Side::Buy },
            exchange_time_ns: in_units("T", places.time, self.time_unit_ns)?,
            sequence: Some(places.id as i64),
            is_buyer_maker: Some(places.buyer_is_maker),
            buyer_order_id: None,
            seller_order_id: None,
        })
    }
}

#[cfg(test)]
mod address_tests;
#[cfg(test)]
mod reject_tests;
#[cfg(test)]
mod tests;
