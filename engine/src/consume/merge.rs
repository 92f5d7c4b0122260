//! Several partitions as one stream, in the order of time.
//!
//! Each partition is in that order itself, but for records whose makers' clocks differ, or that waited on disk. So a record
//! is given out once every partition has shown one that is [`SLACK_MS`] younger, or has ended: what is in disorder by less
//! comes in order, in memory that the slack bounds. What is older than a record that was given out before is given out at
//! once, and counted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Record;

/// The disorder within a partition that is put right, in milliseconds.
pub const SLACK_MS: i64 = 1_000;
/// Most records that are held back for it: more than that, and the oldest goes.
pub const MOST_HELD: usize = 200_000;

/// One partition.
pub trait Partition {
    /// Its next record; none if it has ended.
    ///
    /// # Errors
    /// Why it cannot be read on.
    fn next(&mut self) -> anyhow::Result<Option<Record>>;
}

/// A record that is held back.
struct Held {
    /// What the order is by.
    time_ms: i64,
    partition: usize,
    record: Record,
}

impl Held {
    fn rank(&self) -> (i64, usize, i64) {
        (self.time_ms, self.partition, self.record.offset)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// Partitions side by side.
pub struct Merge<P> {
    partitions: Vec<P>,
    /// The youngest time that a partition has shown; the least is that to be read next. Those that have ended are not here.
    reached: BinaryHeap<Reverse<(i64, usize)>>,
    held: BinaryHeap<Reverse<Held>>,
    given_ms: i64,
    disordered: u64,
}

impl<P: Partition> Merge<P> {
    /// Of these; nothing is read yet.
    pub fn new(partitions: Vec<P>) -> Self {
        let reached = (0..partitions.len()).map(|place| Reverse((i64::MIN, place))).collect();
        Merge { partitions, reached, held: BinaryHeap::new(), given_ms: i64::MIN, disordered: 0 }
    }

    /// The partitions, in the order in which they were given.
    pub fn partitions(&self) -> &[P] {
        &self.partitions
    }

    /// The partitions, when all have ended.
    pub fn into_partitions(self) -> Vec<P> {
        self.partitions
    }

    /// How many records came more than the slack behind their time.
    pub fn disordered(&self) -> u64 {
        self.disordered
    }

    /// The next record and the place of its partition; none if all have ended.
    ///
    /// # Errors
    /// Why a partition cannot be read on.
    pub fn take_next(&mut self) -> anyhow::Result<Option<(usize, Record)>> {
        while let Some(&Reverse((reached_ms, place))) = self.reached.peek() {
            let is_due = |held: &Held| held.time_ms < reached_ms.saturating_sub(SLACK_MS);
            if self.held.peek().is_some_and(|Reverse(held)| is_due(held)) || self.held.len() >= MOST_HELD {
                break;
            }
            self.reached.pop();
            if let Some(record) = self.partitions[place].next()? {
                let time_ms = record.time_ms;
                self.reached.push(Reverse((reached_ms.max(time_ms), place)));
                self.held.push(Reverse(Held { time_ms, partition: place, record }));
            }
        }
        let Some(Reverse(Held { time_ms, partition, record })) = self.held.pop() else { return Ok(None) };
        self.disordered += u64::from(time_ms < self.given_ms);
        self.given_ms = self.given_ms.max(time_ms);
        Ok(Some((partition, record)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    struct Canned(VecDeque<Record>);

    impl Partition for Canned {
        fn next(&mut self) -> anyhow::Result<Option<Record>> {
            Ok(self.0.pop_front())
        }
    }

    fn canned(times: &[i64]) -> Canned {
        let records = times.iter().enumerate();
        Canned(
            records.map(|(at, time_ms)| Record { time_ms: *time_ms, offset: at as i64, ..Record::default() }).collect(),
        )
    }

    fn merged(partitions: Vec<Canned>) -> (Vec<(usize, i64, i64)>, u64) {
        let mut merge = Merge::new(partitions);
        let mut all = Vec::new();
        while let Some((place, record)) = merge.take_next().unwrap() {
            all.push((place, record.time_ms, record.offset));
        }
        (all, merge.disordered())
    }

    #[test]
    fn what_comes_much_too_late_is_counted() {
        let (all, disordered) = merged(vec![canned(&[0, 5_000, 10_000, 100]), canned(&[20_000])]);
        let times: Vec<i64> = all.iter().map(|(_, time_ms, _)| *time_ms).collect();
        assert_eq!((times, disordered), (vec![0, 5_000, 100, 10_000, 20_000], 1));
    }

    #[test]
    fn nothing_is_read_before_it_is_needed() {
        let mut merge = Merge::new(vec![canned(&(0..10_000).collect::<Vec<_>>()), canned(&[0, 9_999])]);
        merge.take_next().unwrap();
        assert!(merge.partitions()[0].0.len() > 8_900, "{} are left", merge.partitions()[0].0.len());
    }

    proptest! {
        #[test]
        fn all_come_once_and_in_order(
            steps in prop::collection::vec(prop::collection::vec((0..3_000_i64, 0..SLACK_MS), 0..60), 0..6),
        ) {
            let clock = |steps: &Vec<(i64, i64)>| {
                let mut now = 0;
                steps.iter().map(|(step, behind)| { now += step; now - behind }).collect::<Vec<_>>()
            };
            let partitions: Vec<Vec<i64>> = steps.iter().map(clock).collect();
            let (all, disordered) = merged(partitions.iter().map(|times| canned(times)).collect());
            prop_assert_eq!(disordered, 0);
            prop_assert!(all.is_sorted_by_key(|(_, time_ms, _)| *time_ms));
            let mut expected: Vec<_> = partitions.iter().enumerate().flat_map(|(place, times)| {
                times.iter().enumerate().map(move |(at, time_ms)| (place, *time_ms, at as i64))
            }).collect();
            let mut found = all;
            expected.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
