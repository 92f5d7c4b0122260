//! The two records of each trade, found in one stream of both sides.
//!
//! What has come is kept until so much time has passed in the stream that the other's record would be too late: then it is
//! forgotten, matched or not. So memory is that of a few minutes' trades, however long the window; and there is a limit to
//! their number, beyond which the oldest are settled early, and counted.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::side::Side;
use super::{JoinBy, Window};
use crate::consume::trade::{Side as Taker, Trade};

/// Most trades that are kept, some 250 bytes each while one side has not come.
pub(super) const MOST_KEPT: usize = 1_000_000;
/// Equal trades of the same millisecond that are told apart.
const MOST_TWINS: u32 = 10_000;

/// What is joined, and how long it is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) window: Window,
    pub(super) late_ms: i64,
    pub(super) by: JoinBy,
}

/// What is compared of a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) exchange: String,
    pub(super) symbol: String,
    pub(super) canonical_symbol: String,
    pub(super) trade_id: String,
    pub(super) price: String,
    pub(super) quantity: String,
    pub(super) quote_volume: String,
    pub(super) side: Taker,
    pub(super) exchange_ms: i64,
    /// When its record was made, in milliseconds since the Unix epoch.
    pub(super) record_ms: i64,
}

impl Facts {
    fn of(trade: &Trade<'_>, record_ms: i64) -> Self {
        Facts {
            exchange: trade.exchange.into(),
            symbol: trade.symbol.into(),
            canonical_symbol: trade.canonical_symbol.into(),
            trade_id: trade.trade_id.into(),
            price: trade.price.into(),
            quantity: trade.quantity.into(),
            quote_volume: trade.quote_volume.into(),
            side: trade.side,
            exchange_ms: trade.exchange_timestamp,
            record_ms,
        }
    }
}

/// What became of a trade of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Both have it: the old record, and the new.
    Both(Box<(Facts, Facts)>),
    /// Only this side has it.
    Only(Side, Box<Facts>),
    /// This side has it once more.
    Again(Side),
}

/// A hash of what makes records one trade, and which of several that are alike. Of 128 bits, so that among a million kept
/// at a time no two are ever taken for one.
type Key = (u64, u64, u32);

/// The record that waits for the other's; none once that has come.
type Waiting = Option<(Side, Box<Facts>)>;

/// Joins.
pub(super) struct Joiner {
    limits: Limits,
    kept: HashMap<Key, Waiting, foldhash::fast::RandomState>,
    /// In the order in which they came: when, by record time.
    order: VecDeque<(i64, Key)>,
    hashers: [FixedState; 2],
    settled_early: u64,
}

impl Joiner {
    pub(super) fn new(limits: Limits) -> Self {
        let hashers = [FixedState::with_seed(1), FixedState::with_seed(2)];
        Joiner { limits, kept: HashMap::default(), order: VecDeque::new(), hashers, settled_early: 0 }
    }

    /// How many were settled before their time, since there were too many.
    pub(super) fn settled_early(&self) -> u64 {
        self.settled_early
    }

    /// How many are kept.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Takes a record in that was made at `record_ms`.
    pub(super) fn take(&mut self, side: Side, record_ms: i64, trade: &Trade<'_>, found: &mut Vec<Found>) {
        if !self.limits.window.contains(trade.exchange_timestamp) {
            return;
        }
        let facts = Box::new(Facts::of(trade, record_ms));
        let key = match self.is_by_content(trade.exchange) {
            false => self.key(&[trade.trade_id], trade, 0, 0),
            true => match self.twin(side, trade) {
                Some(key) => key,
                None => return found.push(Found::Only(side, facts)),
            },
        };
        match self.kept.get_mut(&key) {
            None => {
                self.kept.insert(key, Some((side, facts)));
                self.order.push_back((record_ms, key));
            }
            Some(waiting) => match waiting.take_if(|(waits, _)| *waits != side) {
                Some((Side::Old, old)) => found.push(Found::Both(Box::new((*old, *facts)))),
                Some((Side::New, new)) => found.push(Found::Both(Box::new((*facts, *new)))),
                None => found.push(Found::Again(side)),
            },
        }
        while self.kept.len() > MOST_KEPT {
            self.settled_early += 1;
            self.settle_oldest(found);
        }
    }

