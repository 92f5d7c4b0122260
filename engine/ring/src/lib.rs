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

mod error;
mod layout;
mod ring;
mod sync;

pub use error::{CapacityError, Full};
pub use ring::{Batch, Claim, Consumer, Iter, Producer, ring};
