//! Taking batches and giving their room back. All safe.

use super::{Batch, Consumer, Iter};
use crate::sync::Ordering;

impl Consumer {
    /// Every record that is visible now, from the oldest on, at most `max_records`. Loads the
    /// shared index once, or not at all if enough records are known already.
    #[inline]
    pub fn batch(&mut self, max_records: usize) -> Batch<'_> {
        self.walk(max_records);
        if self.counted < max_records {
            self.tail_seen = self.shared.tail.load(Ordering::Acquire);
            self.walk(max_records);
        }
        Batch { len: self.counted.min(max_records), consumer: self }
    }

    /// Was the producer dropped? Records may be left. For a clean drain ask this first and then
    /// take a batch: closed, then an empty batch, means that nothing is left and nothing will
    /// come. The other way round, a record could slip in between.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.shared.producer_gone.load(Ordering::Acquire)
    }

    /// Is no record visible now?
    #[inline]
    pub fn is_empty(&mut self) -> bool {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.load(Ordering::Acquire);
        }
        self.head == self.tail_seen
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.consumer_gone.store(true, Ordering::Release);
    }
}

impl Batch<'_> {
    /// Records in the batch.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is there none?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The records, oldest first. Any number of the slices may be held at once, up to the
    /// release; each is 8-byte aligned.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        let Consumer { shared, head, .. } = &*self.consumer;
        Iter { shared, at: *head, left: self.len }
    }

    /// Frees the first `records` for the producer; the rest is seen again by the next batch.
    ///
    /// # Panics
    ///
    /// If the batch has fewer.
    #[inline]
    pub fn release(self, records: usize) {
        assert!(records <= self.len, "released {records} records of a batch of {}", self.len);
        let end = if records == self.consumer.counted {
            self.consumer.walked
        } else {
            let mut rest = self.iter();
            rest.by_ref().take(records).for_each(drop);
            rest.at
        };
        let Consumer { shared, head, .. } = &mut *self.consumer;
        // Gaps too: once `head` has passed, the producer may write there.
        shared.shadow_read(*head, end.wrapping_sub(*head));
        shared.head.store(end, Ordering::Release);
        *head = end;
        self.consumer.counted -= records;
    }
}
