//! The journal: its segments, the tail and the cursor.

use std::collections::VecDeque;
use std::fs::File;

use super::format::{HEAD_BYTES, HEADER_BYTES};
use super::marks::{self, Marks};
use super::reader::{Found, Reader};
use super::segment::{self, Segment};
use super::sync::Syncer;
use super::writer::Writer;
use super::{Item, MAX_PREAMBLE_BYTES, MAX_RECORD_BYTES, Position, Refused, Settings, SpillError};

/// A queue of byte records on disk; see [the module](super). When it is dropped it writes out what it has accepted, but
/// only [`Journal::flush`] and [`Journal::sync`] say whether that worked.
#[derive(Debug)]
pub struct Journal {
    pub(super) settings: Settings,
    /// What new segments begin with.
    pub(super) preamble: Vec<u8>,
    /// In the order of their numbers. All but the last are sealed, and the last is the writer's or sealed.
    pub(super) segments: VecDeque<Segment>,
    pub(super) writer: Option<Writer>,
    pub(super) reader: Reader,
    /// The cursor is in the first segment that has this number or a greater one.
    pub(super) reading: u64,
    /// The number of the next segment.
    pub(super) next_number: u64,
    /// The least number that was ever used.
    pub(super) lowest_number: u64,
    /// The sizes of all segments.
    pub(super) bytes: u64,
    pub(super) lost: u64,
    pub(super) marks: Marks,
    pub(super) syncer: Syncer,
    /// Held locked.
    pub(super) _lock: File,
}

/// Where a whole record is that was found.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Its segment's place in the queue.
    index: usize,
    offset: u64,
    length: usize,
    /// Whether it is still in the writer's buffer.
    is_buffered: bool,
}

impl Journal {
    /// Lets the segments that follow begin with this preamble.
    ///
    /// # Errors
    /// If it is longer than [`MAX_PREAMBLE_BYTES`]; then the one before stays in force.
    pub fn set_preamble(&mut self, preamble: &[u8]) -> Result<(), SpillError> {
        check_preamble(preamble)?;
        preamble.clone_into(&mut self.preamble);
        Ok(())
    }

