//! The feed core's part in gap repair, with each tick: gaps are handed to the repairer, what it found is published.
//!
//! Live trades are not held back meanwhile, so a repaired trade comes after later ones of its symbol.

use std::sync::Arc;

use crossbeam::channel::TrySendError;

use super::book::{Book, Books};
use super::gaps::{Gaps, close, give_up};
use super::{FeedCore, MAX_NAMES, write_trade};
use crate::accounting::FeedTally;
use crate::avro;
use crate::clock::{Nanos, WallOffset};
use crate::record::{HEAD_LEN, Head, Kind};
use crate::repair::{Answer, Link, Reason, Source, Unfilled, Wanted};
use crate::trade::Trade;

/// What the field `connection` says of a trade of the exchange's REST API.
const CONNECTION: &str = "rest";
/// How old a gap must be before the exchange is asked: another connection may fill it by itself.
const GRACE_NS: u64 = 250_000_000;
/// Most repaired trades that are published with a tick, so that live ones find room in the ring.
const PER_TICK: usize = 512;

/// What a feed core keeps for gap repair.
pub(super) struct Repair {
    pub(super) link: Link,
    /// The answer that is being published, and how far it is: body and trade.
    publishing: Option<(Answer, usize, usize)>,
}

impl Repair {
    pub(super) fn new(link: Link) -> Self {
        Repair { link, publishing: None }
    }
}

impl FeedCore {
    /// With a way to repair gaps.
    pub fn repairing(mut self, link: Link) -> Self {
        self.repair = Some(Repair::new(link));
        self
    }

    /// Gaps of a feed that is new are repaired from `source`.
    pub fn repair_from(&mut self, feed: u16, source: Option<Arc<Source>>) {
        if let Some(repair) = &mut self.repair {
            let mut sources = repair.link.sources.to_vec();
            sources.resize(sources.len().max(usize::from(feed) + 1), None);
            sources[usize::from(feed)] = source;
            repair.link.sources = sources.into();
        }
    }

    /// Asks for new gaps, and publishes what was found of others, as far as the ring has room.
    pub(super) fn repair(&mut self) {
        self.repair_at(Nanos::now(), PER_TICK);
    }

    /// The core stops: what was found is published as far as the ring has room, and no more is awaited.
    pub(super) fn finish_repair(&mut self) {
        self.repair_at(Nanos::now(), usize::MAX);
        let tally = &mut self.recorder.now.tally;
        for gaps in self.books.all().filter_map(|(_, book)| book.gaps.as_mut()) {
            for gap in std::mem::take(&mut gaps.open) {
                close(gaps, gap, give_up(Reason::Stopped, "the engine stops"), tally);
            }
        }
    }

    pub(super) fn repair_at(&mut self, now: Nanos, most: usize) {
        let FeedCore { ring, bell, books, recorder, wall, repair, .. } = self;
        let Some(repair) = repair else { return };
        let tally = &mut recorder.now.tally;
        ask(books, &repair.link, now, tally);
        let mut room = most;
        // No answer is taken out of the channel, which is bounded, before the one before is done.
        while let Some(publishing) =
            repair.publishing.take().or_else(|| repair.link.answers.try_recv().ok().map(|answer| (answer, 0, 0)))
        {
            match publish(publishing, &mut room, ring, books, tally, wall) {
                Ok(answer) => settle(answer, books, tally),
                Err(rest) => {
                    repair.publishing = Some(rest);
                    break;
                }
            }
        }
        if room < most {
            bell.ring();
        }
    }
}

/// Hands gaps over that no connection has filled meanwhile, the oldest first.
fn ask(books: &mut Books, link: &Link, now: Nanos, tally: &mut FeedTally) {
    for (place, book) in books.all() {
        let Some(gaps) = &mut book.gaps else { continue };
        let mut at = 0;
        while let Some(gap) = gaps.open.get(at) {
            if gap.asked || now.since(gap.noted) < GRACE_NS {
                at += 1;
                continue;
            }
            match hand_over(gaps, at, place, link) {
                Ok(()) => at += 1,
                Err(unfilled) => {
                    let gap = gaps.open.remove(at);
                    close(gaps, gap, unfilled, tally);
                }
            }
        }
    }
}

