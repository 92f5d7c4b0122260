//! What a core keeps of each symbol of a feed, whichever connections it comes by.

use std::collections::HashMap;
use std::sync::Arc;

use bumpalo::Bump;

use super::Line;
use super::firsts::Firsts;
use super::gaps::{Gaps, close, give_up};
use crate::accounting::FeedTally;
use crate::avro::SymbolPrefix;
use crate::board::{SymbolCounts, SymbolSign};
use crate::clock::{Nanos, WallOffset};
use crate::interval::FeedMeasured;
use crate::repair::Reason;
use crate::resume::Reached;
use crate::sequence::{Observation, Tracker};
use crate::session::Activity;
use crate::trade::{Trade, TradeId};
use crate::twins::Twins;
use crate::venue::history::Missing;
use crate::venue::{SequenceRule, Venue};

/// A frame is received at most so long after its trades, by clocks that may differ.
const RECEIVED_AFTER_NS: i64 = 10_000_000_000;

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
    pub(super) tracker: Tracker,
    /// The connection that began it.
    seat: usize,
    /// Who was first, once more than one connection has carried it.
    firsts: Option<Box<Firsts>>,
    /// Those that are to be repaired, where that can be.
    pub(super) gaps: Option<Box<Gaps>>,
    /// When the trade with the highest number took place.
    last_ns: i64,
    /// The last number that no trade to publish has, and how many were there in a row.
    passed: (i64, u8),
    /// When a trade was last received.
    received: Nanos,
    counts: SymbolCounts,
    sign: Arc<SymbolSign>,
    activity: Activity,
    /// Whether the configuration does not want it any more.
    is_unwanted: bool,
    /// How many connections carry it.
    pub(super) carriers: u32,
    /// How many of them are level.
    pub(super) level: u32,
    /// How many have ceased to carry it.
    pub(super) left: u32,
    /// Those that wait, by the numbers of their lines, and the number of the first trade that each has to show.
    pub(super) waiting: Vec<(u64, i64)>,
}

impl Books {
    /// A connection begins to carry `symbol`: the place of its book, which is begun if the feed has none yet. It is not
    /// level, though it be alone: before it shows anything, another may begin that has an earlier trade.
    pub(super) fn join<V: Venue>(
        &mut self,
        line: &Line<V>,
        symbol: &str,
        prefix: SymbolPrefix,
        sign: impl FnOnce() -> Arc<SymbolSign>,
        twins: &mut Twins,
    ) -> usize {
        let place = *self.places.entry((line.feed, symbol.to_string())).or_insert_with(|| {
            let (tracker, activity) = (Tracker::new(V::SEQUENCE), Activity::default());
            self.books.push(Book {
                symbol: symbol.to_string(),
                prefix: prefix.clone(),
                tracker,
                seat: line.seat,
                firsts: None,
                gaps: None,
                last_ns: 0,
                passed: (0, 0),
                received: Nanos(0),
                counts: SymbolCounts::default(),
                sign: sign(),
                activity,
                is_unwanted: false,
                carriers: 0,
                level: 0,
                left: 0,
                waiting: Vec::new(),
            });
            self.books.len() - 1
        });
        let book = &mut self.books[place];
        book.compare::<V>(line.seat, twins);
        (book.prefix, book.is_unwanted) = (prefix, false);
        book.carriers += 1;
        place
    }

    /// A connection carries the instrument no longer.
    pub(super) fn leave<V: Venue>(&mut self, line: &mut Line<V>, instrument: usize) {
        let place = &mut line.places[instrument];
        if std::mem::replace(&mut place.is_dropped, true) {
            return;
        }
        let book = &mut self.books[place.book];
        book.carriers -= 1;
        book.left = book.left.wrapping_add(1);
        book.level -= u32::from(std::mem::take(&mut place.is_level));
        book.waiting.retain(|(waiting, _)| *waiting != line.number);
        if book.carriers == 0 {
            book.activity.interrupted();
            book.forget_unwanted::<V>();
        }
    }

    /// The configuration does not want a symbol of a feed any more, or wants it again.
    pub(super) fn want<V: Venue>(&mut self, feed: u16, symbol: &str, is_wanted: bool) {
        if let Some(place) = self.places.get(&(feed, symbol.to_string())) {
            let book = &mut self.books[*place];
            book.is_unwanted = !is_wanted;
            book.forget_unwanted::<V>();
        }
    }

    /// Gaps of the book at `place` are repaired from now on.
    pub(super) fn repair(&mut self, place: usize, gaps: impl FnOnce() -> Gaps) {
        self.books[place].gaps.get_or_insert_with(|| Box::new(gaps()));
    }

