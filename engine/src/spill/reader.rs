//! Finds the whole records of a segment's file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use thiserror::Error;

use super::format::{self, HEAD_BYTES, HEADER_BYTES, Head, Header, HeaderFault};
use super::{MAX_RECORD_BYTES, READ_BUFFER_BYTES};

/// Reads segments, one at a time.
#[derive(Debug, Default)]
pub(super) struct Reader {
    open: Option<Open>,
    preamble: Vec<u8>,
    /// Bytes of the file.
    buffer: Vec<u8>,
    /// Where in the file they begin.
    start: u64,
    /// The record at this offset is in the buffer and was checked.
    checked: Option<u64>,
}

/// The segment that is read.
#[derive(Debug)]
struct Open {
    number: u64,
    file: File,
    header: Header,
}

/// Why a segment cannot be read.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Header(#[from] HeaderFault),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is at some place or behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole record from this offset, with so many bytes of payload. What is before it is damaged.
    Record { offset: u64, length: usize },
    /// None any more. If that is so because the last one is not whole, this is where it begins.
    End { torn: Option<u64> },
}

/// What is at one offset.
enum Look {
    Whole(usize),
    /// A record of so many bytes whose payload is not what it was.
    BadPayload(u64),
    BadHead,
    /// A record that the file does not have all of.
    Torn,
    /// Too few bytes for a head.
    Short,
}

impl Reader {
    /// Goes to segment `number` at `path`, unless it is there, and returns its header.
    pub(super) fn enter(&mut self, number: u64, path: &Path) -> Result<Header, Fault> {
        if let Some(open) = self.open.as_ref().filter(|open| open.number == number) {
            return Ok(open.header);
        }
        self.leave();
        let file = File::open(path)?;
        let mut bytes = [0; HEADER_BYTES];
        let count = read_at(&file, &mut bytes, 0)?;
        let header = format::read_header(&bytes[..count], file.metadata()?.len(), number)?;
        self.preamble.resize(header.preamble_bytes, 0);
        let count = read_at(&file, &mut self.preamble, HEADER_BYTES as u64)?;
        if !format::is_preamble(&bytes, &self.preamble[..count]) {
            return Err(Fault::Header(HeaderFault::Bad("its preamble has a bad checksum")));
        }
        self.open = Some(Open { number, file, header });
        Ok(header)
    }

    /// Closes the file.
    pub(super) fn leave(&mut self) {
        self.open = None;
        self.buffer.clear();
        self.checked = None;
    }

    /// Closes the file if it is that of segment `number`.
    pub(super) fn leave_if(&mut self, number: u64) {
        if self.open.as_ref().is_some_and(|open| open.number == number) {
            self.leave();
        }
    }

    /// The segment's preamble.
    pub(super) fn preamble(&self) -> &[u8] {
        &self.preamble
    }

    /// The payload of the record that was found last.
    #[inline]
    pub(super) fn payload(&self, offset: u64, length: usize) -> &[u8] {
        let from = (offset - self.start) as usize + HEAD_BYTES;
        &self.buffer[from..from + length]
    }

    /// The first whole record at `at` or behind it and before `limit`, which is then in the buffer.
    #[inline]
    pub(super) fn find(&mut self, at: u64, limit: u64) -> io::Result<Found> {
        let mut offset = at;
        // Whether a record began here, if nothing was written over.
        let mut is_boundary = true;
        while offset < limit {
            match self.look(offset, limit)? {
                Look::Whole(length) => return Ok(Found::Record { offset, length }),
                Look::BadPayload(bytes) => {
                    offset += bytes;
                    is_boundary = true;
                }
                Look::BadHead => {
                    offset += 1;
                    is_boundary = false;
                }
                Look::Torn => return Ok(Found::End { torn: Some(offset) }),
                Look::Short => return Ok(Found::End { torn: is_boundary.then_some(offset) }),
            }
        }
        Ok(Found::End { torn: None })
    }

    #[inline]
    fn look(&mut self, offset: u64, limit: u64) -> io::Result<Look> {
        let Some(Open { header: Header { salt, .. }, .. }) = self.open else { return Ok(Look::Short) };
        if limit - offset < HEAD_BYTES as u64 || !self.load(offset, HEAD_BYTES, limit)? {
            return Ok(Look::Short);
        }
        let head = Head::read(&self.buffer[(offset - self.start) as usize..]);
        if self.checked == Some(offset) {
            return Ok(Look::Whole(head.length));
        }
        if head.length > MAX_RECORD_BYTES || !head.belongs(salt, offset) {
            return Ok(Look::BadHead);
        }
        if head.record_bytes() > limit - offset || !self.load(offset, HEAD_BYTES + head.length, limit)? {
            return Ok(Look::Torn);
        }
        if !head.is_payload(self.payload(offset, head.length)) {
            return Ok(Look::BadPayload(head.record_bytes()));
        }
        self.checked = Some(offset);
        Ok(Look::Whole(head.length))
    }

    /// Has `bytes` from `offset` on in the buffer. Returns whether the file has that many.
    #[inline]
    fn load(&mut self, offset: u64, bytes: usize, limit: u64) -> io::Result<bool> {
        let end = self.start + self.buffer.len() as u64;
        if offset >= self.start && offset + bytes as u64 <= end {
            return Ok(true);
        }
        self.refill(offset, bytes, limit)
    }

    /// Reads nothing from `limit` on: what is there may yet be written over.
    fn refill(&mut self, offset: u64, bytes: usize, limit: u64) -> io::Result<bool> {
        let Some(Open { file, .. }) = &self.open else { return Ok(false) };
        self.checked = None;
        self.start = offset;
        let wanted = bytes.max(READ_BUFFER_BYTES).min((limit - offset) as usize);
        self.buffer.resize(wanted, 0);
        self.buffer.shrink_to(READ_BUFFER_BYTES);
        let outcome = read_at(file, &mut self.buffer, offset);
        // After an error, too: nothing that was not read is left in the buffer.
        self.buffer.truncate(*outcome.as_ref().unwrap_or(&0));
        Ok(outcome? >= bytes)
    }
}

/// Reads from `offset` until `bytes` are full or the file ends. Returns how many were read.
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
