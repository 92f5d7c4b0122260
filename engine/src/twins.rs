//! How often each of the connections that carry the same symbols was first with a trade, and by how much: which of two
//! ways to an exchange is worth its cost is decided by this.
//!
//! Connections are told apart by their seat: one that takes another's place counts as that. Where three or more carry a
//! symbol, each is compared with the one that was first.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::latency::histogram;

/// What a core has measured of the connections that have twins, since it was last asked.
#[derive(Debug, Default)]
pub struct Twins(Vec<Twin>);

/// One connection that has twins.
#[derive(Debug)]
struct Twin {
    exchange: &'static str,
    connection: usize,
    first: u64,
    second: u64,
    lead_ns: Histogram<u64>,
}

impl Twin {
    fn new(exchange: &'static str, connection: usize) -> Self {
        Twin { exchange, connection, first: 0, second: 0, lead_ns: histogram() }
    }

    fn is(&self, exchange: &str, connection: usize) -> bool {
        self.exchange == exchange && self.connection == connection
    }
}

impl Twins {
    /// The place of a connection, which is made if there is none. Allocates then, and only then.
    pub fn place(&mut self, exchange: &'static str, connection: usize) -> usize {
        let known = self.0.iter().position(|twin| twin.is(exchange, connection));
        known.unwrap_or_else(|| {
            self.0.push(Twin::new(exchange, connection));
            self.0.len() - 1
        })
    }

    /// A trade came by both: by the connection at the place `first` so many nanoseconds before it came by that at `second`.
    #[inline]
    pub fn record(&mut self, first: usize, second: usize, lead_ns: u64) {
        let leader = &mut self.0[first];
        leader.first += 1;
        leader.lead_ns.saturating_record(lead_ns);
        self.0[second].second += 1;
    }

    /// Makes the places that `other` has. Allocates if it has more.
    pub fn be_like(&mut self, other: &Twins) {
        for twin in &other.0[self.0.len().min(other.0.len())..] {
            self.0.push(Twin::new(twin.exchange, twin.connection));
        }
    }

    /// Adds what `other` has measured.
    pub fn add(&mut self, other: &Twins) {
        for theirs in &other.0 {
            let place = self.place(theirs.exchange, theirs.connection);
            let mine = &mut self.0[place];
            mine.first += theirs.first;
            mine.second += theirs.second;
            mine.lead_ns.add(&theirs.lead_ns).expect("all histograms share their bounds");
        }
    }

    /// Forgets all but the places.
    pub fn reset(&mut self) {
        for twin in self.0.iter_mut().filter(|twin| twin.first + twin.second > 0) {
            (twin.first, twin.second) = (0, 0);
            twin.lead_ns.reset();
        }
    }

    /// The figures of each connection, by exchange and number.
    pub fn standings(&self) -> Vec<Standing> {
        let mut standings: Vec<_> = self.0.iter().map(Standing::of).collect();
        standings.sort_unstable_by_key(|one| (one.exchange, one.connection));
        standings
    }
}

/// How a connection stands to its twins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The exchange.
    pub exchange: &'static str,
    /// The connection's number among those of its exchange.
    pub connection: usize,
    /// How often a trade came by it before it came by a twin.
    pub first: u64,
    /// How often a trade came by it after it had come by the twin that was first.
    pub second: u64,
    /// By how much it was first.
    pub lead_ns: Lead,
}

/// How long the connection that was first had a trade before its twin, in nanoseconds. What is longer than
/// [`MAX_LATENCY_NS`](crate::latency::MAX_LATENCY_NS) counts as that. 0 where it was never first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// The median.
    pub p50: u64,
    /// 99 in 100 were no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Standing {
    fn of(twin: &Twin) -> Self {
        let Twin { exchange, connection, first, second, lead_ns } = twin;
        let at = |quantile| lead_ns.value_at_quantile(quantile);
        let lead_ns = Lead { p50: at(0.5), p99: at(0.99), max: lead_ns.max() };
        Standing { exchange, connection: *connection, first: *first, second: *second, lead_ns }
    }

    /// The connection's name, without its attempts: `binance-0`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.exchange, self.connection)
    }

    /// In how many of 100 trades that came by a twin, too, it was first.
    pub fn percent_first(&self) -> f64 {
        100.0 * self.first as f64 / (self.first + self.second).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wins_and_leads_are_told_by_connection_over_all_cores_and_intervals() {
        let (mut core, mut other, mut total) = (Twins::default(), Twins::default(), Twins::default());
        let (one, zero) = (core.place("binance", 1), core.place("binance", 0));
        assert_eq!(core.place("binance", 1), one);
        other.be_like(&core);
        core.record(zero, one, 100);
        core.record(zero, one, 300);
        core.record(one, zero, 50);
        total.add(&core);
        core.reset();
        core.record(one, zero, 70);
        total.add(&core);
        let kraken = (other.place("kraken", 0), other.place("kraken", 1));
        other.record(kraken.1, kraken.0, u64::MAX);
        total.add(&other);
        let standings = total.standings();
        let told: Vec<_> = standings.iter().map(|one| (one.name(), one.first, one.second, one.lead_ns.max)).collect();
        let named = |name: &str, first, second, max| (name.to_string(), first, second, max);
        let expected = [named("binance-0", 2, 2, 300), named("binance-1", 2, 2, 70), named("kraken-0", 0, 1, 0)];
        assert_eq!(told[..3], expected);
        let last = &standings[3];
        assert!((last.first, last.second) == (1, 0) && last.lead_ns.max >= 60_000_000_000, "{last:?}");
        assert_eq!(standings[0].percent_first(), 50.0);
    }
}
