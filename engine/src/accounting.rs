//! What became of everything: every frame and every record is in exactly one column.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::Kind;

mod feed;
mod producer;

pub use feed::{FeedTally, Frames, Made, Repairs, Sessions};
pub use producer::{Delivery, ProducerTally, TopicTally, Waiting};

/// What became of one topic's records: `committed = acked + failed + dropped + spilled + in_flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Records that a feed core made, those it had to drop included; those that an earlier run left on disk; dead letters of
    /// records that the broker refused.
    pub committed: u64,
    /// Those of them that an earlier run left on disk.
    pub recovered: u64,
    /// Records that the broker has acknowledged.
    pub acked: u64,
    /// Records that were given up: the broker refuses them for what they are (they are dead letters then, unless they were
    /// that), they cannot be read from disk any more, or the client did not give them back.
    pub failed: u64,
    /// Records for which there was no room, neither in the ring nor on disk.
    pub dropped: u64,
    /// Records that wait on disk, or have been read from there and are not acknowledged.
    pub spilled: u64,
    /// Records in the ring or with librdkafka.
    pub in_flight: u64,
}

impl Records {
    /// What is in a column that does not change any more, and what waits on disk.
    fn settled(&self) -> u64 {
        self.acked + self.failed + self.dropped + self.spilled
    }

    /// Whether every record is in exactly one column.
    pub fn holds(&self) -> bool {
        self.committed == self.settled() + self.in_flight
    }

    /// How many were lost, or are under way.
    pub fn undelivered(&self) -> u64 {
        self.failed + self.dropped + self.spilled + self.in_flight
    }

    /// Whether nothing was lost, and nothing is under way.
    pub fn is_complete(&self) -> bool {
        self.undelivered() == 0
    }
}

/// The whole engine's columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounting {
    /// All feed cores together.
    pub feed: FeedTally,
    /// All producer cores together.
    pub producer: ProducerTally,
    /// Each topic's columns, and what its records are.
    pub topics: BTreeMap<Arc<str>, (Kind, Records)>,
    /// Times that it was looked at while the engine ran and did not hold: never, or the engine counts wrong.
    pub broken: u64,
}

impl Accounting {
    /// Of what the feed cores and the producer cores have counted; `topics` are the topics' names by the feeds' numbers and
    /// [`Kind`].
    pub fn of(feed: FeedTally, producer: ProducerTally, topics: &[[Arc<str>; Kind::ALL.len()]]) -> Self {
        let mut columns: BTreeMap<Arc<str>, (Kind, Records)> = BTreeMap::new();
        for (names, made) in topics.iter().zip(&feed.made) {
            // A feed without raw frames names another topic in their place, which is that one's.
            for kind in [Kind::Normalized, Kind::Dlq, Kind::Raw] {
                let (_, records) = columns.entry(names[kind as usize].clone()).or_insert((kind, Records::default()));
                records.committed += made[kind as usize].committed;
                records.dropped += made[kind as usize].dropped;
            }
        }
        for topic in &producer.topics {
            let (_, records) = columns.entry(topic.name.clone()).or_insert((topic.kind, Records::default()));
            records.committed += topic.recovered + topic.dead_lettered;
            records.recovered += topic.recovered;
            records.acked += topic.acked;
            records.failed += topic.failed;
            records.dropped += topic.dropped;
            records.spilled += topic.spilled;
        }
        for (_, records) in columns.values_mut() {
            records.in_flight = records.committed.saturating_sub(records.settled());
        }
        Accounting { feed, producer, topics: columns, broken: 0 }
    }

    /// The columns of all topics of one kind. `in_flight` is what is in no other column.
    pub fn records(&self, kind: Kind) -> Records {
        self.topics.values().filter(|(its, _)| *its == kind).map(|(_, records)| *records).sum()
    }

    /// All topics' records together.
    pub fn all_records(&self) -> Records {
        self.topics.values().map(|(_, records)| *records).sum()
    }

    /// Whether every frame and every record is in exactly one column.
    pub fn holds(&self) -> bool {
        self.feed.frames.holds() && self.topics.values().all(|(_, records)| records.holds()) && self.producer.holds()
    }

