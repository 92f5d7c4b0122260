//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The upper bound of the first wait.
    pub min: Duration,
    /// The upper bound that no wait passes.
    pub max: Duration,
}

impl Default for Bounds {
    /// A cut is over within a second of the exchange's being there again: what long outages ask for is the breaker's.
    fn default() -> Self {
        Bounds { min: Duration::from_millis(100), max: Duration::from_millis(750) }
    }
}

/// Exponential, with full jitter: each wait is drawn from zero to its bound, so that many clients that were cut together
/// do not come back together.
/// Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
#[derive(Debug)]
pub struct Backoff {
    bounds: Bounds,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Draws its jitter from `seed`.
    pub fn new(bounds: Bounds, seed: u64) -> Self {
        Backoff { bounds, failures: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// A connection has proven itself: market data came, not merely a handshake.
    pub fn proven(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let Bounds { min, max } = self.bounds;
        let bound = min.saturating_mul(1 << self.failures.min(16)).min(max);
        self.failures = self.failures.saturating_add(1);
        Duration::from_nanos(self.random.u64(0..=bound.as_nanos() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over_once_proven() {
        let bounds = Bounds { min: Duration::from_millis(100), max: Duration::from_secs(30) };
        let longest = |failures: u32| {
            let draw = |seed| {
                let mut backoff = Backoff { failures, ..Backoff::new(bounds, seed) };
                backoff.next_wait()
            };
            (0..200).map(draw).max().unwrap()
        };
        assert!(longest(0) <= bounds.min);
        let later = longest(4);
        assert!(later > bounds.min * 8 && later <= bounds.min * 16, "{later:?}");
        assert!(longest(u32::MAX) <= bounds.max);
        let mut backoff = Backoff { failures: 9, ..Backoff::new(bounds, 1) };
        backoff.proven();
        assert!(backoff.next_wait() <= bounds.min);
    }
}
