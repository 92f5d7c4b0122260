//! What a core keeps of each symbol of a feed, whichever connections it comes by.
//!
//! A symbol that several connections carry is published by whichever shows a trade first. For its order to be kept, a
//! connection may go ahead only once it is known to be level with the others: once it has shown a trade that was
//! published, or one that follows. Until then, and again where its exchange's numbers say that it has left trades out,
//! its frames wait for the others to catch up or to go away.

use std::collections::HashMap;
use std::time::Duration;

use bumpalo::Bump;

use super::Line;
use super::held::Shown;
use crate::accounting::FeedTally;
use crate::avro::SymbolPrefix;
use crate::clock::Nanos;
use crate::sequence::{Observation, Position, Tracker};
use crate::session::Activity;
use crate::trade::{Trade, TradeId};
use crate::venue::{SequenceRule, Venue};

/// How long a frame waits for connections that are level. They are behind by milliseconds, or they are in trouble.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long it waits while none is level, for one that begins with an earlier trade.
const START_WAIT: Duration = Duration::from_millis(100);

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
    activity: Activity,
    /// How many connections carry it.
    pub(super) carriers: u32,
    /// How many of them are level.
    level: u32,
    /// Those that wait, by the numbers of their lines, and the number of the first trade that each has to show.
    waiting: Vec<(u64, i64)>,
}

impl Books {
    /// A connection begins to carry `symbol`: the place of its book, which is begun if the feed has none yet, and whether
    /// the connection is level from the start.
    pub(super) fn join<V: Venue>(&mut self, feed: u16, symbol: &str, prefix: SymbolPrefix) -> (usize, bool) {
        let place = *self.places.entry((feed, symbol.to_string())).or_insert_with(|| {
            let (tracker, activity) = (Tracker::new(V::SEQUENCE), Activity::default());
            self.books.push(Book {
                symbol: symbol.to_string(),
                prefix,
                tracker,
                activity,
                carriers: 0,
                level: 0,
                waiting: Vec::new(),
            });
            self.books.len() - 1
        });
        let book = &mut self.books[place];
        book.carriers += 1;
        let is_alone = book.carriers == 1;
        book.level += u32::from(is_alone);
        (place, is_alone)
    }

    /// A connection carries the instrument no longer.
    pub(super) fn leave<V>(&mut self, line: &mut Line<V>, instrument: usize) {
        let place = &mut line.places[instrument];
        let book = &mut self.books[place.book];
        book.carriers -= 1;
        book.level -= u32::from(std::mem::take(&mut place.is_level));
        book.waiting.retain(|(waiting, _)| *waiting != line.number);
        if book.carriers == 0 {
            book.activity.interrupted();
        }
    }

    /// The book of a line's instrument.
    #[inline]
    pub(super) fn of<V>(&mut self, line: &Line<V>, instrument: usize) -> &mut Book {
        &mut self.books[line.places[instrument].book]
    }

    /// How often the symbol of a line's instrument trades.
    pub(super) fn activity<V>(&mut self, line: &Line<V>, instrument: usize) -> &mut Activity {
        &mut self.of(line, instrument).activity
    }

