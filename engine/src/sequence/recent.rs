//! The last trades of a symbol whose exchange does not number them, by a digest of each.
//!
//! They stand in a ring, the oldest is overwritten. A table says where the latest of each digest stands: open addressing,
//! never more than half full, so that a look-up takes a probe or two however many trades are remembered.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::{Observation, Position, RECENT, Remembered};
use crate::trade::{Content, TradeId};

/// Slots of the table, a power of two.
const SLOTS: usize = 2 * RECENT;
/// A slot that is free.
const FREE: u16 = u16::MAX;
/// Spreads digests over the table (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

const _: () = assert!(SLOTS.is_power_of_two() && RECENT < FREE as usize);

/// The last trades, by a digest of each.
#[derive(Debug, Default)]
pub struct Recent {
    /// Grows to [`RECENT`] and no further; from then on the oldest is overwritten.
    ring: Vec<Entry>,
    /// Where the next one goes.
    next: usize,
    /// Places in the ring of the latest of each digest.
    table: Box<[u16]>,
}

/// One trade.
#[derive(Debug, Clone, Copy)]
struct Entry {
    digest: u64,
    /// Of the latest with this digest: how many there are.
    count: u16,
    /// Of any but the oldest with this digest: the place of the one before.
    before: u16,
}

impl Recent {
    /// Nothing yet, with room for all: it is not to grow while trades come.
    pub fn with_room() -> Self {
        Recent { ring: Vec::with_capacity(RECENT), next: 0, table: vec![FREE; SLOTS].into() }
    }

    /// A connection begins: it has shown nothing yet.
    pub fn clear(&mut self) {
        self.ring.clear();
        self.next = 0;
        self.table.fill(FREE);
    }

    /// Where a trade stands; `here` is what its own connection has shown.
    pub(super) fn position(&self, id: &TradeId<'_>, here: &Recent) -> Position {
        let is_seen = match id {
            TradeId::Text(name) => self.count(digest_of(name)) > 0,
            TradeId::Number(number) => self.count(*number) > 0,
            TradeId::Content(content) => here.count(content.key()) < self.count(content.key()),
        };
        if is_seen { Position::Within } else { Position::Unknown }
    }

    pub(super) fn observe_name(&mut self, name: &str) -> Observation {
        self.observe_digest(digest_of(name))
    }

    pub(super) fn observe_digest(&mut self, digest: u64) -> Observation {
        if self.count(digest) > 0 {
            return Observation::Repeated;
        }
        self.push(digest);
        Observation::InOrder
    }

    /// The n-th trade of a content that a connection shows is new if fewer than n of it were published: so a connection
    /// that repeats what others have shown adds nothing, and trades that are alike in all are all published.
    pub(super) fn observe_content(&mut self, content: &mut Content, here: &mut Recent) -> Observation {
        let digest = content.key();
        let shown_before = here.count(digest);
        here.push(digest);
        if shown_before < self.count(digest) {
            return Observation::Repeated;
        }
        content.before = u32::from(shown_before);
        self.push(digest);
        Observation::InOrder
    }

    /// Where a trade is remembered, the n-th of its content for the n-th that its connection has shown.
    pub(super) fn remembered(&self, id: &TradeId<'_>, here: &Recent) -> Option<Remembered> {
        let (digest, from_the_end) = match id {
            TradeId::Text(name) => (digest_of(name), 0),
            TradeId::Number(number) => (*number, 0),
            TradeId::Content(content) => {
                let digest = content.key();
                (digest, self.count(digest).saturating_sub(here.count(digest)))
            }
        };
        let mut place = self.latest(digest)?;
        for _ in 0..from_the_end {
            place = usize::from(self.ring[place].before);
        }
        Some(Remembered { place, tag: (digest >> 32) as u32 })
    }

    /// How many trades with this digest are remembered.
    #[inline]
    fn count(&self, digest: u64) -> u16 {
        self.latest(digest).map_or(0, |place| self.ring[place].count)
    }

    /// The place in the ring of the latest trade with this digest.
    #[inline]
    fn latest(&self, digest: u64) -> Option<usize> {
        // A connection of an exchange that names its trades has no table.
        if self.table.is_empty() {
            return None;
        }
        match self.table[self.slot(digest)] {
            FREE => None,
            place => Some(usize::from(place)),
        }
    }

    /// The slot of this digest, or the free one where it would be.
    #[inline]
    fn slot(&self, digest: u64) -> usize {
        let mut slot = home(digest);
        while self.table[slot] != FREE && self.ring[usize::from(self.table[slot])].digest != digest {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }

    fn push(&mut self, digest: u64) {
        if self.ring.len() == RECENT {
            self.forget(self.next);
        }
        let slot = self.slot(digest);
        let (count, before) = match self.table[slot] {
            FREE => (1, FREE),
            before => (self.ring[usize::from(before)].count + 1, before),
        };
        let entry = Entry { digest, count, before };
        match self.ring.get_mut(self.next) {
            Some(oldest) => *oldest = entry,
            None => self.ring.push(entry),
        }
        self.table[slot] = self.next as u16;
        self.next = (self.next + 1) % RECENT;
    }

    /// The oldest trade, which stands there, counts no longer.
    fn forget(&mut self, place: usize) {
        let slot = self.slot(self.ring[place].digest);
        let latest = &mut self.ring[usize::from(self.table[slot])];
        latest.count -= 1;
        if latest.count == 0 {
            self.free(slot);
        }
    }

    /// Frees a slot; what stands behind it, for it was taken, moves up.
    fn free(&mut self, mut gap: usize) {
        let mut slot = gap;
        loop {
            slot = (slot + 1) % SLOTS;
            let place = self.table[slot];
            if place == FREE {
                break;
            }
            let home = home(self.ring[usize::from(place)].digest);
            // Whether the gap lies on the way from its home to where it stands.
            if (slot + SLOTS - home) % SLOTS >= (slot + SLOTS - gap) % SLOTS {
                self.table[gap] = place;
                gap = slot;
            }
        }
        self.table[gap] = FREE;
    }
}

/// The slot at which the search for a digest begins.
#[inline]
fn home(digest: u64) -> usize {
    (digest.wrapping_mul(SPREAD) >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}

/// A name's digest, for this run only.
#[inline]
fn digest_of(name: &str) -> u64 {
    FixedState::with_seed(SPREAD).hash_one(name)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list; digests are few, so that many are alike, or far apart.
        #[test]
        fn as_many_are_counted_as_are_in_the_ring(runs in prop::collection::vec((0u64..2_500, 1u64..400), 1..60)) {
            let (mut recent, mut list, mut counts) = (Recent::with_room(), VecDeque::new(), HashMap::new());
            let digest = |pick: u64| if pick < 100 { pick } else { pick * 0x1_0001_0001 };
            for (first, run) in runs {
                for pick in (first..first + run).map(|pick| digest(pick % 2_500)) {
                    recent.push(pick);
                    list.push_back(pick);
                    *counts.entry(pick).or_insert(0) += 1;
                    if list.len() > RECENT && let Some(oldest) = list.pop_front() {
                        *counts.entry(oldest).or_insert(0) -= 1;
                    }
                }
                for pick in (0..2_500).map(digest) {
                    prop_assert_eq!(recent.count(pick), counts.get(&pick).copied().unwrap_or(0));
                }
            }
            recent.clear();
            prop_assert_eq!(recent.count(digest(1)), 0);
        }
    }
}
