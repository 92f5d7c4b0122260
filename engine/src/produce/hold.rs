//! Records that the client gave back, and when they are offered again.
//!
//! While a topic is on hold, nothing else goes to it: what came back goes first, in the order in which it was handed
//! over at first, so that a symbol keeps its order.

use std::time::Duration;

use crate::clock::Nanos;
use crate::session::backoff::Bounds;

/// Most records that are offered together.
pub(super) const MOST_TOGETHER: usize = 256;

/// A topic that did not take records.
pub(super) struct Hold {
    /// When the next are offered.
    pub(super) until: Nanos,
    wait: Duration,
    longest_wait: Duration,
    /// Whether the client has records that were handed over behind those that came back.
    pub(super) is_followed: bool,
    /// How many were offered together at last, if none of them was refused for their size.
    pub(super) together: usize,
    /// The one that was offered alone at last.
    pub(super) alone: Option<usize>,
    /// Whether records that are on disk too have come back: reading starts over there.
    pub(super) rewind: bool,
    /// Whether the topic has taken one since: until then they are offered one at a time.
    pub(super) is_proven: bool,
    /// Whether it was said that the topic does not take records.
    pub(super) is_told: bool,
    /// Whether nothing but what is on disk is left to be offered.
    pub(super) is_on_disk: bool,
    /// In no order, until they are offered.
    back: Vec<Back>,
}

/// A record that came back.
pub(super) struct Back {
    /// Its place in the order in which records were handed over at first.
    pub(super) order: u64,
    /// Its tag, which it keeps.
    pub(super) tag: usize,
    /// The exchange, for its headers.
    pub(super) exchange: Box<[u8]>,
    /// The record, as it was in the ring.
    pub(super) bytes: Box<[u8]>,
}

impl Hold {
    /// A hold since `now`. The wait until records are offered again doubles each time that they come back, within bounds.
    pub(super) fn since(now: Nanos, waits: Bounds) -> Self {
        let Bounds { min, max } = waits;
        Hold {
            until: now.plus(min),
            wait: min,
            longest_wait: max,
            is_followed: false,
            together: 0,
            alone: None,
            rewind: false,
            is_proven: false,
            is_told: false,
            is_on_disk: false,
            back: Vec::new(),
        }
    }

    /// What came back is offered at once, as what is wrong is not the topic.
    pub(super) fn at_once(&mut self) {
        self.until = Nanos(0);
    }

    /// Several records were refused for their size: those that were offered together go in halves, at once, as it is not the
    /// topic that is wrong. `most` is of their lane.
    pub(super) fn halve(&mut self, most: &mut usize) {
        if self.together > 0 {
            *most = (self.together / 2).max(1);
        }
        self.together = 0;
        self.is_proven = true;
        self.at_once();
    }

    /// How many are offered next: more again where the last found their way. `most` is of their lane.
    pub(super) fn next_together(&mut self, most: &mut usize) -> usize {
        if std::mem::take(&mut self.together) == *most {
            *most = (*most * 2).min(MOST_TOGETHER);
        }
        if self.is_proven { *most } else { 1 }
    }

    /// Takes a record that came back.
    pub(super) fn take(&mut self, back: Back) {
        self.is_on_disk = false;
        self.back.push(back);
    }

    /// A record came back. If it had been offered, the wait grows.
    pub(super) fn again(&mut self, now: Nanos) {
        (self.is_proven, self.is_on_disk) = (false, false);
        if self.until <= now {
            self.wait = (self.wait * 2).min(self.longest_wait);
            self.until = now.plus(self.wait);
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.back.len()
    }

    /// Their tags.
    pub(super) fn tags(&self) -> impl Iterator<Item = usize> {
        self.back.iter().map(|back| back.tag)
    }

    /// Takes out those that go first, no more than `most`, in their order.
    pub(super) fn first(&mut self, most: usize) -> Vec<Back> {
        // Those that came back last time stand behind those that did not go.
        self.back.sort_unstable_by_key(|back| back.order);
        let rest = self.back.split_off(most.min(self.back.len()));
        std::mem::replace(&mut self.back, rest)
    }
}
