//! One clock for all hops.
//!
//! Hops are measured as nanoseconds since the process began, on a clock that all cores share, so that readings of
//! different ones can be subtracted. Records carry wall-clock times; the kernel stamps packets with the wall clock too.
//! [`WallOffset`] turns one into the other and is read again often, since the wall clock is slewed.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::machine::clock_source;

/// Nanoseconds since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The present reading.
    #[inline]
    pub fn now() -> Self {
        Nanos(match &*SOURCE {
            Source::Counter { clock, origin } => clock.delta_as_nanos(*origin, clock.raw()),
            Source::Kernel { origin } => origin.elapsed().as_nanos() as u64,
        })
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

/// What the kernel calls the processor's own counter. It takes its time from it only where it has found that all CPUs
/// count alike and without a pause.
const COUNTER: &str = "tsc";

/// What readings come from.
enum Source {
    /// The processor's counter, 11 ns a reading, and 1 to 2 millionths off the kernel's clock: its pace is measured once,
    /// in 0.6 ms. It takes 78 of 367 ns off a frame (`--bench pipeline`).
    Counter { clock: quanta::Clock, origin: u64 },
    /// The kernel's monotonic clock, 30 ns a reading where that is no system call.
    Kernel { origin: Instant },
}

/// Made at its first use: `main` reads the clock before any thread is started.
static SOURCE: LazyLock<Source> = LazyLock::new(|| match clock_source().as_deref() {
    Some(COUNTER) => {
        let clock = quanta::Clock::new();
        let origin = clock.raw();
        Source::Counter { clock, origin }
    }
    _ => Source::Kernel { origin: Instant::now() },
});

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

    #[test]
    fn it_keeps_to_the_kernels_clock() {
        // Each reading of one clock lies between two of the other, however long the thread was interrupted.
        let read = || (Instant::now(), Nanos::now(), Instant::now());
        let first = read();
        while first.0.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let last = read();
        let ns = last.1.since(first.1) as f64;
        let (least, most) = (last.0 - first.2, last.2 - first.0);
        assert!(ns > least.as_nanos() as f64 * 0.999 && ns < most.as_nanos() as f64 * 1.001, "{least:?} {ns} {most:?}");
    }
}
