//! What a producer core counts.

use std::ops::AddAssign;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::Kind;

/// What one producer core has counted since it began.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ProducerTally {
    /// Records, by topic.
    pub topics: Vec<TopicTally>,
    /// What became of deliveries.
    pub delivery: Delivery,
    /// What waits just now.
    pub waiting: Waiting,
    /// Nanoseconds of laps in which something was done.
    pub busy_ns: u64,
}

/// What waits with a producer core: with the client, and on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Records with the client, or given back by it.
    pub queue_records: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// Bytes of the journals.
    pub spill_bytes: u64,
}

/// What a producer core has counted of one topic's records:
/// `taken + recovered + dead_lettered = acked + failed + dropped + spilled + in_flight`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicTally {
    /// The topic's name.
    pub name: Arc<str>,
    /// What its records are.
    pub kind: Kind,
    /// Records taken from the rings.
    pub taken: u64,
    /// Records that an earlier run left on disk.
    pub recovered: u64,
    /// Dead letters made of records that the broker refused.
    pub dead_lettered: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Records given up.
    pub failed: u64,
    /// Records on disk that were given up for newer ones.
    pub dropped: u64,
    /// Records on disk.
    pub spilled: u64,
    /// Records that the client has or has given back, those on disk left out.
    pub in_flight: u64,
}

/// What became of deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Times that a record found the client's queue full.
    pub queue_full: u64,
    /// Times that a record went to disk.
    pub spills: u64,
    /// Times that the client gave a record back.
    pub returned: u64,
    /// Of these, records that the broker may have nevertheless: they may be on the topic twice.
    pub possible_duplicates: u64,
    /// Times that the client was made anew.
    pub clients: u64,
    /// Places where a journal was damaged; how many records they held is not known.
    pub damaged: u64,
}

impl TopicTally {
    /// Nothing yet.
    pub fn new(name: &str, kind: Kind) -> Self {
        TopicTally {
            name: name.into(),
            kind,
            taken: 0,
            recovered: 0,
            dead_lettered: 0,
            acked: 0,
            failed: 0,
            dropped: 0,
            spilled: 0,
            in_flight: 0,
        }
    }

    /// Whether every record is in exactly one column.
    pub fn holds(&self) -> bool {
        self.taken + self.recovered + self.dead_lettered
            == self.acked + self.failed + self.dropped + self.spilled + self.in_flight
    }
}

impl ProducerTally {
    /// Whether every record is in exactly one column.
    pub fn holds(&self) -> bool {
        self.topics.iter().all(TopicTally::holds)
    }

    /// Dead letters made of records that the broker refused.
    pub fn dead_lettered(&self) -> u64 {
        self.topics.iter().map(|topic| topic.dead_lettered).sum()
    }
}

impl Clone for ProducerTally {
    fn clone(&self) -> Self {
        ProducerTally { topics: self.topics.clone(), ..*self }
    }

    /// Without an allocation, if there were as many topics.
    fn clone_from(&mut self, other: &Self) {
        let mut topics = std::mem::take(&mut self.topics);
        topics.clone_from(&other.topics);
        *self = ProducerTally { topics, ..*other };
    }
}

impl AddAssign<&TopicTally> for TopicTally {
    fn add_assign(&mut self, other: &TopicTally) {
        self.taken += other.taken;
        self.recovered += other.recovered;
        self.dead_lettered += other.dead_lettered;
        self.acked += other.acked;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.spilled += other.spilled;
        self.in_flight += other.in_flight;
    }
}

impl AddAssign<&ProducerTally> for ProducerTally {
    fn add_assign(&mut self, other: &ProducerTally) {
        for theirs in &other.topics {
            match self.topics.iter_mut().find(|mine| mine.name == theirs.name) {
                Some(mine) => *mine += theirs,
                None => self.topics.push(theirs.clone()),
            }
        }
        self.delivery.queue_full += other.delivery.queue_full;
        self.delivery.spills += other.delivery.spills;
        self.delivery.returned += other.delivery.returned;
        self.delivery.possible_duplicates += other.delivery.possible_duplicates;
        self.delivery.clients += other.delivery.clients;
        self.delivery.damaged += other.delivery.damaged;
        self.waiting.queue_records += other.waiting.queue_records;
        self.waiting.queue_bytes += other.waiting.queue_bytes;
        self.waiting.spill_bytes += other.waiting.spill_bytes;
        self.busy_ns += other.busy_ns;
    }
}
