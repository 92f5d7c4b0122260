//! What the cores have measured, collected from all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::accounting::{Accounting, FeedTally, ProducerTally};
use crate::config::{Config, Feed};
use crate::interval::{self, Collector};
use crate::latency::{Hop, Hops};
use crate::record::Kind;
use crate::twins::{Standing, Twins};

/// Longest wait for a core to pass on what it has measured; it does so at least every few dozen milliseconds.
pub(super) const COLLECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What was measured in an interval.
pub struct Interval {
    /// Times of the interval.
    pub hops: Hops,
    /// Counts since the start.
    pub accounting: Accounting,
    /// How the connections that carry the same symbols stand to each other since the start.
    pub standings: Vec<Standing>,
}

/// The reporting side of all cores.
pub(super) struct Readings {
    feeds: Vec<(Collector<FeedTally>, FeedTally)>,
    producers: Vec<(Collector<ProducerTally>, ProducerTally)>,
    /// The topics' names, by the feeds' numbers and kind.
    topics: Vec<[Arc<str>; Kind::ALL.len()]>,
    twins: Twins,
    /// Collections at which the accounting did not hold.
    broken: u64,
}

impl Readings {
    /// Of cores that have measured nothing yet.
    pub(super) fn of(
        feeds: Vec<Collector<FeedTally>>,
        producers: Vec<Collector<ProducerTally>>,
        config: &Config,
    ) -> Self {
        Readings {
            topics: config.feeds.iter().map(topics).collect(),
            feeds: feeds.into_iter().map(|collector| (collector, FeedTally::default())).collect(),
            producers: producers.into_iter().map(|collector| (collector, ProducerTally::default())).collect(),
            twins: Twins::default(),
            broken: 0,
        }
    }

    /// There is one more feed.
    pub(super) fn add(&mut self, feed: &Feed) {
        self.topics.push(topics(feed));
    }

    /// Asks the producer cores first: then no record is acknowledged before it was counted as committed.
    pub(super) fn collect(&mut self) -> Interval {
        let mut hops = Hops::of(&Hop::ALL);
        let mut current = true;
        for (collector, tally) in &mut self.producers {
            current &= collect_one(collector, tally, &mut hops, &mut self.twins);
        }
        for (collector, tally) in &mut self.feeds {
            current &= collect_one(collector, tally, &mut hops, &mut self.twins);
        }
        let interval = self.interval(hops);
        if !current || interval.accounting.holds() {
            return interval;
        }
        debug_assert!(false, "{:?}", interval.accounting);
        if self.broken == 0 {
            tracing::error!("the accounting is broken: {:?}", interval.accounting);
        }
        self.broken += 1;
        self.interval(interval.hops)
    }

    /// Asks the producer cores, of which some may have ended.
    pub(super) fn ask_producers(&self) {
        self.producers.iter().for_each(|(collector, _)| collector.ask());
    }

    /// What the cores have passed on, when they ended or were asked, added to `hops`.
    pub(super) fn collect_last(&mut self, mut hops: Hops) -> Interval {
        for (collector, tally) in &mut self.producers {
            while collector.collect(|measured| take(measured, tally, &mut hops, &mut self.twins)).is_some() {}
        }
        for (collector, tally) in &mut self.feeds {
            while collector.collect(|measured| take(measured, tally, &mut hops, &mut self.twins)).is_some() {}
        }
        self.interval(hops)
    }

    fn interval(&self, hops: Hops) -> Interval {
        let (mut feed, mut producer) = (FeedTally::default(), ProducerTally::default());
        self.feeds.iter().for_each(|(_, tally)| feed += tally);
        self.producers.iter().for_each(|(_, tally)| producer += tally);
        let accounting = Accounting { broken: self.broken, ..Accounting::of(feed, producer, &self.topics) };
        Interval { hops, accounting, standings: self.twins.standings() }
    }
}

fn topics(feed: &Feed) -> [Arc<str>; Kind::ALL.len()] {
    feed.routes().map(Arc::from)
}

fn take<T: Clone>(measured: &interval::Measured<T>, tally: &mut T, hops: &mut Hops, twins: &mut Twins) {
    hops.add(&measured.hops);
    twins.add(&measured.twins);
    tally.clone_from(&measured.tally);
}

/// Whether the core passed its part on; it is then as of now.
fn collect_one<T: Clone>(collector: &Collector<T>, tally: &mut T, hops: &mut Hops, twins: &mut Twins) -> bool {
    collector.ask();
    let deadline = Instant::now() + COLLECT_TIMEOUT;
    while collector.collect(|measured| take(measured, tally, hops, twins)).is_none() {
        if Instant::now() > deadline {
            tracing::error!(
                "a core has not passed on its measurements for {COLLECT_TIMEOUT:?}: it is stuck, or its CPU is taken"
            );
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}