/// Asks the repairer for the open gap that stands `at` this place. If that cannot be, or there is nothing left to ask for,
/// the gap is to be closed.
fn hand_over(gaps: &mut Gaps, at: usize, book: usize, link: &Link) -> Result<(), Option<Unfilled>> {
    let gap = &mut gaps.open[at];
    let missing = gap.left().ok_or(None)?;
    if missing.count() > link.max_trades {
        let words = format!("at most {} are asked for: see repair.max_trades", link.max_trades);
        return Err(Some(Unfilled { reason: Reason::TooLarge, words }));
    }
    if link.wanted.is_full() {
        // With the next tick there may be room.
        return Ok(());
    }
    let (source, instrument, reply) = (gaps.source.clone(), gaps.instrument.clone(), link.reply.clone());
    let wanted = Wanted { book, ticket: gap.ticket, source, instrument, missing, reply };
    match link.wanted.try_send(wanted) {
        Ok(()) => gap.asked = true,
        // Another core was faster.
        Err(TrySendError::Full(_)) => {}
        Err(TrySendError::Disconnected(_)) => return Err(give_up(Reason::Busy, "there is no repairer any more")),
    }
    Ok(())
}

/// Publishes what no connection has brought meanwhile: the answer once that is done, or how far it is if the ring has no
/// room, or no more are to be published now.
fn publish(
    (answer, mut body, mut trade): (Answer, usize, usize),
    room: &mut usize,
    ring: &mut k2_ring::Producer,
    books: &mut Books,
    tally: &mut FeedTally,
    wall: &WallOffset,
) -> Result<Answer, (Answer, usize, usize)> {
    let book = books.at(answer.book);
    while let Some(found) = answer.bodies.get(body) {
        // The hops are not to measure how long an answer waits for a tick.
        let now = Nanos::now();
        let head = Head {
            received: now,
            received_unix_ns: found.received_unix_ns,
            committed: now,
            feed: book.gaps.as_ref().map_or(0, |gaps| gaps.feed),
            from_rest: true,
            ..Head::of(Kind::Normalized)
        };
        while let Some(past) = found.trades.get(trade) {
            // No page lets one through that is none.
            if let Some(decoded) = past.trade() {
                if *room == 0 || !has_room(ring, book, &decoded) {
                    return Err((answer, body, trade));
                }
                let gap = book.gaps.as_mut().and_then(|gaps| gaps.get(answer.ticket));
                if gap.is_some_and(|gap| gap.fill(past.number)) {
                    let head = Head { number: Some(past.number), ..head };
                    write_trade(ring, tally, book, CONNECTION, &decoded, &head, wall);
                    book.tracker.fill(past.number);
                    tally.repairs.trades += 1;
                    *room -= 1;
                }
            }
            trade += 1;
        }
        (body, trade) = (body + 1, 0);
    }
    Ok(answer)
}

/// Whether the ring has room for the record of a trade.
fn has_room(ring: &mut k2_ring::Producer, book: &Book, trade: &Trade<'_>) -> bool {
    let context = avro::Context { prefix: &book.prefix, connection: CONNECTION, received_ns: 0, normalized_ms: 0 };
    ring.has_room(HEAD_LEN + avro::max_len(trade, &context) + MAX_NAMES, 1)
}

/// An answer is published: its gap is closed, if that was all.
fn settle(answer: Answer, books: &mut Books, tally: &mut FeedTally) {
    if !answer.is_last {
        return;
    }
    if let Some(gaps) = &mut books.at(answer.book).gaps
        && let Some(gap) = gaps.close(answer.ticket)
    {
        close(gaps, gap, answer.unfilled, tally);
    }
}

#[cfg(test)]
mod tests;
