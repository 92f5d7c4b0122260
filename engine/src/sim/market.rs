//! Which trade comes next: contiguous ids, a seeded walk of prices, quantities of every size.
//!
//! Prices and quantities are integers in units of 1e-8, since no exchange here writes more than eight decimals.

use fastrand::Rng;

use super::number::{ONE, decimals};
use crate::fnv1a::Fnv1a;

/// Ten digits, as Binance's BTCUSDT had in 2024, with room for years of trades before the width changes.
const FIRST_ID: u64 = 3_000_000_000;
/// How far apart symbols' first ids are, so that a mixed-up symbol cannot pass for a contiguous one.
const ID_SPACING: u64 = 1_000_000;

/// One trade of one symbol, without its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trade {
    /// The exchange's trade id.
    pub(crate) id: u64,
    /// In units of 1e-8.
    pub(crate) price: u64,
    /// In units of 1e-8.
    pub(crate) quantity: u64,
    /// Whether the buyer's order rested on the book, i.e. the taker sold.
    pub(crate) buyer_is_maker: bool,
}

/// Prices at which some pairs start, in units of 1e-8, so that a reader recognizes them; the same in dollars of either
/// kind. Others get one from their name.
const START_PRICES: [(&str, u64); 10] = [
    ("BTCUSDT", 6_183_763_000_000),
    ("ETHUSDT", 268_417_000_000),
    ("BNBUSDT", 51_860_000_000),
    ("SOLUSDT", 15_412_000_000),
    ("XRPUSDT", 61_230_000),
    ("DOGEUSDT", 10_412_000),
    ("SHIBUSDT", 1_399),
    ("PEPEUSDT", 784),
    ("BTTCUSDT", 123),
    ("BTCIDR", 98_712_345_600_000_000),
];

/// One symbol's market.
#[derive(Debug)]
pub(crate) struct SymbolMarket {
    next_id: u64,
    rng: Rng,
    /// Best bid, in units of 1e-8; the best ask is one tick above.
    bid: u64,
    tick: u64,
    lowest: u64,
    highest: u64,
    /// The smallest quantity and the step between quantities, in units of 1e-8.
    lot: u64,
    buyer_is_maker: bool,
}

impl SymbolMarket {
    /// The market of `symbol`: the same for the same seed, whatever other symbols exist.
    pub(crate) fn new(symbol: &str, seed: u64, first_id: Option<u64>) -> Self {
        let name = name_number(symbol);
        let mut rng = Rng::with_seed(seed ^ name);
        let start = known_price(symbol).unwrap_or_else(|| made_up_price(name));
        let digits = start.ilog10();
        let tick = 10u64.pow(digits.saturating_sub(6));
        let buyer_is_maker = rng.bool();
        Self {
            next_id: first_id.unwrap_or(FIRST_ID + name % 6_000 * ID_SPACING),
            rng,
            bid: start,
            tick,
            lowest: (start / 2).max(tick),
            highest: start.saturating_mul(2),
            lot: lot(start),
            buyer_is_maker,
        }
    }

    /// Makes the next trade.
    #[inline]
    pub(crate) fn next(&mut self) -> Trade {
        let dice = self.rng.u64(..);
        // Takers come in runs on one side.
        if dice & 0b111 < 3 {
            self.buyer_is_maker = !self.buyer_is_maker;
        }
        // One trade in four takes the last of its level, so that the price moves on.
        if dice >> 3 & 0b11 == 0 {
            let ticks = (dice >> 5 & 0b111) + 1;
            self.move_bid(ticks * self.tick);
        }
        let price = if self.buyer_is_maker { self.bid } else { self.bid + self.tick };
        let trade =
            Trade { id: self.next_id, price, quantity: self.quantity(dice >> 8), buyer_is_maker: self.buyer_is_maker };
        self.next_id += 1;
        trade
    }

    /// How many decimals prices and quantities need.
    pub(crate) fn decimals(&self) -> (u8, u8) {
        (decimals(self.tick), decimals(self.lot))
    }

    fn move_bid(&mut self, by: u64) {
        let moved = if self.buyer_is_maker { self.bid.saturating_sub(by) } else { self.bid.saturating_add(by) };
        self.bid = moved.clamp(self.lowest, self.highest);
    }

    /// Small quantities are common, large ones rare: up to a thousand lots, times 1, 10, 100 or 1000.
    fn quantity(&self, dice: u64) -> u64 {
        const SCALES: [u64; 16] = [1, 1, 1, 1, 1, 1, 10, 10, 10, 10, 10, 100, 100, 100, 1_000, 1_000];
        let lots = 1 + (dice & 0xffff) % 1_000;
        lots * SCALES[(dice >> 16 & 0xf) as usize] * self.lot
    }
}

/// The start price of a pair in whatever way it is written: `BTCUSDT`, `BTC-USD`, `XBT/USD`.
fn known_price(symbol: &str) -> Option<u64> {
    let mut pair: String = symbol.chars().filter(|c| c.is_alphanumeric()).collect();
    if pair.ends_with("USD") {
        pair.push('T');
    }
    let pair = pair.replacen("XBT", "BTC", 1);
    START_PRICES.iter().find(|(known, _)| *known == pair).map(|(_, price)| *price)
}

/// A lot is worth about one unit of the quote currency, as on Binance, and at most 10,000 coins.
fn lot(price: u64) -> u64 {
    let lot = u128::from(ONE) * u128::from(ONE) / u128::from(price.max(1));
    let lot = u64::try_from(lot).unwrap_or(u64::MAX).clamp(1, 10_000 * ONE);
    10u64.pow(lot.ilog10())
}

/// Between 0.00000100 and 100000, evenly over the magnitudes.
fn made_up_price(name: u64) -> u64 {
    let magnitude = 10u64.pow(2 + (name % 11) as u32);
    magnitude + name / 11 % (9 * magnitude)
}

/// FNV-1a: the same number for the same name on every machine and in every version.
pub(crate) fn name_number(name: &str) -> u64 {
    let mut digest = Fnv1a::default();
    digest.bytes(name.bytes());
    digest.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_every_trade_and_another_seed_others() {
        let take = |seed| {
            let mut market = SymbolMarket::new("BTCUSDT", seed, None);
            (0..1_000).map(|_| market.next()).collect::<Vec<_>>()
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn ids_are_contiguous_and_prices_stay_positive_and_vary() {
        for symbol in ["BTCUSDT", "BTTCUSDT", "BTCIDR", "ABCUSDT", "1000SATSUSDT"] {
            let mut market = SymbolMarket::new(symbol, 3, Some(9_999_999_990));
            let trades: Vec<Trade> = (0..100_000).map(|_| market.next()).collect();
            assert!(trades.windows(2).all(|pair| pair[1].id == pair[0].id + 1), "{symbol}");
            assert!(trades.iter().all(|trade| trade.price > 0 && trade.quantity > 0), "{symbol}");
            let prices: std::collections::HashSet<u64> = trades.iter().map(|trade| trade.price).collect();
            assert!(prices.len() > 50, "{symbol}: {} prices", prices.len());
            let makers = trades.iter().filter(|trade| trade.buyer_is_maker).count();
            assert!((30_000..70_000).contains(&makers), "{symbol}: {makers} of 100000 have m = true");
        }
    }
}
