//! What happened: trades, lateness, connections.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::fault::{Recovery, Struck};
use super::lock::lock;

/// An hour late is as late as can be told.
const LATEST_NS: u64 = 3_600_000_000_000;
/// Three significant digits.
const DIGITS: u8 = 3;

/// Counts shared between the simulator's threads.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) scheduled: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) unheard: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) slow_readers_cut: AtomicU64,
    pub(crate) limits_exceeded: AtomicU64,
    /// Between the clock's start and the last trade put on the wire.
    pub(crate) sending_ns: AtomicU64,
    pub(crate) done: AtomicBool,
    struck: Mutex<Struck>,
    lateness: Mutex<Histogram<u64>>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let lateness = Histogram::new_with_bounds(1, LATEST_NS, DIGITS);
        Self {
            scheduled: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            unheard: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            slow_readers_cut: AtomicU64::new(0),
            limits_exceeded: AtomicU64::new(0),
            sending_ns: AtomicU64::new(0),
            done: AtomicBool::new(false),
            struck: Mutex::new(Struck::default()),
            lateness: Mutex::new(lateness.expect("constant bounds that the histogram allows")),
        }
    }

    /// A fault, named by its place among the words, struck and touched so many.
    pub(crate) fn fault_struck(&self, place: usize, touched: u64) {
        lock(&self.struck).note(place, 1, touched);
    }

    /// A fault that struck before touched so many more.
    pub(crate) fn fault_touched(&self, place: usize, touched: u64) {
        lock(&self.struck).note(place, 0, touched);
    }

    /// Records frames that the system took from us at `now_ns`, each due at its own time.
    pub(crate) fn written(&self, now_ns: i64, dues_ns: impl Iterator<Item = i64>) {
        let mut lateness = lock(&self.lateness);
        for due_ns in dues_ns {
            lateness.saturating_record(u64::try_from(now_ns - due_ns).unwrap_or(0).max(1));
        }
    }

    /// Trades that were due while nobody was subscribed have been sent after all. For the market's thread, which alone
    /// writes these counts.
    pub(crate) fn heard_late(&self, trades: u64) {
        self.sent.store(self.sent.load(Relaxed) + trades, Relaxed);
        self.unheard.store(self.unheard.load(Relaxed) - trades, Relaxed);
    }

    pub(crate) fn progress(&self, open: usize, unwritten_bytes: usize, recovery: Recovery) -> Progress {
        Progress {
            scheduled: self.scheduled.load(Relaxed),
            sent: self.sent.load(Relaxed),
            unheard: self.unheard.load(Relaxed),
            unwritten_bytes,
            connections: self.connections.load(Relaxed),
            open_connections: open,
            refused: self.refused.load(Relaxed),
            slow_readers_cut: self.slow_readers_cut.load(Relaxed),
            limits_exceeded: self.limits_exceeded.load(Relaxed),
            faults: *lock(&self.struck),
            recovery,
            lateness: Lateness::of(&lock(&self.lateness)),
        }
    }

    pub(crate) fn summary(&self, unwritten_bytes: usize, recovery: Recovery) -> Summary {
        let sending = Duration::from_nanos(self.sending_ns.load(Relaxed));
        let progress = self.progress(0, unwritten_bytes, recovery);
        let seconds = sending.as_secs_f64();
        let rate = if seconds > 0.0 { progress.sent as f64 / seconds } else { 0.0 };
        Summary { progress, sending, rate }
    }
}

/// How long after its due time a frame was taken by the system, in nanoseconds. A frame counts once for each
/// connection it goes to, and what a slow reader leaves unsent counts when it is sent at last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Frames measured.
    pub frames: u64,
    /// The median.
    pub p50_ns: u64,
    /// 99 of 100 are no later.
    pub p99_ns: u64,
    /// 999 of 1000 are no later.
    pub p999_ns: u64,
    /// The latest.
    pub max_ns: u64,
}

impl Lateness {
    fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            frames: histogram.len(),
            p50_ns: histogram.value_at_quantile(0.50),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }
}

/// What has happened so far. In a replay, read "frame" for "trade".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Trades made, each at its due time or later; `sent + unheard`.
    pub scheduled: u64,
    /// Trades put on the wire to at least one subscriber.
    pub sent: u64,
    /// Trades that nobody was subscribed to when they were due, and that no snapshot has told since.
    pub unheard: u64,
    /// Bytes that open connections have not taken yet.
    pub unwritten_bytes: usize,
    /// WebSocket connections accepted so far.
    pub connections: u64,
    /// WebSocket connections that stand now.
    pub open_connections: usize,
    /// Handshakes that failed or asked for what does not exist.
    pub refused: u64,
    /// Connections cut because their reader left too much unsent.
    pub slow_readers_cut: u64,
    /// Connections closed for too many messages a second, for a missing pong or subscription, or for being quiet.
    pub limits_exceeded: u64,
    /// Faults that struck.
    pub faults: Struck,
    /// How long clients took to come back.
    pub recovery: Recovery,
    /// How late frames were.
    pub lateness: Lateness,
}

/// What happened between start and stop; its `Display` is what `k2-feed simulate` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The final counts; `unwritten_bytes` are those that readers had not taken when the simulator stopped.
    pub progress: Progress,
    /// From the clock's start to the last trade put on the wire.
    pub sending: Duration,
    /// Trades sent per second over that time.
    pub rate: f64,
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress {
            sent, unheard, unwritten_bytes, connections, refused, slow_readers_cut, limits_exceeded, ..
        } = self.progress;
        let (late, faults, recovery) = (self.progress.lateness, self.progress.faults, self.progress.recovery);
        let us = |ns: u64| ns as f64 / 1e3;
        writeln!(out, "sent         {sent} in {:.3} s, {:.0} per second", self.sending.as_secs_f64(), self.rate)?;
        writeln!(out, "unheard      {unheard} (due while nobody was subscribed)")?;
        writeln!(out, "unwritten    {unwritten_bytes} bytes (not taken by readers at the end)")?;
        writeln!(
            out,
            "lateness     p50 {:.1} us, p99 {:.1} us, p99.9 {:.1} us, max {:.1} us",
            us(late.p50_ns),
            us(late.p99_ns),
            us(late.p999_ns),
            us(late.max_ns)
        )?;
        writeln!(out, "connections  {connections} ({refused} more refused)")?;
        write!(out, "cut          {slow_readers_cut} slow readers, {limits_exceeded} over the exchange's limits")?;
        if !faults.is_empty() {
            write!(out, "\nfaults       {faults}")?;
        }
        if recovery != Recovery::default() {
            write!(out, "\nrecovery     {recovery}")?;
        }
        Ok(())
    }
}
