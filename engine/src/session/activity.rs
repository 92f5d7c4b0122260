//! When a subscription that stands has fallen silent, judged by its own rate.
//!
//! A pair that trades once an hour is no fault when it is quiet for two; one that trades ten times a second is, after
//! half a minute. So the threshold comes from what the connection has shown of the symbol.

use std::time::Duration;

use crate::clock::Nanos;

/// So many trades are to be seen of a symbol before anything is expected of it.
const FEWEST_TRADES: u32 = 20;
/// Silence of so many times the mean interval is a fault: if trades came independently of each other, once in e^20 times.
const MEAN_FACTOR: u64 = 20;
/// They come in bursts, so silence of so many times the longest interval seen is asked for, too.
const LONGEST_FACTOR: u64 = 3;
/// No silence shorter than this is a fault.
const LEAST: Duration = Duration::from_secs(15);
/// What was seen longer ago than one to two of these does not count: pairs are busier by day than by night.
const WINDOW: Duration = Duration::from_mins(30);

/// Each connection that was made anew for a symbol's silence in vain doubles the silence that is a fault, up to so often:
/// trading may have been halted.
const MOST_DOUBLINGS: u32 = 12;

/// How often a symbol trades, by the exchange's own times: those know nothing of outages, stalls and sleeping machines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    last: Option<Nanos>,
    now: Window,
    before: Window,
    doublings: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    began: Nanos,
    trades: u32,
    /// The sum of the intervals between them, nanoseconds.
    traded_for: u64,
    longest: u64,
}

impl Activity {
    /// A trade has come that follows on the last; `at` is the exchange's time of it.
    #[inline]
    pub fn traded(&mut self, at: Nanos) {
        self.doublings = 0;
        let Some(last) = self.last.replace(at) else {
            if self.now.trades == 0 {
                self.now.began = at;
            }
            return;
        };
        let interval = at.since(last);
        self.now.longest = self.now.longest.max(interval);
        self.now.traded_for += interval;
        self.now.trades = self.now.trades.saturating_add(1);
        if at.since(self.now.began) > WINDOW.as_nanos() as u64 {
            self.before = std::mem::replace(&mut self.now, Window { began: at, ..Window::default() });
        }
    }

    /// The next trade may not follow on the last: the time between them is not how often the symbol trades.
    pub fn interrupted(&mut self) {
        self.last = None;
    }

    /// A connection was made anew for the silence, in vain so far.
    pub fn be_patient(&mut self) {
        self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
    }

    /// The silence that is a fault, if one can be told yet.
    pub fn threshold(&self) -> Option<Duration> {
        let trades = self.now.trades + self.before.trades;
        if trades < FEWEST_TRADES {
            return None;
        }
        let mean = (self.now.traded_for + self.before.traded_for) / u64::from(trades);
        let longest = self.now.longest.max(self.before.longest);
        let learned = (mean * MEAN_FACTOR).max(longest * LONGEST_FACTOR);
        Some(Duration::from_nanos(learned).max(LEAST) * (1 << self.doublings))
    }

    /// Whether a silence since then is longer than it may be.
    pub fn is_silent(&self, since: Nanos, now: Nanos) -> bool {
        self.threshold().is_some_and(|threshold| now.time_since(since) > threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// So many trades, so far apart; and when the last of them came.
    fn trading(count: u64, interval_ms: u64) -> (Activity, u64) {
        let mut activity = Activity::default();
        (0..count).for_each(|number| activity.traded(at(number * interval_ms)));
        (activity, (count - 1) * interval_ms)
    }

    #[test]
    fn who_trades_often_is_missed_soon_and_who_trades_rarely_is_not() {
        let (busy, last) = trading(1_000, 100);
        assert!(!busy.is_silent(at(last), at(last + 15_000)));
        assert!(busy.is_silent(at(last), at(last + 15_001)));
        let (rare, last) = trading(30, 3_600_000);
        assert!(!rare.is_silent(at(last), at(last + 19 * 3_600_000)));
        let (unknown, last) = trading(20, 100);
        assert!(!unknown.is_silent(at(last), at(last + 1_000_000_000)), "nineteen intervals say little");
        assert!(!Activity::default().is_silent(at(0), at(1_000_000_000)));
    }

    #[test]
    fn what_did_not_help_is_done_ever_more_rarely() {
        let (mut busy, last) = trading(1_000, 100);
        for seconds in [15, 30, 60, 120] {
            assert_eq!(busy.threshold(), Some(Duration::from_secs(seconds)));
            busy.be_patient();
        }
        busy.traded(at(last + 100));
        assert_eq!(busy.threshold(), Some(LEAST));
    }

    #[test]
    fn one_that_was_silent_for_long_before_may_be_so_again() {
        let (mut bursty, last) = trading(1_000, 10);
        bursty.traded(at(last + 60_000));
        assert_eq!(bursty.threshold(), Some(Duration::from_secs(180)));
        let (mut interrupted, last) = trading(1_000, 10);
        interrupted.interrupted();
        interrupted.traded(at(last + 60_000));
        assert_eq!(interrupted.threshold(), Some(LEAST));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let (mut activity, last) = trading(1_000, 10);
        activity.traded(at(last + 600_000));
        let mut now = last + 600_000;
        while now < last + 2 * 60 * 60_000 {
            now += 1_000;
            activity.traded(at(now));
        }
        assert_eq!(activity.threshold(), Some(Duration::from_secs(20)));
    }
}
