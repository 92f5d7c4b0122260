//! The market's thread: puts on the wire whatever is due, all of it at once, then waits for the next moment.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::config::Stop;
use super::fault::Striker;
use super::history::{Found, Question};
use super::schedule::{Clock, sleep_exactly, wait_ns};
use super::wire::Wire;

/// Frames put on the wire before the sockets are served again: some 600 KiB of trades.
const BATCH_FRAMES: u64 = 4_096;
/// Trades at a time where the market waits for its readers: enough to make a system call cheap, some 80 KiB.
const UNPACED_BATCH_TRADES: u64 = 512;
/// Between attempts to write what a socket did not take. It holds megabytes, so it does not run dry meanwhile.
const RETRY_NS: i64 = 50_000;
/// Between looks at connections that only a reader's thread may have left unsent bytes on.
const IDLE_NS: i64 = 50_000_000;
/// Trades of one frame are due within this time.
const TOGETHER_NS: i64 = 5_000_000;

/// Where frames come from: generated trades or a recording.
pub(crate) trait Source {
    /// Learns who wants what, and stages what new subscribers get first; returns how many symbols or streams have been
    /// subscribed.
    fn resubscribe(&mut self, wire: &mut Wire) -> usize;

    /// Nanoseconds from the clock's start to trade `k` (in a recording: frame `k`); `None` if there is no such trade.
    fn due_ns(&self, k: u64) -> Option<i64>;

    /// How many trades may be sent now where the market waits for its readers.
    fn room(&self) -> u64;

    /// How many trades the next frame would hold if they were due together; at least 1. Asked once a frame.
    fn next_run(&mut self) -> u64;

    /// Makes a frame of these trades and stages it for those who want it; returns how many of the trades anybody gets.
    /// `due_ns` is when the last of them is due.
    fn emit(&mut self, trades: Range<u64>, due_ns: i64, now_ns: i64, wire: &mut Wire) -> u64;

    /// A fault: has the next so many trades of each symbol made, but not sent; returns how many that are in all.
    fn skip(&mut self, _trades: u64) -> u64 {
        0
    }

    /// Trades of the past; `None` if there is no such symbol.
    fn look_up(&self, _question: &Question) -> Option<Found> {
        None
    }

    /// Called before a batch is written; false if it must not be, because the simulator stops.
    fn publish(&mut self, wire: &Wire) -> bool;
}

/// What remains to be done at the end of a turn.
enum Next {
    /// More is due already.
    AtOnce,
    /// Nothing before this many nanoseconds have passed.
    After(i64),
    /// Nothing until something changes.
    Nothing,
}

/// Runs the market until the simulator stops.
pub(crate) struct Driver<S> {
    source: S,
    wire: Wire,
    /// Whether the market waits for its readers rather than keeping a schedule.
    unpaced: bool,
    trades: Option<u64>,
    until_ns: Option<i64>,
    resolution_ns: i64,
    /// The next trade's number.
    k: u64,
    /// How many trades the next frame holds; 0 while that is not decided.
    run: u64,
    finished: bool,
    /// Faults that strike at some time.
    striker: Option<Striker>,
}

