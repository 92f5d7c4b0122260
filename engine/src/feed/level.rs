//! Which connections may go ahead in a symbol that several of them carry.
//!
//! Whichever shows a trade first publishes it. For the order to be kept, a connection may go ahead only once it is known
//! to be level with the others: once it has shown a trade that was published, or one that follows. Until then, and again
//! where its exchange's numbers say that it has left trades out, its frames wait for the others to catch up or to go away.

use std::time::Duration;

use super::Line;
use super::book::{Book, Books};
use super::held::Shown;
use crate::sequence::Position;
use crate::trade::Trade;
use crate::venue::{SequenceRule, Venue};

/// How long a frame waits for connections that are level. They are behind by milliseconds, or they are in trouble.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long it waits while none is level, for one that begins with an earlier trade.
const START_WAIT: Duration = Duration::from_millis(100);

impl Books {
    /// Whether what a frame shows of any of its symbols may come by other connections, or have come by one that is gone, or
    /// frames with it wait.
    #[inline]
    pub(super) fn are_shared<V>(&mut self, line: &Line<V>, trades: &[Trade<'_>]) -> bool {
        trades.iter().any(|trade| self.is_shared(line, trade.instrument))
    }

    /// The same for one symbol.
    #[inline]
    pub(super) fn is_shared<V>(&mut self, line: &Line<V>, instrument: usize) -> bool {
        let (place, book) = (&line.places[instrument], self.of(line, instrument));
        book.carriers > 1 || place.held > 0 || place.left != book.left
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
        let position = self.at(place.book).tracker.position(V::SEQUENCE, trade, before, &place.shown);
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
        let book = self.at(place.book);
        book.level = book.level - u32::from(place.is_level) + u32::from(is_level);
        book.waiting.retain(|(waiting, _)| *waiting != line.number);
        place.is_level = is_level;
    }

    /// A connection shows the instrument no longer, though it should: nobody has to wait for it.
    pub(super) fn is_silent<V>(&mut self, line: &mut Line<V>, instrument: usize) {
        self.set_level(line, instrument, false);
    }

    /// Whether another connection carries the instrument and is level.
    pub(super) fn is_elsewhere<V>(&mut self, line: &Line<V>, instrument: usize) -> bool {
        let own = u32::from(line.places[instrument].is_level);
        self.of(line, instrument).level > own
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
}

impl Book {
    /// Whether no other connection waits with an earlier trade than this one does.
    fn is_first(&self, line: u64) -> bool {
        let own = self.waiting.iter().find(|(waiting, _)| *waiting == line).map(|(_, number)| *number);
        own.is_none_or(|own| self.waiting.iter().all(|(_, other)| *other >= own))
    }
}