    /// Whether other connections carry any of the frame's symbols, or frames with it wait.
    #[inline]
    pub(super) fn are_shared<V>(&mut self, line: &Line<V>, trades: &[Trade<'_>]) -> bool {
        trades.iter().any(|trade| self.is_shared(line, trade.instrument))
    }

    /// The same for one symbol.
    #[inline]
    pub(super) fn is_shared<V>(&mut self, line: &Line<V>, instrument: usize) -> bool {
        self.of(line, instrument).carriers > 1 || line.places[instrument].held > 0
    }

    /// Whether a frame has to wait for other connections. Nothing is noted but which symbols the line is level in.
    pub(super) fn must_wait<V: Venue>(&mut self, line: &mut Line<V>, shown: Shown<'_>) -> bool {
        match shown {
            Shown::Trades(trades) => (0..trades.len()).any(|index| self.trade_waits(line, trades, index)),
            Shown::Number(_, None) => false,
            Shown::Number(instrument, Some(number)) => {
                let position = self.of(line, instrument).tracker.position_of_number(V::SEQUENCE, number);
                self.waits(line, instrument, position, number)
            }
        }
    }

    fn trade_waits<V: Venue>(&mut self, line: &mut Line<V>, trades: &[Trade<'_>], index: usize) -> bool {
        let trade = &trades[index];
        let before = trades[..index].iter().rev().find(|other| other.instrument == trade.instrument);
        // Within a frame nothing is left out, as far as one can tell.
        if before.is_some() && V::SEQUENCE != SequenceRule::Contiguous {
            return false;
        }
        let place = &line.places[trade.instrument];
        let before = before.and_then(|trade| trade.sequence);
        let position = self.books[place.book].tracker.position(V::SEQUENCE, trade, before, &place.shown);
        self.waits(line, trade.instrument, position, trade.sequence.unwrap_or_default())
    }

    fn waits<V>(&mut self, line: &mut Line<V>, instrument: usize, position: Position, number: i64) -> bool {
        let is_level = line.places[instrument].is_level;
        let book = self.of(line, instrument);
        let others = book.level - u32::from(is_level);
        let is_level = match (is_level, position) {
            (_, Position::Within) | (true, Position::Unknown) => true,
            // It has left something out: somebody else may have it.
            (true, Position::Ahead) => others == 0 && book.waiting.iter().all(|(_, earlier)| *earlier >= number),
            (false, _) => book.carriers == 1,
        };
        self.set_level(line, instrument, is_level);
        if !is_level {
            self.of(line, instrument).waiting.push((line.number, number));
        }
        !is_level
    }

    fn set_level<V>(&mut self, line: &mut Line<V>, instrument: usize, is_level: bool) {
        let place = &mut line.places[instrument];
        let level = &mut self.books[place.book].level;
        *level = *level - u32::from(place.is_level) + u32::from(is_level);
        place.is_level = is_level;
        self.books[place.book].waiting.retain(|(waiting, _)| *waiting != line.number);
    }

    /// A connection shows the instrument no longer, though it should: nobody has to wait for it.
    pub(super) fn is_silent<V>(&mut self, line: &mut Line<V>, instrument: usize) {
        self.set_level(line, instrument, false);
    }

    /// A frame has waited since then: whether that is long enough. What it shows is then taken to be the next, unless
    /// another connection waits with an earlier trade.
    pub(super) fn go_ahead<V>(&mut self, line: &mut Line<V>, shown: Shown<'_>, waited: Duration) -> bool {
        let instruments = shown.instruments();
        let goes = instruments.iter().all(|instrument| {
            let patience = if self.of(line, *instrument).level > 0 { LONGEST_WAIT } else { START_WAIT };
            line.places[*instrument].is_level || waited > patience && self.of(line, *instrument).is_first(line.number)
        });
        if goes {
            instruments.into_iter().for_each(|instrument| self.set_level(line, instrument, true));
        }
        goes
    }

    /// Takes note of a frame's trades: those that no other connection has shown. They are looked at before the frame is
    /// published, since it is only if there is one.
    pub(super) fn fresh<'frame, V: Venue>(
        &mut self,
        tally: &mut FeedTally,
        line: &mut Line<V>,
        trades: &[Trade<'frame>],
        received: Nanos,
        arena: &'frame Bump,
    ) -> &'frame [Trade<'frame>] {
        let mut fresh = bumpalo::collections::Vec::with_capacity_in(trades.len(), arena);
        for trade in trades {
            let mut trade = *trade;
            if self.of(line, trade.instrument).is_new(tally, line, &mut trade, received) {
                fresh.push(trade);
            }
        }
        fresh.into_bump_slice()
    }
}

impl Book {
    /// Whether no other connection waits with an earlier trade than this one does.
    fn is_first(&self, line: u64) -> bool {
        let own = self.waiting.iter().find(|(waiting, _)| *waiting == line).map(|(_, number)| *number);
        own.is_none_or(|own| self.waiting.iter().all(|(_, other)| *other >= own))
    }

    /// Takes note of a trade: whether it was not published before.
    #[inline]
    pub(super) fn is_new<V: Venue>(
        &mut self,
        tally: &mut FeedTally,
        line: &mut Line<V>,
        trade: &mut Trade<'_>,
        received: Nanos,
    ) -> bool {
        tally.trades += 1;
        let place = &mut line.places[trade.instrument];
        place.traded_at = Some(received);
        self.level += u32::from(!std::mem::replace(&mut place.is_level, true));
        match self.tracker.observe(V::SEQUENCE, trade, &mut place.shown) {
            Observation::InOrder => {
                self.activity.traded(Nanos(trade.exchange_time_ns.max(0) as u64));
                true
            }
            observation => {
                if matches!(observation, Observation::Gap { .. } | Observation::Restarted { .. }) {
                    self.activity.interrupted();
                }
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
