//! What is known in memory of one segment.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::window::Window;

/// How a segment's file is called.
const EXTENSION: &str = "spill";
/// How it is called while it is made by [`super::Journal::prepend`].
const PART_EXTENSION: &str = "part";
/// Decimal digits of the largest number, so that names sort as numbers do.
const DIGITS: usize = 20;

/// A segment: counts, and the cursor within it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    /// Where its first record begins, or those that are looked at.
    pub(super) records_from: u64,
    /// Its end, with what is still in the writer's buffer.
    pub(super) size: u64,
    /// Whether an earlier run began it.
    pub(super) earlier_run: bool,
    /// Whether nothing is appended to it any more.
    pub(super) sealed: bool,
    /// Whether the system did not let all of it be read: then it is left on disk.
    pub(super) unreadable: bool,
    /// Records that are not settled.
    pub(super) unsettled: u64,
    /// Those of them that the cursor has before it.
    pub(super) unread: u64,
    /// The cursor.
    pub(super) at: u64,
    /// What of it is settled.
    pub(super) window: Window,
    /// The mark as it is on disk.
    pub(super) saved_mark: u64,
}

impl Segment {
    /// A segment with nothing in it yet; its records begin at `records_from`.
    pub(super) fn new(path: PathBuf, number: u64, records_from: u64) -> Self {
        Segment {
            number,
            path,
            records_from,
            size: records_from,
            earlier_run: false,
            sealed: false,
            unreadable: false,
            unsettled: 0,
            unread: 0,
            at: records_from,
            window: Window::new(records_from),
            saved_mark: records_from,
        }
    }

    /// A record was appended that ends at `end`.
    #[inline]
    pub(super) fn grew(&mut self, end: u64) {
        self.size = end;
        self.unsettled += 1;
        self.unread += 1;
    }

    /// The cursor goes past the record from `offset` to `end`.
    #[inline]
    pub(super) fn pass(&mut self, offset: u64, end: u64) {
        self.window.read(offset, end);
        self.at = end;
        self.unread = self.unread.saturating_sub(1);
    }

    /// The record at `offset` is done with. Returns whether it was not before.
    #[inline]
    pub(super) fn settle(&mut self, offset: u64) -> bool {
        let is_new = self.window.settle(offset);
        if is_new {
            self.unsettled = self.unsettled.saturating_sub(1);
            if offset >= self.at {
                self.unread = self.unread.saturating_sub(1);
            }
        }
        is_new
    }

    /// The cursor goes back to the mark.
    pub(super) fn rewind(&mut self) {
        self.at = self.window.settled_to();
        self.unread = self.unsettled;
    }

    /// Nothing can be read from the cursor to `to`, so it goes there. Returns the records that are known to be lost by it.
    pub(super) fn give_up(&mut self, to: u64) -> u64 {
        let lost = self.window.give_up(self.at, to);
        self.at = to;
        self.unsettled = self.unsettled.saturating_sub(lost);
        self.unread = self.unread.saturating_sub(lost);
        lost
    }

    /// The cursor is at the end: what was counted and not met is lost. Returns how many records that are.
    pub(super) fn finish(&mut self) -> u64 {
        let lost = std::mem::take(&mut self.unread);
        self.unsettled = self.unsettled.saturating_sub(lost);
        lost
    }

    /// Whether its file has nothing more to give.
    pub(super) fn is_done(&self) -> bool {
        self.sealed && self.unsettled == 0
    }

    /// Whether the mark on disk is behind.
    pub(super) fn is_mark_behind(&self) -> bool {
        !self.unreadable && self.window.settled_to() != self.saved_mark
    }
}

/// The file of a segment.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:0DIGITS$}.{EXTENSION}"))
}

/// The file of a segment that is not whole yet.
pub(super) fn part_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:0DIGITS$}.{PART_EXTENSION}"))
}

/// What a file in the folder is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Segment(u64),
    Part,
}

/// The number of the first segment in an empty folder: there is room on both sides.
pub(super) const FIRST_NUMBER: u64 = 1 << 63;
/// The numbers that are ever used. So many of them are left outside that counting on from any of them never ends.
const NUMBERS: Range<u64> = FIRST_NUMBER / 2..FIRST_NUMBER + FIRST_NUMBER / 2;

/// Reads a name; `None` if it is no name of ours.
pub(super) fn name(path: &Path) -> Option<Name> {
    let stem = path.file_stem()?.to_str()?;
    let is_number = stem.len() == DIGITS && stem.bytes().all(|digit| digit.is_ascii_digit());
    let number = is_number.then(|| stem.parse().ok()).flatten().filter(|number| NUMBERS.contains(number))?;
    match path.extension()?.to_str()? {
        EXTENSION => Some(Name::Segment(number)),
        PART_EXTENSION => Some(Name::Part),
        _ => None,
    }
}
