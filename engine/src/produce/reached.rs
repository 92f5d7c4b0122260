//! How far each symbol's trades were acknowledged, as the producer core sees it.
//!
//! The core writes to a table of its own; once a second, when its counts are asked for, what has changed is copied to where
//! others read it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::resume::{Noted, Progress, Reached, Topic};

/// Of all topics of trades of one producer core.
pub(super) struct Table {
    /// By lane: the place of each symbol.
    places: Vec<HashMap<Box<[u8]>, usize, RandomState>>,
    reached: Vec<Symbol>,
    /// By lane: the offset behind the last acknowledged record of each partition.
    offsets: Vec<Vec<i64>>,
    shown: Arc<Shown>,
}

/// One symbol.
struct Symbol {
    /// What was acknowledged.
    acked: Option<Reached>,
    /// That and what an earlier run left on disk, until all of it is acknowledged.
    with_disk: Option<Reached>,
    /// Whether it has since it was shown.
    has_changed: bool,
    /// Whether this core has any of its trades: else what it has is what it was told.
    is_own: bool,
}

/// What others read.
#[derive(Debug, Default)]
pub struct Shown(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    symbols: Vec<ShownSymbol>,
    lanes: Vec<(String, Vec<i64>)>,
}

/// How far a symbol is, if the core has any of its trades.
#[derive(Debug)]
struct ShownSymbol {
    lane: usize,
    name: String,
    acked: Option<Reached>,
    with_disk: Option<Reached>,
}

/// What counts as having come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// What was acknowledged: what is on disk may be there still when the process has died.
    Acked,
    /// What is on disk, too: it is not missing.
    WithDisk,
}

impl Table {
    /// Nothing is known yet.
    pub(super) fn new(shown: Arc<Shown>) -> Self {
        Table { places: Vec::new(), reached: Vec::new(), offsets: Vec::new(), shown }
    }

    /// Begins a lane with what is known of its topic.
    pub(super) fn begin(&mut self, lane: usize, topic: &Topic) {
        for (symbol, reached) in &topic.symbols {
            let place = self.place(lane, symbol.as_bytes());
            self.reached[place].acked = Some(reached.clone());
        }
        for (partition, offset) in &topic.offsets {
            self.set_offset(lane, *partition, *offset);
        }
    }

    /// The place of a symbol, which is made if it is new.
    #[inline]
    fn place(&mut self, lane: usize, key: &[u8]) -> usize {
        match self.places.get(lane).and_then(|places| places.get(key)) {
            Some(place) => *place,
            None => self.new_place(lane, key),
        }
    }

    #[cold]
    fn new_place(&mut self, lane: usize, key: &[u8]) -> usize {
        if self.places.len() <= lane {
            self.places.resize_with(lane + 1, HashMap::default);
        }
        self.reached.push(Symbol { acked: None, with_disk: None, has_changed: true, is_own: false });
        self.places[lane].insert(key.into(), self.reached.len() - 1);
        self.reached.len() - 1
    }

    fn set_offset(&mut self, lane: usize, partition: i32, offset: i64) {
        let partition = partition.max(0) as usize;
        if self.offsets.len() <= lane {
            self.offsets.resize_with(lane + 1, Vec::new);
        }
        let offsets = &mut self.offsets[lane];
        if offsets.len() <= partition {
            offsets.resize(partition + 1, 0);
        }
        offsets[partition] = offset;
    }

    /// A trade was acknowledged.
    #[inline]
    pub(super) fn acked(&mut self, lane: usize, key: &[u8], trade: Noted, place: Option<(i32, i64)>) {
        let symbol = self.place(lane, key);
        let symbol = &mut self.reached[symbol];
        add(&mut symbol.acked, trade);
        (symbol.has_changed, symbol.is_own) = (true, true);
        if let Some((partition, offset)) = place {
            self.set_offset(lane, partition, offset + 1);
        }
    }

    /// A trade is on disk, of an earlier run, to go to the topic.
    pub(super) fn note(&mut self, lane: usize, key: &[u8], trade: Noted) {
        let place = self.place(lane, key);
        let symbol = &mut self.reached[place];
        if symbol.with_disk.is_none() {
            symbol.with_disk.clone_from(&symbol.acked);
        }
        add(&mut symbol.with_disk, trade);
        (symbol.has_changed, symbol.is_own) = (true, true);
    }

