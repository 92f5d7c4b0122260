//! One topic's records that wait on disk.
//!
//! A record of a key of which others wait here waits behind them, so that it does not overtake. It leaves when the
//! broker has acknowledged it, not before: then nothing that is on disk is needed any more, and nothing else of its key
//! is with the client when the next goes there directly.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use foldhash::fast::RandomState;

use crate::record::{Kind, Record};
use crate::resume::Reached;
use crate::spill::{Item, Journal, Position, Recovery, Refused, Settings, SpillError};

/// The records of one topic on disk.
pub(super) struct Backlog {
    journal: Journal,
    /// What the records are that were there when it was opened, if there were any.
    kind: Option<Kind>,
    /// How many records wait, by key.
    waiting: HashMap<Box<[u8]>, usize, RandomState>,
    /// How many of an earlier process's records may be on the topic although they are here: that process died.
    pub(super) unsure: usize,
    /// Whether those may be that have a number, too: the end of the topic was not read.
    pub(super) is_tail_unread: bool,
    /// Records of a layout that this build does not read.
    foreign: u64,
    /// What was on the topic already when an earlier process's records were read.
    pub(super) there: BTreeMap<String, Reached>,
}

/// The record to be offered next.
pub(super) struct Next<'a> {
    /// Where it stands.
    pub(super) position: Position,
    /// Whether a process before this one wrote it.
    pub(super) is_earlier: bool,
    /// Whether it is on the topic already.
    pub(super) is_there: bool,
    /// Whether that is not known.
    pub(super) is_unsure: bool,
    /// The exchange, for its headers.
    pub(super) exchange: &'a [u8],
    /// The record.
    pub(super) record: Record<'a>,
}

impl Backlog {
    /// Opens the journal in `folder`, with all that an earlier process has left there.
    pub(super) fn open(
        settings: &Settings,
        folder: &Path,
        note: &mut dyn FnMut(&Record<'_>),
    ) -> Result<(Self, Recovery), SpillError> {
        let settings = Settings { folder: folder.to_path_buf(), ..settings.clone() };
        let (mut waiting, mut kind) = (HashMap::default(), None);
        let (journal, recovery) = Journal::open(settings, LAYOUT, |item| {
            if let Some((_, record)) = split(&item) {
                kind = Some(record.head.kind);
                note(&record);
                *waiting.entry(record.key.into()).or_default() += 1;
            }
        })?;
        Ok((
            Backlog { journal, kind, waiting, unsure: 0, is_tail_unread: false, foreign: 0, there: BTreeMap::new() },
            recovery,
        ))
    }

    /// What the records are that were there when it was opened, if there were any.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether records of this key wait here.
    pub(super) fn holds(&self, key: &[u8]) -> bool {
        self.waiting.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.journal.records() == 0
    }

    /// How many records wait, those included that have been offered and are not acknowledged.
    pub(super) fn len(&self) -> u64 {
        self.journal.records()
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// Puts a record behind the others. `record` is as it was in the ring.
    pub(super) fn push(&mut self, exchange: &[u8], key: &[u8], record: &[u8]) -> Result<(), Refused> {
        self.journal.append(&[&[exchange.len() as u8], exchange, record])?;
        match self.waiting.get_mut(key) {
            Some(count) => *count += 1,
            None => {
                self.waiting.insert(key.into(), 1);
            }
        }
        Ok(())
    }

    /// The record to be offered next, which [`Self::advance`] passes.
    pub(super) fn next(&mut self) -> Option<Next<'_>> {
        let Self { journal, there, foreign, is_tail_unread, .. } = self;
        while let Some(item) = journal.peek().filter(|item| split(item).is_none()) {
            let position = item.position;
            journal.next();
            journal.settle(position);
            *foreign += 1;
        }
        let item = journal.peek()?;
        let (exchange, record) = split(&item)?;
        let is_there = item.earlier_run && record.head.number.is_some_and(|number| has(there, record.key, number));
        // No number tells whether the process before had it delivered.
        let is_unsure = item.earlier_run && (*is_tail_unread || record.head.number.is_none());
        Some(Next { position: item.position, is_earlier: item.earlier_run, is_there, is_unsure, exchange, record })
    }

    /// The record that was to be offered next has been.
    pub(super) fn advance(&mut self) {
        self.journal.next();
    }

    /// Puts records before all others, in their order: at the end, those that came back.
    pub(super) fn put_first<'a>(&mut self, records: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<(), Refused> {
        let mut segment = self.journal.prepend()?;
        for (exchange, record) in records {
            segment.append(&[&[exchange.len() as u8], exchange, record])?;
        }
        Ok(segment.commit()?)
    }

    /// Records that were on disk and cannot be read any more, since it was opened.
    pub(super) fn lost(&self) -> u64 {
        self.journal.lost() + self.foreign
    }

    /// What was pushed is on disk, as far as the process is concerned; how far it is done with, too.
    pub(super) fn flush(&mut self) -> Result<(), SpillError> {
        self.journal.save_mark()?;
        self.journal.flush()
    }

    /// The record at this position is done with. Whether it was here: it may have been given up on its way.
    pub(super) fn settle(&mut self, position: Position, key: &[u8]) -> bool {
        if !self.journal.settle(position) {
            return false;
        }
        leave(&mut self.waiting, key);
        // What was damaged on disk has not left one by one.
        if self.journal.records() == 0 {
            self.waiting.clear();
        }
        true
    }

    /// All that is not done with is offered again.
    pub(super) fn rewind(&mut self) {
        self.journal.rewind();
    }

    /// Gives up the oldest records, some of them at a time. Each is told.
    pub(super) fn drop_oldest(&mut self, mut dropped: impl FnMut(Record<'_>)) -> u64 {
        let Self { journal, waiting, .. } = self;
        journal.drop_oldest(|item| {
            if let Some((_, record)) = split(&item) {
                leave(waiting, record.key);
                dropped(record);
            }
        })
    }
}

#[cold]
fn has(there: &BTreeMap<String, Reached>, key: &[u8], number: i64) -> bool {
    let reached = std::str::from_utf8(key).ok().and_then(|key| there.get(key));
    reached.is_some_and(|reached| reached.had_lately(number))
}

fn leave(waiting: &mut HashMap<Box<[u8]>, usize, RandomState>, key: &[u8]) {
    if let Some(count) = waiting.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            waiting.remove(key);
        }
    }
}

/// What each segment says of the records in it: how an entry and [`Record`] are laid out. To be changed with them.
const LAYOUT: &[u8] = b"exchange, record 1";

/// Exchange and record of an entry; none of another layout.
fn split<'a>(item: &Item<'a>) -> Option<(&'a [u8], Record<'a>)> {
    if item.preamble != LAYOUT {
        return None;
    }
    let (len, rest) = item.bytes.split_first()?;
    let (exchange, record) = rest.split_at_checked(usize::from(*len))?;
    Some((exchange, Record::read(record)))
}