    /// Settles what the other's record would be too late for by now.
    pub(super) fn pass(&mut self, now_ms: i64, found: &mut Vec<Found>) {
        while self.order.front().is_some_and(|(came_ms, _)| came_ms.saturating_add(self.limits.late_ms) < now_ms) {
            self.settle_oldest(found);
        }
    }

    /// Settles all: nothing comes any more.
    pub(super) fn finish(&mut self, found: &mut Vec<Found>) {
        while !self.order.is_empty() {
            self.settle_oldest(found);
        }
    }

    fn settle_oldest(&mut self, found: &mut Vec<Found>) {
        let Some((_, key)) = self.order.pop_front() else { return };
        if let Some((side, facts)) = self.kept.remove(&key).flatten() {
            found.push(Found::Only(side, facts));
        }
    }

    fn is_by_content(&self, exchange: &str) -> bool {
        match self.limits.by {
            JoinBy::Auto => exchange == "kraken",
            JoinBy::Id => false,
            JoinBy::Content => true,
        }
    }

    /// The key of a record among those alike: of the first that still waits for this side, at the same millisecond or,
    /// since handlers round as they like, the one beside it; or else a new one. None if there are absurdly many.
    fn twin(&self, side: Side, trade: &Trade<'_>) -> Option<Key> {
        let content = [&*number(trade.price), &number(trade.quantity), trade.side.name()];
        let key = |at_ms: i64, twin: u32| self.key(&content, trade, at_ms, twin);
        let waits = |key: &Key| Some(self.kept.get(key)?.as_ref().is_some_and(|(waits, _)| *waits != side));
        let at_ms = trade.exchange_timestamp;
        for at_ms in [at_ms, at_ms - 1, at_ms + 1] {
            let mut there = (0..MOST_TWINS).map(|twin| key(at_ms, twin)).map_while(|key| Some((key, waits(&key)?)));
            if let Some((found, _)) = there.find(|(_, waits)| *waits) {
                return Some(found);
            }
        }
        (0..MOST_TWINS).map(|twin| key(at_ms, twin)).find(|key| !self.kept.contains_key(key))
    }

    fn key(&self, parts: &[&str], trade: &Trade<'_>, at_ms: i64, twin: u32) -> Key {
        let [first, second] = self
            .hashers
            .each_ref()
            .map(|hasher| hasher.hash_one((trade.exchange, asset_names(trade.canonical_symbol), parts, at_ms)));
        (first, second, twin)
    }
}

/// Base and quote, by the names that are usual: some handlers keep Kraken's own.
fn asset_names(canonical: &str) -> (&str, &str) {
    let usual = |asset| match asset {
        "XBT" => "BTC",
        "XDG" => "DOGE",
        asset => asset,
    };
    let (base, quote) = canonical.split_once('/').unwrap_or((canonical, ""));
    (usual(base), usual(quote))
}

