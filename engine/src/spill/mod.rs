//! The spill journal: a queue of byte records on disk, for what Kafka does not take at the moment.
//!
//! Records are appended at the tail, read in order at a cursor, settled in any order, and gone from the disk when all of
//! their segment are settled. What a record means is its owner's affair. One thread uses a journal, with plain writes.
//!
//! ```no_run
//! # fn hand_over(_: &[u8]) {}
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use k2_feed::spill::{Fsync, Journal, Settings};
//! let settings = Settings { folder: "spill".into(), max_bytes: 8 << 30, segment_bytes: 64 << 20, fsync: Fsync::Never };
//! let (mut journal, found) = Journal::open(settings, b"routes", |record| hand_over(record.bytes))?;
//! println!("{} records of earlier runs, {} damaged places", found.records, found.damaged.places);
//! journal.append(&[b"head", b"value"])?;
//! journal.flush()?; // once a lap
//! while let Some(record) = journal.next() {
//!     hand_over(record.bytes);
//!     let position = record.position;
//!     journal.settle(position); // when Kafka has it
//! }
//! journal.save_mark()?; // once a lap
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - **Accepted is kept.** [`Journal::append`] copies into a buffer of [`WRITE_BUFFER_BYTES`]; [`Journal::flush`] writes it
//!   out. If that fails (disk full), what was written stays up to the last whole record, and the rest stays in the buffer,
//!   can be read and settled there, and goes out with the next flush that succeeds. Until then appends are refused.
//! - **A kill -9 loses nothing that was flushed**, and what was settled before [`Journal::save_mark`] does not come back,
//!   except behind a record of the same segment that was not settled. What a power cut loses is [`Fsync`]'s to say.
//! - **Damage costs what is damaged.** A record that is torn, or whose bytes changed, is left out and told; those before
//!   and behind it are read. A segment whose header cannot be trusted, or of another version of this format, is told,
//!   left on disk as it is, and counts neither to [`Journal::records`] nor to [`Journal::bytes`].
//! - **Memory is bounded**: one buffer to write, one to read, 16 bytes for each record that was read and is not behind
//!   the mark, and about 200 bytes for each segment.
//!
//! # Why plain writes
//!
//! Appending 50,000 records of 300 bytes on ext4 (AMD EPYC, 2 virtual CPUs that others used too, so the relations count
//! more than the figures; `cargo bench -p k2-benches --bench spill`):
//!
//! | way | ns a record | MB/s |
//! |-|-|-|
//! | this journal, until the kernel has it | 216 | 1,390 |
//! | glommio's `BufferedFile`, same framing and buffer, until the kernel has it | 282 | 1,070 |
//! | this journal with [`Journal::sync`], until the disk has it | 522 | 575 |
//! | glommio's `DmaStreamWriter`, same framing and buffer, until the disk has it | 390 | 770 |
//! | this journal, reading and settling | 189 | 1,580 |
//!
//! What is promised asks for the kernel to have it, since a kill -9 takes nothing from there: there plain writes are
//! ahead, and need no executor. Where all was to wait for the disk, `DmaStreamWriter` would be the better one.
//!
//! # On disk
//!
//! A folder with `lock` and segments, `<number>.spill`, in the order of their numbers, which begin in the middle of what 64
//! bits hold so that there is room before the first, too. All numbers are little-endian, all checks CRC32C.
//!
//! | at | bytes | header |
//! |-|-|-|
//! | 0 | 8 | `k2spill\n` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | length of the preamble |
//! | 16 | 8 | the segment's number |
//! | 24 | 8 | when it was begun, nanoseconds since 1970 |
//! | 32 | 4 | check of the above |
//! | 36 | 4 | check of the preamble, begun with the one above: the segment's salt |
//! | 40 | 8 | the mark: all records before this offset are settled |
//! | 48 | 4 | check of the mark, begun with the salt |
//! | 52 | 12 | nothing |
//! | 64 | | the preamble |
//!
//! | at | bytes | record |
//! |-|-|-|
//! | 0 | 4 | length of the payload |
//! | 4 | 4 | check of the length, begun with the salt and the record's offset |
//! | 8 | 4 | check of the payload, begun with the one before |
//! | 12 | | the payload |
//!
//! The length has a check of its own so that behind a damaged payload reading goes on at the right place, and behind a
//! damaged head the next one is found in one pass. Salt and offset are in it so that no copy of a record, in a payload or
//! left on the disk, is taken for one.

