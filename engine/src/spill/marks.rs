//! What is settled, told to the disk: marks move, settled segments go.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::format::{self, HEADER_BYTES, MARK_AT};
use super::segment::Segment;
use super::{Journal, SpillError};

/// Writes marks of sealed segments.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Whether there is something to write or to delete.
    pub(super) are_behind: bool,
    /// The segment whose mark was written last, and its salt: the next one is most likely the same.
    last: Option<(u64, u32, File)>,
}

impl Marks {
    fn save(&mut self, segment: &Segment) -> Result<(), SpillError> {
        if self.last.as_ref().is_none_or(|(number, ..)| *number != segment.number) {
            let (salt, file) = open(&segment.path, segment.number).map_err(SpillError::io("open", &segment.path))?;
            self.last = Some((segment.number, salt, file));
        }
        let Some((_, salt, file)) = &self.last else { return Ok(()) };
        let mark = format::mark(*salt, segment.window.settled_to());
        file.write_all_at(&mark, MARK_AT as u64).map_err(SpillError::io("save the mark in", &segment.path))
    }

    fn leave_if(&mut self, number: u64) {
        self.last.take_if(|(last, ..)| *last == number);
    }
}

/// Opens a segment to write its mark, and reads its salt.
fn open(path: &Path, number: u64) -> io::Result<(u32, File)> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0)?;
    let header = format::read_header(&header, file.metadata()?.len(), number);
    let header = header.map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault.to_string()))?;
    Ok((header.salt, file))
}

impl Journal {
    /// Tells the disk what is settled: at most one small write for each segment of which something was settled since
    /// the last call, and settled segments are deleted. When nothing is left, no segment is. For once a lap.
    ///
    /// # Errors
    /// If the disk does not take it. Nothing is lost by that, and the next call tries again; but if the process dies
    /// before that succeeds, settled records come again.
    pub fn save_mark(&mut self) -> Result<(), SpillError> {
        if !self.marks.are_behind {
            return Ok(());
        }
        if self.segments.back().is_some_and(|tail| tail.unsettled == 0) {
            self.abandon_tail();
        }
        let removed = self.remove_done();
        for segment in self.segments.iter_mut().filter(|segment| segment.is_mark_behind()) {
            match &mut self.writer {
                Some(writer) if !segment.sealed => writer.save_mark(segment.window.settled_to())?,
                _ if segment.is_done() => continue,
                _ => self.marks.save(segment)?,
            }
            segment.saved_mark = segment.window.settled_to();
        }
        removed?;
        self.marks.are_behind = false;
        Ok(())
    }

    /// Deletes sealed segments in which all is settled, and returns the first error.
    pub(super) fn remove_done(&mut self) -> Result<(), SpillError> {
        let Self { segments, reader, marks, bytes, .. } = self;
        let mut outcome = Ok(());
        segments.retain(|segment| {
            if !segment.is_done() {
                return true;
            }
            let removed = if segment.unreadable { Ok(()) } else { remove(&segment.path) };
            let is_gone = removed.is_ok();
            if is_gone {
                reader.leave_if(segment.number);
                marks.leave_if(segment.number);
                *bytes -= segment.size;
            } else if outcome.is_ok() {
                outcome = removed;
            }
            !is_gone
        });
        outcome
    }
}

/// Deletes a file, which may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), SpillError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SpillError::io("delete", path)(error)),
        _ => Ok(()),
    }
}
