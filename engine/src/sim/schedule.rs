//! When trades are due, whether or not anybody keeps up, and how to wait for that moment.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::config::{Arrivals, Burst};

/// The half of a period's trades that comes in the burst.
const BURST_SHARE: f64 = 0.5;

/// So many distances of a Poisson process are drawn; then they come again.
const DRAWN: usize = 1 << 16;

/// The open loop: maps a trade's number to the moment it is due.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    interval_ns: f64,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    Even,
    Burst(Burst),
    /// When each of [`DRAWN`] trades is due, in mean distances from the first.
    Poisson(Vec<f64>),
}

impl Schedule {
    pub(crate) fn new(trades_per_second: f64, arrivals: Arrivals, seed: u64) -> Self {
        let shape = match arrivals {
            Arrivals::Even => Shape::Even,
            Arrivals::Burst(burst) => Shape::Burst(burst),
            Arrivals::Poisson => Shape::Poisson(draw(seed)),
        };
        Self { interval_ns: 1e9 / trades_per_second, shape }
    }

    /// Nanoseconds from the clock's start to trade `k`, which counts from 0. An f64 holds 104 days of them exactly.
    pub(crate) fn due_ns(&self, k: u64) -> i64 {
        let even = k as f64 * self.interval_ns;
        match &self.shape {
            Shape::Even => even as i64,
            Shape::Burst(burst) => Self::in_bursts(even, *burst),
            Shape::Poisson(due) => {
                let round = k as usize / DRAWN * DRAWN;
                ((round as f64 + due[k as usize % DRAWN]) * self.interval_ns) as i64
            }
        }
    }

    /// What would be due at `even` evenly.
    fn in_bursts(even: f64, burst: Burst) -> i64 {
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

/// Sums of exponentially distributed distances, in all as many mean distances as they are: the mean rate is kept.
fn draw(seed: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sum = 0.0;
    let mut due = Vec::with_capacity(DRAWN);
    for _ in 0..DRAWN {
        due.push(sum);
        // 1 - x is never 0.
        sum -= (1.0 - random.f64()).ln();
    }
    due.iter_mut().for_each(|due| *due *= DRAWN as f64 / sum);
    due
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
        let schedule = Schedule::new(5_000.0, Arrivals::Even, 1);
        assert_eq!(schedule.due_ns(0), 0);
        assert_eq!(schedule.due_ns(1), 200_000);
        assert_eq!(schedule.due_ns(5_000 * 3_600), 3_600_000_000_000);
    }

    #[test]
    fn a_burst_keeps_the_mean_and_carries_half_at_the_factor() {
        let burst = Burst { factor: 10.0, period: Duration::from_secs(1) };
        let schedule = Schedule::new(5_000.0, Arrivals::Burst(burst), 1);
        let dues: Vec<i64> = (0..=10_000).map(|k| schedule.due_ns(k)).collect();
        assert!(dues.is_sorted());
        let in_burst = dues.iter().filter(|due| **due < 50_000_000).count();
        assert_eq!(in_burst, 2_500);
        assert!((dues[1] - 20_000).abs() <= 1, "50,000 a second in the burst, but {} ns apart", dues[1]);
        assert!((dues[5_000] - 1_000_000_000).abs() <= 1);
        assert!((dues[10_000] - 2_000_000_000).abs() <= 1);
    }

    #[test]
    fn a_poisson_process_keeps_the_mean_and_its_distances_are_exponential() {
        let schedule = Schedule::new(1_000_000.0, Arrivals::Poisson, 7);
        let rounds = 3;
        let dues: Vec<i64> = (0..=(rounds * DRAWN) as u64).map(|k| schedule.due_ns(k)).collect();
        assert!(dues.is_sorted());
        let last_ns = (rounds * DRAWN) as i64 * 1_000;
        assert!((dues[rounds * DRAWN] - last_ns).abs() <= 1, "the mean rate is kept");
        // 1 - 1/e of the distances are shorter than the mean, 1/e^3 longer than three of it; their error is some 0.2 %.
        let share = |is: fn(i64) -> bool| {
            dues.windows(2).filter(|pair| is(pair[1] - pair[0])).count() as f64 / (rounds * DRAWN) as f64
        };
        assert!((share(|ns| ns < 1_000) - 0.632).abs() < 0.01);
        assert!((share(|ns| ns > 3_000) - 0.050).abs() < 0.005);
        let other = Schedule::new(1_000_000.0, Arrivals::Poisson, 8);
        assert_ne!(schedule.due_ns(100), other.due_ns(100), "by the seed");
    }
}
