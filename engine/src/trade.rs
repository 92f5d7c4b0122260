//! A trade as the hot path carries it: borrowed from the frame it came in.

use std::fmt;

use crate::decimal::Decimal;

/// One trade, borrowed from its frame. Text is exactly what the exchange sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade<'frame> {
    /// The instrument: its place among those of the connection.
    pub instrument: usize,
    /// The exchange's identity of the trade.
    pub id: TradeId<'frame>,
    /// Price, in the spelling of the exchange.
    pub price: Decimal<'frame>,
    /// Quantity of the base asset, in the spelling of the exchange.
    pub quantity: Decimal<'frame>,
    /// The taker's side.
    pub side: Side,
    /// When the trade took place by the exchange's clock, nanoseconds since the Unix epoch.
    pub exchange_time_ns: i64,
    /// The number by which the exchange counts this symbol's trades, where it has one.
    pub sequence: Option<i64>,
    /// Whether the buyer was the maker, where the exchange says so.
    pub is_buyer_maker: Option<bool>,
    /// The buyer's order, where the exchange names it.
    pub buyer_order_id: Option<i64>,
    /// The seller's order, where the exchange names it.
    pub seller_order_id: Option<i64>,
}

/// A trade's identity: most exchanges count, some name, one does neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeId<'frame> {
    /// A number.
    Number(u64),
    /// A text, such as a UUID.
    Text(&'frame str),
    /// Made of what the trade is, where the exchange gives no id.
    Content(Content),
}

/// A trade told apart by its content: `<microseconds since the epoch>-<digest>`, and `-<n>` behind it for the n-th that
/// is the same in all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// When the trade took place, microseconds since the Unix epoch.
    pub at_us: i64,
    /// Of everything else that the exchange says of it.
    pub digest: u64,
    /// How many trades with the same time and digest came before it.
    pub before: u32,
}

impl Content {
    /// Time and digest together.
    pub fn key(&self) -> u64 {
        self.digest ^ self.at_us as u64
    }
}

/// Longest text of an id that does not stand in the frame, in bytes: two numbers of 20 and 16 digits, a count of 10.
pub const MAX_MADE_ID: usize = 48;

impl fmt::Display for TradeId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TradeId::Number(number) => number.fmt(f),
            TradeId::Text(text) => f.write_str(text),
            TradeId::Content(Content { at_us, digest, before: 0 }) => write!(f, "{at_us}-{digest:016x}"),
            TradeId::Content(Content { at_us, digest, before }) => write!(f, "{at_us}-{digest:016x}-{before}"),
        }
    }
}

/// The side of the taker, in the order of the Avro enum `TradeSide`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The taker bought.
    Buy = 0,
    /// The taker sold.
    Sell = 1,
}

impl Side {
    /// The maker's, where this is the taker's.
    pub fn opposite(self) -> Self {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}
