//! What one connection's frames are judged by.

use super::{MAX_NAMES, MAX_REASON};
use crate::record::HEAD_LEN;
use crate::sequence::Recent;
use crate::venue::{SequenceRule, Subscription, Symbols, Venue};

/// What one connection's frames are judged by.
pub struct Line<V> {
    pub(super) venue: V,
    pub(super) feed: u16,
    /// `<exchange>-<connection>.<attempt>`.
    pub(super) name: String,
    pub(super) symbols: Symbols,
    /// The book of each instrument.
    pub(super) books: Vec<usize>,
    /// What the connection has shown of each instrument, where trades have neither numbers nor names.
    pub(super) shown: Vec<Recent>,
    /// The most that a trade's record adds to the texts of its frame, in bytes.
    pub(super) max_overhead: usize,
    /// Whether other connections carry the same instruments.
    pub(super) has_twins: bool,
}

impl<V: Venue> Line<V> {
    pub(super) fn new(
        subscription: &Subscription,
        feed: u16,
        name: String,
        books: Vec<usize>,
        max_overhead: usize,
        has_twins: bool,
    ) -> Self {
        let instruments = &subscription.instruments;
        let show = || match V::SEQUENCE {
            SequenceRule::Unnamed => Recent::with_room(),
            SequenceRule::Contiguous | SequenceRule::Increasing | SequenceRule::Named => Recent::default(),
        };
        let shown = instruments.iter().map(|_| show()).collect();
        let (venue, symbols) = (V::new(subscription), Symbols::new(instruments));
        Line { venue, feed, name, symbols, books, shown, max_overhead, has_twins }
    }

    /// Begins a new connection: its name changes, and it has shown nothing yet.
    pub fn begin(&mut self, name: String) {
        self.name = name;
        self.shown.iter_mut().for_each(Recent::clear);
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
