//! A single-producer, single-consumer ring of variable-length byte records, written and read in
//! place.
//!
//! The producer claims room, writes into it and commits; the consumer takes batches of slices
//! and releases them when it is done with the bytes. Neither ever waits: a full ring is the
//! outcome [`Full`], an empty one an empty [`Batch`].
//!
//! ```
//! let (mut producer, mut consumer) = k2_ring::ring(4096)?;
//!
//! let mut claim = producer.claim(100)?; // at most
//! claim[..5].copy_from_slice(b"trade");
//! claim.commit(5); // in fact; dropping the claim publishes nothing
//!
//! let batch = consumer.batch(64);
//! let records: Vec<&[u8]> = batch.iter().collect();
//! assert_eq!(records, [b"trade"]);
//! let sent = records.len();
//! batch.release(sent);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layout
//!
//! A record is an 8-byte header and its payload, rounded up to 8 bytes, in one piece. Where a
//! claim would run past the end of the memory, the bytes up to the end are left as a gap and the
//! record begins at offset 0; the gap is freed together with that record. The capacity is a
//! power of two, zeroed once by the allocator, so that pages are untouched until used. The
//! longest payload is half the capacity less 8 bytes ([`Producer::max_record`]).
//!
//! # Draining
//!
//! A consumer that is to stop with its producer asks [`Consumer::is_closed`] first and takes a
//! batch then: closed, and then an empty batch of a `max_records` above 0, is the end.
//!
//! # Checks
//!
//! * `cargo test --release -p k2-ring`: an oracle (proptest), two threads, and loom, which runs
//!   this very source and tracks the record bytes by a shadow, within 3 preemptions.
//! * `.ci/sanitize`: the oracle and the threads under AddressSanitizer and ThreadSanitizer.
//! * Not run, for want of the component: `K2_RING_RECORDS=500
//!   MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p k2-ring --test oracle --test
//!   threads`.
//!
//! # Speed
//!
//! Handing a 200-byte record to a thread on another core takes 470 to 481 ns at the median, on a
//! 2-core virtual machine (AMD EPYC, Zen 4): 0.99 to 1.02 times what rtrb takes as a ring of
//! bytes, and 1.02 to 1.04 times as a ring of 200-byte slots, over five runs. On one thread,
//! write to release, it is 14.6 ns against 15.4 and 22.7. Measure again with
//! `cargo bench -p k2-benches --bench ring`.

mod error;
mod layout;
mod ring;
mod sync;

pub use error::{CapacityError, Full};
pub use ring::{Batch, Claim, Consumer, Iter, Producer, ring};
