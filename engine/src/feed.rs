//! The feed core: the hot path, from the receive buffer to the ring, in the order in which it runs.
//!
//! One pinned executor ([`executor`]) runs the connections, each of which has a [`seat`]. All of them share what is here:
//! the ring, the parser's buffers, the arena and the histograms. Nothing here waits, and nothing allocates for a
//! message that is well.

pub mod assignment;
mod book;
pub mod executor;
mod firsts;
mod gaps;
mod hand_over;
mod held;
pub mod io_uring;
mod leg;
mod level;
mod line;
pub mod outside;
mod reader;
mod repair;
pub mod seat;
pub mod waits;

use std::collections::HashMap;
use std::sync::Arc;

use bumpalo::Bump;
use k2_ring::Full;

use crate::accounting::FeedTally;
use crate::avro::{self, SymbolPrefix};
use crate::bell::Bell;
use crate::board::{Board, ConnectionSign};
use crate::clock::{Nanos, WallOffset};
use crate::interval::Recorder;
use crate::latency::Hop;
use crate::record::{HEAD_LEN, Head, Kind, Tail, seal};
use crate::resume::Reached;
use crate::trade::Trade;
use crate::venue::json::Json;
use crate::venue::{Control, Frame, Instrument, Reject, SequenceRule, Subscription, Venue};
use book::{Book, Books};
use gaps::Gaps;
use held::{Shown, Turn};
pub use line::Line;
use repair::Repair;

#[cfg(test)]
mod tests;

/// Longest reason on a dead letter, in bytes.
const MAX_REASON: usize = 256;
/// Longest key and connection name together, in bytes.
const MAX_NAMES: usize = 128;

/// What the connections of one core share.
pub struct FeedCore {
    ring: k2_ring::Producer,
    bell: Arc<Bell>,
    json: Json,
    arena: Bump,
    books: Books,
    /// How many lines there have been.
    lines: u64,
    recorder: Recorder<FeedTally>,
    wall: WallOffset,
    /// Since when the core is busy, and when it had last done something: readings that are taken anyway.
    busy: (Nanos, Nanos),
    repair: Option<Repair>,
    /// How far symbols were when the run before ended, of those that have not begun.
    resumed: HashMap<(u16, String), Reached>,
    /// Where it is shown what connections and symbols are at, and this core's number there.
    board: (Arc<Board>, usize),
}

/// What a text frame was.
#[derive(Debug, PartialEq)]
pub enum Outcome<'frame> {
    /// Market data, now in the ring.
    Data,
    /// Something for the session.
    Control(Control<'frame>),
    /// Not decoded; now a dead letter in the ring.
    Rejected(Reject),
}

impl FeedCore {
    /// A core that writes to `ring` and measures into `recorder`.
    pub fn new(ring: k2_ring::Producer, bell: Arc<Bell>, recorder: Recorder<FeedTally>) -> Self {
        let (json, arena) = (Json::default(), Bump::with_capacity(64 * 1024));
        let (books, wall) = (Books::default(), WallOffset::read());
        let (resumed, board, busy) = (HashMap::new(), (Arc::default(), 0), Default::default());
        FeedCore { ring, bell, json, arena, books, lines: 0, recorder, wall, busy, repair: None, resumed, board }
    }

    /// Shows on `board`, as the core of this number, what its connections and symbols are at.
    pub fn showing(mut self, board: Arc<Board>, core: usize) -> Self {
        self.board = (board, core);
        self
    }

    /// Symbols go on from where they were when the run before ended, by feed and symbol.
    pub fn resuming(mut self, resumed: HashMap<(u16, String), Reached>) -> Self {
        self.resumed = resumed;
        self
    }