    /// The book at `place`.
    pub(super) fn at(&mut self, place: usize) -> &mut Book {
        &mut self.books[place]
    }

    /// Shows how each symbol stands.
    pub(super) fn show(&self, wall: WallOffset) {
        self.books.iter().for_each(|book| book.show(wall));
    }

    /// All books with their places.
    pub(super) fn all(&mut self) -> impl Iterator<Item = (usize, &mut Book)> {
        self.books.iter_mut().enumerate()
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

    /// Takes note of a frame's trades: those that no other connection has shown. They are looked at before the frame is
    /// published, since it is only if there is one.
    pub(super) fn fresh<'frame, V: Venue>(
        &mut self,
        measured: &mut FeedMeasured,
        line: &mut Line<V>,
        trades: &[Trade<'frame>],
        received: Nanos,
        arena: &'frame Bump,
    ) -> &'frame [Trade<'frame>] {
        let mut fresh = bumpalo::collections::Vec::with_capacity_in(trades.len(), arena);
        for trade in trades {
            let mut trade = *trade;
            if self.of(line, trade.instrument).is_new(measured, line, &mut trade, received) {
                fresh.push(trade);
            }
        }
        fresh.into_bump_slice()
    }
}

impl Book {
    /// If a symbol that was not wanted comes back, what came meanwhile is no gap.
    fn forget_unwanted<V: Venue>(&mut self) {
        if self.is_unwanted && self.carriers == 0 {
            self.tracker = Tracker::new(V::SEQUENCE);
            self.activity = Activity::default();
        }
    }

    /// Goes on from where the symbol was when the run before ended: what was missing then is missing still.
    pub(super) fn resume<V: Venue>(&mut self, tally: &mut FeedTally, reached: &Reached) {
        if V::SEQUENCE != SequenceRule::Contiguous {
            return;
        }
        let was_missing = |number| !reached.has(number);
        self.tracker = Tracker::resumed(V::SEQUENCE, reached.last, was_missing);
        // By the exchange's clock the trade was earlier than its frame was received.
        let before = |ns: i64| ns.saturating_sub(RECEIVED_AFTER_NS);
        self.last_ns = before(reached.last_ns);
        for hole in &reached.holes {
            let missing = Missing {
                first: hole.first,
                last: hole.last,
                after_ns: before(hole.after_ns),
                before_ns: reached.last_ns,
            };
            self.counts.gap(missing.count());
            tally.gaps += 1;
            tally.missing = tally.missing.saturating_add(missing.count());
            let (symbol, first, last) = (&self.symbol, hole.first, hole.last);
            tracing::warn!(symbol, first, last, "gap: trades are missing since before the start");
            self.open_gap(tally, missing);
        }
    }

    /// From when on a second connection, however often made anew, carries the symbol, they are compared.
    fn compare<V: Venue>(&mut self, seat: usize, twins: &mut Twins) {
        if seat == self.seat && self.firsts.is_none() {
            return;
        }
        let firsts = self.firsts.get_or_insert_with(|| Box::new(Firsts::new()));
        firsts.join(V::FACTS.exchange, self.seat, twins);
        firsts.join(V::FACTS.exchange, seat, twins);
    }

    /// Takes note of a trade: whether it was not published before.
    #[inline]
    pub(super) fn is_new<V: Venue>(
        &mut self,
        measured: &mut FeedMeasured,
        line: &mut Line<V>,
        trade: &mut Trade<'_>,
        received: Nanos,
    ) -> bool {
        let tally = &mut measured.tally;
        tally.trades += 1;
        self.counts.trades += 1;
        self.received = received;
        let place = &mut line.places[trade.instrument];
        place.traded_at = Some(received);
        self.level += u32::from(!std::mem::replace(&mut place.is_level, true));
        if self.gaps.as_ref().is_some_and(|gaps| !gaps.open.is_empty()) && self.fills_forgotten(trade.sequence) {
            tally.late += 1;
            return true;
        }
        let observation = self.tracker.observe(V::SEQUENCE, trade, &mut place.shown);
        if self.firsts.is_some() {
            self.note_first(&mut measured.twins, line, trade, received, observation);
        }
        let tally = &mut measured.tally;
        if observation != Observation::Repeated && self.carriers == 1 {
            line.places[trade.instrument].left = self.left;
        }
        match observation {
            Observation::InOrder => {
                self.last_ns = trade.exchange_time_ns;
                self.activity.traded(Nanos(trade.exchange_time_ns.max(0) as u64));
                true
            }
            observation => {
                if matches!(observation, Observation::Gap { .. } | Observation::Restarted { .. }) {
                    self.activity.interrupted();
                }
                self.note(tally, &line.name, &trade.id, observation);
                self.note_gap(tally, trade.exchange_time_ns, observation);
                observation != Observation::Repeated
            }
        }
    }

