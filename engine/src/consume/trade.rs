//! A trade as a record says it.

use serde::{Deserialize, Serialize};

/// The taker's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

impl Side {
    /// As records have it.
    pub fn name(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }
}

/// A trade, in the words of the normalized schema. What an older or a raw record does not say is empty.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Trade<'a> {
    /// The exchange's name.
    #[serde(borrow)]
    pub exchange: &'a str,
    /// The exchange's symbol.
    pub symbol: &'a str,
    /// `BTC/USDT` on every exchange.
    pub canonical_symbol: &'a str,
    /// The exchange's id.
    pub trade_id: &'a str,
    /// As the exchange spells it.
    pub price: &'a str,
    /// As the exchange spells it.
    pub quantity: &'a str,
    /// Price times quantity.
    pub quote_volume: &'a str,
    /// The taker's side.
    pub side: Side,
    /// When it was normalized, in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// When it took place by the exchange's clock, in milliseconds since the Unix epoch.
    pub exchange_timestamp: i64,
    /// The same in nanoseconds, where the record has it.
    #[serde(default)]
    pub exchange_timestamp_ns: Option<i64>,
    /// When its frame was received, in nanoseconds since the Unix epoch.
    #[serde(default)]
    pub received_timestamp_ns: Option<i64>,
    /// The connection that it came by.
    #[serde(default)]
    pub connection: Option<&'a str>,
}

impl Trade<'_> {
    /// When it took place, in nanoseconds since the Unix epoch, as finely as the record says.
    pub fn time_ns(&self) -> i64 {
        self.exchange_timestamp_ns.unwrap_or(self.exchange_timestamp.saturating_mul(1_000_000))
    }
}
