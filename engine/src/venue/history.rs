//! Trades of the past, as an exchange's public REST API tells them: what gaps in the live trades are filled with.
//!
//! A venue that has such an API says so by [`Venue::HISTORY`](super::Venue::HISTORY): where it is, how a page is asked
//! for, and what a page says. Who asks when, and what is done with the answer, is [`crate::repair`]'s.

use std::time::Duration;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::json::{Json, Value};
use super::{Instrument, Reject, TimeUnit};
use crate::decimal::Decimal;
use crate::trade::{Side, Trade, TradeId};

/// An exchange's trades of the past, page by page.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// Where the REST API is reached unless the configuration says otherwise.
    pub url: &'static str,
    /// The least time between two requests, over all symbols.
    pub interval: Duration,
    /// Which end of what is asked for a page begins with.
    pub order: Order,
    /// Writes the request for the first page of what is missing.
    pub query: fn(&Instrument, &Missing, TimeUnit) -> Query,
    /// Reads a page.
    pub read: ReadPage,
}

/// Reads a page. Its trades are in any order, and some may be others than those that were asked for.
pub type ReadPage = for<'body> fn(Value<'_, 'body>, TimeUnit, &'body Bump) -> Result<Page<'body>, Reject>;

/// What a page is.
#[derive(Debug)]
pub enum Page<'body> {
    /// Trades, each with its number.
    Trades(ArenaVec<'body, Trade<'body>>),
    /// An answer that refuses, though its HTTP status does not say so.
    Refused {
        /// The exchange's words.
        words: &'body str,
        /// Whether it may be asked again a while later.
        may_pass: bool,
    },
}

/// Which end of what is asked for a page begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The oldest trades come first: the next page begins behind the highest number of this one.
    OldestFirst,
    /// The newest come first: the next page ends before the lowest number of this one.
    NewestFirst,
}

/// Trades that are missing: all between two numbers, and the times of the trades that are known around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The first number.
    pub first: i64,
    /// The last number.
    pub last: i64,
    /// When the trade before the first took place, nanoseconds since the Unix epoch.
    pub after_ns: i64,
    /// When the trade behind the last took place, nanoseconds since the Unix epoch.
    pub before_ns: i64,
}

impl Missing {
    /// How many there are.
    pub fn count(&self) -> u64 {
        if self.last < self.first { 0 } else { self.last.abs_diff(self.first) + 1 }
    }

    /// Whether the trade of this number is one of them.
    pub fn holds(&self, number: i64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

/// A GET request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Path and query, to be put behind the API's address.
    pub path: String,
    /// A header that it needs: name and value.
    pub header: Option<(&'static str, &'static str)>,
}

/// A trade of the past. Texts are exactly what the exchange sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastTrade {
    /// The number by which the exchange counts the symbol's trades, which is its id.
    pub number: i64,
    /// Price, in the spelling of the exchange.
    pub price: String,
    /// Quantity of the base asset, in the spelling of the exchange.
    pub quantity: String,
    /// The taker's side.
    pub side: Side,
    /// When the trade took place by the exchange's clock, nanoseconds since the Unix epoch.
    pub exchange_time_ns: i64,
    /// Whether the buyer was the maker, where the exchange says so.
    pub is_buyer_maker: Option<bool>,
}

impl PastTrade {
    /// A copy of `trade`, if it has a number.
    fn of(trade: &Trade<'_>) -> Option<Self> {
        Some(PastTrade {
            number: trade.sequence?,
            price: trade.price.text().into(),
            quantity: trade.quantity.text().into(),
            side: trade.side,
            exchange_time_ns: trade.exchange_time_ns,
            is_buyer_maker: trade.is_buyer_maker,
        })
    }

    /// The trade as records are made of it; `None` if a text is no decimal, which no page lets through.
    pub fn trade(&self) -> Option<Trade<'_>> {
        Some(Trade {
            instrument: 0,
            id: TradeId::Number(u64::try_from(self.number).ok()?),
            price: Decimal::parse(&self.price).ok()?,
            quantity: Decimal::parse(&self.quantity).ok()?,
            side: self.side,
            exchange_time_ns: self.exchange_time_ns,
            sequence: Some(self.number),
            is_buyer_maker: self.is_buyer_maker,
            buyer_order_id: None,
            seller_order_id: None,
        })
    }
}

/// Why a page has no trades for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is not what the exchange documents.
    Reject(Reject),
    /// The exchange refuses.
    Refused {
        /// Its words.
        words: String,
        /// Whether it may be asked again a while later.
        may_pass: bool,
    },
}

impl History {
    /// Reads the body of a page, which may change it.
    ///
    /// # Errors
    /// What is wrong with it, or that it is a refusal.
    pub fn read_page(&self, body: &mut [u8], unit: TimeUnit) -> Result<Vec<PastTrade>, Unread> {
        let arena = Bump::new();
        let page = Json::default().parse(body, &arena, |root| (self.read)(root, unit, &arena));
        match page.map_err(Unread::Reject)? {
            Page::Trades(trades) => Ok(trades.iter().filter_map(PastTrade::of).collect()),
            Page::Refused { words, may_pass } => Err(Unread::Refused { words: words.into(), may_pass }),
        }
    }
}

/// What the tests of all histories share.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::venue::Venue;

    /// 14 November 2023, 22:13:20 UTC.
    pub(in crate::venue) const AT: i64 = 1_700_000_000_000_000_000;

    /// The history of a venue that has one.
    pub(in crate::venue) fn history<V: Venue>() -> History {
        V::HISTORY.expect("a history")
    }

    /// The request for the numbers from 1,000 to 1,009, traded within the two seconds from [`AT`].
    pub(in crate::venue) fn query<V: Venue>(symbol: &str, unit: TimeUnit) -> Query {
        let missing = Missing { first: 1_000, last: 1_009, after_ns: AT, before_ns: AT + 2_000_000_000 };
        (history::<V>().query)(&V::instrument(symbol, None).unwrap(), &missing, unit)
    }

    /// The trades of a body, one a line, or what is said against it.
    pub(in crate::venue) fn read<V: Venue>(body: &str, unit: TimeUnit) -> Result<Vec<String>, String> {
        let read = history::<V>().read_page(&mut body.as_bytes().to_vec(), unit);
        let line = |trade: PastTrade| {
            assert!(trade.trade().is_some(), "{trade:?}");
            let PastTrade { number, price, quantity, side, exchange_time_ns, is_buyer_maker } = trade;
            let maker = is_buyer_maker.map_or("", |is| if is { ", maker bought" } else { ", maker sold" });
            format!("{number} {side:?} {quantity} @ {price} at {exchange_time_ns} ns{maker}")
        };
        match read {
            Ok(trades) => Ok(trades.into_iter().map(line).collect()),
            Err(Unread::Reject(reject)) => Err(reject.to_string()),
            Err(Unread::Refused { words, may_pass }) => Err(format!("refused ({may_pass}): {words}")),
        }
    }
}