mod error;
mod format;
mod journal;
mod marks;
mod prepend;
mod reader;
mod recover;
mod segment;
mod sync;
#[cfg(test)]
mod tests;
mod window;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

pub use error::{Refused, SpillError};
pub use journal::Journal;
pub use prepend::Prepend;

/// Bytes that are gathered before they are written.
pub const WRITE_BUFFER_BYTES: usize = 256 << 10;
/// Bytes that are read at once. A longer record takes more for as long as it is looked at.
pub const READ_BUFFER_BYTES: usize = 256 << 10;
/// Longest record.
pub const MAX_RECORD_BYTES: usize = 64 << 20;
/// Longest preamble.
pub const MAX_PREAMBLE_BYTES: usize = 16 << 20;
/// Most damaged places that are listed; more are counted.
pub const MAX_LISTED: usize = 100;

/// Where a journal is and how large it gets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its folder, made if it is not there; one journal's alone.
    pub folder: PathBuf,
    /// Most bytes on disk, headers included.
    pub max_bytes: u64,
    /// Bytes at which a segment ends and another begins: what is given back, or given up, at once.
    pub segment_bytes: u64,
    /// What a power cut may take.
    pub fsync: Fsync,
}

/// When written bytes are forced to the disk. A process that dies loses nothing either way, the kernel has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// When the kernel likes, and at [`Journal::sync`]. A power cut takes the last half minute or so.
    Never,
    /// By a thread of its own, this often while there is something; [`Journal::open`] starts it, on the caller's CPUs.
    Interval(Duration),
    /// By each [`Journal::flush`] before it returns, and when a segment ends.
    Always,
}

/// Where a record is. Those appended later are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of its segment.
    segment: u64,
    /// Where in the segment's file it begins.
    offset: u64,
}

/// A record as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'journal> {
    /// What was appended.
    pub bytes: &'journal [u8],
    /// For [`Journal::settle`].
    pub position: Position,
    /// Whether an earlier run of the process appended it.
    pub earlier_run: bool,
    /// The preamble that was in force when it was appended.
    pub preamble: &'journal [u8],
}

/// What [`Journal::open`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records that are not settled.
    pub records: u64,
    /// Bytes of the segments that they are in.
    pub bytes: u64,
    /// What could not be read.
    pub damaged: Damages,
}

/// Damaged places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damages {
    /// The first [`MAX_LISTED`] of them.
    pub listed: Vec<Damage>,
    /// All of them.
    pub places: u64,
    /// Bytes in all of them.
    pub bytes: u64,
}

impl Damages {
    fn add(&mut self, damage: Damage) {
        self.places += 1;
        self.bytes += damage.bytes;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(damage);
        }
    }
}

/// A damaged place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// In which file.
    pub file: PathBuf,
    /// From where.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// In which way.
    pub kind: DamageKind,
}

/// What is wrong with a damaged place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// The file ends within a record or within its header: the process died, or the disk was full, while it was written.
    #[error("it ends within a record")]
    TornTail,
    /// These bytes are not what was written. If they are the mark, records come again that were settled.
    #[error("these bytes are not what was written")]
    BadChecksum,
    /// A file of this format in a version that this build does not read. It is left as it is.
    #[error("version {0} of the format, which this build does not read: the file is left as it is")]
    UnknownVersion(u32),
    /// A header that cannot be trusted, and why. The file is left as it is.
    #[error("its header cannot be trusted ({0}): the file is left as it is")]
    BadHeader(&'static str),
    /// The system does not let it be read, in its words. The file is left as it is.
    #[error("it cannot be read ({0}): the file is left as it is")]
    Unreadable(String),
}
