//! Journals that are not what was written.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::format::{self, HEAD_BYTES, HEADER_BYTES, Head, MARK_AT, MARK_BYTES};
use super::super::*;
use super::{open, payload, read, settings};

/// Writes records into a folder and returns the segments' files, in order.
fn write(folder: &Path, records: impl IntoIterator<Item = Vec<u8>>) -> Vec<PathBuf> {
    let (mut journal, _) = open(folder);
    for record in records {
        journal.append(&[&record]).unwrap();
    }
    drop(journal);
    files(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "spill"));
    files.sort();
    files
}

/// Where the records of a file that is as it was written are.
fn places(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut at = HEADER_BYTES + b"routes".len();
    let mut places = Vec::new();
    while at < bytes.len() {
        let end = at + HEAD_BYTES + Head::read(&bytes[at..]).length;
        places.push(at..end);
        at = end;
    }
    places
}

/// Opens, reads all, settles all, and checks that what was told at the start is what is read.
fn recovered(folder: &Path) -> (Vec<Vec<u8>>, Damages) {
    let mut told = Vec::new();
    let (mut journal, recovery) = Journal::open(settings(folder), b"", |item| told.push(item.bytes.to_vec())).unwrap();
    assert_eq!(recovery.records, told.len() as u64);
    assert_eq!(read(&mut journal, true), told);
    journal.save_mark().unwrap();
    assert_eq!((journal.records(), journal.lost(), journal.bytes()), (0, 0, 0));
    (told, recovery.damaged)
}

#[test]
fn a_tail_torn_at_any_byte_costs_the_last_record() {
    let folder = TempDir::new().unwrap();
    let file = write(folder.path(), (0..5).map(|number| payload(number + 20))).remove(0);
    let bytes = fs::read(&file).unwrap();
    let last = places(&bytes).pop().unwrap();
    for cut in 0..bytes.len() {
        fs::write(&file, &bytes[..cut]).unwrap();
        let whole = places(&bytes).iter().filter(|place| place.end <= cut).count();
        let (records, damaged) = recovered(folder.path());
        assert_eq!(records, (0..whole as u32).map(|number| payload(number + 20)).collect::<Vec<_>>());
        let is_boundary = cut == 0 || cut == HEADER_BYTES + 6 || places(&bytes).iter().any(|place| place.end == cut);
        assert_eq!(damaged.places, u64::from(!is_boundary), "cut at {cut}");
        assert!(damaged.listed.iter().all(|damage| damage.kind == DamageKind::TornTail && damage.file == file));
        if last.contains(&cut) && !is_boundary {
            assert_eq!((damaged.listed[0].offset, damaged.bytes), (last.start as u64, (cut - last.start) as u64));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn flipped_bits_cost_the_records_that_they_are_in(
        lengths in prop::collection::vec(0usize..120, 1..40),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..8), 1..6),
    ) {
        let folder = TempDir::new().unwrap();
        let records = lengths.iter().enumerate().map(|(at, length)| vec![at as u8; *length]);
        let files = write(folder.path(), records);
        let mut expected = Vec::new();
        let mut kept = Vec::new();
        let mut damaged_records = 0;
        for (number, file) in files.iter().enumerate() {
            let before = fs::read(file).unwrap();
            let mut after = before.clone();
            for (_, at, bit) in flips.iter().filter(|(which, ..)| which.index(files.len()) == number) {
                after[at.index(before.len())] ^= 1 << bit;
            }
            fs::write(file, &after).unwrap();
            let is_same = |range: Range<usize>| before[range.clone()] == after[range];
            if !is_same(0..MARK_AT) || !is_same(HEADER_BYTES..HEADER_BYTES + 6) {
                kept.push((file.clone(), after));
                continue;
            }
            damaged_records += usize::from(!is_same(MARK_AT..MARK_AT + MARK_BYTES));
            for place in places(&before) {
                match is_same(place.clone()) {
                    true => expected.push(before[place.start + HEAD_BYTES..place.end].to_vec()),
                    false => damaged_records += 1,
                }
            }
        }
        let (records, damaged) = recovered(folder.path());
        prop_assert_eq!(records, expected);
        // Records next to one another may be one place.
        let places = damaged.places as usize;
        prop_assert!(places <= damaged_records + kept.len() && (places > kept.len()) == (damaged_records > 0));
        for (file, bytes) in kept {
            prop_assert_eq!(fs::read(file).unwrap(), bytes);
        }
    }

    #[test]
    fn anything_at_all_in_a_file_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), keep in 0usize..160) {
        let folder = TempDir::new().unwrap();
        let file = write(folder.path(), [payload(40), payload(50)]).remove(0);
        let before = fs::read(&file).unwrap();
        let keep = keep.min(before.len());
        let after = [&before[..keep], &bytes].concat();
        fs::write(&file, &after).unwrap();
        let (records, _) = recovered(folder.path());
        // What follows may happen to be what was there.
        let same = before.iter().zip(&after).take_while(|(before, after)| before == after).count();
        let whole = places(&before).iter().filter(|place| place.end <= same).count();
        prop_assert_eq!(records, [payload(40), payload(50)][..whole].to_vec());
    }
}