    /// Shows what has changed.
    pub(super) fn show<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        // Only its readers hold it, for as long as a copy takes.
        let mut shown = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { symbols, lanes } = &mut *shown;
        if symbols.len() < self.reached.len() {
            let all = self.places.iter().enumerate().flat_map(|(lane, keys)| keys.iter().map(move |key| (lane, key)));
            let mut new: Vec<_> = all.filter(|(_, (_, place))| **place >= symbols.len()).collect();
            new.sort_by_key(|(_, (_, place))| **place);
            let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
            symbols.extend(new.into_iter().map(|(lane, (key, _))| {
                let name = text(key);
                ShownSymbol { lane, name, acked: None, with_disk: None }
            }));
        }
        for (symbol, shown) in self.reached.iter_mut().zip(symbols) {
            if std::mem::take(&mut symbol.has_changed) && symbol.is_own {
                let last = |reached: &Option<Reached>| reached.as_ref().map(|reached| reached.last);
                if last(&symbol.with_disk) <= last(&symbol.acked) {
                    symbol.with_disk = None;
                }
                shown.acked.clone_from(&symbol.acked);
                shown.with_disk.clone_from(&symbol.with_disk);
            }
        }
        for (lane, name) in names.enumerate() {
            if lanes.len() <= lane {
                lanes.push((name.to_string(), Vec::new()));
            }
            if let Some(offsets) = self.offsets.get(lane) {
                lanes[lane].1.clone_from(offsets);
            }
        }
    }
}

impl Shown {
    /// Puts what is shown in the place of what `progress` knows; of the symbols that are in `shown` already, by another
    /// core, where it is further.
    pub fn add_to(&self, progress: &mut Progress, shown_before: &mut BTreeSet<(String, String)>, counted: Counted) {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ShownSymbol { lane, name: symbol, acked, with_disk } in &shown.symbols {
            let with_disk = with_disk.as_ref().filter(|_| counted == Counted::WithDisk);
            let (Some((name, _)), Some(reached)) = (shown.lanes.get(*lane), with_disk.or(acked.as_ref())) else {
                continue;
            };
            let known = progress.topics.entry(name.clone()).or_default().symbols.entry(symbol.clone()).or_default();
            let is_first = shown_before.insert((name.clone(), symbol.clone()));
            if is_first || known.last < reached.last {
                known.clone_from(reached);
            }
        }
        for (name, offsets) in &shown.lanes {
            let Some(topic) = progress.topics.get_mut(name) else { continue };
            for (partition, offset) in offsets.iter().enumerate().filter(|(_, offset)| **offset > 0) {
                topic.offsets.insert(partition as i32, *offset);
            }
        }
    }
}

fn add(reached: &mut Option<Reached>, trade: Noted) {
    match reached {
        Some(reached) => reached.add(trade),
        None => *reached = Some(Reached::at(trade.number, trade.received_ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_disk_is_not_missing_and_not_acknowledged_either() {
        let shown = Arc::new(Shown::default());
        let mut table = Table::new(shown.clone());
        let known = Topic { symbols: [("BTCUSDT".to_string(), Reached::at(5, 50))].into(), ..Topic::default() };
        table.begin(0, &known);
        let trade = |number| Noted { number, passed: 0, received_ns: number * 10, from_rest: false };
        (6..=9).for_each(|number| table.note(0, b"BTCUSDT", trade(number)));
        (1..=2).for_each(|number| table.note(0, b"ETHUSDT", trade(number)));
        let last = |table: &mut Table, counted| {
            table.show(["trades"].into_iter());
            let mut progress = Progress::default();
            shown.add_to(&mut progress, &mut BTreeSet::new(), counted);
            let topic = progress.topics.remove("trades").unwrap_or_default();
            ["BTCUSDT", "ETHUSDT"].map(|symbol| topic.symbols.get(symbol).map(|reached| reached.last))
        };
        assert_eq!(last(&mut table, Counted::WithDisk), [Some(9), Some(2)]);
        assert_eq!(last(&mut table, Counted::Acked), [Some(5), None], "a process that dies now has them to deliver");
        (6..=7).for_each(|number| table.acked(0, b"BTCUSDT", trade(number), None));
        table.acked(0, b"ETHUSDT", trade(1), None);
        assert_eq!(last(&mut table, Counted::Acked), [Some(7), Some(1)]);
        (8..=12).for_each(|number| table.acked(0, b"BTCUSDT", trade(number), None));
        assert_eq!(last(&mut table, Counted::WithDisk), [Some(12), Some(2)]);
    }
}
