//! What the cores have measured, collected from all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::view::{Core, Tally};
use crate::accounting::{Accounting, FeedTally, ProducerTally};
use crate::config::{Config, Feed};
use crate::interval::Collector;
use crate::kafka::statistics::Statistics;
use crate::latency::{Hop, Hops};
use crate::metrics::buckets::Buckets;
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

/// What one core has passed on.
struct Reading<T> {
    collector: Collector<T>,
    tally: T,
    /// The times of its hops since the start.
    hops: [Buckets; Hop::ALL.len()],
}

/// The reporting side of all cores.
pub(super) struct Readings {
    feeds: Vec<Reading<FeedTally>>,
    producers: Vec<Reading<ProducerTally>>,
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
            feeds: feeds.into_iter().map(Reading::of).collect(),
            producers: producers.into_iter().map(Reading::of).collect(),
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
        for core in &mut self.producers {
            current &= core.collect(&mut hops, &mut self.twins);
        }
        for core in &mut self.feeds {
            current &= core.collect(&mut hops, &mut self.twins);
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
        self.producers.iter().for_each(|core| core.collector.ask());
    }

    /// What the cores have passed on, when they ended or were asked, added to `hops`.
    pub(super) fn collect_last(&mut self, mut hops: Hops) -> Interval {
        for core in &mut self.producers {
            while core.take(&mut hops, &mut self.twins) {}
        }
        for core in &mut self.feeds {
            while core.take(&mut hops, &mut self.twins) {}
        }
        self.interval(hops)
    }

    /// What each core has passed on so far, feed cores first; `statistics` are librdkafka's of each producer core.
    pub(super) fn cores(&self, statistics: impl Iterator<Item = Option<Statistics>>) -> Vec<Core> {
        let feed = |core: &Reading<FeedTally>| core.seen(Tally::Feed(core.tally.clone()));
        let producer = |(core, statistics): (&Reading<ProducerTally>, _)| {
            core.seen(Tally::Producer(core.tally.clone(), statistics))
        };
        self.feeds.iter().map(feed).chain(self.producers.iter().zip(statistics).map(producer)).collect()
    }

    fn interval(&self, hops: Hops) -> Interval {
        let (mut feed, mut producer) = (FeedTally::default(), ProducerTally::default());
        self.feeds.iter().for_each(|core| feed += &core.tally);
        self.producers.iter().for_each(|core| producer += &core.tally);
        let accounting = Accounting { broken: self.broken, ..Accounting::of(feed, producer, &self.topics) };
        Interval { hops, accounting, standings: self.twins.standings() }
    }
}

fn topics(feed: &Feed) -> [Arc<str>; Kind::ALL.len()] {
    feed.routes().map(Arc::from)
}

impl<T: Clone + Default> Reading<T> {
    fn of(collector: Collector<T>) -> Self {
        Reading { collector, tally: T::default(), hops: Default::default() }
    }

    /// Takes what the core has passed on, if it has.
    fn take(&mut self, hops: &mut Hops, twins: &mut Twins) -> bool {
        let Reading { collector, tally, hops: mine } = self;
        let taken = collector.collect(|measured| {
            hops.add(&measured.hops);
            for (hop, buckets) in Hop::ALL.into_iter().zip(mine) {
                measured.hops.get(hop).into_iter().for_each(|times| buckets.add(times));
            }
            twins.add(&measured.twins);
            tally.clone_from(&measured.tally);
        });
        taken.is_some()
    }

    /// Whether the core passed its part on; it is then as of now.
    fn collect(&mut self, hops: &mut Hops, twins: &mut Twins) -> bool {
        // An answer that came too late for the collection before is older than what other cores have told since.
        while self.take(hops, twins) {}
        self.collector.ask();
        let deadline = Instant::now() + COLLECT_TIMEOUT;
        while !self.take(hops, twins) {
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

    /// With the hops that the core has measured.
    fn seen(&self, tally: Tally) -> Core {
        let hops = Hop::ALL.into_iter().zip(self.hops.iter().cloned());
        Core { tally, hops: hops.filter(|(_, buckets)| buckets.count() > 0).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::{FeedMeasured, pair};

    #[test]
    fn an_answer_that_came_too_late_is_not_taken_for_the_present() {
        let (mut recorder, collector) = pair(FeedMeasured::feed(), FeedMeasured::feed());
        let mut core = Reading::of(collector);
        // A collection gives up, and the core answers then.
        core.collector.ask();
        recorder.now.tally.trades = 1;
        recorder.pass_on_if_asked();
        recorder.now.tally.trades = 5;
        let (mut hops, mut twins) = (Hops::of(&Hop::ALL), Twins::default());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !recorder.is_asked() {
                    std::thread::yield_now();
                }
                recorder.pass_on_if_asked();
            });
            assert!(core.collect(&mut hops, &mut twins));
        });
        assert_eq!(core.tally.trades, 5);
    }
}
