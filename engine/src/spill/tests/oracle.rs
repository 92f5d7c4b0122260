//! The journal against a list of records, through any order of calls and through crashes.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::*;

#[derive(Debug, Clone)]
enum Op {
    Append(Vec<usize>),
    Prepend(Vec<usize>),
    Next(usize),
    /// Settles some of what was read; the number chooses.
    Settle(Vec<usize>),
    Rewind,
    DropOldest,
    SetPreamble(u8),
    Flush,
    SaveMark,
    /// The process dies and comes back.
    Crash,
}

/// What a record is and what became of it.
#[derive(Debug, Clone)]
struct Expected {
    bytes: Vec<u8>,
    preamble: u8,
    earlier_run: bool,
    is_flushed: bool,
    /// Known once it was read.
    position: Option<Position>,
    is_read: bool,
    is_settled: bool,
}

struct Check {
    folder: TempDir,
    /// Counts crashes: each leaves its folder and goes on with a copy, since nobody can be killed here.
    run: u32,
    settings: Settings,
    journal: Journal,
    /// All that may still be on disk.
    records: Vec<Expected>,
    gone: Vec<Position>,
    preamble: u8,
    salt: u32,
}

impl Check {
    fn new(segment_bytes: u64, max_bytes: u64) -> Self {
        let folder = TempDir::new().unwrap();
        // One kind of journal with the thread that forces it to the disk, which is slow.
        let fsync = if max_bytes == 3_000 { Fsync::Interval(Duration::ZERO) } else { Fsync::Never };
        let settings = Settings { folder: folder.path().join("0"), max_bytes, segment_bytes, fsync };
        let (journal, _) = Journal::open(settings.clone(), &[0], |_| {}).unwrap();
        Check { folder, run: 0, settings, journal, records: Vec::new(), gone: Vec::new(), preamble: 0, salt: 0 }
    }

    fn record(&mut self, length: usize) -> Expected {
        self.salt += 1;
        let salt = self.salt;
        let bytes = salt.to_le_bytes().into_iter().chain((0..length).map(|i| (salt as usize + i) as u8)).collect();
        let preamble = self.preamble;
        let [earlier_run, is_flushed, is_read, is_settled] = [false; 4];
        Expected { bytes, preamble, earlier_run, is_flushed, position: None, is_read, is_settled }
    }

    fn append(&mut self, lengths: &[usize]) {
        for length in lengths {
            let record = self.record(*length);
            let (head, tail) = record.bytes.split_at(length / 2);
            let (records, bytes) = (self.journal.records(), self.journal.bytes());
            match self.journal.append(&[head, tail]) {
                Ok(()) => self.records.push(record),
                Err(Refused::Full { .. }) => assert_eq!(self.journal.records(), records),
                Err(Refused::TooLarge { .. }) => assert_eq!(self.journal.bytes(), bytes),
                Err(other) => panic!("{other}"),
            }
        }
    }