    /// A line of what `subscription` asks for, for the `feed`'s topics, of the connection of this number (its `seat`) among
    /// those of its exchange. Records begin with `prefixes`, one an instrument.
    /// Lines of a feed that have instruments in common publish each trade once; a frame of which every trade came by
    /// another is not published, either.
    ///
    /// # Panics
    /// If a symbol and the name are longer than records allow, which the configuration has refused, or a prefix is
    /// missing.
    pub fn line<V: Venue>(
        &mut self,
        subscription: &Subscription,
        feed: u16,
        seat: usize,
        name: String,
        prefixes: &[SymbolPrefix],
    ) -> Line<V> {
        self.lines += 1;
        self.recorder.now.tally.begin(feed);
        let mut line = Line::new(self.lines, subscription, feed, seat, name);
        assert_eq!(subscription.instruments.len(), prefixes.len());
        for (instrument, prefix) in subscription.instruments.iter().zip(prefixes) {
            self.add(&mut line, instrument, prefix);
        }
        line
    }

    /// The line gets one more instrument, whose records begin with `prefix`.
    pub(super) fn add<V: Venue>(&mut self, line: &mut Line<V>, instrument: &Instrument, prefix: &SymbolPrefix) {
        assert!(instrument.symbol.len() + line.name.len() <= MAX_NAMES);
        let overhead = avro::max_overhead(prefix, &line.name);
        let sign = || self.board.0.symbol(V::FACTS.exchange, &instrument.symbol);
        let book = self.books.join(line, &instrument.symbol, prefix.clone(), sign, &mut self.recorder.now.twins);
        line.add(instrument, book, self.books.at(book).left, overhead);
        let source = self.repair.as_ref().and_then(|repair| repair.link.sources.get(usize::from(line.feed))?.clone());
        if let Some(source) = source {
            self.books.repair(book, || Gaps::new(line.feed, Arc::new(instrument.clone()), source));
        }
        if let Some(reached) = self.resumed.remove(&(line.feed, instrument.symbol.clone())) {
            self.books.at(book).resume::<V>(&mut self.recorder.now.tally, &reached);
        }
    }

    /// Where it is shown what a connection is at.
    fn sign(&self, exchange: &'static str, number: usize) -> Arc<ConnectionSign> {
        self.board.0.connection(exchange, number, self.board.1)
    }

    /// The line's connection has ended.
    fn retire<V: Venue>(&mut self, line: &mut Line<V>) {
        (0..line.places.len()).for_each(|instrument| self.books.leave(line, instrument));
    }

    /// The counts of this core.
    pub fn tally(&mut self) -> &mut FeedTally {
        &mut self.recorder.now.tally
    }

    /// What is to be done now and then: the wall clock is read again, it is shown how symbols stand, gaps are repaired,
    /// measurements are passed on.
    pub fn tick(&mut self) {
        self.wall = WallOffset::read();
        self.books.show(self.wall);
        self.repair();
        self.recorder.pass_on_if_asked();
    }

    /// The core stops: what it has measured is passed on.
    pub fn finish(&mut self) {
        self.finish_repair();
        self.bell.ring();
        self.recorder.finish();
    }

    /// Notes that bytes were received `now`; `kernel_ns` is when the kernel had them.
    #[inline]
    pub fn received(&mut self, kernel_ns: Option<i64>, now: Nanos) {
        self.busy.0 = now;
        if let Some(ns) = kernel_ns {
            self.recorder.now.hops.record(Hop::Recv, self.wall.hop(ns), now);
        }
    }

    /// A batch of frames is done: the producer core is told, and measurements are passed on.
    #[inline]
    pub fn batch_done(&mut self) {
        let (since, done) = self.busy;
        self.recorder.now.tally.busy_ns += done.since(since);
        self.busy.0 = since.max(done);
        self.bell.ring();
        self.recorder.pass_on_if_asked();
    }

    /// Whether the ring has room for all that a frame can become.
    #[inline]
    pub fn has_room<V: Venue>(&mut self, line: &Line<V>, payload: &[u8]) -> bool {
        let trades = 1 + payload.len() / V::MIN_TRADE_BYTES;
        let bytes = line.record_bytes(payload.len(), trades);
        if bytes > self.ring.max_record() {
            self.has_room_for_large(line, payload)
        } else {
            self.ring.has_room(bytes, trades + 1)
        }
    }

