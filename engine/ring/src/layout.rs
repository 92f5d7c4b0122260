//! The arithmetic of where records lie. No memory is touched here.

use crate::error::CapacityError;

/// Bytes of a record's header: its payload length as a `u64`. A whole grain, so that payloads
/// are 8-byte aligned too.
pub(crate) const HEADER: usize = 8;

/// Records begin and end at multiples of this.
pub(crate) const GRAIN: usize = 8;

/// In place of a length: no record here, go on at the start of the memory.
pub(crate) const PAD: u64 = u64::MAX;

/// Below this, a ring could hardly hold a record and a gap.
const MIN_CAPACITY: usize = 64;

/// The largest power of two that `Layout` takes.
const MAX_CAPACITY: usize = 1 << (usize::BITS - 2);

/// The capacity of a ring asked to hold `asked` bytes.
pub(crate) fn capacity(asked: usize) -> Result<usize, CapacityError> {
    match asked {
        0 => Err(CapacityError::Zero),
        1..=MAX_CAPACITY => Ok(asked.next_power_of_two().max(MIN_CAPACITY)),
        _ => Err(CapacityError::TooLarge { asked }),
    }
}

/// The longest payload that fits an empty ring at every offset: in the worst case the gap
/// before the wrap is one grain short of the record, so two such must fit.
#[inline]
pub(crate) const fn max_record(capacity: usize) -> usize {
    capacity / 2 - HEADER
}

/// Bytes that a record with a payload of `len` takes. `len` is at most `max_record`.
#[inline]
pub(crate) const fn record_size(len: usize) -> usize {
    HEADER + len.next_multiple_of(GRAIN)
}

/// The index after a record at index `at`. Indices wrap around, as their differences do.
#[inline]
pub(crate) const fn end(at: usize, len: usize) -> usize {
    at.wrapping_add(record_size(len))
}

/// Maps indices, which never turn back, to offsets into the memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrap {
    mask: usize,
}

impl Wrap {
    /// `capacity` is a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        debug_assert!(capacity.is_power_of_two());
        Wrap { mask: capacity - 1 }
    }

    #[inline]
    pub(crate) fn capacity(self) -> usize {
        self.mask + 1
    }

    /// Below the capacity.
    #[inline]
    pub(crate) fn offset(self, at: usize) -> usize {
        at & self.mask
    }

    /// Bytes from index `at` to the end of the memory; never 0.
    #[inline]
    pub(crate) fn to_end(self, at: usize) -> usize {
        self.capacity() - self.offset(at)
    }

    /// The 8-byte word of index `at`.
    #[inline]
    pub(crate) fn word(self, at: usize) -> usize {
        self.offset(at) / GRAIN
    }
}

/// An upper bound of the bytes that `records` claims, together of at most `record_bytes`, take
/// when `to_end` bytes are left before the wrap; `None` if a split exists that never fits.
#[inline]
pub(crate) fn worst_case(capacity: usize, to_end: usize, record_bytes: usize, records: usize) -> Option<usize> {
    if records == 0 {
        return Some(0);
    }
    if record_bytes > max_record(capacity) {
        return None; // all of it could be one record
    }
    // Alignment costs a record up to 7 bytes, and the sum is a whole number of grains.
    let rounded = records.checked_mul(GRAIN - 1)?.checked_add(record_bytes)? & !(GRAIN - 1);
    let total = records.checked_mul(HEADER)?.checked_add(rounded)?;
    if total <= to_end {
        return Some(total);
    }
    // One record may meet the wrap, one grain short of fitting. Only one: a second gap would
    // need the total to run through the whole memory again, and the total is below `capacity`.
    let gap = to_end.min(record_bytes.next_multiple_of(GRAIN));
    total.checked_add(gap).filter(|&needed| needed <= capacity)
}