    fn prepend(&mut self, lengths: &[usize]) {
        let new: Vec<_> = lengths.iter().map(|length| self.record(*length)).collect();
        let mut older = self.journal.prepend().unwrap();
        let mut accepted = Vec::new();
        for record in new {
            match older.append(&[&record.bytes]) {
                Ok(()) => accepted.push(Expected { is_flushed: true, ..record }),
                Err(Refused::Full { .. } | Refused::TooLarge { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        older.commit().unwrap();
        if !accepted.is_empty() {
            self.records.splice(0..0, accepted);
            self.rewound();
        }
    }

    fn rewound(&mut self) {
        self.records.iter_mut().for_each(|record| record.is_read = false);
    }

    fn next(&mut self) {
        let expected = self.records.iter_mut().find(|record| !record.is_settled && !record.is_read);
        let peeked = self.journal.peek().map(|item| item.position);
        let found = self.journal.next();
        assert_eq!(found.map(|item| item.position), peeked);
        let Some(expected) = expected else { return assert_eq!(found, None) };
        let found = found.expect("a record");
        let all = (found.bytes, found.preamble, found.earlier_run);
        assert_eq!(all, (&*expected.bytes, &[expected.preamble][..], expected.earlier_run));
        assert!(expected.position.is_none_or(|position| position == found.position));
        expected.position = Some(found.position);
        expected.is_read = true;
    }

    fn settle(&mut self, choice: usize) {
        let read: Vec<_> = (0..self.records.len()).filter(|at| self.records[*at].position.is_some()).collect();
        if let Some(at) = read.get(choice % read.len().max(1)) {
            let record = &mut self.records[*at];
            record.is_settled = true;
            self.journal.settle(record.position.unwrap());
        }
        // What is gone is nobody else.
        if let Some(position) = self.gone.get(choice % self.gone.len().max(1)) {
            self.journal.settle(*position);
        }
    }

    fn drop_oldest(&mut self) {
        let mut dropped = Vec::new();
        let count = self.journal.drop_oldest(|item| dropped.push((item.position, item.bytes.to_vec())));
        assert_eq!(count, dropped.len() as u64);
        for (position, bytes) in dropped {
            let first = self.records.iter_mut().find(|record| !record.is_settled).expect("a record to drop");
            assert_eq!(first.bytes, bytes);
            first.is_settled = true;
            first.position = Some(position);
            self.gone.push(position);
        }
    }

    fn flush(&mut self) {
        self.journal.flush().unwrap();
        self.records.iter_mut().for_each(|record| record.is_flushed = true);
        let files = fs::read_dir(&self.settings.folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert_eq!(files.sum::<u64>(), self.journal.bytes());
    }

    fn save_mark(&mut self) {
        self.journal.save_mark().unwrap();
        // In each segment, what is settled before the first that is not.
        let segment = |record: &Expected| record.position.map(|position| position.segment);
        let mut open = Vec::new();
        let mut kept = Vec::new();
        for record in self.records.drain(..) {
            if !record.is_settled || open.contains(&segment(&record)) {
                open.push(segment(&record));
                kept.push(record);
            } else {
                self.gone.extend(record.position);
            }
        }
        self.records = kept;
        if self.records.is_empty() {
            assert_eq!(self.journal.bytes(), 0);
        }
    }

    fn crash(&mut self) {
        self.run += 1;
        let folder = self.folder.path().join(self.run.to_string());
        copy(&self.settings.folder, &folder);
        self.settings.folder = folder;
        let mut found = Vec::new();
        let opened = Journal::open(self.settings.clone(), &[self.preamble], |item| found.push(item.bytes.to_vec()));
        let (journal, recovery) = opened.unwrap();
        self.journal = journal;
        assert_eq!((recovery.records, recovery.damaged), (found.len() as u64, Damages::default()));
        let mut found = found.into_iter().peekable();
        let mut is_cut = false;
        self.records.retain_mut(|record| {
            let is_there = found.next_if(|bytes| *bytes == record.bytes).is_some();
            // Settled ones may come again, if that was not saved; others may be missing from the first that was not written.
            is_cut |= !is_there && !record.is_settled;
            assert!(!is_cut || !(is_there || record.is_flushed && !record.is_settled), "{record:?} {is_there}");
            *record =
                Expected { earlier_run: true, is_flushed: true, position: None, is_read: false, ..record.clone() };
            record.is_settled = false;
            is_there
        });
        assert_eq!(found.next(), None);
        self.gone.clear();
    }

    fn run(mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Append(lengths) => self.append(lengths),
                Op::Prepend(lengths) => self.prepend(lengths),
                Op::Next(count) => (0..*count).for_each(|_| self.next()),
                Op::Settle(choices) => choices.iter().for_each(|choice| self.settle(*choice)),
                Op::Rewind => {
                    self.journal.rewind();
                    self.rewound();
                }
                Op::DropOldest => self.drop_oldest(),
                Op::SetPreamble(byte) => {
                    self.preamble = *byte;
                    self.journal.set_preamble(&[*byte]).unwrap();
                }
                Op::Flush => self.flush(),
                Op::SaveMark => self.save_mark(),
                Op::Crash => self.crash(),
            }
            let unsettled = self.records.iter().filter(|record| !record.is_settled);
            let unread = unsettled.clone().filter(|record| !record.is_read).count() as u64;
            assert_eq!((self.journal.records(), self.journal.unread()), (unsettled.count() as u64, unread), "{op:?}");
            assert_eq!(self.journal.lost(), 0);
            assert!(self.journal.bytes() <= self.settings.max_bytes);
        }
        self.flush();
        self.save_mark();
        // Exactly what the marks leave comes back, in the last run's own order.
        let left: Vec<_> = self.records.iter().map(|record| record.bytes.clone()).collect();
        self.crash();
        assert_eq!(self.records.iter().map(|record| record.bytes.clone()).collect::<Vec<_>>(), left);
        (0..=left.len()).for_each(|_| self.next());
        self.settle_all();
    }

    fn settle_all(&mut self) {
        (0..self.records.len()).rev().for_each(|choice| self.settle(choice));
        self.save_mark();
        assert_eq!((self.journal.bytes(), self.records.len()), (0, 0));
    }
}

/// What a crash leaves of a folder.
fn copy(from: &PathBuf, to: &PathBuf) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn op() -> impl Strategy<Value = Op> {
    let length = prop_oneof![
        12 => 0usize..100,
        2 => Just(0usize),
        // Around the buffers.
        1 => WRITE_BUFFER_BYTES - 40..WRITE_BUFFER_BYTES + 40,
        1 => Just(100_000usize),
    ];
    let lengths = prop::collection::vec(length, 0..12);
    prop_oneof![
        6 => lengths.clone().prop_map(Op::Append),
        1 => lengths.prop_map(Op::Prepend),
        5 => (0usize..12).prop_map(Op::Next),
        5 => prop::collection::vec(any::<usize>(), 0..8).prop_map(Op::Settle),
        1 => Just(Op::Rewind),
        1 => Just(Op::DropOldest),
        1 => any::<u8>().prop_map(Op::SetPreamble),
        2 => Just(Op::Flush),
        2 => Just(Op::SaveMark),
        1 => Just(Op::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn agrees_with_a_list_of_records(
        (segment_bytes, max_bytes) in prop_oneof![
            Just((1u64, 2_000u64)), Just((300, 3_000)), Just((2_000, 2_000)), Just((2_000, 8 << 20)), Just((1 << 20, 8 << 20)),
        ],
        ops in prop::collection::vec(op(), 1..60),
    ) {
        Check::new(segment_bytes, max_bytes).run(&ops);
    }
}
