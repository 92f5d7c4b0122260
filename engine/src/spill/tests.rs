//! The journal as its owner sees it.

mod damage;
mod disk;
mod oracle;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

fn settings(folder: &Path) -> Settings {
    Settings { folder: folder.to_owned(), max_bytes: 1 << 20, segment_bytes: 512, fsync: Fsync::Never }
}

fn open(folder: &Path) -> (Journal, Recovery) {
    Journal::open(settings(folder), b"routes", |_| {}).unwrap()
}

/// All that is to be read, settled if so wanted.
fn read(journal: &mut Journal, settle: bool) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some(item) = journal.next() {
        let position = item.position;
        records.push(item.bytes.to_vec());
        if settle {
            journal.settle(position);
        }
    }
    records
}

fn payload(number: u32) -> Vec<u8> {
    (0..number % 90).map(|i| (number + i) as u8).chain(number.to_le_bytes()).collect()
}

fn segment_files(folder: &Path) -> usize {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "spill")).count()
}

#[test]
fn records_come_back_in_order_and_leave_the_disk_when_settled() {
    let folder = TempDir::new().unwrap();
    let (mut journal, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery::default());
    for number in 0..200 {
        let bytes = payload(number);
        let (head, tail) = bytes.split_at(bytes.len() / 3);
        journal.append(&[head, b"", tail]).unwrap();
    }
    assert_eq!((journal.records(), journal.unread()), (200, 200));
    assert!(segment_files(folder.path()) > 10);
    let mut positions = Vec::new();
    for number in 0..200 {
        assert_eq!(journal.peek().unwrap().bytes, payload(number));
        let item = journal.next().unwrap();
        assert_eq!((item.bytes, item.preamble, item.earlier_run), (&*payload(number), &b"routes"[..], false));
        positions.push(item.position);
    }
    assert!(positions.is_sorted() && journal.next().is_none() && journal.peek().is_none());
    assert_eq!((journal.records(), journal.unread()), (200, 0));
    for position in positions {
        journal.settle(position);
        journal.settle(position);
    }
    journal.save_mark().unwrap();
    assert_eq!((journal.records(), journal.bytes(), segment_files(folder.path())), (0, 0, 0));
    journal.append(&[b"again"]).unwrap();
    assert_eq!(read(&mut journal, true), [b"again"]);
}

#[test]
fn the_next_run_reads_what_is_not_settled() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path());
    for number in 0..100 {
        journal.append(&[&payload(number)]).unwrap();
    }
    for _ in 0..42 {
        let position = journal.next().unwrap().position;
        journal.settle(position);
    }
    journal.save_mark().unwrap();
    drop(journal);

    let mut seen = Vec::new();
    let (mut journal, recovery) = Journal::open(settings(folder.path()), b"other", |item| {
        assert_eq!((item.preamble, item.earlier_run), (&b"routes"[..], true));
        seen.push(item.bytes.to_vec());
    })
    .unwrap();
    assert_eq!((recovery.records, recovery.damaged), (58, Damages::default()));
    journal.append(&[b"new"]).unwrap();
    let expected: Vec<_> = (42..100).map(payload).chain([b"new".to_vec()]).collect();
    assert_eq!(seen, expected[..58]);
    let preambles: Vec<_> = std::iter::from_fn(|| journal.next().map(|item| item.preamble.to_vec())).collect();
    assert_eq!((&*preambles[57], &*preambles[58]), (&b"routes"[..], &b"other"[..]));
    journal.rewind();
    assert_eq!(read(&mut journal, true), expected);
}

#[test]
fn a_new_preamble_holds_for_what_is_appended_after_it() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path());
    journal.append(&[b"a"]).unwrap();
    journal.set_preamble(b"more routes").unwrap();
    journal.append(&[b"b"]).unwrap();
    let mut next = || journal.next().map(|item| (item.bytes.to_vec(), item.preamble.to_vec())).unwrap();
    assert_eq!(next(), (b"a".to_vec(), b"routes".to_vec()));
    assert_eq!(next(), (b"b".to_vec(), b"more routes".to_vec()));
}

