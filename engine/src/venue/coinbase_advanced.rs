//! Coinbase Advanced Trade, the `market_trades` channel.
//!
//! Source: docs.cdp.coinbase.com (Advanced Trade) and nautilus_trader's test data. No recording could be had: the frames
//! in the tests are made up from there.
//!
//! | what | rule |
//! |-|-|
//! | address | subscribed by requests within 5 s, answered by a list of all that stands |
//! | times | RFC 3339, microseconds |
//! | side | taken as the taker's, which is disputed: see `SIDE_IS_THE_TAKERS` |
//! | id | `trade_id`, a number as text that rises by one for each trade of a product (from memory) |
//! | snapshot | the last trades, newest first, come on every subscription: those that were published are dropped |
//! | names | trades of `BTC-USDC` come as `BTC-USD`: both are one book |
//! | limits | 8 connects a second; 8 messages a second from us |
//! | heartbeat | one a second, where subscribed; without it a quiet connection is closed after 60 to 90 s |
//! | past | by time, see `history` |

mod history;

use std::time::Duration;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::field::{self, array, decimal, fields, object, price, sequence_text, text};
use super::json::{Json, Value};
use super::time::rfc3339;
use super::{
    Connects, Control, Endpoint, Facts, Frame, History, Instrument, Limits, Reject, SequenceRule, Subscription,
    Symbols, Venue, Verb, coinbase,
};
use crate::instruments::Pair;
use crate::trade::{Side, Trade, TradeId};

/// Whether `side` is the taker's. The documents do not say; nautilus_trader, cryptofeed, GoCryptoTrader and the handler
/// before this one take it so, cryptofeed-rs takes it for the maker's, as Coinbase Exchange sends it. To settle it: join
/// trades by `trade_id` with Exchange's `matches`, whose side is the maker's.
const SIDE_IS_THE_TAKERS: bool = true;

/// Decodes the trades of one connection.
pub struct CoinbaseAdvanced;

impl Venue for CoinbaseAdvanced {
    const FACTS: Facts = Facts {
        exchange: "coinbase",
        protocol: "advanced",
        url: "wss://advanced-trade-ws.coinbase.com",
        alternatives: &[],
        serves: |url| !url.host_str().is_some_and(|host| host.starts_with("ws-feed")),
        opening: Some(r#"{"type":"subscribe","channel":"heartbeats"}"#),
        limits: Limits {
            symbols_per_connection: 100,
            symbols_per_request: 50,
            message_interval: Duration::from_millis(150),
            // Eight messages a second are for all connections together, and each sends three at once.
            connects: Connects { interval: Duration::from_millis(500), at_once: 1 },
            // Ten heartbeats missed.
            max_silence: Duration::from_secs(10),
            max_age: None,
            ping: None,
        },
    };
    const SEQUENCE: SequenceRule = SequenceRule::Contiguous;
    const MIN_TRADE_BYTES: usize = 90;
    const HISTORY: Option<History> = Some(history::HISTORY);

    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        let instrument = coinbase::instrument(symbol, pair)?;
        Ok(Instrument { framed: book(symbol).into_owned(), ..instrument })
    }

    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String> {
        Ok(Subscription::by_requests(endpoint.clone(), instruments))
    }

    fn request(_: &Endpoint, verb: Verb, _: u64, names: &[&str]) -> String {
        let kind = verb.pick("subscribe", "unsubscribe");
        serde_json::json!({"type": kind, "channel": "market_trades", "product_ids": names}).to_string()
    }

    fn new(_: &Subscription) -> Self {
        CoinbaseAdvanced
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
                Some("market_trades") => message.trades(symbols, arena),
                Some("heartbeats") => Ok(Frame::Control(Control::Heartbeat)),
                Some("subscriptions") => message.acknowledged(symbols, arena),
                _ => message.refused(arena),
            }
        })
    }
}

/// The name under which a product's trades come.
fn book(product: &str) -> std::borrow::Cow<'_, str> {
    match product.strip_suffix("-USDC") {
        Some(base) => format!("{base}-USD").into(),
        None => product.into(),
    }
}

fields!(Message { channel: "channel", events: "events", kind: "type", message: "message", reason: "reason" });

impl<'tape, 'frame> Message<'tape, 'frame> {
    #[inline]
    fn trades(&self, symbols: &Symbols, arena: &'frame Bump) -> Result<Frame<'frame>, Reject> {
        let mut trades = Vec::new_in(arena);
        for event in array("events", self.events)? {
            let list = object("events", event)?.find(|(key, _)| *key == "trades").map(|(_, list)| list);
            let list = array("trades", list)?;
            trades.reserve(list.len());
            for element in list {
                trades.push(trade(element, |product| symbols.find("product_id", text("product_id", product)?))?);
            }
        }
        // Snapshots are newest first. Of each product they must come in the order in which they took place.
        if !trades.is_sorted_by_key(|trade: &Trade<'_>| trade.sequence) {
            trades.sort_unstable_by_key(|trade| (trade.instrument, trade.sequence));
        }
        Ok(Frame::Trades(trades.into_bump_slice()))
    }

    /// The products that are subscribed by now.
    #[cold]
    fn acknowledged(&self, symbols: &Symbols, arena: &'frame Bump) -> Result<Frame<'frame>, Reject> {
        let mut places = Vec::new_in(arena);
        for event in array("events", self.events)? {
            let channels = object("events", event)?.find(|(key, _)| *key == "subscriptions").map(|(_, value)| value);
            let channels = channels.ok_or_else(|| Reject::missing("subscriptions"))?;
            for (_, products) in object("subscriptions", channels)?.filter(|(channel, _)| *channel == "market_trades") {
                let products = array("market_trades", Some(products))?.filter_map(Value::text);
                places.extend(products.filter_map(|product| symbols.get(&book(product))));
            }
        }
        Ok(Frame::Control(Control::Standing(places.into_bump_slice())))
    }

    #[cold]
    fn refused(&self, arena: &'frame Bump) -> Result<Frame<'frame>, Reject> {
        if self.kind.and_then(Value::text) != Some("error") {
            return Err(match self.channel {
                Some(channel) => Reject::mistyped("channel", channel, "\"market_trades\""),
                None => Reject::missing("channel"),
            });
        }
        Ok(coinbase::refused(self.message, self.reason, arena))
    }
}

fields!(Element { id: "trade_id", product: "product_id", at: "price", size: "size", side: "side", time: "time" });

/// A trade, live or of the past; `find` tells which instrument its product is.
#[inline]
fn trade<'frame>(
    element: Value<'_, 'frame>,
    find: impl FnOnce(Option<Value<'_, 'frame>>) -> Result<usize, Reject>,
) -> Result<Trade<'frame>, Reject> {
    let Element { id, product, at, size, side: named, time } = Element::read("trades", element)?;
    let (id, number) = sequence_text("trade_id", id)?;
    Ok(Trade {
        instrument: find(product)?,
        id: TradeId::Text(id),
        price: price("price", at)?,
        quantity: decimal("size", size)?,
        side: side(named)?,
        exchange_time_ns: rfc3339("time", time)?,
        sequence: Some(number),
        is_buyer_maker: None,
        buyer_order_id: None,
        seller_order_id: None,
    })
}

/// The taker's side.
#[inline]
fn side(value: Option<Value<'_, '_>>) -> Result<Side, Reject> {
    let named = field::side("side", value, "BUY", "SELL")?;
    Ok(if SIDE_IS_THE_TAKERS { named } else { named.opposite() })
}

#[cfg(test)]
mod tests;