    /// Takes note of who was first with a trade that was just observed.
    fn note_first<V>(
        &mut self,
        twins: &mut Twins,
        line: &Line<V>,
        trade: &Trade<'_>,
        received: Nanos,
        observation: Observation,
    ) {
        let Some(firsts) = &mut self.firsts else { return };
        let here = &line.places[trade.instrument].shown;
        match (self.tracker.remembered(trade, here), observation) {
            (Some(place), Observation::Repeated) => firsts.shown_again(twins, line, place, received),
            (Some(place), _) => firsts.shown(line, place, received),
            (None, _) => {}
        }
    }

    /// Takes note of a trade while gaps are open: whether it was missing in one, so far below the others that the tracker
    /// would take it for one of a new count.
    #[cold]
    fn fills_forgotten(&mut self, number: Option<i64>) -> bool {
        let (Some(gaps), Some(number)) = (&mut self.gaps, number) else { return false };
        gaps.came(number) && !self.tracker.remembers(number)
    }

    /// A gap is opened to be repaired, or counted as one that stays. `at_ns` is when the trade behind it took place.
    #[cold]
    fn note_gap(&mut self, tally: &mut FeedTally, at_ns: i64, observation: Observation) {
        let after_ns = self.last_ns;
        match observation {
            Observation::Gap { .. } | Observation::Restarted { .. } => self.last_ns = at_ns,
            _ => return,
        }
        match (&mut self.gaps, observation) {
            (_, Observation::Gap { after, before, .. }) => {
                self.open_gap(tally, Missing { first: after + 1, last: before - 1, after_ns, before_ns: at_ns });
            }
            (Some(gaps), _) => {
                for gap in std::mem::take(&mut gaps.open) {
                    close(gaps, gap, give_up(Reason::Restarted, "the exchange counts anew"), tally);
                }
            }
            (None, _) => {}
        }
    }

    /// A gap is to be repaired, or counted as one that stays.
    fn open_gap(&mut self, tally: &mut FeedTally, missing: Missing) {
        let Some(gaps) = &mut self.gaps else {
            tally.repairs.given_up[Reason::NoHistory as usize] += 1;
            return;
        };
        if let Err(gap) = gaps.note(missing, Nanos::now()) {
            close(gaps, gap, give_up(Reason::Busy, "too many gaps of the symbol are open"), tally);
        }
    }

    /// Takes note of a number that no trade to publish has: whether it was not seen before.
    #[cold]
    pub(super) fn pass<V: Venue>(&mut self, tally: &mut FeedTally, line: &Line<V>, number: Option<i64>) -> bool {
        let Some(number) = number else { return true };
        if let Some(gaps) = &mut self.gaps {
            gaps.came(number);
        }
        let observation = self.tracker.pass(V::SEQUENCE, number);
        self.note(tally, &line.name, &TradeId::Number(number.unsigned_abs()), observation);
        self.note_gap(tally, self.last_ns, observation);
        if observation == Observation::Repeated {
            return false;
        }
        let in_a_row = self.passed_below(number);
        self.passed = (number, in_a_row.saturating_add(1));
        true
    }

    /// How many numbers just below this one no trade to publish has.
    #[inline]
    pub(super) fn passed_below(&self, number: i64) -> u8 {
        let (last, in_a_row) = self.passed;
        if last.wrapping_add(1) == number { in_a_row } else { 0 }
    }

    /// Counts and says what was observed of a trade.
    #[cold]
    fn note(&mut self, tally: &mut FeedTally, connection: &str, id: &TradeId<'_>, observation: Observation) {
        let symbol = &self.symbol;
        match observation {
            Observation::InOrder => {}
            Observation::Gap { after, before, missing } => {
                self.counts.gap(missing);
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

    /// Shows how the symbol stands.
    fn show(&self, wall: WallOffset) {
        let received = (self.counts.trades > 0).then(|| {
            let unix_ns = wall.unix_ns(self.received);
            (unix_ns, unix_ns - self.last_ns)
        });
        self.sign.show(!self.is_unwanted || self.carriers > 0, self.counts, received);
    }
}
