//! What is with librdkafka: a table whose places are the tags of delivery reports.

use crate::clock::Nanos;
use crate::record::Kind;

/// What must be known of a record when its delivery report comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// When its frame was received.
    pub(super) received: Nanos,
    /// When it was handed to librdkafka.
    pub(super) handed: Nanos,
    /// Which topic it is for.
    pub(super) kind: Kind,
    /// Bytes of key and value.
    pub(super) bytes: u32,
}

/// The records in flight, bounded in number and in bytes.
pub(super) struct InFlight {
    entries: Vec<Entry>,
    free: Vec<u32>,
    max_records: usize,
    bytes: usize,
    max_bytes: usize,
}

impl InFlight {
    /// An empty table. Its memory grows to the bound only if that many records are in flight at a time.
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        let (entries, free) = (Vec::with_capacity(max_records), Vec::with_capacity(max_records));
        InFlight { entries, free, max_records, bytes: 0, max_bytes }
    }

    /// How many records are in flight.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether not even an empty record would be admitted.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.max_records || self.bytes >= self.max_bytes
    }

    /// A place for `entry`, if the bounds allow one more.
    #[inline]
    pub(super) fn admit(&mut self, entry: Entry) -> Option<usize> {
        if self.is_full() {
            return None;
        }
        self.bytes += entry.bytes as usize;
        match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                Some(place as usize)
            }
            None => {
                self.entries.push(entry);
                Some(self.entries.len() - 1)
            }
        }
    }

    /// The record at `place` has been handed over.
    #[inline]
    pub(super) fn handed(&mut self, place: usize, at: Nanos) {
        self.entries[place].handed = at;
    }

    /// The record at `place` is no longer in flight.
    #[inline]
    pub(super) fn settle(&mut self, place: usize) -> Entry {
        let entry = self.entries[place];
        self.bytes -= entry.bytes as usize;
        self.free.push(place as u32);
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_and_places_come_back() {
        let entry = |bytes| Entry { received: Nanos(1), handed: Nanos(2), kind: Kind::Raw, bytes };
        let mut table = InFlight::new(2, 100);
        let (first, second) = (table.admit(entry(10)).unwrap(), table.admit(entry(10)).unwrap());
        assert!(table.admit(entry(1)).is_none() && table.is_full());
        assert_eq!(table.settle(first).bytes, 10);
        assert_eq!(table.admit(entry(90)), Some(first));
        table.settle(second);
        assert_eq!(table.admit(entry(10)), Some(second));
        table.settle(second);
        let third = table.admit(entry(50)).unwrap();
        assert!(table.admit(entry(0)).is_none(), "the bytes are used up");
        table.settle(third);
        table.settle(first);
        assert_eq!((table.len(), table.bytes), (0, 0));
    }
}
