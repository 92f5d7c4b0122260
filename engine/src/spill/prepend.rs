//! Records before all others.

use std::fs;

use super::format::HEAD_BYTES;
use super::segment::{self, Segment};
use super::writer::Writer;
use super::{Journal, Refused, SpillError};

/// A segment that goes before all others when it is whole; nothing of it is in the journal before that.
#[derive(Debug)]
pub struct Prepend<'journal> {
    journal: &'journal mut Journal,
    number: u64,
    writer: Writer,
    /// Of the name that the file gets at the end.
    segment: Segment,
}

impl Journal {
    /// Begins a segment for records that are older than all that are here. They are given to [`Prepend::append`] in their
    /// order and are in the journal after [`Prepend::commit`].
    ///
    /// # Errors
    /// If no file can be made.
    pub fn prepend(&mut self) -> Result<Prepend<'_>, SpillError> {
        let number = self.lowest_number - 1;
        let part = segment::part_path(&self.settings.folder, number);
        let writer = Writer::create(&part, number, &self.preamble)?;
        let path = segment::path(&self.settings.folder, number);
        let segment = Segment::new(path, number, writer.end());
        Ok(Prepend { journal: self, number, writer, segment })
    }
}

impl Prepend<'_> {
    /// Adds one record behind those added before. The segment may grow beyond `segment_bytes`.
    ///
    /// # Errors
    /// [`Refused`]; then the record is not among them.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<(), Refused> {
        let length = parts.iter().map(|part| part.len()).sum();
        self.journal.check_size(length)?;
        let (there, max_bytes) = (self.journal.bytes + self.writer.end(), self.journal.settings.max_bytes);
        let wanted = (HEAD_BYTES + length) as u64;
        if there + wanted > max_bytes {
            return Err(Refused::Full { bytes: there, wanted, max_bytes });
        }
        self.writer.append(parts, length)?;
        self.segment.grew(self.writer.end());
        Ok(())
    }

    /// Puts what was added before all that is in the journal, on disk, and rewinds.
    ///
    /// # Errors
    /// If it cannot be written; then nothing of it is in the journal.
    pub fn commit(mut self) -> Result<(), SpillError> {
        if self.segment.unsettled == 0 {
            return Ok(());
        }
        self.writer.write_out()?;
        self.journal.syncer.sealed(&mut self.writer)?;
        let part = self.writer.path();
        fs::rename(part, &self.segment.path).map_err(SpillError::io("rename", part))?;
        let empty = Segment::new(self.segment.path.clone(), self.number, self.segment.size);
        let segment = Segment { sealed: true, ..std::mem::replace(&mut self.segment, empty) };
        let journal = &mut *self.journal;
        journal.lowest_number = self.number;
        journal.bytes += segment.size;
        journal.segments.push_front(segment);
        journal.rewind();
        if let Err(error) = journal.syncer.made_file() {
            // It is there; what is not certain is whether a power cut would leave it there.
            tracing::warn!("{error}");
        }
        Ok(())
    }
}

impl Drop for Prepend<'_> {
    fn drop(&mut self) {
        // After a commit there is no such file; and what cannot be deleted now is at the next start.
        let _ = fs::remove_file(self.writer.path());
    }
}