impl<S: Source> Driver<S> {
    pub(crate) fn new(source: S, wire: Wire) -> Self {
        let config = &wire.hub().config;
        let (trades, until_ns) = match config.stop {
            Stop::Never => (None, None),
            Stop::After(duration) => (None, Some(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))),
            Stop::Count(count) => (Some(count), None),
        };
        let unpaced = config.waits_for_readers();
        let resolution_ns = i64::try_from(config.resolution.as_nanos()).unwrap_or(i64::MAX);
        let striker = Striker::new(wire.hub());
        Self { source, wire, unpaced, trades, until_ns, resolution_ns, k: 0, run: 0, finished: false, striker }
    }

    pub(crate) fn run(mut self) {
        sleep_exactly();
        let Some(clock) = self.open() else { return };
        while !self.wire.hub().is_stopping() {
            self.wire.hub().cut_if_asked();
            self.finished |= self.wire.hub().is_market_over();
            self.wire.hub().desk.attend(|question| self.source.look_up(question));
            if let Some(stalled_ns) = self.strike(&clock) {
                wait_ns(stalled_ns.min(IDLE_NS));
                continue;
            }
            if self.wire.refresh() {
                self.source.resubscribe(&mut self.wire);
                self.commit(clock.now_ns());
                self.wire.note_attended();
            }
            let unwritten = self.wire.flush();
            let next = if self.finished {
                Next::Nothing
            } else if self.unpaced {
                self.unpaced_turn(&clock, unwritten)
            } else {
                self.paced_turn(&clock)
            };
            self.rest(next, &clock);
        }
        if let Some(striker) = &mut self.striker {
            striker.release();
        }
    }

    /// Strikes with the faults that are due, as long as there is a market; for how long it is to hold still, if it is.
    fn strike(&mut self, clock: &Clock) -> Option<i64> {
        let striker = self.striker.as_mut().filter(|_| !self.finished)?;
        striker.strike(clock.now_ns(), &mut |trades| self.source.skip(trades))
    }

    /// Waits until enough is subscribed, then starts the clock.
    fn open(&mut self) -> Option<Clock> {
        let wanted = self.wire.hub().config.start_when.max(1);
        loop {
            if self.wire.hub().is_stopping() {
                return None;
            }
            self.wire.hub().cut_if_asked();
            self.wire.hub().desk.attend(|question| self.source.look_up(question));
            if self.wire.refresh() {
                let subscribed = self.source.resubscribe(&mut self.wire);
                self.commit(0);
                self.wire.note_attended();
                if subscribed >= wanted {
                    tracing::info!(subscribed, "market open");
                    return Some(*self.wire.hub().clock.get_or_init(Clock::start));
                }
            }
            self.wire.flush();
            wait_ns(IDLE_NS);
        }
    }

    /// The open loop: everything due by now, however late.
    fn paced_turn(&mut self, clock: &Clock) -> Next {
        let now_ns = clock.now_ns();
        let mut frames = 0;
        let next = loop {
            if frames == BATCH_FRAMES {
                break Next::AtOnce;
            }
            let Some(due_ns) = self.due_ns(now_ns) else {
                break Next::Nothing;
            };
            if due_ns > now_ns {
                break Next::After(due_ns - now_ns);
            }
            self.emit(due_ns, now_ns);
            frames += 1;
        };
        self.commit(clock.now_ns());
        match next {
            Next::After(_) => Next::After(self.wait_after(clock)),
            other => other,
        }
    }

    /// The due time of the next frame; where the time is over before it, the end. `None` when finished.
    fn due_ns(&mut self, now_ns: i64) -> Option<i64> {
        let due_ns = self.plan_run(u64::MAX).and_then(|last| self.source.due_ns(last));
        match (due_ns, self.until_ns) {
            (Some(due_ns), Some(until_ns)) if due_ns >= until_ns && now_ns < until_ns => Some(until_ns),
            (Some(due_ns), until_ns) if until_ns.is_none_or(|until_ns| due_ns < until_ns) => Some(due_ns),
            _ => {
                self.finished = true;
                None
            }
        }
    }

    /// Decides how many trades the next frame holds, at most `most`; returns the last one's number. `None` if the count
    /// is reached.
    fn plan_run(&mut self, most: u64) -> Option<u64> {
        let left = self.trades.map_or(u64::MAX, |trades| trades - self.k);
        if left == 0 {
            return None;
        }
        if self.run == 0 {
            self.run = self.source.next_run();
            if self.run > 1 {
                let first_ns = self.source.due_ns(self.k)?;
                while self.run > 1 && !self.is_due_together(first_ns) {
                    self.run -= 1;
                }
            }
        }
        self.run = self.run.min(left).min(most).max(1);
        Some(self.k + self.run - 1)
    }

    /// Whether the last trade of the next frame is due shortly after the first, and before the end.
    fn is_due_together(&self, first_ns: i64) -> bool {
        self.source.due_ns(self.k + self.run - 1).is_some_and(|last_ns| {
            last_ns - first_ns <= TOGETHER_NS && self.until_ns.is_none_or(|until_ns| last_ns < until_ns)
        })
    }

    /// Time from now to the next frame: writing a batch takes a while.
    fn wait_after(&mut self, clock: &Clock) -> i64 {
        let now_ns = clock.now_ns();
        self.due_ns(now_ns).map_or(0, |due_ns| due_ns - now_ns)
    }

    /// As much as readers and ledger have room for.
    fn unpaced_turn(&mut self, clock: &Clock, unwritten: usize) -> Next {
        let now_ns = clock.now_ns();
        let left = self.trades.map_or(u64::MAX, |trades| trades - self.k);
        if left == 0 || self.until_ns.is_some_and(|until_ns| now_ns >= until_ns) {
            self.finished = true;
            return Next::Nothing;
        }
        let trades = self.source.room().min(left).min(UNPACED_BATCH_TRADES);
        if unwritten > 0 || trades == 0 {
            return Next::After(RETRY_NS);
        }
        let end = self.k + trades;
        while self.k < end {
            if self.plan_run(end - self.k).and_then(|last| self.source.due_ns(last)).is_none() {
                self.finished = true;
                break;
            }
            self.emit(now_ns, now_ns);
        }
        self.commit(clock.now_ns());
        Next::AtOnce
    }

    fn emit(&mut self, due_ns: i64, now_ns: i64) {
        let run = std::mem::take(&mut self.run);
        let heard = self.source.emit(self.k..self.k + run, due_ns, now_ns, &mut self.wire);
        self.k += run;
        let meter = &self.wire.hub().meter;
        meter.scheduled.store(self.k, Ordering::Relaxed);
        // Only this thread writes these.
        meter.sent.store(meter.sent.load(Ordering::Relaxed) + heard, Ordering::Relaxed);
        meter.unheard.store(meter.unheard.load(Ordering::Relaxed) + run - heard, Ordering::Relaxed);
    }

    fn commit(&mut self, now_ns: i64) {
        if self.source.publish(&self.wire) {
            self.wire.commit(now_ns);
        } else {
            self.wire.discard();
        }
    }

    /// Waits, but comes back soon to sockets that have not taken everything.
    fn rest(&mut self, next: Next, clock: &Clock) {
        let unwritten = self.wire.flush();
        if self.finished && unwritten == 0 {
            self.wire.hub().meter.done.store(true, Ordering::Release);
        }
        let retry_ns = if unwritten > 0 { RETRY_NS } else { IDLE_NS };
        let striker = self.striker.as_ref().filter(|_| !self.finished);
        let retry_ns =
            striker.and_then(|striker| striker.until_next(clock.now_ns())).map_or(retry_ns, |ns| ns.min(retry_ns));
        match next {
            Next::AtOnce => {}
            Next::After(ns) => wait_ns(ns.clamp(self.resolution_ns, retry_ns.max(self.resolution_ns))),
            Next::Nothing => wait_ns(retry_ns),
        }
    }
}
