//! The protocols that the engine speaks: an exchange has one or two.

use std::fmt;

/// A protocol of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Binance spot.
    BinanceSpot,
    /// Binance USD-M futures.
    BinanceUsdm,
    /// Kraken's WebSocket API v2.
    KrakenV2,
    /// Kraken's WebSocket API v1.
    KrakenV1,
    /// Coinbase Advanced Trade.
    CoinbaseAdvanced,
    /// Coinbase Exchange.
    CoinbaseExchange,
    /// Bybit v5.
    Bybit,
    /// OKX v5.
    Okx,
}

impl Protocol {
    /// All protocols. The first of an exchange is its default.
    pub const ALL: [Protocol; 8] = [
        Protocol::BinanceSpot,
        Protocol::BinanceUsdm,
        Protocol::KrakenV2,
        Protocol::KrakenV1,
        Protocol::CoinbaseAdvanced,
        Protocol::CoinbaseExchange,
        Protocol::Bybit,
        Protocol::Okx,
    ];

    /// The exchange's name in configuration, topics and records.
    pub fn exchange(self) -> &'static str {
        match self {
            Protocol::BinanceSpot => "binance",
            Protocol::BinanceUsdm => "binance-usdm",
            Protocol::KrakenV2 | Protocol::KrakenV1 => "kraken",
            Protocol::CoinbaseAdvanced | Protocol::CoinbaseExchange => "coinbase",
            Protocol::Bybit => "bybit",
            Protocol::Okx => "okx",
        }
    }

    /// The protocol's name among those of its exchange.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::BinanceSpot => "spot",
            Protocol::BinanceUsdm => "usdm",
            Protocol::KrakenV2 => "v2",
            Protocol::KrakenV1 => "v1",
            Protocol::CoinbaseAdvanced => "advanced",
            Protocol::CoinbaseExchange => "exchange",
            Protocol::Bybit | Protocol::Okx => "v5",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.exchange(), self.name())
    }
}
