//! Frames that wait for the other connections that carry the same symbols, so that order is kept.

use std::time::Duration;

use k2_ring::{Claim, Full};

use super::book::Books;
use super::{FeedCore, Line};
use crate::clock::Nanos;
use crate::record::HEAD_LEN;
use crate::trade::Trade;
use crate::venue::Venue;

/// A frame that waits.
pub(super) struct Held {
    payload: Box<[u8]>,
    received: Nanos,
    /// Those of the line's instruments that it shows, each once.
    instruments: Vec<usize>,
}

/// What a frame of market data shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'a> {
    /// Trades.
    Trades(&'a [Trade<'a>]),
    /// No trade to publish, of this instrument, with the number that it uses up.
    Number(usize, Option<i64>),
}

impl Shown<'_> {
    /// Whether any instrument that is shown is like this.
    fn any(self, is: impl Fn(usize) -> bool) -> bool {
        match self {
            Shown::Trades(trades) => trades.iter().any(|trade| is(trade.instrument)),
            Shown::Number(instrument, _) => is(instrument),
        }
    }

    /// The instruments that are shown, each once.
    pub(super) fn instruments(self) -> Vec<usize> {
        let mut instruments = match self {
            Shown::Trades(trades) => trades.iter().map(|trade| trade.instrument).collect(),
            Shown::Number(instrument, _) => vec![instrument],
        };
        instruments.sort_unstable();
        instruments.dedup();
        instruments
    }
}

/// When a frame is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// As it comes.
    First,
    /// After it has waited for so long.
    After(Duration),
    /// When there is no later.
    Last,
}

/// Whether a frame, as it stands in claimed memory, has to wait for other connections; it is then kept with the line.
#[cold]
pub(super) fn waits<V: Venue>(
    books: &mut Books,
    line: &mut Line<V>,
    shown: Shown<'_>,
    frame: &Result<Claim<'_>, Full>,
    len: usize,
    received: Nanos,
    turn: Turn,
) -> bool {
    // Without room in the ring there is no copy to keep.
    let Ok(frame) = frame else { return false };
    let is_over = |books: &mut Books, line: &mut Line<V>| match turn {
        Turn::First => false,
        Turn::After(time) => books.go_ahead(line, shown, time),
        Turn::Last => true,
    };
    // Frames of a symbol stay in order; those of others may pass.
    let is_behind = turn == Turn::First && shown.any(|one| line.places[one].held > 0);
    if !is_behind && (!books.must_wait(line, shown) || is_over(books, line)) {
        return false;
    }
    let instruments = shown.instruments();
    instruments.iter().for_each(|one| line.places[*one].held += 1);
    line.held.push_back(Held { payload: frame[HEAD_LEN..HEAD_LEN + len].into(), received, instruments });
    true
}

impl FeedCore {
    /// Takes those frames of a line that have waited, as far as they need not wait any longer.
    #[cold]
    pub(super) fn release<V: Venue>(&mut self, line: &mut Line<V>, now: Nanos) {
        let mut waiting: Vec<usize> = Vec::new();
        for held in std::mem::take(&mut line.held) {
            let is_behind = held.instruments.iter().any(|one| waiting.contains(one));
            if is_behind || !self.has_room(line, &held.payload) {
                waiting.extend(&held.instruments);
                line.held.push_back(held);
                continue;
            }
            let waited = now.time_since(held.received);
            let waits_on = line.held.len() + 1;
            self.take_held(line, held, Turn::After(waited));
            if line.held.len() == waits_on {
                waiting.extend(&line.held[waits_on - 1].instruments);
            }
        }
    }

    /// Takes all frames of a line that wait: the engine stops.
    pub(super) fn release_all<V: Venue>(&mut self, line: &mut Line<V>) {
        std::mem::take(&mut line.held).into_iter().for_each(|held| self.take_held(line, held, Turn::Last));
    }

    fn take_held<V: Venue>(&mut self, line: &mut Line<V>, held: Held, turn: Turn) {
        let Held { mut payload, received, instruments } = held;
        instruments.iter().for_each(|one| line.places[*one].held -= 1);
        self.take(line, &mut payload, received, turn);
    }
}
