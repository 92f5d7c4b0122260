//! The ring itself, and all of the crate's unsafe code: what is in the files below is safe.
//!
//! `head` and `tail` count bytes and never turn back; their low bits are offsets into the
//! memory. The rule every SAFETY argument below leans on:
//!
//! * `head <= tail <= head + capacity`, all multiples of 8;
//! * the bytes of `head..tail` are whole records: only the consumer touches them, to read;
//! * the bytes of `tail..head + capacity` are free: only the producer touches them;
//! * `tail` is stored (release) by the producer alone, after the bytes before it are written,
//!   and `head` (release) by the consumer alone, after its last read before it. The other side
//!   loads with acquire, so whoever gains bytes by a move sees all that was done to them.
//!
//! An old value of the opposite index only hides bytes from its reader; it never adds any.

mod consumer;
mod producer;

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

use crossbeam_utils::CachePadded;

use crate::error::{CapacityError, Full};
use crate::layout::{self, GRAIN, HEADER, PAD, Wrap};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Ordering, Shadow};

/// Where the bytes are. A handle: `Shared` owns them.
#[derive(Debug, Clone, Copy)]
struct Memory {
    base: NonNull<u8>,
    wrap: Wrap,
}

// SAFETY: plain bytes belong to no thread; who may touch which is the rule above. Not `Sync`,
// which keeps `Producer` from being so.
unsafe impl Send for Memory {}

impl Memory {
    /// Aligned to a grain and no more: above 16 the allocator would have to write the zeros
    /// itself, and touch every page, where `calloc` takes untouched ones.
    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, GRAIN).expect("layout::capacity keeps to the limit")
    }

    fn allocate(capacity: usize) -> Result<Self, CapacityError> {
        // SAFETY: the layout's size is not 0, as `layout::capacity` gives at least 64.
        let base = unsafe { alloc_zeroed(Self::layout(capacity)) };
        let base = NonNull::new(base).ok_or(CapacityError::OutOfMemory { bytes: capacity })?;
        let wrap = Wrap::new(capacity);
        Ok(Memory { base, wrap })
    }

    #[inline]
    fn header(self, at: usize) -> NonNull<u64> {
        // SAFETY: the offset is below the capacity, hence inside the allocation.
        unsafe { self.base.add(self.wrap.offset(at)) }.cast()
    }

    #[inline]
    fn payload(self, at: usize) -> NonNull<u8> {
        // SAFETY: the offset is a multiple of 8 below the capacity, so 8 more are at most the
        // capacity: inside the allocation, or one past its end for an empty payload.
        unsafe { self.base.add(self.wrap.offset(at) + HEADER) }
    }
}

#[derive(Debug)]
struct Shared {
    head: CachePadded<AtomicUsize>,
    tail: CachePadded<AtomicUsize>,
    producer_gone: AtomicBool,
    consumer_gone: AtomicBool,
    memory: Memory,
    shadow: Shadow,
}

// SAFETY: through a shared `Shared` only the atomics and copies of the handle are reached; the
// handle's bytes are parted between one `Producer` and one `Consumer` by the rule above.
unsafe impl Sync for Shared {}

// SAFETY: see above, and the bytes may be freed by any thread. (Loom's cells are not `Send`.)
unsafe impl Send for Shared {}

impl Shared {
    /// The index and payload length of the record at index `at` or after the gap there.
    ///
    /// # Safety
    ///
    /// For the consumer, and a record or its gap begins at `at`, in `head..tail`.
    #[inline]
    unsafe fn record(&self, mut at: usize) -> (usize, usize) {
        self.shadow_read(at, HEADER);
        // SAFETY: a header begins there, published, by the contract.
        let mut len = unsafe { self.memory.header(at).read() };
        if len == PAD {
            at = at.wrapping_add(self.memory.wrap.to_end(at));
            self.shadow_read(at, HEADER);
            // SAFETY: a gap is published together with the record after it.
            len = unsafe { self.memory.header(at).read() };
        }
        (at, len as usize)
    }

    /// Tells the shadow of `bytes` read from index `at` on.
    #[inline]
    fn shadow_read(&self, at: usize, bytes: usize) {
        self.shadow.read(self.memory.wrap.word(at), bytes / GRAIN);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let layout = Memory::layout(self.memory.wrap.capacity());
        // SAFETY: allocated with this layout in `allocate`; both sides are gone, and with them
        // every borrow of the bytes.
        unsafe { dealloc(self.memory.base.as_ptr(), layout) };
    }
}

/// Makes a ring of at least `capacity_bytes`, rounded up to a power of two and to 64 at least.
///
/// # Errors
///
/// If `capacity_bytes` is 0, is not addressable, or the memory cannot be had.
pub fn ring(capacity_bytes: usize) -> Result<(Producer, Consumer), CapacityError> {
    let capacity = layout::capacity(capacity_bytes)?;
    let memory = Memory::allocate(capacity)?;
    let shared = Arc::new(Shared {
        head: CachePadded::new(AtomicUsize::new(0)),
        tail: CachePadded::new(AtomicUsize::new(0)),
        producer_gone: AtomicBool::new(false),
        consumer_gone: AtomicBool::new(false),
        memory,
        shadow: Shadow::new(capacity / GRAIN),
    });
    let producer = Producer { shared: Arc::clone(&shared), memory, tail: 0, head_seen: 0 };
    let consumer = Consumer { shared, head: 0, tail_seen: 0, walked: 0, counted: 0 };
    Ok((producer, consumer))
}

