//! What is with the client: a table whose places are the tags of delivery reports.

use crate::clock::Nanos;
use crate::record::{Head, Kind};
use crate::spill::Position;

/// What must be known of a record when its delivery report comes: how long it took, and how to make it again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// When its frame was received; not known of records of an earlier process.
    pub(super) received: Option<Nanos>,
    /// When it was handed to the client.
    pub(super) handed: Nanos,
    /// Its place in the order in which records were handed over.
    pub(super) order: u64,
    /// As in [`Head`].
    pub(super) received_unix_ns: i64,
    /// As in [`Head`].
    pub(super) number: Option<i64>,
    /// As in [`Head`].
    pub(super) passed: u8,
    /// Where it is on disk, if it is.
    pub(super) on_disk: Option<Position>,
    /// Which topic it is for.
    pub(super) lane: u32,
    /// Bytes of the record.
    pub(super) bytes: u32,
    /// As in [`Head`].
    pub(super) kind: Kind,
    /// As in [`Head`].
    pub(super) from_rest: bool,
}

impl Entry {
    /// The entry of a record that is about to be handed over.
    #[inline]
    pub(super) fn of(head: &Head, lane: usize, bytes: usize, seen: Nanos) -> Self {
        Entry {
            received: Some(head.received),
            handed: seen,
            order: 0,
            received_unix_ns: head.received_unix_ns,
            number: head.number,
            passed: head.passed,
            on_disk: None,
            lane: lane as u32,
            bytes: bytes as u32,
            kind: head.kind,
            from_rest: head.from_rest,
        }
    }

    /// The head of the record, made again.
    pub(super) fn head(&self) -> Head {
        let received = self.received.unwrap_or_default();
        Head {
            received,
            received_unix_ns: self.received_unix_ns,
            number: self.number,
            passed: self.passed,
            from_rest: self.from_rest,
            ..Head::of(self.kind)
        }
    }
}

/// The records in flight, bounded in number and in bytes.
pub(super) struct InFlight {
    entries: Vec<Entry>,
    free: Vec<u32>,
    max_records: usize,
    bytes: usize,
    max_bytes: usize,
    /// The next record's place in the order.
    order: u64,
    /// Those of them that are not on disk, by topic.
    live: Vec<u64>,
}

impl InFlight {
    /// An empty table. Its memory grows to the bound only if that many records are in flight at a time.
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        let (entries, free) = (Vec::with_capacity(max_records), Vec::with_capacity(max_records));
        InFlight { entries, free, max_records, bytes: 0, max_bytes, order: 0, live: Vec::new() }
    }

    /// How many records are in flight.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// There is one more topic.
    pub(super) fn add_lane(&mut self) {
        self.live.push(0);
    }

    /// How many of a topic's are not on disk.
    pub(super) fn live(&self, lane: usize) -> u64 {
        self.live[lane]
    }

    /// How many there may be.
    pub(super) fn max_records(&self) -> usize {
        self.max_records
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether not even an empty record would be admitted.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.max_records || self.bytes >= self.max_bytes
    }

    /// Whether so much is in flight that what is on disk may wait: half of it is left to live records.
    pub(super) fn is_half_full(&self) -> bool {
        self.len() >= self.max_records.div_ceil(2) || self.bytes >= self.max_bytes / 2
    }

    /// A place for `entry`, if the bounds allow one more.
    #[inline]
    pub(super) fn admit(&mut self, entry: Entry) -> Option<usize> {
        (!self.is_full()).then(|| self.admit_anyway(entry))
    }

    /// A place for `entry`, which takes that of one that has just left.
    #[inline]
    pub(super) fn admit_anyway(&mut self, mut entry: Entry) -> usize {
        entry.order = self.order;
        self.order += 1;
        self.live[entry.lane as usize] += u64::from(entry.on_disk.is_none());
        self.bytes += entry.bytes as usize;
        match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place as usize
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        }
    }

    /// The record at `place` has been handed over.
    #[inline]
    pub(super) fn handed(&mut self, place: usize, at: Nanos) {
        self.entries[place].handed = at;
    }

    /// The record at `place`.
    #[inline]
    pub(super) fn get(&self, place: usize) -> Entry {
        self.entries[place]
    }

    /// The record at `place` is no longer in flight.
    #[inline]
    pub(super) fn settle(&mut self, place: usize) {
        let entry = &self.entries[place];
        self.bytes -= entry.bytes as usize;
        self.live[entry.lane as usize] -= u64::from(entry.on_disk.is_none());
        self.free.push(place as u32);
    }

    /// The places of all but those of `others`.
    pub(super) fn places_without(&self, others: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut is_taken = vec![true; self.entries.len()];
        self.free.iter().for_each(|free| is_taken[*free as usize] = false);
        others.into_iter().for_each(|other| is_taken[other] = false);
        (0..is_taken.len()).filter(|place| is_taken[*place]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_and_places_come_back() {
        let entry = |bytes| Entry::of(&Head::of(Kind::Raw), 0, bytes, Nanos(2));
        let mut table = InFlight::new(2, 100);
        table.add_lane();
        let (first, second) = (table.admit(entry(10)).unwrap(), table.admit(entry(10)).unwrap());
        assert!(table.admit(entry(1)).is_none() && table.is_full());
        assert_eq!((table.get(first).order, table.get(second).order), (0, 1));
        table.settle(first);
        assert!(table.is_half_full());
        assert_eq!(table.admit(entry(90)), Some(first));
        table.settle(second);
        assert_eq!(table.admit(entry(10)), Some(second));
        table.settle(second);
        let third = table.admit(entry(50)).unwrap();
        assert!(table.admit(entry(0)).is_none(), "the bytes are used up");
        table.settle(third);
        table.settle(first);
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }
}
