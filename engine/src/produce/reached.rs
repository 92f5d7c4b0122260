//! How far each symbol's trades were acknowledged, as the producer core sees it.
//!
//! The core writes to a table of its own; once a second, when its counts are asked for, what has changed is copied to where
//! others read it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::resume::{Progress, Reached, Topic};

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
    reached: Reached,
    /// Whether it has since it was shown.
    has_changed: bool,
    /// Whether this core has any of its trades: else what it has is what it was told.
    is_own: bool,
}

/// What is known of a trade, as in [`Head`](crate::record::Head).
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    pub(super) number: i64,
    pub(super) received_ns: i64,
    pub(super) from_rest: bool,
}

/// What others read.
#[derive(Debug, Default)]
pub struct Shown(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Lane and symbol, and how far it is if the core has any of its trades.
    symbols: Vec<(usize, String, Option<Reached>)>,
    lanes: Vec<(String, Vec<i64>)>,
}

impl Table {
    /// Nothing is known yet.
    pub(super) fn new(shown: Arc<Shown>) -> Self {
        Table { places: Vec::new(), reached: Vec::new(), offsets: Vec::new(), shown }
    }

    /// Begins a lane with what is known of its topic.
    pub(super) fn begin(&mut self, lane: usize, topic: &Topic) {
        for (symbol, reached) in &topic.symbols {
            self.begin_symbol(lane, symbol.as_bytes(), reached.clone(), false);
        }
        for (partition, offset) in &topic.offsets {
            self.set_offset(lane, *partition, *offset);
        }
    }

    fn begin_symbol(&mut self, lane: usize, key: &[u8], reached: Reached, is_own: bool) {
        if self.places.len() <= lane {
            self.places.resize_with(lane + 1, HashMap::default);
        }
        self.reached.push(Symbol { reached, has_changed: true, is_own });
        self.places[lane].insert(key.into(), self.reached.len() - 1);
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
        self.note(lane, key, trade);
        if let Some((partition, offset)) = place {
            self.set_offset(lane, partition, offset + 1);
        }
    }

    /// A trade is on the topic, or on disk to go there.
    #[inline]
    pub(super) fn note(&mut self, lane: usize, key: &[u8], trade: Noted) {
        let Noted { number, received_ns, from_rest } = trade;
        match self.places.get(lane).and_then(|places| places.get(key)) {
            Some(place) => {
                let symbol = &mut self.reached[*place];
                symbol.reached.add(number, received_ns, from_rest);
                (symbol.has_changed, symbol.is_own) = (true, true);
            }
            None => {
                self.begin_symbol(lane, key, Reached::at(number, received_ns), true);
            }
        }
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
            symbols.extend(new.into_iter().map(|(lane, (key, _))| (lane, text(key), None)));
        }
        for (symbol, (.., shown)) in self.reached.iter_mut().zip(symbols) {
            if std::mem::take(&mut symbol.has_changed) && symbol.is_own {
                shown.get_or_insert_default().clone_from(&symbol.reached);
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
    pub fn add_to(&self, progress: &mut Progress, shown_before: &mut BTreeSet<(String, String)>) {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (lane, symbol, reached) in &shown.symbols {
            let (Some((name, _)), Some(reached)) = (shown.lanes.get(*lane), reached) else { continue };
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
