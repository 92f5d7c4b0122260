//! The rings between cores, and what goes with each.

use std::sync::Arc;

use crate::accounting::{FeedTally, ProducerTally};
use crate::bell::Bell;
use crate::config::Config;
use crate::cores::Plan;
use crate::interval::{self, Collector, FeedMeasured};

/// The rings and what goes with them, until each core has taken its end.
pub(super) struct Rings {
    pub(super) feeds: Vec<(k2_ring::Producer, Arc<Bell>)>,
    pub(super) feed_recorders: Vec<interval::Recorder<FeedTally>>,
    pub(super) feed_collectors: Vec<Collector<FeedTally>>,
    /// The rings of each producer core.
    pub(super) consumers: Vec<Vec<k2_ring::Consumer>>,
    pub(super) bells: Vec<Arc<Bell>>,
    pub(super) producer_collectors: Vec<Collector<ProducerTally>>,
}

impl Rings {
    /// One ring a feed core, dealt out to the producer cores in turn.
    pub(super) fn new(plan: &Plan, config: &Config) -> anyhow::Result<Self> {
        let bells = plan.producer.iter().map(|_| Bell::new().map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let mut consumers: Vec<Vec<_>> = plan.producer.iter().map(|_| Vec::new()).collect();
        let (mut feeds, mut feed_recorders, mut feed_collectors) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..plan.feed.len() {
            let (ring, consumer) = k2_ring::ring(config.limits.ring_bytes)?;
            let producer = number % consumers.len();
            consumers[producer].push(consumer);
            feeds.push((ring, bells[producer].clone()));
            let (recorder, collector) = interval::pair(FeedMeasured::feed(), FeedMeasured::feed());
            feed_recorders.push(recorder);
            feed_collectors.push(collector);
        }
        Ok(Rings { feeds, feed_recorders, feed_collectors, consumers, bells, producer_collectors: Vec::new() })
    }
}
