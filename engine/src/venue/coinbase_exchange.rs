//! Coinbase Exchange, the `matches` channel.
//!
//! Source: docs.cdp.coinbase.com (Exchange) and recorded frames (2021).
//!
//! | what | rule |
//! |-|-|
//! | address | a host that begins with `ws-feed`; subscribed by requests within 5 s, answered by a list of all that stands |
//! | other addresses | `ws-direct…`, which wants a key: not taken |
//! | times | RFC 3339, microseconds |
//! | side | the **maker's**: all 107 recorded matches are opposite to the `ticker` of the same trade. It is turned here |
//! | id | `trade_id`, a number that rises by one for each trade of a product (from memory) |
//! | snapshot | `last_match`, the last trade, comes first on every subscription |
//! | limits | from memory: 8 connects a second, 100 messages a second from us |
//! | heartbeat | one a second and product, where subscribed |
//! | past | by id, see `history` |

mod history;

use std::slice;
use std::time::Duration;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::field::{self, array, decimal, fields, price, sequence_number, text, words};
use super::json::{Json, Value};
use super::time::rfc3339;
use super::{
    Connects, Control, Endpoint, Facts, Frame, History, Instrument, Limits, Reject, SequenceRule, Subscription,
    Symbols, Venue, Verb, coinbase,
};
use crate::instruments::Pair;
use crate::trade::{Side, Trade, TradeId};

/// Decodes the trades of one connection.
pub struct CoinbaseExchange;

impl Venue for CoinbaseExchange {
    const FACTS: Facts = Facts {
        exchange: "coinbase",
        protocol: "exchange",
        url: "wss://ws-feed.exchange.coinbase.com",
        alternatives: &[],
        serves: |url| url.host_str().is_some_and(|host| host.starts_with("ws-feed")),
        opening: None,
        limits: Limits {
            symbols_per_connection: 100,
            symbols_per_request: 100,
            message_interval: Duration::from_millis(200),
            connects: Connects { interval: Duration::from_millis(250), at_once: 4 },
            // Ten heartbeats missed.
            max_silence: Duration::from_secs(10),
            max_age: None,
            ping: None,
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Contiguous;
    const MIN_TRADE_BYTES: usize = 100;
    const HISTORY: Option<History> = Some(history::HISTORY);

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        coinbase::instrument(symbol, pair)
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        Ok(Subscription::by_requests(endpoint.clone(), instruments))
    }

    fn request(_: &Endpoint, verb: Verb, _: u64, names: &[&str]) -> String {
        let kind = verb.pick("subscribe", "unsubscribe");
        serde_json::json!({"type": kind, "product_ids": names, "channels": ["matches", "heartbeat"]}).to_string()
    }

    fn new(_: &Subscription) -> Self {
        CoinbaseExchange
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
            match text("type", message.kind)? {
                "match" | "last_match" => Ok(Frame::Trades(slice::from_ref(arena.alloc(message.live_trade(symbols)?)))),
                kind => message.control(kind, symbols, arena),
            }
        })
    }
}

fields!(Message {
    kind: "type",
    id: "trade_id",
    side: "side",
    quantity: "size",
    price: "price",
    product: "product_id",
    time: "time",
    channels: "channels",
    message: "message",
    reason: "reason",
});

fields!(Channel { name: "name", products: "product_ids" });

impl<'tape, 'frame> Message<'tape, 'frame> {
    #[inline]
    /// A trade, live or of the past; `find` tells which instrument its product is.
    fn trade(
        &self,
        find: impl FnOnce(Option<Value<'tape, 'frame>>) -> Result<usize, Reject>,
    ) -> Result<Trade<'frame>, Reject> {
        let (id, number) = sequence_number("trade_id", self.id)?;
        let maker = field::side("side", self.side, "buy", "sell")?;
        Ok(Trade {
            instrument: find(self.product)?,
            id: TradeId::Number(id),
            price: price("price", self.price)?,
            quantity: decimal("size", self.quantity)?,
            side: maker.opposite(),
            exchange_time_ns: rfc3339("time", self.time)?,
            sequence: Some(number),
            is_buyer_maker: Some(maker == Side::Buy),
            buyer_order_id: None,
            seller_order_id: None,
        })
    }

    #[inline]
    fn live_trade(&self, symbols: &Symbols) -> Result<Trade<'frame>, Reject> {
        self.trade(|product| symbols.find("product_id", text("product_id", product)?))
    }

    #[cold]
    fn control(&self, kind: &str, symbols: &Symbols, arena: &'frame Bump) -> Result<Frame<'frame>, Reject> {
        match kind {
            "subscriptions" => {
                let mut places = Vec::new_in(arena);
                for channel in array("channels", self.channels)? {
                    let Channel { name, products } = Channel::read("channels", channel)?;
                    let products = products.filter(|_| words(name) == "matches").and_then(Value::array);
                    let products = products.into_iter().flatten().filter_map(Value::text);
                    places.extend(products.filter_map(|product| symbols.get(product)));
                }
                Ok(Frame::Control(Control::Standing(places.into_bump_slice())))
            }
            "heartbeat" => Ok(Frame::Control(Control::Heartbeat)),
            "error" => Ok(coinbase::refused(self.message, self.reason, arena)),
            other => Err(Reject::not_as_expected("type", other, "\"match\"")),
        }
    }
}

#[cfg(test)]
mod tests;