/// A number as one text, however it was written; what is none stays as it is.
fn number(text: &str) -> String {
    match text.parse::<bigdecimal::BigDecimal>() {
        Ok(number) => number.normalized().to_plain_string(),
        Err(_) => text.into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Window = Window { from_ms: 1_000, until_ms: 1_000_000 };

    pub(in crate::compare) fn facts(id: &str) -> Facts {
        Facts::of(&trade("binance", id, "1.5", 2_000), 2_100)
    }

    fn trade<'a>(exchange: &'a str, id: &'a str, price: &'a str, at_ms: i64) -> Trade<'a> {
        Trade {
            exchange,
            symbol: "BTCUSDT",
            canonical_symbol: "BTC/USDT",
            trade_id: id,
            price,
            quantity: "2",
            quote_volume: "3.0",
            side: Taker::Buy,
            timestamp: at_ms,
            exchange_timestamp: at_ms,
            exchange_timestamp_ns: None,
            received_timestamp_ns: None,
            connection: None,
        }
    }

    fn joiner(by: JoinBy) -> Joiner {
        Joiner::new(Limits { window: WINDOW, late_ms: 60_000, by })
    }

    /// How many both have, each has alone, and each has again.
    fn counts(found: &[Found]) -> [usize; 5] {
        let count = |is: &dyn Fn(&Found) -> bool| found.iter().filter(|one| is(one)).count();
        [
            count(&|one| matches!(one, Found::Both(_))),
            count(&|one| matches!(one, Found::Only(Side::Old, _))),
            count(&|one| matches!(one, Found::Only(Side::New, _))),
            count(&|one| matches!(one, Found::Again(Side::Old))),
            count(&|one| matches!(one, Found::Again(Side::New))),
        ]
    }

    #[test]
    fn what_comes_too_late_is_missing_and_nothing_is_kept_for_it() {
        let (mut joiner, mut found) = (joiner(JoinBy::Id), Vec::new());
        joiner.take(Side::Old, 2_000, &trade("binance", "1", "1", 2_000), &mut found);
        joiner.pass(62_000, &mut found);
        joiner.take(Side::New, 62_000, &trade("binance", "1", "1", 2_000), &mut found);
        assert_eq!(counts(&found), [1, 0, 0, 0, 0]);
        joiner.take(Side::Old, 62_001, &trade("binance", "2", "1", 2_000), &mut found);
        joiner.pass(122_002, &mut found);
        assert_eq!((counts(&found), joiner.kept()), ([1, 1, 0, 0, 0], 0));
    }

    #[test]
    fn what_is_alike_is_told_apart_by_how_often_it_comes() {
        let (mut joiner, mut found) = (joiner(JoinBy::Auto), Vec::new());
        let mut take =
            |side, id, price, at_ms| joiner.take(side, 2_000, &trade("kraken", id, price, at_ms), &mut found);
        // Ids of the two have nothing to do with each other, prices are written otherwise, times rounded otherwise.
        for id in ["a", "b", "c"] {
            take(Side::Old, id, "1.50", 2_000);
        }
        take(Side::New, "7", "1.5", 2_000);
        take(Side::New, "8", "1.5", 1_999);
        take(Side::New, "9", "1.6", 2_000);
        joiner.finish(&mut found);
        assert_eq!(counts(&found), [2, 1, 1, 0, 0]);
    }

    #[test]
    fn names_of_assets_make_no_difference() {
        assert_eq!(asset_names("XBT/USD"), asset_names("BTC/USD"));
        assert_ne!(asset_names("BTC/USD"), asset_names("BTC/USDT"));
    }

    proptest! {
        /// Against counts made of all at once.
        #[test]
        fn both_and_either_are_what_sets_say(
            records in prop::collection::vec((any::<bool>(), 0..40_u32), 0..200),
        ) {
            let (mut joiner, mut found) = (joiner(JoinBy::Id), Vec::new());
            let mut times = HashMap::new();
            for (at, (is_old, id)) in records.iter().enumerate() {
                let side = if *is_old { Side::Old } else { Side::New };
                joiner.pass(2_000 + at as i64, &mut found);
                joiner.take(side, 2_000 + at as i64, &trade("okx", &id.to_string(), "1", 2_000), &mut found);
                *times.entry(*id).or_insert([0_usize; 2]).get_mut(side as usize).unwrap() += 1;
            }
            joiner.finish(&mut found);
            let count = |is: &dyn Fn(&[usize; 2]) -> bool| times.values().filter(|times| is(times)).count();
            let again = |side: usize| times.values().map(|times| times[side].saturating_sub(1)).sum::<usize>();
            let expected = [
                count(&|[old, new]| *old > 0 && *new > 0),
                count(&|[_, new]| *new == 0),
                count(&|[old, _]| *old == 0),
                again(0),
                again(1),
            ];
            prop_assert_eq!(counts(&found), expected);
            prop_assert_eq!(joiner.kept(), 0);
        }
    }
}
