//! What is known of a running engine at a time: for metrics, health and status.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Engine, Interval};
use crate::accounting::{Accounting, FeedTally, ProducerTally};
use crate::board::Board;
use crate::clock::Nanos;
use crate::config::{Feed, shown};
use crate::kafka::statistics::{Statistics, Tray};
use crate::latency::{Hop, Hops};
use crate::metrics::buckets::Buckets;
use crate::pulse::Pulse;
use crate::report::{Counts, Latency};
use crate::session::breaker::{Addresses, State};

/// What the cores show at any time.
#[derive(Clone)]
pub struct Signs {
    /// Connections and symbols.
    pub board: Arc<Board>,
    /// The cores by their names, and the CPUs on which they are.
    pub cores: Vec<(String, usize, Pulse)>,
}

/// What was collected last.
pub struct View {
    /// How long that took since the collection before.
    pub interval: Duration,
    /// What came to the counts in it.
    pub counts: Counts,
    /// The times of each hop that were recorded in it.
    pub hops: Vec<(Hop, Latency)>,
    /// All counts since the start.
    pub accounting: Accounting,
    /// What each core has, in the order of [`Signs::cores`].
    pub cores: Vec<Core>,
    /// The addresses of all feeds.
    pub addresses: Vec<Address>,
    /// Most bytes with librdkafka, and on disk, of each producer core; none of the latter if nothing is put there.
    pub limits: (u64, Option<u64>),
}

impl View {
    /// What comes to so many in the interval, a second.
    pub fn a_second(&self, count: u64) -> f64 {
        count as f64 / self.interval.as_secs_f64().max(f64::EPSILON)
    }
}

/// What a core has counted and measured since the start.
pub struct Core {
    /// What it has counted.
    pub tally: Tally,
    /// The times of its hops.
    pub hops: Vec<(Hop, Buckets)>,
}

/// What a core has counted, by its kind.
pub enum Tally {
    /// A feed core.
    Feed(FeedTally),
    /// A producer core, with what librdkafka said last.
    Producer(ProducerTally, Option<Statistics>),
}

impl Tally {
    /// How long the core had something to do since the start, in nanoseconds.
    pub fn busy_ns(&self) -> u64 {
        match self {
            Tally::Feed(tally) => tally.busy_ns,
            Tally::Producer(tally, _) => tally.busy_ns,
        }
    }
}

/// An address of a feed, and whether it is left alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Of which exchange.
    pub exchange: String,
    /// Without its password.
    pub url: String,
    /// How its breaker is.
    pub breaker: Breaker,
}

/// How a breaker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// Attempts go through.
    Closed,
    /// One attempt is under way, no other goes through.
    HalfOpen,
    /// No attempt goes through.
    Open,
}

impl Breaker {
    /// All there are.
    pub const ALL: [Breaker; 3] = [Breaker::Closed, Breaker::HalfOpen, Breaker::Open];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Breaker::Closed => "closed",
            Breaker::HalfOpen => "half_open",
            Breaker::Open => "open",
        }
    }
}

impl From<State> for Breaker {
    fn from(state: State) -> Self {
        match state {
            State::Closed { .. } => Breaker::Closed,
            State::HalfOpen { .. } => Breaker::HalfOpen,
            State::Open { .. } => Breaker::Open,
        }
    }
}

/// What goes from one view to the next.
pub(super) struct Viewer {
    pub(super) signs: Signs,
    /// One of each producer core, and what was in it last.
    pub(super) trays: Vec<(Tray, Option<Statistics>)>,
    collected: Instant,
    counts: Counts,
}

impl Viewer {
    pub(super) fn new(signs: Signs, trays: Vec<Tray>) -> Self {
        let trays = trays.into_iter().map(|tray| (tray, None)).collect();
        Viewer { signs, trays, collected: Instant::now(), counts: Counts::default() }
    }
}

impl Engine {
    /// What the cores show at any time.
    pub fn signs(&self) -> Signs {
        self.viewer.signs.clone()
    }

    /// What was collected in `interval`, the last one, and since the start.
    pub fn view(&mut self, interval: &Interval) -> View {
        let statistics = self.viewer.trays.iter_mut().map(|(tray, last)| {
            *last = tray.take().or(last.take());
            last.clone()
        });
        let cores = self.readings.cores(statistics);
        let now = Instant::now();
        let took = now - std::mem::replace(&mut self.viewer.collected, now);
        let since_start = Counts::since_start(&interval.accounting, 0.0);
        let before = std::mem::replace(&mut self.viewer.counts, since_start);
        let spill = &self.config.spill;
        let spill_bytes = (spill.enabled && self.config.state.dir.is_some()).then_some(spill.max_bytes);
        View {
            interval: took,
            counts: since_start.after(&before),
            hops: latencies(&interval.hops),
            accounting: interval.accounting.clone(),
            cores,
            addresses: self.roster.addresses_shown(),
            limits: (
                self.config.kafka.queue_bytes as u64,
                spill_bytes.map(|bytes| bytes / self.plan.producer.len() as u64),
            ),
        }
    }
}

fn latencies(hops: &Hops) -> Vec<(Hop, Latency)> {
    let known = |hop| hops.get(hop).filter(|times| !times.is_empty());
    Hop::ALL.into_iter().filter_map(|hop| Some((hop, Latency::of(known(hop)?)))).collect()
}

/// The addresses of a feed with their breakers.
pub(super) fn addresses(feed: &Feed, addresses: &Mutex<Addresses>) -> Vec<Address> {
    let addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |(place, url)| Address {
        exchange: feed.protocol.exchange().into(),
        url: shown(url).into(),
        breaker: addresses.state(place).into(),
    };
    feed.urls().enumerate().map(of).collect()
}

impl Signs {
    /// The cores that are stuck, and for how long they have been.
    pub fn stuck(&self) -> impl Iterator<Item = (&str, Duration)> {
        let now = Nanos::now();
        self.cores.iter().filter_map(move |(name, _, pulse)| Some((name.as_str(), pulse.stuck(now)?)))
    }
}