#[test]
fn what_is_prepended_comes_first() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path());
    for number in 10..30 {
        journal.append(&[&payload(number)]).unwrap();
    }
    for _ in 10..15 {
        let position = journal.next().unwrap().position;
        journal.settle(position);
    }
    let mut older = journal.prepend().unwrap();
    for number in 5..10 {
        older.append(&[&payload(number)]).unwrap();
    }
    older.commit().unwrap();
    journal.prepend().unwrap().append(&[b"never committed"]).unwrap();
    let expected: Vec<_> = (5..10).chain(15..30).map(payload).collect();
    assert_eq!((journal.records(), journal.unread()), (20, 20));
    assert_eq!(read(&mut journal, false), expected);
    journal.save_mark().unwrap();
    drop(journal);
    let (mut journal, _) = open(folder.path());
    assert_eq!(read(&mut journal, true), expected);
}

#[test]
fn a_full_journal_refuses_until_the_oldest_segment_is_given_up() {
    let folder = TempDir::new().unwrap();
    let small = Settings { max_bytes: 2048, ..settings(folder.path()) };
    let (mut journal, _) = Journal::open(small, b"", |_| {}).unwrap();
    let mut accepted = 0;
    let refusal = loop {
        match journal.append(&[&payload(accepted)]) {
            Ok(()) => accepted += 1,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, Refused::Full { max_bytes: 2048, .. }), "{refusal}");
    assert!(journal.bytes() <= 2048);
    assert!(matches!(journal.append(&[&[0; 2048]]), Err(Refused::TooLarge { bytes: 2048, .. })));
    let first = journal.next().unwrap().position;
    let second = journal.next().unwrap().position;
    journal.settle(second);
    let mut dropped = Vec::new();
    let count = journal.drop_oldest(|item| dropped.push(item.bytes.to_vec()));
    assert_eq!(count, dropped.len() as u64);
    journal.settle(first);
    journal.append(&[&payload(accepted)]).unwrap();
    let all: Vec<_> = dropped.into_iter().chain(read(&mut journal, true)).collect();
    assert_eq!(all, (0..=accepted).filter(|number| *number != 1).map(payload).collect::<Vec<_>>());
}

#[test]
fn a_folder_is_one_journal_s_alone() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = open(folder.path());
    let second = Journal::open(settings(folder.path()), b"", |_| {});
    assert!(matches!(second, Err(SpillError::InUse(path)) if path == folder.path()));
    drop(journal);
    open(folder.path());
}

#[test]
fn files_of_other_names_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let names = ["18446744073709551615.spill", "00000000000000000000.spill", "1.spill", "notes.txt", "x.part"];
    names.iter().for_each(|name| fs::write(folder.path().join(name), name).unwrap());
    fs::create_dir(folder.path().join("09223372036854775900.spill")).unwrap();
    let (mut journal, recovery) = open(folder.path());
    assert_eq!((recovery.records, recovery.damaged.places), (0, 1), "the folder that is named as a segment is");
    journal.append(&[b"a"]).unwrap();
    let mut older = journal.prepend().unwrap();
    older.append(&[b"older"]).unwrap();
    older.commit().unwrap();
    assert_eq!(read(&mut journal, true), [&b"older"[..], b"a"]);
    journal.save_mark().unwrap();
    assert!(names.iter().all(|name| fs::read(folder.path().join(name)).unwrap() == name.as_bytes()));
}

#[test]
fn every_way_to_force_bytes_to_the_disk_keeps_them() {
    let ways = [Fsync::Never, Fsync::Always, Fsync::Interval(Duration::ZERO), Fsync::Interval(Duration::from_secs(60))];
    for fsync in ways {
        let folder = TempDir::new().unwrap();
        let settings = Settings { fsync, ..settings(folder.path()) };
        let (mut journal, _) = Journal::open(settings.clone(), b"", |_| {}).unwrap();
        for number in 0..40 {
            journal.append(&[&payload(number)]).unwrap();
            journal.flush().unwrap();
        }
        journal.sync().unwrap();
        drop(journal);
        let (mut journal, _) = Journal::open(settings, b"", |_| {}).unwrap();
        assert_eq!(read(&mut journal, true), (0..40).map(payload).collect::<Vec<_>>(), "{fsync:?}");
    }
}