    /// The same for a frame of which so many trades could come that the ring never promises room for them: they are
    /// counted. If even then there is no promise, it has to do that the ring is empty; a trade that does not fit then is
    /// dropped and counted.
    #[cold]
    fn has_room_for_large<V: Venue>(&mut self, line: &Line<V>, payload: &[u8]) -> bool {
        // A trade is an object or an array in every protocol.
        let trades = 1 + payload.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
        let bytes = line.record_bytes(payload.len(), trades);
        let most = self.ring.max_record();
        if bytes > most { self.ring.has_room(most, 1) } else { self.ring.has_room(bytes, trades + 1) }
    }

    /// Takes one text message from the receive buffer to the ring.
    #[inline]
    pub fn text<'frame, V: Venue>(
        &'frame mut self,
        line: &mut Line<V>,
        payload: &'frame mut [u8],
        received: Nanos,
    ) -> Outcome<'frame> {
        self.take(line, payload, received, Turn::First)
    }

    #[inline]
    fn take<'frame, V: Venue>(
        &'frame mut self,
        line: &mut Line<V>,
        payload: &'frame mut [u8],
        received: Nanos,
        turn: Turn,
    ) -> Outcome<'frame> {
        let FeedCore { ring, json, arena, books, recorder, wall, busy, .. } = self;
        let measured = &mut *recorder.now;
        measured.tally.frames.received += 1;
        arena.reset();

        // The parser writes over the payload, so the ring gets it first, verbatim: also of a feed that keeps no raw
        // frames, for it may become a dead letter, or wait. What is claimed and not committed takes no room.
        let len = payload.len();
        let mut frame = ring.claim(HEAD_LEN + len + MAX_NAMES + MAX_REASON);
        if let Ok(frame) = &mut frame {
            frame[HEAD_LEN..HEAD_LEN + len].copy_from_slice(payload);
        }

        let decoded = line.venue.decode(payload, &line.symbols, json, arena);
        let now = Nanos::now();
        busy.1 = now;
        let head = Head {
            received,
            committed: now,
            received_unix_ns: wall.unix_ns(received),
            feed: line.feed,
            ..Head::of(Kind::Raw)
        };
        match decoded {
            Ok(Frame::Trades(trades)) => {
                let is_shared = books.are_shared(line, trades);
                if is_shared && held::waits(books, line, Shown::Trades(trades), &frame, len, received, turn) {
                    measured.tally.frames.received -= 1;
                    return Outcome::Data;
                }
                measured.hops.record(Hop::Decode, received, now);
                measured.tally.frames.decoded += 1;
                let fresh = if is_shared { books.fresh(measured, line, trades, received, arena) } else { trades };
                if fresh.is_empty() && !trades.is_empty() {
                    return Outcome::Data;
                }
                let key = trades.first().map_or("", |trade| &books.of(line, trade.instrument).symbol);
                let tail = Tail { key, connection: &line.name, reason: "" };
                if line.keeps_raw {
                    finish(&mut measured.tally, frame, head, len, tail);
                }
                for trade in fresh {
                    let mut trade = *trade;
                    let book = books.of(line, trade.instrument);
                    if is_shared || book.is_new(measured, line, &mut trade, received) {
                        // Only numbers that count by one tell what is missing and what was there.
                        let number = trade.sequence.filter(|_| V::SEQUENCE == SequenceRule::Contiguous);
                        let passed = number.map_or(0, |number| book.passed_below(number));
                        let head = Head { number, passed, ..head };
                        let committed = write_trade(ring, &mut measured.tally, book, &line.name, &trade, &head, wall);
                        measured.hops.record(Hop::Encode, now, committed);
                        busy.1 = committed;
                    }
                }
                Outcome::Data
            }
            Ok(Frame::NoTrade { instrument, number }) => {
                let is_shared = books.is_shared(line, instrument);
                let shown = Shown::Number(instrument, number);
                if is_shared && held::waits(books, line, shown, &frame, len, received, turn) {
                    measured.tally.frames.received -= 1;
                    return Outcome::Data;
                }
                measured.hops.record(Hop::Decode, received, now);
                measured.tally.frames.decoded += 1;
                if !books.of(line, instrument).pass(&mut measured.tally, line, number) && is_shared {
                    return Outcome::Data;
                }
                let tail = Tail { key: &books.of(line, instrument).symbol, connection: &line.name, reason: "" };
                if line.keeps_raw {
                    finish(&mut measured.tally, frame, head, len, tail);
                }
                Outcome::Data
            }
            Ok(Frame::Control(control)) => {
                measured.tally.frames.control += 1;
                Outcome::Control(control)
            }
            Err(reject) => {
                measured.tally.frames.rejected += 1;
                dead_letter(&mut measured.tally, frame, head, len, &line.name, &reject);
                Outcome::Rejected(reject)
            }
        }
    }

    /// Takes a binary message, which no venue sends, to the dead letters.
    #[cold]
    pub fn binary<V: Venue>(&mut self, line: &Line<V>, payload: &[u8], received: Nanos) -> Reject {
        let tally = &mut self.recorder.now.tally;
        tally.frames.received += 1;
        tally.frames.rejected += 1;
        let mut frame = self.ring.claim(HEAD_LEN + payload.len() + MAX_NAMES + MAX_REASON);
        if let Ok(frame) = &mut frame {
            frame[HEAD_LEN..HEAD_LEN + payload.len()].copy_from_slice(payload);
        }
        let received_unix_ns = self.wall.unix_ns(received);
        let head = Head { received, committed: Nanos::now(), received_unix_ns, feed: line.feed, ..Head::of(Kind::Dlq) };
        let reject = Reject::new("frame", "is binary, text is expected");
        dead_letter(tally, frame, head, payload.len(), &line.name, &reject);
        reject
    }
}