#[test]
fn another_version_is_refused_by_name_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = write(folder.path(), [payload(1)]).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = 2;
    fs::write(&file, &bytes).unwrap();
    let (mut journal, recovery) = open(folder.path());
    assert_eq!((recovery.records, recovery.bytes, recovery.damaged.places), (0, 0, 1));
    assert_eq!(recovery.damaged.listed[0].kind, DamageKind::UnknownVersion(2));
    assert_eq!(recovery.damaged.listed[0].file, file);
    journal.append(&[b"new"]).unwrap();
    let mut older = journal.prepend().unwrap();
    older.append(&[b"older"]).unwrap();
    older.commit().unwrap();
    assert_eq!(read(&mut journal, true), [&b"older"[..], b"new"]);
    journal.save_mark().unwrap();
    drop(journal);
    assert_eq!((files(folder.path()), fs::read(&file).unwrap()), (vec![file], bytes));
}

#[test]
fn a_copy_of_a_record_within_another_is_not_taken_for_one() {
    let folder = TempDir::new().unwrap();
    let inner = write(folder.path(), [b"inner".to_vec()]).remove(0);
    let bytes = fs::read(&inner).unwrap();
    let copy = bytes[places(&bytes)[0].clone()].to_vec();
    recovered(folder.path());
    let file = write(folder.path(), [copy, b"whole".to_vec()]).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let outer = places(&bytes)[0].start;
    bytes[outer] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(recovered(folder.path()).0, [b"whole"]);
}

#[test]
fn what_is_damaged_after_it_was_counted_is_lost_and_told() {
    let folder = TempDir::new().unwrap();
    let (mut journal, _) = open(folder.path());
    (0..40).for_each(|number| journal.append(&[&payload(number)]).unwrap());
    journal.flush().unwrap();
    let files = files(folder.path());
    let first = fs::read(&files[0]).unwrap();
    let in_first = places(&first).len() as u64;
    let mut changed = first.clone();
    changed[places(&first)[1].start + HEAD_BYTES] ^= 1;
    fs::write(&files[0], changed).unwrap();
    fs::remove_file(&files[1]).unwrap();
    let in_second = {
        let mut all = read(&mut journal, false).into_iter();
        let after: Vec<_> = all.by_ref().skip_while(|bytes| *bytes != payload(in_first as u32 - 1)).collect();
        after.iter().position(|bytes| *bytes == payload(39)).map(|last| 40 - in_first - last as u64).unwrap()
    };
    assert_eq!(journal.lost(), 1 + in_second);
    assert_eq!(journal.records(), 40 - 1 - in_second);
    journal.rewind();
    read(&mut journal, true);
    journal.save_mark().unwrap();
    assert_eq!((journal.records(), journal.bytes(), journal.lost()), (0, 0, 1 + in_second));
}

#[test]
fn a_mark_that_cannot_be_trusted_brings_settled_records_back() {
    let folder = TempDir::new().unwrap();
    let file = write(folder.path(), (0..4).map(payload)).remove(0);
    let (mut journal, _) = open(folder.path());
    let position = journal.next().unwrap().position;
    journal.settle(position);
    journal.save_mark().unwrap();
    drop(journal);
    let mut bytes = fs::read(&file).unwrap();
    let salt = u32::from_le_bytes(bytes[36..40].try_into().unwrap());
    let settled_to = places(&bytes)[0].end as u64;
    assert_eq!(bytes[MARK_AT..MARK_AT + MARK_BYTES], format::mark(salt, settled_to));
    bytes[MARK_AT] ^= 4;
    fs::write(&file, bytes).unwrap();
    let (records, damaged) = recovered(folder.path());
    assert_eq!((records.len(), damaged.places), (4, 1));
}
