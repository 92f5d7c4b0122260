//! Which of the records of a segment that were read are settled.

use std::collections::VecDeque;

/// A record that was read.
#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    settled: bool,
}

/// The records from the mark to where reading has ever come; the first is not settled.
#[derive(Debug)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    /// The end of the last record that was read.
    read_to: u64,
}

impl Window {
    /// Nothing read from `offset` on, all before it settled.
    pub(super) fn new(offset: u64) -> Self {
        Window { entries: VecDeque::new(), read_to: offset }
    }

    /// The mark: all before it is settled.
    pub(super) fn settled_to(&self) -> u64 {
        self.entries.front().map_or(self.read_to, |entry| entry.offset)
    }

    /// Where to read on from `at`: past what is settled.
    #[inline]
    pub(super) fn skip_settled(&self, at: u64) -> u64 {
        if at >= self.read_to {
            return at;
        }
        let from = self.entries.partition_point(|entry| entry.offset < at);
        let next = self.entries.range(from..).find(|entry| !entry.settled);
        next.map_or(self.read_to, |entry| entry.offset)
    }

    /// The record from `offset` to `end` was read, perhaps not for the first time.
    #[inline]
    pub(super) fn read(&mut self, offset: u64, end: u64) {
        if offset >= self.read_to {
            self.entries.push_back(Entry { offset, settled: false });
            self.read_to = end;
        }
    }

    /// Settles the record at `offset`. Returns whether it was read and not settled.
    #[inline]
    pub(super) fn settle(&mut self, offset: u64) -> bool {
        let Ok(place) = self.entries.binary_search_by_key(&offset, |entry| entry.offset) else { return false };
        if std::mem::replace(&mut self.entries[place].settled, true) {
            return false;
        }
        self.drop_settled();
        true
    }

    /// Nothing can be read between `from` and `to`. Returns how many records there were read before and not settled.
    pub(super) fn give_up(&mut self, from: u64, to: u64) -> u64 {
        let mut count = 0;
        let place = self.entries.partition_point(|entry| entry.offset < from);
        for entry in self.entries.range_mut(place..).take_while(|entry| entry.offset < to) {
            count += u64::from(!std::mem::replace(&mut entry.settled, true));
        }
        self.read_to = self.read_to.max(to);
        self.drop_settled();
        count
    }

    #[inline]
    fn drop_settled(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.settled) {
            self.entries.pop_front();
        }
    }
}