/// Encodes one trade straight into the ring. Returns when it was committed.
#[inline]
fn write_trade(
    ring: &mut k2_ring::Producer,
    tally: &mut FeedTally,
    book: &Book,
    connection: &str,
    trade: &Trade<'_>,
    frame: &Head,
    wall: &WallOffset,
) -> Nanos {
    let context = avro::Context {
        prefix: &book.prefix,
        connection,
        received_ns: frame.received_unix_ns,
        normalized_ms: wall.unix_ns(frame.committed) / 1_000_000,
    };
    let mut record = ring.claim(HEAD_LEN + avro::max_len(trade, &context) + MAX_NAMES);
    let len = record.as_mut().map_or(0, |record| avro::write(trade, &context, &mut record[HEAD_LEN..]));
    let committed = Nanos::now();
    if record.is_err() {
        note_drop(&book.symbol, trade);
    }
    let tail = Tail { key: &book.symbol, connection: "", reason: "" };
    let head = Head { kind: Kind::Normalized, committed, ..*frame };
    finish(tally, record, head, len, tail);
    committed
}

/// Completes and commits a record whose value stands in claimed memory, or counts it as dropped if there was none.
#[inline]
fn finish(
    tally: &mut FeedTally,
    claim: Result<k2_ring::Claim<'_>, Full>,
    head: Head,
    value_len: usize,
    tail: Tail<'_>,
) {
    let made = &mut tally.made[usize::from(head.feed)][head.kind as usize];
    made.committed += 1;
    match claim {
        Ok(mut claim) => {
            let len = seal(&mut claim, head, value_len, tail);
            claim.commit(len);
        }
        Err(_) => made.dropped += 1,
    }
}

#[cold]
fn dead_letter(
    tally: &mut FeedTally,
    claim: Result<k2_ring::Claim<'_>, Full>,
    head: Head,
    len: usize,
    connection: &str,
    reject: &Reject,
) {
    let reason = reject.to_string();
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
    finish(tally, claim, Head { kind: Kind::Dlq, ..head }, len, Tail { key: "", connection, reason });
}

#[cold]
fn note_drop(symbol: &str, trade: &Trade<'_>) {
    tracing::error!(symbol, id = %trade.id, "the ring is full: trade dropped");
}
