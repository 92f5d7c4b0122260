//! When trades are due, whether or not anybody keeps up, and how to wait for that moment.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::config::Burst;

/// The half of a period's trades that comes in the burst.
const BURST_SHARE: f64 = 0.5;

/// The open loop: maps a trade's number to the moment it is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    interval_ns: f64,
    burst: Option<Burst>,
}

impl Schedule {
    pub(crate) fn new(trades_per_second: f64, burst: Option<Burst>) -> Self {
        Self { interval_ns: 1e9 / trades_per_second, burst }
    }

    /// Nanoseconds from the clock's start to trade `k`, which counts from 0. An f64 holds 104 days of them exactly.
    pub(crate) fn due_ns(&self, k: u64) -> i64 {
        let even = k as f64 * self.interval_ns;
        let Some(burst) = self.burst else {
            return even as i64;
        };
        let period = burst.period.as_nanos() as f64;
        let whole = (even / period).floor();
        let share = even / period - whole;
        let burst_ns = period * BURST_SHARE / burst.factor;
        let within = if share < BURST_SHARE {
            share / BURST_SHARE * burst_ns
        } else {
            burst_ns + (share - BURST_SHARE) / (1.0 - BURST_SHARE) * (period - burst_ns)
        };
        (whole * period + within) as i64
    }
}

/// The market's clock: monotonic, anchored once to the time of day.
///
/// After the anchor the time of day may be stepped or slewed without moving the schedule, so over hours the
/// times of day given here can differ from the system's by what was slewed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    start_unix_ns: i64,
}

impl Clock {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), start_unix_ns: unix_ns() }
    }

    /// Nanoseconds since the start.
    pub(crate) fn now_ns(&self) -> i64 {
        self.start.elapsed().as_nanos() as i64
    }

    /// The time of day, in nanoseconds since 1970, of a moment counted from the start.
    pub(crate) fn unix_ns(&self, since_start_ns: i64) -> i64 {
        self.start_unix_ns + since_start_ns
    }
}

/// The time of day in nanoseconds since 1970.
pub(crate) fn unix_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// Makes this thread's sleeps end when they should: Linux otherwise adds up to 50 µs to save power.
pub(crate) fn sleep_exactly() {
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        tracing::debug!(%error, "timer slack stays at the system's 50 µs; sleeps end that much later");
    }
}

/// Waits so long, or until somebody unparks this thread. With [`sleep_exactly`] it ends some 10 µs after the moment
/// on an idle machine, without burning the core; what is due by then goes out together.
pub(crate) fn wait_ns(ns: i64) {
    if ns > 0 {
        thread::park_timeout(Duration::from_nanos(ns as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_schedule_spaces_trades_evenly() {
        let schedule = Schedule::new(5_000.0, None);
        assert_eq!(schedule.due_ns(0), 0);
        assert_eq!(schedule.due_ns(1), 200_000);
        assert_eq!(schedule.due_ns(5_000 * 3_600), 3_600_000_000_000);
    }

    #[test]
    fn a_burst_keeps_the_mean_and_carries_half_at_the_factor() {
        let burst = Burst { factor: 10.0, period: Duration::from_secs(1) };
        let schedule = Schedule::new(5_000.0, Some(burst));
        let dues: Vec<i64> = (0..=10_000).map(|k| schedule.due_ns(k)).collect();
        assert!(dues.is_sorted());
        let in_burst = dues.iter().filter(|due| **due < 50_000_000).count();
        assert_eq!(in_burst, 2_500);
        assert!((dues[1] - 20_000).abs() <= 1, "50,000 a second in the burst, but {} ns apart", dues[1]);
        assert!((dues[5_000] - 1_000_000_000).abs() <= 1);
        assert!((dues[10_000] - 2_000_000_000).abs() <= 1);
    }
}