/// The writing side.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    memory: Memory,
    /// Equal to the shared `tail`, which nobody else stores.
    tail: usize,
    /// The shared `head` when last loaded.
    head_seen: usize,
}

impl Producer {
    /// Takes room for a payload of up to `max_len` bytes, to be written in place.
    ///
    /// # Errors
    ///
    /// If the room is not there now, or never will be, `max_len` being above
    /// [`max_record`](Self::max_record). Never waits.
    #[inline]
    pub fn claim(&mut self, max_len: usize) -> Result<Claim<'_>, Full> {
        if max_len > self.max_record() {
            self.see_head(); // so that `free` is true
            return Err(self.full(max_len));
        }
        let size = layout::record_size(max_len);
        let to_end = self.memory.wrap.to_end(self.tail);
        let gap = if size > to_end { to_end } else { 0 };
        if !self.has_free(gap + size) {
            return Err(self.full(max_len));
        }
        let at = self.tail.wrapping_add(gap);
        let claim = Claim { at, max_len, producer: self };
        claim.touch(max_len);
        Ok(claim)
    }

    #[inline]
    fn free(&self) -> usize {
        self.capacity() - self.tail.wrapping_sub(self.head_seen)
    }

    /// Are `needed` bytes free? Loads `head` only if it seems not.
    #[inline]
    fn has_free(&mut self, needed: usize) -> bool {
        if self.free() < needed {
            self.see_head();
        }
        self.free() >= needed
    }

    #[inline]
    fn see_head(&mut self) {
        self.head_seen = self.shared.head.load(Ordering::Acquire);
    }
}

/// Room for one record, claimed. Derefs to `max_len` bytes, 8-byte aligned, that hold whatever
/// an earlier record left there. Dropped without [`commit`](Self::commit), it gives the room
/// back and nothing was published.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The record's index: `tail`, or after the gap before the wrap.
    at: usize,
    max_len: usize,
    // No reference to the payload is kept: the consumer reads it while `commit` still runs.
    producer: &'a mut Producer,
}

impl Claim<'_> {
    /// Publishes the first `len` bytes as one record.
    ///
    /// # Panics
    ///
    /// If `len` is above the length claimed.
    #[inline]
    pub fn commit(self, len: usize) {
        assert!(len <= self.max_len, "committed {len} bytes of a claim of {}", self.max_len);
        self.touch(len);
        let Claim { at, producer, .. } = self;
        if at != producer.tail {
            // SAFETY: a gap is 8 bytes at least, free, and ours.
            unsafe { producer.memory.header(producer.tail).write(PAD) };
        }
        // SAFETY: `claim` found the record's bytes free, and its size fits before the wrap.
        unsafe { producer.memory.header(at).write(len as u64) };
        producer.tail = layout::end(at, len);
        producer.shared.tail.store(producer.tail, Ordering::Release);
    }

    /// Tells the shadow of the bytes that the caller and `commit` write.
    #[inline]
    fn touch(&self, len: usize) {
        let (wrap, shadow) = (self.producer.memory.wrap, &self.producer.shared.shadow);
        if self.at != self.producer.tail {
            shadow.write(wrap.word(self.producer.tail), 1);
        }
        shadow.write(wrap.word(self.at), layout::record_size(len) / GRAIN);
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let payload = self.producer.memory.payload(self.at);
        // SAFETY: `claim` found these bytes free and before the wrap; they stay the producer's
        // until `commit`, which takes the claim. All were written once, by `alloc_zeroed`.
        unsafe { slice::from_raw_parts(payload.as_ptr(), self.max_len) }
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        let payload = self.producer.memory.payload(self.at);
        // SAFETY: as in `deref`, and `&mut self` makes this the only slice of them.
        unsafe { slice::from_raw_parts_mut(payload.as_ptr(), self.max_len) }
    }
}

/// The reading side.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    /// Equal to the shared `head`, which nobody else stores.
    head: usize,
    /// The shared `tail` when last loaded.
    tail_seen: usize,
    /// `head..walked` are `counted` records, known from earlier batches.
    walked: usize,
    counted: usize,
}

impl Consumer {
    /// Counts on until `max_records` or `tail_seen`.
    #[inline]
    fn walk(&mut self, max_records: usize) {
        while self.counted < max_records && self.walked != self.tail_seen {
            // SAFETY: `walked` lies before `tail` and is the end of a record, or `head`.
            let (at, len) = unsafe { self.shared.record(self.walked) };
            self.walked = layout::end(at, len);
            self.counted += 1;
        }
    }
}

/// Records in the order they were committed, held until [`release`](Self::release). Dropping it
/// releases nothing: the next batch begins with the same record.
#[derive(Debug)]
pub struct Batch<'a> {
    len: usize,
    consumer: &'a mut Consumer,
}

/// The records of a [`Batch`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    shared: &'a Shared,
    /// At least `left` counted records begin at index `at`, and none is released during `'a`.
    at: usize,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let shared = self.shared;
        // SAFETY: the batch has `left` records from `at` on.
        let (at, len) = unsafe { shared.record(self.at) };
        self.at = layout::end(at, len);
        shared.shadow_read(at, layout::record_size(len));
        let payload = shared.memory.payload(at);
        // SAFETY: a record's bytes are published, before the wrap, and not written until the
        // release, which takes the batch that `'a` borrows.
        Some(unsafe { slice::from_raw_parts(payload.as_ptr(), len) })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
