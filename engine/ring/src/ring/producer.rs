//! The producer's questions, and its end. All safe.

use super::Producer;
use crate::error::Full;
use crate::layout;
use crate::sync::Ordering;

impl Producer {
    /// Would `records` claims, together of at most `record_bytes` payload bytes, surely fit, in
    /// whatever split and order? Headers, alignment and the gap before the wrap are counted at
    /// their worst, so a yes holds until that many were claimed, and a no may be pessimistic.
    ///
    /// Always no when `record_bytes` is above [`max_record`](Self::max_record).
    #[inline]
    pub fn has_room(&mut self, record_bytes: usize, records: usize) -> bool {
        let to_end = self.memory.wrap.to_end(self.tail);
        layout::worst_case(self.capacity(), to_end, record_bytes, records).is_some_and(|needed| self.has_free(needed))
    }

    /// Bytes of the ring, records' headers and gaps included.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.memory.wrap.capacity()
    }

    /// The longest payload of a record: half the capacity less 8 bytes. One of that length fits
    /// an empty ring at every offset; a longer claim is always [`Full`].
    #[inline]
    pub fn max_record(&self) -> usize {
        layout::max_record(self.capacity())
    }

    /// Was the consumer dropped? Claims still work, until the ring is full.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.shared.consumer_gone.load(Ordering::Acquire)
    }

    #[cold]
    pub(super) fn full(&self, asked: usize) -> Full {
        Full { asked, free: self.free() }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // Release: who sees this sees the last `tail` too.
        self.shared.producer_gone.store(true, Ordering::Release);
    }
}
