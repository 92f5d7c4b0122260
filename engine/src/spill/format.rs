//! What lies in a segment's file; the tables are in [`super`].

use crc32c::crc32c_append;
use thiserror::Error;

use super::MAX_PREAMBLE_BYTES;

/// The first bytes of each segment.
pub(super) const MAGIC: &[u8; 8] = b"k2spill\n";
/// The version that is written and read.
pub(super) const VERSION: u32 = 1;
/// Bytes of a header before the preamble.
pub(super) const HEADER_BYTES: usize = 64;
/// Bytes of a record before the payload.
pub(super) const HEAD_BYTES: usize = 12;
/// Where the mark is.
pub(super) const MARK_AT: usize = 40;
/// Bytes of the mark and its check.
pub(super) const MARK_BYTES: usize = 12;
/// Where the version ends.
const VERSION_END: usize = 12;
/// Where the header's checked part ends, and its check begins.
const CHECK_AT: usize = 32;
/// Where the salt is.
const SALT_AT: usize = 36;

/// A header that can be trusted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// What the checks of this segment begin with.
    pub(super) salt: u32,
    /// Bytes of the preamble.
    pub(super) preamble_bytes: usize,
    /// Where the first record begins.
    pub(super) records_from: u64,
    /// The mark, unless it is damaged.
    pub(super) settled_to: Option<u64>,
}

/// Why a header is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum HeaderFault {
    /// The file ends before it does; there is no record.
    #[error("it ends within its header")]
    Torn,
    /// Another version.
    #[error("it is of version {0}, this build reads {VERSION}")]
    UnknownVersion(u32),
    /// Not to be trusted, and why.
    #[error("{0}")]
    Bad(&'static str),
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Appends a header to `out`, nothing settled, and returns its salt.
pub(super) fn write_header(out: &mut Vec<u8>, number: u64, begun_unix_ns: u64, preamble: &[u8]) -> u32 {
    let from = out.len();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(preamble.len() as u32).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&begun_unix_ns.to_le_bytes());
    let check = crc32c_append(0, &out[from..]);
    let salt = crc32c_append(check, preamble);
    out.extend_from_slice(&check.to_le_bytes());
    out.extend_from_slice(&salt.to_le_bytes());
    out.extend_from_slice(&mark(salt, 0));
    out.resize(from + HEADER_BYTES, 0);
    out.extend_from_slice(preamble);
    salt
}

/// Looks at the first bytes, at most [`HEADER_BYTES`], of a file of `file_bytes`. The preamble is not checked yet.
pub(super) fn read_header(bytes: &[u8], file_bytes: u64, number: u64) -> Result<Header, HeaderFault> {
    if bytes[..bytes.len().min(MAGIC.len())] != MAGIC[..bytes.len().min(MAGIC.len())] {
        return Err(HeaderFault::Bad("it does not begin as a segment does"));
    }
    if bytes.len() < VERSION_END {
        return Err(HeaderFault::Torn);
    }
    match u32_at(bytes, 8) {
        VERSION => {}
        other => return Err(HeaderFault::UnknownVersion(other)),
    }
    if bytes.len() < HEADER_BYTES {
        return Err(HeaderFault::Torn);
    }
    if crc32c_append(0, &bytes[..CHECK_AT]) != u32_at(bytes, CHECK_AT) {
        return Err(HeaderFault::Bad("its header has a bad checksum"));
    }
    let preamble_bytes = u32_at(bytes, 12) as usize;
    if preamble_bytes > MAX_PREAMBLE_BYTES {
        return Err(HeaderFault::Bad("its preamble is too long"));
    }
    if u64_at(bytes, 16) != number {
        return Err(HeaderFault::Bad("its header has another number than its name"));
    }
    let salt = u32_at(bytes, SALT_AT);
    let records_from = (HEADER_BYTES + preamble_bytes) as u64;
    if records_from > file_bytes {
        return Err(HeaderFault::Torn);
    }
    let settled_to = u64_at(bytes, MARK_AT);
    let is_right = mark(salt, settled_to) == bytes[MARK_AT..MARK_AT + MARK_BYTES];
    Ok(Header { salt, preamble_bytes, records_from, settled_to: is_right.then_some(settled_to) })
}

/// Whether a header and a preamble belong together. `header` has all its bytes.
pub(super) fn is_preamble(header: &[u8], preamble: &[u8]) -> bool {
    crc32c_append(u32_at(header, CHECK_AT), preamble) == u32_at(header, SALT_AT)
}

/// The mark with its check, for [`MARK_AT`].
pub(super) fn mark(salt: u32, settled_to: u64) -> [u8; MARK_BYTES] {
    let mut bytes = [0; MARK_BYTES];
    bytes[..8].copy_from_slice(&settled_to.to_le_bytes());
    let check = crc32c_append(salt, &bytes[..8]);
    bytes[8..].copy_from_slice(&check.to_le_bytes());
    bytes
}

/// The check of a length. Nothing but the record at `offset` of the segment with `salt` has it.
#[inline]
fn length_check(salt: u32, offset: u64, length: u32) -> u32 {
    let place = offset.rotate_left(32);
    crc32c_append(salt, &(place ^ u64::from(length)).to_le_bytes())
}

/// Appends a record that will be at `offset` of its segment.
#[inline]
pub(super) fn write_record(out: &mut Vec<u8>, salt: u32, offset: u64, parts: &[&[u8]], length: usize) {
    let from = out.len();
    let check = length_check(salt, offset, length as u32);
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&check.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let mut payload_check = check;
    for part in parts {
        payload_check = crc32c_append(payload_check, part);
        out.extend_from_slice(part);
    }
    out[from + 8..from + HEAD_BYTES].copy_from_slice(&payload_check.to_le_bytes());
}

/// A record's first bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Bytes of the payload.
    pub(super) length: usize,
    length_check: u32,
    payload_check: u32,
}

impl Head {
    /// Reads a head. `bytes` has [`HEAD_BYTES`] or more.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Self {
        let [length, length_check, payload_check] = [0, 4, 8].map(|at| u32_at(bytes, at));
        Head { length: length as usize, length_check, payload_check }
    }

    /// Whether a record with this head was written at `offset`.
    #[inline]
    pub(super) fn belongs(&self, salt: u32, offset: u64) -> bool {
        length_check(salt, offset, self.length as u32) == self.length_check
    }

    /// Whether this is its payload, if the head belongs.
    #[inline]
    pub(super) fn is_payload(&self, payload: &[u8]) -> bool {
        crc32c_append(self.length_check, payload) == self.payload_check
    }

    /// Bytes of the whole record.
    #[inline]
    pub(super) fn record_bytes(&self) -> u64 {
        (HEAD_BYTES + self.length) as u64
    }
}
