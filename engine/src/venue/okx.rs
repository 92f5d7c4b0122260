//! OKX v5, trades.
//!
//! Source: okx.com/docs-v5 and recorded frames (2022).
//!
//! | what | rule |
//! |-|-|
//! | address | `/ws/v5/public` (`trades`, several fills of one order as one) or `/ws/v5/business` (`trades-all`, each fill); subscribed by requests, each instrument acknowledged by itself |
//! | other addresses | none: `wsaws.okx.com` was shut down in March 2025 (okx.com/docs-v5/log_en) |
//! | times | milliseconds, as text |
//! | side | the taker's |
//! | id | `tradeId`, a number as text that rises; where fills are put together some are left out, so gaps are not seen |
//! | quantity | in contracts on derivatives |
//! | limits | 3 connects a second; 480 requests an hour and connection; a request of at most 64 KiB |
//! | ping | the text `ping` when nothing came for less than 30 s, answered by `pong` |

use std::time::Duration;

use bumpalo::Bump;

use super::field::{self, decimal, fields, object, price, sequence_text, text, words};
use super::json::{Json, Value};
use super::time::milliseconds_text;
use super::{
    About, Connects, Control, Endpoint, Facts, Frame, Instrument, Limits, Ping, Reject, SequenceRule, Subscription,
    Symbols, Venue, Verb,
};
use crate::instruments::{self, Pair};
use crate::trade::{Trade, TradeId};

const PATH: &str = "/ws/v5/public";
/// "The connection will soon be closed for a service upgrade. Please reconnect." (from memory)
const SERVICE_UPGRADE: &str = "64008";

/// Decodes the trades of one connection.
pub struct Okx;

impl Venue for Okx {
    const FACTS: Facts = Facts {
        exchange: "okx",
        protocol: "v5",
        url: "wss://ws.okx.com:8443/ws/v5/public",
        alternatives: &[],
        serves: |_| true,
        opening: None,
        limits: Limits {
            symbols_per_connection: 250,
            symbols_per_request: 50,
            message_interval: Duration::from_millis(250),
            connects: Connects { interval: Duration::from_millis(350), at_once: 1 },
            // Two pings unanswered.
            max_silence: Duration::from_secs(45),
            max_age: None,
            ping: Some(Ping { interval: Duration::from_secs(20), text: "ping" }),
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Increasing;
    const MIN_TRADE_BYTES: usize = 60;

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        // Derivatives have more behind base and quote: `BTC-USDT-SWAP`, `BTC-USD-220527`.
        let end = symbol.match_indices('-').nth(1).map_or(symbol.len(), |(at, _)| at);
        let named = instruments::split_at(&symbol[..end], '-', "OKX")?;
        Ok(Instrument::new(symbol, pair.unwrap_or(named).to_string()))
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        Ok(Subscription::by_requests(endpoint.or_path(PATH), instruments))
    }

    fn request(endpoint: &Endpoint, verb: Verb, _: u64, names: &[&str]) -> String {
        let channel = if endpoint.url.path().ends_with("/business") { "trades-all" } else { "trades" };
        let args: Vec<_> = names.iter().map(|name| serde_json::json!({"channel": channel, "instId": name})).collect();
        serde_json::json!({"op": verb.pick("subscribe", "unsubscribe"), "args": args}).to_string()
    }

    fn new(_: &Subscription) -> Self {
        Okx
    }

    #[inline]
    fn decode<'frame>(
        &self,
        frame: &'frame mut [u8],
        symbols: &Symbols,
        json: &mut Json,
        arena: &'frame Bump,
    ) -> Result<Frame<'frame>, Reject> {
        if frame == b"pong" {
            return Ok(Frame::Control(Control::Heartbeat));
        }
        json.parse(frame, arena, |root| {
            let message = Message::read("frame", root)?;
            let Some(data) = message.data else { return message.event(symbols, arena) };
            match message.channel()? {
                "trades" | "trades-all" => {}
                other => return Err(Reject::not_as_expected("channel", other, "\"trades\"")),
            }
            field::trades("data", Some(data), arena, |element| trade(element, symbols))
        })
    }
}

fields!(Message { argument: "arg", data: "data", event: "event", code: "code", words: "msg" });

impl<'tape, 'frame> Message<'tape, 'frame> {
    /// A text field of `arg`.
    #[inline]
    fn of_argument(&self, field: &'static str) -> Result<Option<&'frame str>, Reject> {
        let argument = self.argument.ok_or_else(|| Reject::missing("arg"))?;
        let found = object("arg", argument)?.find(|(key, _)| *key == field);
        found.map(|(_, value)| text(field, Some(value))).transpose()
    }

    #[inline]
    fn channel(&self) -> Result<&'frame str, Reject> {
        self.of_argument("channel")?.ok_or_else(|| Reject::missing("channel"))
    }

    #[cold]
    fn event(&self, symbols: &Symbols, arena: &'frame Bump) -> Result<Frame<'frame>, Reject> {
        let event = self.event.ok_or_else(|| Reject::missing("data"))?;
        let (code, words) = (words(self.code), words(self.words));
        let name = self.argument.and_then(|_| self.of_argument("instId").ok()?);
        let about = About::named(name, symbols, arena);
        Ok(Frame::Control(match text("event", Some(event))? {
            "subscribe" => Control::Acknowledged(about),
            "unsubscribe" => Control::Unsubscribed(about),
            "error" => Control::Refused { about, code, words },
            "notice" if code == SERVICE_UPGRADE => Control::ShuttingDown,
            "notice" | "channel-conn-count" => Control::Heartbeat,
            other => return Err(Reject::not_as_expected("event", other, "one that OKX documents")),
        }))
    }
}

fields!(Element { instrument: "instId", id: "tradeId", at: "px", quantity: "sz", side: "side", time: "ts" });

#[inline]
fn trade<'frame>(element: Value<'_, 'frame>, symbols: &Symbols) -> Result<Trade<'frame>, Reject> {
    let Element { instrument, id, at, quantity, side, time } = Element::read("data", element)?;
    let (id, number) = sequence_text("tradeId", id)?;
    Ok(Trade {
        instrument: symbols.find("instId", text("instId", instrument)?)?,
        id: TradeId::Text(id),
        price: price("px", at)?,
        quantity: decimal("sz", quantity)?,
        side: field::side("side", side, "buy", "sell")?,
        exchange_time_ns: milliseconds_text("ts", time)?,
        sequence: Some(number),
        is_buyer_maker: None,
        buyer_order_id: None,
        seller_order_id: None,
    })
}

#[cfg(test)]
mod tests;
