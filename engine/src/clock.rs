//! One clock for all hops.
//!
//! Hops are measured on the monotonic clock, as nanoseconds since the process began, so that readings of
//! different cores can be subtracted. Records carry wall-clock times; the kernel stamps packets with the wall
//! clock too. [`WallOffset`] turns one into the other and is read again often, since the wall clock is slewed.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the process began, on the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The present reading. One vDSO call, about 20 ns.
    #[inline]
    pub fn now() -> Self {
        Nanos(origin().elapsed().as_nanos() as u64)
    }

    /// Nanoseconds from `earlier` to `self`; 0 if `earlier` is the later one.
    #[inline]
    pub fn since(self, earlier: Nanos) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to `self`; none if `earlier` is the later one.
    pub fn time_since(self, earlier: Nanos) -> Duration {
        Duration::from_nanos(self.since(earlier))
    }

    /// This reading moved on by `by`.
    pub fn plus(self, by: Duration) -> Self {
        Nanos(self.0.saturating_add(by.as_nanos() as u64))
    }
}

/// Fixed at its first use; `main` reads the clock before any thread is started.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// The difference between the wall clock and [`Nanos`].
#[derive(Debug, Clone, Copy)]
pub struct WallOffset(i64);

impl WallOffset {
    /// Reads both clocks.
    pub fn read() -> Self {
        let wall = unix_now_ns();
        WallOffset(wall - Nanos::now().0 as i64)
    }

    /// `at` as nanoseconds since the Unix epoch.
    #[inline]
    pub fn unix_ns(self, at: Nanos) -> i64 {
        at.0 as i64 + self.0
    }

    /// A wall-clock time as a reading of the hop clock; times before the process began become 0.
    #[inline]
    pub fn hop(self, unix_ns: i64) -> Nanos {
        Nanos((unix_ns - self.0).max(0) as u64)
    }
}

/// The wall clock in nanoseconds since the Unix epoch. A clock before 1970 reads as 0.
pub fn unix_now_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_goes_there_and_back() {
        let offset = WallOffset::read();
        let at = Nanos::now();
        assert_eq!(offset.hop(offset.unix_ns(at)), at);
        assert_eq!(offset.hop(0), Nanos(0));
    }
}
