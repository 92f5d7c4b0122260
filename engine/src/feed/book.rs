//! What a core keeps of each symbol of a feed, whichever connections it comes by.

use std::collections::HashMap;

use bumpalo::Bump;

use super::Line;
use crate::accounting::FeedTally;
use crate::avro::SymbolPrefix;
use crate::sequence::{Observation, Tracker};
use crate::trade::{Trade, TradeId};
use crate::venue::Venue;

/// All symbols of a core.
#[derive(Default)]
pub(super) struct Books {
    books: Vec<Book>,
    places: HashMap<(u16, String), usize>,
}

/// One symbol of a feed.
pub(super) struct Book {
    pub(super) symbol: String,
    pub(super) prefix: SymbolPrefix,
    tracker: Tracker,
}

impl Books {
    /// The place of `symbol`'s book, which is begun if the feed has none yet.
    pub(super) fn open<V: Venue>(&mut self, feed: u16, symbol: &str, prefix: SymbolPrefix) -> usize {
        *self.places.entry((feed, symbol.to_string())).or_insert_with(|| {
            self.books.push(Book { symbol: symbol.to_string(), prefix, tracker: Tracker::new(V::SEQUENCE) });
            self.books.len() - 1
        })
    }

    /// The book of a line's instrument.
    #[inline]
    pub(super) fn of<V>(&mut self, line: &Line<V>, instrument: usize) -> &mut Book {
        &mut self.books[line.books[instrument]]
    }

    /// Takes note of a frame's trades: those that no twin of the line has shown. They are looked at before the frame is
    /// published, since it is only if there is one.
    pub(super) fn fresh<'frame, V: Venue>(
        &mut self,
        tally: &mut FeedTally,
        line: &mut Line<V>,
        trades: &[Trade<'frame>],
        arena: &'frame Bump,
    ) -> &'frame [Trade<'frame>] {
        let mut fresh = bumpalo::collections::Vec::with_capacity_in(trades.len(), arena);
        for trade in trades {
            let mut trade = *trade;
            if self.of(line, trade.instrument).is_new(tally, line, &mut trade) {
                fresh.push(trade);
            }
        }
        fresh.into_bump_slice()
    }
}

impl Book {
    /// Takes note of a trade: whether it was not published before.
    #[inline]
    pub(super) fn is_new<V: Venue>(
        &mut self,
        tally: &mut FeedTally,
        line: &mut Line<V>,
        trade: &mut Trade<'_>,
    ) -> bool {
        tally.trades += 1;
        match self.tracker.observe(V::SEQUENCE, trade, &mut line.shown[trade.instrument]) {
            Observation::InOrder => true,
            observation => {
                note(tally, &self.symbol, &line.name, &trade.id, observation);
                observation != Observation::Repeated
            }
        }
    }

    /// Takes note of a number that no trade to publish has: whether it was not seen before.
    #[cold]
    pub(super) fn pass<V: Venue>(&mut self, tally: &mut FeedTally, line: &Line<V>, number: Option<i64>) -> bool {
        let Some(number) = number else { return true };
        let observation = self.tracker.pass(V::SEQUENCE, number);
        note(tally, &self.symbol, &line.name, &TradeId::Number(number.unsigned_abs()), observation);
        observation != Observation::Repeated
    }
}

#[cold]
fn note(tally: &mut FeedTally, symbol: &str, connection: &str, id: &TradeId<'_>, observation: Observation) {
    match observation {
        Observation::InOrder => {}
        Observation::Gap { after, before, missing } => {
            tally.gaps += 1;
            tally.missing = tally.missing.saturating_add(missing);
            tracing::warn!(symbol, connection, after, before, missing, "gap: trades are missing");
        }
        Observation::Late { last } => {
            tally.late += 1;
            tracing::info!(symbol, connection, id = %id, last, "a trade came late");
        }
        Observation::Repeated => {
            tally.duplicates += 1;
            tracing::debug!(symbol, connection, id = %id, "a trade came again: it is not published twice");
        }
        Observation::Restarted { last } => {
            tracing::warn!(symbol, connection, id = %id, last, "the exchange counts anew");
        }
    }
}
