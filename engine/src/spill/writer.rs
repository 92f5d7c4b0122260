//! The tail: the segment that is appended to, and what of it is not written yet.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::format::{self, HEAD_BYTES, HEADER_BYTES, Head, MARK_AT, MARK_BYTES};
use super::{SpillError, WRITE_BUFFER_BYTES};

/// A segment's file with a buffer before it.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<File>,
    path: PathBuf,
    salt: u32,
    preamble: Vec<u8>,
    /// The header, if `written` is 0, and whole records.
    buffer: Vec<u8>,
    /// Bytes of the file: its header and whole records. The buffer goes on there.
    written: u64,
    /// Whether the last attempt to write failed.
    is_stuck: bool,
    /// Whether bytes were written that were not forced to the disk.
    is_dirty: bool,
}

impl Writer {
    /// Makes the file at `path`, which must not be there. Its header is in the buffer at first.
    pub(super) fn create(path: &Path, number: u64, preamble: &[u8]) -> Result<Self, SpillError> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(SpillError::io("make", path))?;
        let mut buffer = Vec::with_capacity(WRITE_BUFFER_BYTES);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let salt = format::write_header(&mut buffer, number, now, preamble);
        Ok(Writer {
            file: Arc::new(file),
            path: path.to_owned(),
            salt,
            preamble: preamble.to_owned(),
            buffer,
            written: 0,
            is_stuck: false,
            is_dirty: false,
        })
    }

    /// The end of the last record.
    pub(super) fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Up to where the file has it; the rest is in the buffer.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn preamble(&self) -> &[u8] {
        &self.preamble
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether bytes were written that nobody has forced to the disk.
    pub(super) fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Somebody else forces them to the disk.
    pub(super) fn clear_dirty(&mut self) {
        self.is_dirty = false;
    }

    /// The payload of the record at `offset`, which is in the buffer.
    #[inline]
    pub(super) fn buffered(&self, offset: u64) -> &[u8] {
        let record = &self.buffer[(offset - self.written) as usize..];
        &record[HEAD_BYTES..HEAD_BYTES + Head::read(record).length]
    }

    /// Appends a record of `length` bytes in `parts`. If it fails, the record is not there.
    #[inline]
    pub(super) fn append(&mut self, parts: &[&[u8]], length: usize) -> Result<(), SpillError> {
        let is_full = !self.buffer.is_empty() && self.buffer.len() + HEAD_BYTES + length > WRITE_BUFFER_BYTES;
        if self.is_stuck || is_full {
            self.write_out()?;
        }
        let offset = self.end();
        format::write_record(&mut self.buffer, self.salt, offset, parts, length);
        if self.buffer.len() > WRITE_BUFFER_BYTES { self.write_out_long() } else { Ok(()) }
    }

    /// Writes a record that is longer than the buffer and alone in it.
    fn write_out_long(&mut self) -> Result<(), SpillError> {
        let outcome = self.write_out();
        if outcome.is_err() {
            self.is_stuck = false;
            self.buffer.clear();
        }
        self.buffer.shrink_to(WRITE_BUFFER_BYTES);
        outcome
    }

    /// Writes the buffer out. If it fails, whole records that were written are, and the others are still in the buffer.
    pub(super) fn write_out(&mut self) -> Result<(), SpillError> {
        let (done, outcome) = write_at(&self.file, &self.buffer, self.written);
        self.is_dirty |= done > 0;
        self.is_stuck = outcome.is_err();
        let whole = if outcome.is_ok() { done } else { self.whole_within(done) };
        self.buffer.drain(..whole);
        self.written += whole as u64;
        if done > whole {
            // So that nobody has to tell a torn record from a damaged one; if it cannot be done, reading copes.
            let _ = self.file.set_len(self.written);
        }
        outcome.map_err(SpillError::io("write to", &self.path))
    }

    /// The end of the last whole record within the first `bytes` of the buffer.
    fn whole_within(&self, bytes: usize) -> usize {
        let mut whole = 0;
        let mut next = if self.written == 0 { HEADER_BYTES + self.preamble.len() } else { 0 };
        while next <= bytes {
            whole = next;
            match self.buffer.get(next..next + HEAD_BYTES) {
                Some(head) => next += HEAD_BYTES + Head::read(head).length,
                None => break,
            }
        }
        whole
    }

    /// Writes the mark.
    pub(super) fn save_mark(&mut self, settled_to: u64) -> Result<(), SpillError> {
        let mark = format::mark(self.salt, settled_to);
        if self.written == 0 {
            self.buffer[MARK_AT..MARK_AT + MARK_BYTES].copy_from_slice(&mark);
            return Ok(());
        }
        self.file.write_all_at(&mark, MARK_AT as u64).map_err(SpillError::io("save the mark in", &self.path))
    }

    /// Forces the file to the disk.
    pub(super) fn sync(&mut self) -> Result<(), SpillError> {
        self.is_dirty = false;
        self.file.sync_data().map_err(SpillError::io("force to the disk", &self.path))
    }
}

/// Writes `bytes` at `offset`. Returns how many were written, and why no more.
fn write_at(file: &File, bytes: &[u8], offset: u64) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}
