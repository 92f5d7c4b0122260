//! A trade as the hot path carries it: borrowed from the frame it came in.

use std::fmt;

use crate::decimal::Decimal;

/// One trade, borrowed from its frame. Text is exactly what the exchange sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade<'frame> {
    /// The exchange's own name of the instrument, as in the frame.
    pub symbol: &'frame str,
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

/// A trade's identity: most exchanges count, some name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeId<'frame> {
    /// A JSON number.
    Number(u64),
    /// A JSON string, such as a UUID.
    Text(&'frame str),
}

impl fmt::Display for TradeId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TradeId::Number(number) => number.fmt(f),
            TradeId::Text(text) => f.write_str(text),
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
