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

/// What a connection has shown of a symbol, as to time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    last: Option<Nanos>,
    now: Window,
    before: Window,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    began: Nanos,
    trades: u32,
    longest: u64,
}

impl Activity {
    /// A trade has come.
    #[inline]
    pub fn traded(&mut self, at: Nanos) {
        let Some(last) = self.last.replace(at) else {
            self.now.began = at;
            return;
        };
        self.now.longest = self.now.longest.max(at.since(last));
        self.now.trades = self.now.trades.saturating_add(1);
        if at.since(self.now.began) > WINDOW.as_nanos() as u64 {
            self.before = std::mem::replace(&mut self.now, Window { began: at, ..Window::default() });
        }
    }

    /// When the last trade came.
    pub fn last(&self) -> Option<Nanos> {
        self.last
    }

    /// The silence that is a fault, if one can be told yet.
    pub fn threshold(&self) -> Option<Duration> {
        let trades = self.now.trades + self.before.trades;
        let last = self.last.filter(|_| trades >= FEWEST_TRADES)?;
        let began = if self.before.trades > 0 { self.before.began } else { self.now.began };
        let mean = last.since(began) / u64::from(trades);
        let longest = self.now.longest.max(self.before.longest);
        let learned = (mean * MEAN_FACTOR).max(longest * LONGEST_FACTOR);
        Some(Duration::from_nanos(learned).max(LEAST))
    }

    /// Whether the symbol has been silent for longer than it may.
    pub fn is_silent(&self, now: Nanos) -> bool {
        let passed = |threshold: Duration| self.last.is_some_and(|last| now.since(last) > threshold.as_nanos() as u64);
        self.threshold().is_some_and(passed)
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
        assert!(!busy.is_silent(at(last + 15_000)));
        assert!(busy.is_silent(at(last + 15_001)));
        let (rare, last) = trading(30, 3_600_000);
        assert!(!rare.is_silent(at(last + 19 * 3_600_000)));
        let (unknown, last) = trading(20, 100);
        assert!(!unknown.is_silent(at(last + 1_000_000_000)), "nineteen intervals say little");
        assert!(!Activity::default().is_silent(at(1_000_000_000)));
    }

    #[test]
    fn one_that_was_silent_for_long_before_may_be_so_again() {
        let (mut bursty, last) = trading(1_000, 10);
        bursty.traded(at(last + 60_000));
        assert_eq!(bursty.threshold(), Some(Duration::from_secs(180)));
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
