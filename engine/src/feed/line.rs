//! What one connection's frames are judged by.

use std::collections::VecDeque;

use super::held::Held;
use super::{MAX_NAMES, MAX_REASON};
use crate::clock::Nanos;
use crate::record::HEAD_LEN;
use crate::sequence::Recent;
use crate::venue::{Instrument, SequenceRule, Subscription, Symbols, Venue};

/// What one connection's frames are judged by.
pub struct Line<V> {
    /// Tells it from the core's other lines.
    pub(super) number: u64,
    pub(super) venue: V,
    pub(super) feed: u16,
    /// The connection's number among those of its exchange, the same for all that take each other's place.
    pub(super) seat: usize,
    /// `<exchange>-<connection>.<attempt>`.
    pub(super) name: String,
    pub(super) symbols: Symbols,
    /// What the connection carries, by the places that decoded trades name.
    pub(super) places: Vec<Place>,
    /// Frames that wait for the other connections with the same symbols.
    pub(super) held: VecDeque<Held>,
    /// Whether frames are published as received.
    pub(super) keeps_raw: bool,
    /// The most that a trade's record adds to the texts of its frame, in bytes.
    pub(super) max_overhead: usize,
}

/// An instrument on a connection.
pub(super) struct Place {
    pub(super) book: usize,
    /// How many connections had ceased to carry it when this one began, or was last alone with a trade that nobody had
    /// shown. If more have since, what it shows may have come by them.
    pub(super) left: u32,
    /// Whether the connection is known to stand no further in the symbol's trades than what was published, so that what it
    /// shows next is the next to be published.
    pub(super) is_level: bool,
    /// Whether the connection carries it no longer.
    pub(super) is_dropped: bool,
    /// How many frames with trades of it wait.
    pub(super) held: usize,
    /// What the connection has shown, where trades have neither numbers nor names.
    pub(super) shown: Recent,
    /// When the connection last showed a trade of it.
    pub(super) traded_at: Option<Nanos>,
}

impl<V: Venue> Line<V> {
    pub(super) fn new(number: u64, subscription: &Subscription, feed: u16, seat: usize, name: String) -> Self {
        Line {
            number,
            venue: V::new(subscription),
            feed,
            seat,
            name,
            symbols: Symbols::default(),
            places: Vec::new(),
            held: VecDeque::new(),
            keeps_raw: true,
            max_overhead: 0,
        }
    }

    /// The same, of a feed that has its frames published as received, or not: only trades and dead letters then.
    #[must_use]
    pub fn keeping_raw(self, keeps_raw: bool) -> Self {
        Line { keeps_raw, ..self }
    }

    /// One more instrument, whose trades are kept in `book`, which so many have `left`, and add so much to the texts of a
    /// frame.
    pub(super) fn add(&mut self, instrument: &Instrument, book: usize, left: u32, overhead: usize) {
        let shown = match V::SEQUENCE {
            SequenceRule::Unnamed => Recent::with_room(),
            SequenceRule::Contiguous | SequenceRule::Increasing | SequenceRule::Named => Recent::default(),
        };
        self.symbols.add(instrument, self.places.len());
        self.places.push(Place { book, left, is_level: false, is_dropped: false, held: 0, shown, traded_at: None });
        self.max_overhead = self.max_overhead.max(overhead + HEAD_LEN + MAX_NAMES);
    }

    /// The most that the records of a frame of `len` bytes with so many trades take, in bytes.
    #[inline]
    pub(super) fn record_bytes(&self, len: usize, trades: usize) -> usize {
        HEAD_LEN + MAX_NAMES + MAX_REASON + 2 * len + trades * self.max_overhead
    }

    /// The connection's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
