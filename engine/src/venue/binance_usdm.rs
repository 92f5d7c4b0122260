//! Binance USD-M futures.
//!
//! Source: recorded frames (August 2024) and tardis-node's `realtimefeeds/binance.ts` for the addresses since April 2026.
//! Not seen, so to be looked at first should nothing come: whether `@trade` is served on `/public` (tardis) or only
//! `@aggTrade` on `/market` (others). An address under `/market` subscribes `@aggTrade`; both kinds are understood.
//!
//! | what | rule |
//! |-|-|
//! | address | `/public/stream` (wrapped), `/public/ws` (as it is); `/market/…` for aggregates |
//! | times | milliseconds |
//! | side | `m`, the buyer was the maker: the taker sold |
//! | id | `t` (or `a` of an aggregate), a number that rises by one for each trade of a symbol |
//! | other trades | `X` other than `MARKET` (insurance fund, liquidations) is no market trade, but uses up an id |
//! | limits | 1,024 streams a connection; from memory: 10 messages a second from us, 300 connects in five minutes |
//! | ping | from memory: a frame every 3 minutes, to be answered within 10 |
//! | life | 24 hours |
//! | past | `GET /fapi/v1/historicalTrades` is by these ids, but wants an API key: gaps stay gaps |

use std::slice;
use std::time::Duration;

use bumpalo::Bump;

use super::binance::address::{self, Paths};
use super::binance::message::{Answer, Message};
use super::field::{sequence_number, text};
use super::json::Json;
use super::time::NANOS_PER_MILLI;
use super::{
    Connects, Control, Endpoint, Facts, Frame, Instrument, Limits, Reject, SequenceRule, Subscription, Symbols, Venue,
    Verb,
};
use crate::instruments::Pair;

const PATHS: Paths = Paths { bare: &["/public/ws", "/market/ws"], combined: &["/public/stream", "/market/stream"] };

/// Decodes the trades of one connection.
pub struct BinanceUsdm;

impl Venue for BinanceUsdm {
    const FACTS: Facts = Facts {
        exchange: "binance-usdm",
        protocol: "usdm",
        url: "wss://fstream.binance.com/public/stream",
        alternatives: &[],
        serves: |_| true,
        opening: None,
        limits: Limits {
            symbols_per_connection: 1_024,
            symbols_per_request: 200,
            message_interval: Duration::from_millis(200),
            connects: Connects { interval: Duration::from_millis(1_100), at_once: 20 },
            max_silence: Duration::from_secs(400),
            max_age: Some(Duration::from_hours(24)),
            ping: None,
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Contiguous;
    const MIN_TRADE_BYTES: usize = 60;

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        address::instrument(symbol, pair)
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        address::subscription(endpoint, &PATHS, channel(endpoint), instruments)
    }

    fn request(endpoint: &Endpoint, verb: Verb, id: u64, names: &[&str]) -> String {
        address::request(channel(endpoint), verb, id, names)
    }

    fn new(_: &Subscription) -> Self {
        BinanceUsdm
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
            let (body, message) = Message::unwrap(root)?;
            let trade = match message.event() {
                Some("trade") => {
                    if let Some(kind) = message.kind
                        && kind.text() != Some("MARKET")
                    {
                        return other_trade(&message, symbols);
                    }
                    message.trade("t", message.id, symbols, NANOS_PER_MILLI)?
                }
                Some("aggTrade") => message.trade("a", message.seller_order, symbols, NANOS_PER_MILLI)?,
                Some("serverShutdown") => return Ok(Frame::Control(Control::ShuttingDown)),
                _ => return Answer::of(body, &message),
            };
            Ok(Frame::Trades(slice::from_ref(arena.alloc(trade))))
        })
    }
}

/// A trade that is not one of the market.
#[cold]
fn other_trade<'frame>(message: &Message<'_, 'frame>, symbols: &Symbols) -> Result<Frame<'frame>, Reject> {
    let instrument = symbols.find("s", text("s", message.symbol)?)?;
    let (_, number) = sequence_number("t", message.id)?;
    Ok(Frame::NoTrade { instrument, number: Some(number) })
}

/// The part of a stream's name behind the symbol.
fn channel(endpoint: &Endpoint) -> &'static str {
    if endpoint.url.path().starts_with("/market/") { "aggTrade" } else { "trade" }
}

#[cfg(test)]
mod tests;