    /// Appends one record, the bytes of all `parts` after one another.
    ///
    /// # Errors
    /// [`Refused`]; then the record is not in the journal, and all that was is. While earlier records wait in the buffer
    /// for a disk that does not take them, each call tries to write those first, and is refused if that fails.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<(), Refused> {
        let length = parts.iter().map(|part| part.len()).sum();
        self.check_size(length)?;
        let bytes = (HEAD_BYTES + length) as u64;
        if let Some(writer) = &self.writer {
            let is_long = writer.end() + bytes > self.settings.segment_bytes && self.tail_has_records();
            if is_long || writer.preamble() != self.preamble {
                self.seal()?;
            }
        }
        self.make_room(bytes)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.begin()?,
        };
        writer.append(parts, length)?;
        let end = writer.end();
        if let Some(segment) = self.segments.back_mut() {
            segment.grew(end);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// The next record at the cursor, which goes past it; `None` if all have been read.
    ///
    /// Records that cannot be read any more are left out; see [`Journal::lost`].
    #[expect(
        clippy::should_implement_trait,
        reason = "what it gives borrows from the journal, which no iterator can do"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<Item<'_>> {
        let place = self.find()?;
        self.segments[place.index].pass(place.offset, end_of(&place));
        Some(self.item(&place))
    }

    /// The next record, which stays the next.
    #[inline]
    pub fn peek(&mut self) -> Option<Item<'_>> {
        let place = self.find()?;
        Some(self.item(&place))
    }

    /// The record at `position`, which was read, is done with. Any order will do. Whether it was not before: a position that
    /// was settled, or whose segment was given up, changes nothing.
    #[inline]
    pub fn settle(&mut self, position: Position) -> bool {
        let place = self.segments.binary_search_by_key(&position.segment, |segment| segment.number);
        let is_settled = place.is_ok_and(|place| self.segments[place].settle(position.offset));
        self.marks.are_behind |= is_settled;
        is_settled
    }

    /// The cursor goes back to the oldest record that is not settled. What is settled behind it is not read again.
    pub fn rewind(&mut self) {
        self.segments.iter_mut().for_each(Segment::rewind);
        self.reading = 0;
    }

    /// Gives up the oldest segment. Each record in it that is not settled, read or not, is told to `dropped`. Returns how
    /// many there were.
    ///
    /// If the file cannot be deleted, [`Journal::save_mark`] tries again and says why, and its bytes count until then.
    pub fn drop_oldest(&mut self, mut dropped: impl FnMut(Item<'_>)) -> u64 {
        let Some(oldest) = self.segments.front_mut() else { return 0 };
        oldest.rewind();
        let mut count = 0;
        while let Some(place) = self.find_in(0) {
            dropped(self.item(&place));
            self.segments[0].pass(place.offset, end_of(&place));
            count += 1;
        }
        let oldest = &mut self.segments[0];
        oldest.at = oldest.window.settled_to();
        oldest.give_up(oldest.size);
        self.marks.are_behind = true;
        if self.segments.len() == 1 {
            self.abandon_tail();
        }
        if let Err(error) = self.remove_done() {
            tracing::warn!("{error}");
        }
        count
    }

    /// Records that are not settled.
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.unsettled).sum()
    }

    /// Those of them that the cursor has before it.
    pub fn unread(&self) -> u64 {
        self.segments.iter().map(|segment| segment.unread).sum()
    }

    /// Bytes of all segments, with what is still to be written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records that were counted, in [`super::Recovery::records`] or when they were appended, and could not be read back
    /// since. They are in [`Journal::records`] no more.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Writes out what was accepted.
    ///
    /// # Errors
    /// If the disk does not take it. It is kept, and written by the next call that succeeds.
    pub fn flush(&mut self) -> Result<(), SpillError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write_out()?;
        self.syncer.flushed(writer)
    }

    /// Writes out what was accepted and waits until the disk has it.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn sync(&mut self) -> Result<(), SpillError> {
        self.flush()?;
        self.save_mark()?;
        if let Some(writer) = &mut self.writer {
            writer.sync()?;
        }
        self.syncer.sync_folder()
    }

    /// Goes to the next record that is whole and not settled.
    #[inline]
    fn find(&mut self) -> Option<Place> {
        loop {
            let index = self.segments.partition_point(|segment| segment.number < self.reading);
            self.segments.get(index)?;
            if let Some(place) = self.find_in(index) {
                return Some(place);
            }
            let segment = &self.segments[index];
            if !segment.sealed {
                return None;
            }
            self.reading = segment.number + 1;
        }
    }

    /// Goes to the next record of one segment.
    #[inline]
    fn find_in(&mut self, index: usize) -> Option<Place> {
        let Self { segments, writer, reader, lost, marks, .. } = self;
        let segment = &mut segments[index];
        let writer = writer.as_ref().filter(|_| !segment.sealed);
        let written = writer.map_or(segment.size, Writer::written);
        loop {
            segment.at = segment.window.skip_settled(segment.at);
            let offset = segment.at;
            let now_lost = match writer {
                _ if offset >= segment.size => {
                    let now_lost = segment.finish();
                    note_lost(segment, now_lost, lost, marks);
                    return None;
                }
                Some(writer) if offset >= written => {
                    let length = writer.buffered(offset).len();
                    return Some(Place { index, offset, length, is_buffered: true });
                }
                _ => {
                    match reader.enter(segment.number, &segment.path).and_then(|_| Ok(reader.find(offset, written)?)) {
                        Ok(Found::Record { offset: found, length }) if found == offset => {
                            return Some(Place { index, offset, length, is_buffered: false });
                        }
                        Ok(Found::Record { offset: found, .. }) => segment.give_up(found),
                        Ok(Found::End { .. }) => segment.give_up(written),
                        Err(fault) => {
                            tracing::warn!(
                                "{} cannot be read, and is left for the next start: {fault}",
                                segment.path.display()
                            );
                            segment.unreadable = true;
                            segment.give_up(written)
                        }
                    }
                }
            };
            note_lost(segment, now_lost, lost, marks);
        }
    }

    #[inline]
    fn item(&self, place: &Place) -> Item<'_> {
        let segment = &self.segments[place.index];
        let (bytes, preamble) = match &self.writer {
            Some(writer) if place.is_buffered => (writer.buffered(place.offset), writer.preamble()),
            _ => (self.reader.payload(place.offset, place.length), self.reader.preamble()),
        };
        let position = Position { segment: segment.number, offset: place.offset };
        Item { bytes, position, earlier_run: segment.earlier_run, preamble }
    }

    /// Refuses what will never fit.
    pub(super) fn check_size(&self, length: usize) -> Result<(), Refused> {
        let least = (HEADER_BYTES + self.preamble.len() + HEAD_BYTES + length) as u64;
        if length > MAX_RECORD_BYTES || least > self.settings.max_bytes {
            return Err(Refused::TooLarge { bytes: length as u64, max_bytes: self.settings.max_bytes });
        }
        Ok(())
    }

    /// Refuses `bytes` more at the tail if they do not fit now.
    fn make_room(&mut self, bytes: u64) -> Result<(), Refused> {
        let header = if self.writer.is_none() { HEADER_BYTES + self.preamble.len() } else { 0 };
        let wanted = bytes + header as u64;
        let max_bytes = self.settings.max_bytes;
        if self.bytes + wanted > max_bytes {
            self.remove_done()?;
        }
        if self.bytes + wanted > max_bytes {
            return Err(Refused::Full { bytes: self.bytes, wanted, max_bytes });
        }
        Ok(())
    }

    fn tail_has_records(&self) -> bool {
        self.segments.back().is_some_and(|tail| tail.size > tail.records_from)
    }

    /// Begins a segment at the tail.
    fn begin(&mut self) -> Result<&mut Writer, SpillError> {
        let number = self.next_number;
        // Whatever comes of it: a file of this number may be there afterwards.
        self.next_number += 1;
        let path = segment::path(&self.settings.folder, number);
        let writer = Writer::create(&path, number, &self.preamble)?;
        if let Err(error) = self.syncer.made_file() {
            marks::remove(&path)?;
            return Err(error);
        }
        self.bytes += writer.end();
        self.segments.push_back(Segment::new(path, number, writer.end()));
        Ok(self.writer.insert(writer))
    }

    /// Ends the segment at the tail.
    fn seal(&mut self) -> Result<(), SpillError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write_out()?;
        self.syncer.sealed(writer)?;
        self.abandon_tail();
        Ok(())
    }

    /// Ends the segment at the tail without writing out what is in the buffer.
    pub(super) fn abandon_tail(&mut self) {
        if self.writer.take().is_some()
            && let Some(tail) = self.segments.back_mut()
        {
            tail.sealed = true;
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        for error in [self.flush(), self.save_mark()].into_iter().filter_map(Result::err) {
            tracing::warn!("{error}");
        }
    }
}

/// Refuses a preamble that is too long.
pub(super) fn check_preamble(preamble: &[u8]) -> Result<(), SpillError> {
    if preamble.len() > MAX_PREAMBLE_BYTES { Err(SpillError::Preamble(preamble.len())) } else { Ok(()) }
}

fn end_of(place: &Place) -> u64 {
    place.offset + (HEAD_BYTES + place.length) as u64
}

/// Counts records that turn out to be lost, and says so.
fn note_lost(segment: &Segment, now_lost: u64, lost: &mut u64, marks: &mut Marks) {
    if now_lost > 0 {
        *lost += now_lost;
        marks.are_behind = true;
        tracing::warn!("{now_lost} records of {} cannot be read back: it was damaged", segment.path.display());
    }
}
