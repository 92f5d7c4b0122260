//! How often connections may be made: an exchange's limit holds for all of them together, on whichever core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Nanos;
use crate::venue::Connects;

/// The turns of all connections to one exchange.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// When the next connection may be made.
    next: Arc<AtomicU64>,
}

impl Pace {
    /// Takes the next turn under `limit`: when it is. An exchange's limit is over minutes, so a few connections may be made
    /// at once, if none were before (the generic cell rate algorithm, ITU-T I.371).
    pub fn take_turn(&self, now: Nanos, limit: Connects) -> Nanos {
        let interval = limit.interval.as_nanos() as u64;
        // Turns do not publish anything else.
        let taken =
            self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| Some(next.max(now.0) + interval));
        let (Ok(next) | Err(next)) = taken;
        let ahead = interval * u64::from(limit.at_once.saturating_sub(1));
        Nanos(next.saturating_sub(ahead).max(now.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Nanos {
        Nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn turns_are_an_interval_apart_once_those_at_once_are_taken() {
        let pace = Pace::default();
        let limit = Connects { interval: Duration::from_secs(1), at_once: 3 };
        let turns: Vec<_> = (0..6).map(|_| pace.clone().take_turn(at(10), limit)).collect();
        assert_eq!(turns, [10, 10, 10, 11, 12, 13].map(at));
        // A rest earns no more than those at once.
        let turns: Vec<_> = (0..4).map(|_| pace.take_turn(at(60), limit)).collect();
        assert_eq!(turns, [60, 60, 60, 61].map(at));
    }
}
