//! Disks that do not take what is written.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::super::*;
use super::{open, payload, read, settings};

/// Says to a child which folder is the mount.
const MOUNT: &str = "K2_SPILL_TEST_MOUNT";
/// The size of a disk that is soon full.
const DISK_BYTES: usize = 256 << 10;

/// Runs the test `name` again where a folder is a small file system of its own, mounted with `options` (a user and mount
/// namespace; a line says so where the system has none). In that run, returns the folder.
fn on_mount(name: &str, options: &str) -> Option<PathBuf> {
    if let Some(mount) = env::var_os(MOUNT) {
        return Some(mount.into());
    }
    let folder = TempDir::new().unwrap();
    let mount = |then: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o {options} none \"$0\" && exec {then}");
        command.args(["-rm", "sh", "-c", &script]).arg(folder.path());
        command
    };
    if !mount("true").status().is_ok_and(|status| status.success()) {
        assert!(env::var_os("K2_REQUIRE_REAL").is_none(), "{name}: no file system can be mounted in a namespace here");
        eprintln!("{name} is skipped: no file system can be mounted in a namespace here");
        return None;
    }
    let mut again = mount("\"$@\"");
    again.arg(env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(MOUNT, folder.path());
    let output = again.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && words.contains("1 passed"),
        "{words}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    None
}

/// Appends until the disk is full. Returns how many records were accepted.
fn fill(journal: &mut Journal, from: u32) -> u32 {
    for number in from.. {
        let refused = match journal.append(&[&payload(number)]) {
            Ok(()) if number % 50 == 0 => {
                journal.flush().map_err(Refused::Io).err().map(|refused| (number + 1, refused))
            }
            Ok(()) => None,
            Err(refused) => Some((number, refused)),
        };
        if let Some((accepted, refused)) = refused {
            let Refused::Io(SpillError::Io { source, .. }) = &refused else { panic!("{refused}") };
            assert_eq!(source.kind(), ErrorKind::StorageFull, "{refused}");
            assert!(refused.to_string().ends_with("make room there, or lower max_bytes"), "{refused}");
            return accepted;
        }
    }
    unreachable!()
}

#[test]
fn a_full_disk_loses_nothing_that_was_accepted() {
    let name = "spill::tests::disk::a_full_disk_loses_nothing_that_was_accepted";
    let Some(mount) = on_mount(name, &format!("size={DISK_BYTES}")) else { return };
    let settings = Settings { max_bytes: 10 << 20, segment_bytes: 40 << 10, ..settings(&mount.join("spill")) };
    let (mut journal, _) = Journal::open(settings.clone(), b"routes", |_| {}).unwrap();
    let accepted = fill(&mut journal, 0);
    assert_eq!(fill(&mut journal, accepted), accepted, "while the disk is full, nothing more is accepted");
    assert_eq!(journal.records(), u64::from(accepted));

    // A crash now keeps what was written, and tears nothing.
    let elsewhere = TempDir::new().unwrap();
    copy(&settings.folder, elsewhere.path());
    let (mut after, recovery) = open(elsewhere.path());
    assert_eq!(recovery.damaged, Damages::default());
    assert!(recovery.bytes > DISK_BYTES as u64 * 3 / 4);
    assert_eq!(read(&mut after, true), (0..recovery.records as u32).map(payload).collect::<Vec<_>>());

    // What is only in memory can be read, too.
    assert!(recovery.records < u64::from(accepted));
    assert_eq!(read(&mut journal, false), (0..accepted).map(payload).collect::<Vec<_>>());

    // Room comes back when the oldest are given up; then what waited is written.
    let mut dropped = 0;
    journal.drop_oldest(|_| dropped += 1);
    assert!(dropped > 0);
    journal.flush().unwrap();
    let more = fill(&mut journal, accepted);
    assert!(more > accepted);
    journal.drop_oldest(|_| dropped += 1);
    journal.sync().unwrap();
    drop(journal);
    let (mut journal, recovery) = Journal::open(settings, b"routes", |_| {}).unwrap();
    assert_eq!(recovery.damaged, Damages::default());
    assert_eq!(read(&mut journal, true), (dropped..more).map(payload).collect::<Vec<_>>());
}

#[test]
fn a_long_record_that_does_not_fit_the_disk_is_refused_whole() {
    let name = "spill::tests::disk::a_long_record_that_does_not_fit_the_disk_is_refused_whole";
    let Some(mount) = on_mount(name, &format!("size={DISK_BYTES}")) else { return };
    let settings = Settings { max_bytes: 10 << 20, segment_bytes: 1 << 20, ..settings(&mount.join("spill")) };
    let (mut journal, _) = Journal::open(settings.clone(), b"routes", |_| {}).unwrap();
    journal.append(&[b"before"]).unwrap();
    assert!(matches!(journal.append(&[&[7; WRITE_BUFFER_BYTES]]), Err(Refused::Io(_))));
    assert_eq!(
        journal
            .prepend()
            .unwrap()
            .append(&[&[7; WRITE_BUFFER_BYTES]])
            .map_err(|error| error.to_string())
            .err()
            .map(|words| words.contains("No space left")),
        Some(true)
    );
    journal.append(&[b"after"]).unwrap();
    drop(journal);
    let (mut journal, recovery) = Journal::open(settings, b"routes", |_| {}).unwrap();
    assert_eq!(
        (read(&mut journal, true), recovery.damaged),
        (vec![b"before".to_vec(), b"after".to_vec()], Damages::default())
    );
}

#[test]
fn a_disk_that_cannot_be_written_is_named() {
    let name = "spill::tests::disk::a_disk_that_cannot_be_written_is_named";
    let Some(mount) = on_mount(name, "ro") else { return };
    let error = Journal::open(settings(&mount), b"", |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("cannot open") && error.contains("Read-only") && error.contains("mount it for writing"),
        "{error}"
    );
}

#[test]
fn a_folder_below_a_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Journal::open(settings(&file.join("spill")), b"", |_| {}).unwrap_err().to_string();
    assert!(error.contains("a file is where a folder is needed"), "{error}");
}

#[test]
fn appends_go_on_when_the_folder_is_back() {
    let folder = TempDir::new().unwrap();
    let (here, away) = (folder.path().join("spill"), folder.path().join("away"));
    let (mut journal, _) = open(&here);
    (0..30).for_each(|number| journal.append(&[&payload(number)]).unwrap());
    fs::rename(&here, &away).unwrap();
    let mut accepted = 30;
    while journal.append(&[&payload(accepted)]).is_ok() {
        accepted += 1;
    }
    let records = journal.records();
    assert!(matches!(journal.append(&[&payload(accepted)]), Err(Refused::Io(_))));
    assert_eq!((records, journal.records()), (u64::from(accepted), u64::from(accepted)));
    fs::rename(&away, &here).unwrap();
    journal.append(&[&payload(accepted)]).unwrap();
    assert_eq!(read(&mut journal, true), (0..=accepted).map(payload).collect::<Vec<_>>());
    journal.save_mark().unwrap();
    assert_eq!(journal.bytes(), 0);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
