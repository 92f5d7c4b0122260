//! Opens a journal: what earlier runs left is looked through once.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::journal::check_preamble;
use super::marks::{self, Marks};
use super::reader::{Fault, Found, Reader};
use super::segment::{self, FIRST_NUMBER, Name, Segment};
use super::sync::Syncer;
use super::{Damage, DamageKind, Damages, Item, Journal, Position, Recovery, Settings, SpillError};
use crate::spill::format::{HEAD_BYTES, HeaderFault, MARK_AT, MARK_BYTES};

/// The file by which a folder is one journal's alone.
const LOCK: &str = "lock";
/// How long a lock is tried for, and how often.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

impl Journal {
    /// Opens the journal in `settings.folder`, or makes one. Segments of this run begin with `preamble`. Each record that
    /// is not settled is read once and told to `on_record`, in order; the cursor is before the first of them.
    ///
    /// # Errors
    /// If settings make no sense, another process has the folder, or the folder cannot be read and written.
    pub fn open(
        settings: Settings,
        preamble: &[u8],
        on_record: impl FnMut(Item<'_>),
    ) -> Result<(Journal, Recovery), SpillError> {
        let Settings { ref folder, segment_bytes, max_bytes, fsync } = settings;
        if segment_bytes == 0 || segment_bytes > max_bytes {
            return Err(SpillError::Settings { segment_bytes, max_bytes });
        }
        check_preamble(preamble)?;
        fs::create_dir_all(folder).map_err(SpillError::io("make the folder", folder))?;
        let lock = lock(folder)?;
        let syncer = Syncer::start(fsync, folder)?;
        let numbers = numbers(folder)?;
        let mut scan = Scan { on_record, reader: Reader::default(), damaged: Damages::default() };
        let segments: VecDeque<_> = numbers.iter().filter_map(|number| scan.segment(folder, *number)).collect();
        let mut journal = Journal {
            bytes: segments.iter().map(|segment| segment.size).sum(),
            preamble: preamble.to_owned(),
            segments,
            writer: None,
            reader: scan.reader,
            reading: 0,
            next_number: numbers.last().map_or(FIRST_NUMBER, |last| last + 1),
            lowest_number: numbers.first().map_or(FIRST_NUMBER, |first| *first),
            lost: 0,
            marks: Marks::default(),
            syncer,
            _lock: lock,
            settings,
        };
        journal.remove_done()?;
        let recovery = Recovery { records: journal.records(), bytes: journal.bytes, damaged: scan.damaged };
        Ok((journal, recovery))
    }
}

/// Makes sure that nobody else has the folder. A child that the process has just forked has its files until it runs its own
/// program, so a lock that was given back may still be held for a moment.
fn lock(folder: &Path) -> Result<File, SpillError> {
    let path = folder.join(LOCK);
    let lock = File::options().write(true).create(true).truncate(false).open(&path);
    let lock = lock.map_err(SpillError::io("open", &path))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => return Err(SpillError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(SpillError::io("lock", &path)(error)),
        }
    }
}

/// The numbers of the segments in `folder`, in order. What is left of a prepend that was not committed is deleted.
fn numbers(folder: &Path) -> Result<Vec<u64>, SpillError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(SpillError::io("read the folder", folder))? {
        let path = entry.map_err(SpillError::io("read the folder", folder))?.path();
        match segment::name(&path) {
            Some(Name::Segment(number)) => numbers.push(number),
            Some(Name::Part) => marks::remove(&path)?,
            None => {}
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A look through segments of earlier runs.
struct Scan<F> {
    on_record: F,
    reader: Reader,
    damaged: Damages,
}

impl<F: FnMut(Item<'_>)> Scan<F> {
    /// Looks through one segment. `None` if it is to be left alone.
    fn segment(&mut self, folder: &Path, number: u64) -> Option<Segment> {
        let path = segment::path(folder, number);
        let file_bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        match self.records(number, &path, file_bytes) {
            Ok(segment) => Some(segment),
            Err(Fault::Header(HeaderFault::Torn)) => {
                // An empty file is not worth telling: its segment was begun, and nothing written yet.
                if file_bytes > 0 {
                    self.damage(&path, 0, file_bytes, DamageKind::TornTail);
                }
                Some(Segment { sealed: true, size: file_bytes, ..Segment::new(path, number, file_bytes) })
            }
            Err(fault) => {
                let kind = match fault {
                    Fault::Header(HeaderFault::UnknownVersion(version)) => DamageKind::UnknownVersion(version),
                    Fault::Header(HeaderFault::Bad(words)) => DamageKind::BadHeader(words),
                    fault => DamageKind::Unreadable(fault.to_string()),
                };
                self.damage(&path, 0, file_bytes, kind);
                None
            }
        }
    }

    /// Tells the records of one segment that are not settled.
    fn records(&mut self, number: u64, path: &Path, file_bytes: u64) -> Result<Segment, Fault> {
        let header = self.reader.enter(number, path)?;
        if header.settled_to.is_none() {
            self.damage(path, MARK_AT as u64, MARK_BYTES as u64, DamageKind::BadChecksum);
        }
        let from = header.settled_to.unwrap_or(0).max(header.records_from);
        let mut segment = Segment { earlier_run: true, sealed: true, ..Segment::new(path.to_owned(), number, from) };
        let mut at = from;
        while at < file_bytes {
            let found = match self.reader.find(at, file_bytes) {
                Ok(found) => found,
                Err(error) => {
                    self.damage(path, at, file_bytes - at, DamageKind::Unreadable(error.to_string()));
                    segment.unreadable = true;
                    segment.size = at;
                    return Ok(segment);
                }
            };
            let (next, end) = match found {
                Found::Record { offset, length } => (offset, offset + (HEAD_BYTES + length) as u64),
                Found::End { torn } => (torn.unwrap_or(file_bytes), file_bytes),
            };
            if next > at {
                self.damage(path, at, next - at, DamageKind::BadChecksum);
            }
            match found {
                Found::Record { offset, length } => {
                    let position = Position { segment: number, offset };
                    let bytes = self.reader.payload(offset, length);
                    (self.on_record)(Item { bytes, position, earlier_run: true, preamble: self.reader.preamble() });
                    segment.grew(end);
                }
                Found::End { .. } if end > next => self.damage(path, next, end - next, DamageKind::TornTail),
                Found::End { .. } => {}
            }
            at = end;
        }
        segment.size = file_bytes;
        Ok(segment)
    }

    fn damage(&mut self, file: &Path, offset: u64, bytes: u64, kind: DamageKind) {
        self.damaged.add(Damage { file: file.to_owned(), offset, bytes, kind });
    }
}