    /// Whether what the broker refused is all that did not arrive, and arrived as dead letters.
    pub fn are_all_dead_letters(&self) -> bool {
        let sum = self.all_records();
        let is_all = sum.failed == self.producer.dead_lettered() && sum.dropped + sum.spilled + sum.in_flight == 0;
        self.holds() && is_all && sum.failed > 0
    }

    /// Whether nothing was lost, and nothing is under way: what exit code 0 promises.
    pub fn is_complete(&self) -> bool {
        self.holds() && self.all_records().is_complete()
    }
}

impl AddAssign for Records {
    fn add_assign(&mut self, other: Self) {
        self.committed += other.committed;
        self.recovered += other.recovered;
        self.acked += other.acked;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.spilled += other.spilled;
        self.in_flight += other.in_flight;
    }
}

impl Sum for Records {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Records::default(), |mut sum, records| {
            sum += records;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: usize = Kind::Raw as usize;

    /// Of one feed and one producer core, with what is done to their counts.
    fn accounting(count: impl FnOnce(&mut FeedTally, &mut TopicTally)) -> Accounting {
        let (mut feed, mut topic) = (FeedTally::default(), TopicTally::new("raw", Kind::Raw));
        feed.begin(0);
        count(&mut feed, &mut topic);
        let producer = ProducerTally { topics: vec![topic], ..ProducerTally::default() };
        Accounting::of(feed, producer, &[["raw".into(), "trades".into(), "dlq".into()]])
    }

    #[test]
    fn a_frame_in_no_column_is_noticed() {
        let of = |received| {
            accounting(|feed, _| feed.frames = Frames { received, decoded: 1, control: 1, rejected: 1 }).holds()
        };
        assert!(of(3) && !of(4));
    }

    #[test]
    fn a_record_acknowledged_twice_is_noticed() {
        let of = |taken| {
            accounting(|feed, topic| {
                feed.made[0][RAW].committed = 1;
                (topic.taken, topic.acked) = (taken, 2);
            })
        };
        assert!(!of(1).holds());
        assert!(!of(2).holds(), "of one that was committed");
    }

    #[test]
    fn what_is_in_flight_is_not_complete() {
        let of = |in_flight| {
            accounting(|feed, topic| {
                feed.made[0][RAW].committed = 2;
                (topic.taken, topic.acked, topic.in_flight) = (2, 2 - in_flight, in_flight);
            })
        };
        assert_eq!(of(1).records(Kind::Raw).in_flight, 1);
        assert!(of(1).holds() && !of(1).is_complete());
        assert!(of(0).is_complete());
    }

    #[test]
    fn what_one_topic_has_too_many_of_does_not_stand_in_for_what_another_lacks() {
        let mut feed = FeedTally::default();
        feed.begin(1);
        feed.made[0][RAW].committed = 2;
        feed.made[1][RAW].committed = 2;
        let topic = |name, taken, acked| TopicTally { taken, acked, ..TopicTally::new(name, Kind::Raw) };
        let names = |raw: &str| [raw.into(), format!("{raw}.trades").into(), format!("{raw}.dlq").into()];
        let of = |topics| {
            let producer = ProducerTally { topics, ..ProducerTally::default() };
            Accounting::of(feed.clone(), producer, &[names("one"), names("other")])
        };
        let sound = of(vec![topic("one", 2, 2), topic("other", 2, 2)]);
        assert!(sound.is_complete(), "{sound:?}");
        let unsound = of(vec![topic("one", 3, 3), topic("other", 1, 1)]);
        assert_eq!(unsound.records(Kind::Raw).acked, 4);
        assert!(!unsound.holds());
    }

    #[test]
    fn feeds_with_a_topic_in_common_have_one_column() {
        let mut feed = FeedTally::default();
        feed.begin(1);
        feed.made[0][RAW].committed = 2;
        feed.made[1][RAW].committed = 3;
        let names: [Arc<str>; 3] = ["raw".into(), "trades".into(), "dlq".into()];
        let accounting = Accounting::of(feed, ProducerTally::default(), &[names.clone(), names]);
        assert_eq!(accounting.topics["raw"].1.committed, 5);
        assert_eq!((accounting.topics.len(), accounting.all_records().in_flight), (3, 5));
    }
}
