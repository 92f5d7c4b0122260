//! How long clients take to come back.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::latency::readable;
use crate::sim::connection::Hub;
use crate::sim::dialect::{self, Session};
use crate::sim::lock::lock;

/// An hour is the longest that can be told.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Three significant digits.
const DIGITS: u8 = 3;

/// How long it took, after connections were dropped, closed or turned away, from when the simulator accepted again until
/// the first subscription stood on a new connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// How often a client came back.
    pub recovered: u64,
    /// How often none has come back yet.
    pub waiting: u64,
    /// The median, in nanoseconds.
    pub p50_ns: u64,
    /// 99 of 100 were no slower.
    pub p99_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

impl fmt::Display for Recovery {
    /// `4 of 5 times, in p50 112 ms, p99 130 ms, max 130 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} times", self.recovered, self.recovered + self.waiting)?;
        if self.recovered == 0 {
            return Ok(());
        }
        let [p50, p99, max] = [self.p50_ns, self.p99_ns, self.max_ns].map(readable);
        write!(f, ", in p50 {p50}, p99 {p99}, max {max}")
    }
}

/// An outage that nobody has come back from yet.
#[derive(Debug)]
struct Outage {
    /// When the simulator accepts again.
    since: Instant,
    /// The newest connection when it struck: a later one is new.
    newest: u64,
}

/// Measures recoveries.
#[derive(Debug)]
pub(in crate::sim) struct Recoveries {
    /// Whether there is any outage, so that a subscription costs one look where there is none.
    waiting: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    outages: Vec<Outage>,
    took_ns: Histogram<u64>,
}

impl Recoveries {
    pub(in crate::sim) fn new() -> Self {
        let took_ns = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS);
        let took_ns = took_ns.expect("constant bounds that the histogram allows");
        Self { waiting: AtomicBool::new(false), state: Mutex::new(State { outages: Vec::new(), took_ns }) }
    }

    /// Connections up to the `newest` were dropped or closed.
    pub(in crate::sim) fn dropped(&self, newest: u64, accepts_again: Instant) {
        lock(&self.state).outages.push(Outage { since: accepts_again, newest });
        self.waiting.store(true, Ordering::Release);
    }

    /// No client is accepted until then.
    pub(super) fn postpone(&self, until: Instant) {
        for outage in &mut lock(&self.state).outages {
            outage.since = outage.since.max(until);
        }
    }

    /// A client was turned away, which is an outage of its own if no other was under way.
    pub(super) fn turned_away(&self, until: Instant, newest: u64) {
        let is_first = lock(&self.state).outages.is_empty();
        if is_first {
            self.dropped(newest, until);
        }
    }

    fn subscribed(&self, connection: u64) {
        let now = Instant::now();
        let State { outages, took_ns } = &mut *lock(&self.state);
        outages.retain(|outage| {
            let is_new = connection > outage.newest;
            if is_new {
                let took = now.saturating_duration_since(outage.since).as_nanos();
                took_ns.saturating_record(u64::try_from(took).unwrap_or(u64::MAX).max(1));
            }
            !is_new
        });
        self.waiting.store(!outages.is_empty(), Ordering::Release);
    }

    pub(in crate::sim) fn so_far(&self) -> Recovery {
        let State { outages, took_ns } = &*lock(&self.state);
        Recovery {
            recovered: took_ns.len(),
            waiting: outages.len() as u64,
            p50_ns: took_ns.value_at_quantile(0.50),
            p99_ns: took_ns.value_at_quantile(0.99),
            max_ns: took_ns.max(),
        }
    }
}

impl Hub {
    /// Notes whether trades are subscribed on a connection; to be called once the market's thread knows of them, so that
    /// nobody is taken for back who has yet to be shown what was missed.
    pub(in crate::sim) fn subscription_stands(&self, connection: u64, session: &Session) {
        if self.recoveries.waiting.load(Ordering::Acquire) && carries_trades(session) {
            self.recoveries.subscribed(connection);
        }
    }
}

fn carries_trades(session: &Session) -> bool {
    let dialect = dialect::of(session.protocol);
    session.streams.iter().any(|stream| dialect.traded_symbol(stream, session.shape).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_outage_ends_with_a_subscription_on_a_newer_connection() {
        let recoveries = Recoveries::new();
        let begun = Instant::now() - Duration::from_secs(10);
        recoveries.dropped(7, begun);
        recoveries.subscribed(7);
        assert_eq!(recoveries.so_far(), Recovery { waiting: 1, ..Recovery::default() });
        recoveries.subscribed(8);
        let found = recoveries.so_far();
        assert_eq!((found.recovered, found.waiting), (1, 0));
        assert!((9_990_000_000..60_000_000_000).contains(&found.max_ns), "{found:?}");
    }

    #[test]
    fn the_time_counts_from_when_clients_are_accepted_again() {
        let recoveries = Recoveries::new();
        let now = Instant::now();
        recoveries.dropped(3, now - Duration::from_secs(100));
        recoveries.postpone(now - Duration::from_secs(10));
        recoveries.turned_away(now, 3);
        assert_eq!(recoveries.so_far().waiting, 1, "one outage, however it is noticed");
        recoveries.subscribed(4);
        assert!((9_990_000_000..60_000_000_000).contains(&recoveries.so_far().p50_ns));
        recoveries.turned_away(now, 4);
        let found = Recovery { p50_ns: 10_000_000, p99_ns: 20_000_000, max_ns: 20_000_000, ..recoveries.so_far() };
        assert_eq!(found.to_string(), "1 of 2 times, in p50 10.0 ms, p99 20.0 ms, max 20.0 ms");
        assert_eq!(Recovery { waiting: 3, ..Recovery::default() }.to_string(), "0 of 3 times");
    }
}
