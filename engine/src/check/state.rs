//! `state.dir`: whether it can be had, and whether its disk holds what may have to wait there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::statfs::{
    FUSE_SUPER_MAGIC, FsType, NFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, SMB_SUPER_MAGIC, TMPFS_MAGIC, statfs,
};
use nix::sys::statvfs::statvfs;

use super::point::Point;
use crate::config::{Config, Fsync, Spill, unusable};
use crate::engine::SPILL_FOLDER;
use crate::latency::readable;
use crate::state::{LOCK, owner};

const FOLDER: &str = "state.dir";
const IN_USE: &str = "lock";
const ROOM: &str = "room";
const FILE_SYSTEM: &str = "file system";
const FORCING: &str = "fsync";
/// How often the disk is timed, and with how many bytes.
const ROUNDS: usize = 9;
const BYTES: usize = 64 * 1024;
/// With `fsync = "always"` the producer core stands still for so long.
const MAX_STANDSTILL: Duration = Duration::from_millis(5);

/// Looks at the folder, and at the one in which it would be made.
pub(super) fn look(config: &Config) -> Vec<Point> {
    let Some(dir) = &config.state.dir else {
        return vec![
            Point::doubtful(
                FOLDER,
                "not set: nothing survives the engine, and nothing waits on disk while Kafka is away",
            )
            .advising("name a folder (K2_STATE_DIR)"),
        ];
    };
    if let Some(fault) = unusable(dir) {
        return vec![Point::wrong(FOLDER, format!("{}: {fault}", dir.display()))];
    }
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
    let Some(there) = absolute.ancestors().find(|path| path.is_dir()) else {
        return vec![Point::wrong(FOLDER, format!("{}: no folder above it is there", dir.display()))];
    };
    let is_there = there == absolute;
    let found = match is_there {
        true => format!("{} is there, and may be written", dir.display()),
        false => format!("{} is not there, and can be made in {}", dir.display(), there.display()),
    };
    let mut points = vec![Point::fine(FOLDER, found)];
    points.push(if is_there { in_use(dir) } else { Point::fine(IN_USE, "free: the folder is not there yet") });
    points.push(match statfs(there) {
        Ok(found) => file_system(found.filesystem_type()),
        Err(error) => Point::not_told(FILE_SYSTEM, format!("not told here: {error}")),
    });
    points.push(match statvfs(there) {
        Ok(found) => {
            let free = found.blocks_available() * found.fragment_size();
            room(free, used(&dir.join(SPILL_FOLDER)), &config.spill)
        }
        Err(error) => Point::not_told(ROOM, format!("not told here: {error}")),
    });
    points.push(match is_there {
        true => forcing(time_forcing(dir), &config.spill),
        false => Point::not_told(FORCING, "not timed: the folder is not there yet"),
    });
    points
}

/// Whether a running engine has the folder. Its lock is taken for a moment, shared and without a change to the file.
fn in_use(dir: &Path) -> Point {
    let path = dir.join(LOCK);
    let mut lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Point::fine(IN_USE, "free: no engine was here");
        }
        Err(error) => return Point::wrong(IN_USE, format!("{} cannot be read: {error}", path.display())),
    };
    match lock.try_lock_shared() {
        Ok(()) => Point::fine(IN_USE, "free"),
        Err(TryLockError::WouldBlock) => {
            let by = owner(&mut lock).map_or(String::new(), |process| format!(" (process {process})"));
            Point::wrong(IN_USE, format!("another engine{by} uses it"))
                .advising("give each its own, or stop the other (K2_STATE_DIR)")
        }
        Err(TryLockError::Error(error)) => Point::wrong(IN_USE, format!("it cannot be locked: {error}"))
            .advising("name a folder on a local file system (K2_STATE_DIR)"),
    }
}

fn file_system(kind: FsType) -> Point {
    let doubtful = |what: &str| {
        Point::doubtful(FILE_SYSTEM, what).advising("name a folder on a local disk, in a container on a volume")
    };
    match kind {
        TMPFS_MAGIC => doubtful("tmpfs: it is memory, and does not survive the machine"),
        OVERLAYFS_SUPER_MAGIC => doubtful("overlay: a container's own layer goes with the container"),
        NFS_SUPER_MAGIC | SMB_SUPER_MAGIC => doubtful("a network's: it is as slow, and as often away, as the network"),
        FUSE_SUPER_MAGIC => doubtful("FUSE: what its locks and fsync do, nobody here knows"),
        _ => Point::fine(FILE_SYSTEM, "local"),
    }
}

/// `free` bytes are left, and `used` of those that may wait there are there already.
fn room(free: u64, used: u64, spill: &Spill) -> Point {
    const MIB: u64 = 1 << 20;
    let (free_mib, most_mib) = (free / MIB, spill.max_bytes / MIB);
    if !spill.enabled {
        return Point::fine(ROOM, format!("{free_mib} MiB are free; spill.enabled is false"));
    }
    if free >= spill.max_bytes.saturating_sub(used) {
        return Point::fine(ROOM, format!("{free_mib} MiB are free, spill.max_bytes is {most_mib} MiB"));
    }
    Point::doubtful(ROOM, format!("{free_mib} MiB are free, less than spill.max_bytes, {most_mib} MiB"))
        .advising("make room, or set spill.max_bytes lower: the disk is full before the bound is reached")
}

/// Bytes of all files below a folder.
fn used(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let each = entries.filter_map(Result::ok).filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    each.map(|(path, metadata)| if metadata.is_dir() { used(&path) } else { metadata.len() }).sum()
}

/// How long it takes until the disk has it, the median and the longest of some rounds, by a file that has no name and is
/// gone once it is closed.
fn time_forcing(dir: &Path) -> io::Result<(Duration, Duration)> {
    let mut file = File::options().write(true).custom_flags(libc::O_TMPFILE).open(dir)?;
    let bytes = vec![0x5a; BYTES];
    let mut times = (0..ROUNDS)
        .map(|_| {
            file.write_all(&bytes)?;
            let began = Instant::now();
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect::<io::Result<Vec<_>>>()?;
    times.sort_unstable();
    Ok((times[ROUNDS / 2], times[ROUNDS - 1]))
}

fn forcing(times: io::Result<(Duration, Duration)>, spill: &Spill) -> Point {
    let (median, longest) = match times {
        Ok(times) => times,
        Err(error) => {
            return Point::not_told(FORCING, format!("not told here: no file without a name can be made: {error}"));
        }
    };
    let shown = |time: Duration| readable(time.as_nanos() as u64);
    let found = format!("{} for {} KiB, {} at most", shown(median), BYTES / 1024, shown(longest));
    let most = match spill.fsync {
        Fsync::Always => MAX_STANDSTILL,
        Fsync::Interval => Duration::from_millis(spill.fsync_interval_ms) / 2,
        Fsync::Never => Duration::MAX,
    };
    match (median > most, spill.fsync) {
        (false, _) => Point::fine(FORCING, found),
        (true, Fsync::Always) => Point::doubtful(FORCING, format!("{found}, and a producer core waits for each"))
            .advising("set spill.fsync to \"interval\", or name a folder on a faster disk"),
        (true, _) => Point::doubtful(FORCING, format!("{found}, more than half of spill.fsync_interval_ms"))
            .advising("raise it, or name a folder on a faster disk"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::point::Verdict::{Doubtful, Fine, NotTold, Wrong};
    use crate::state::StateFolder;

    fn config(dir: Option<&Path>) -> Config {
        let dir = dir.map_or(String::new(), |dir| format!("[state]\ndir = {dir:?}\n"));
        Config::parse("test", &format!("[[feed]]\nexchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\n{dir}")).unwrap()
    }

    fn judged(dir: Option<&Path>) -> Vec<(String, crate::check::point::Verdict)> {
        look(&config(dir)).into_iter().map(|point| (point.point, point.verdict)).collect()
    }

    #[test]
    fn a_folder_is_looked_at_and_not_made() {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("a/state");
        let points = judged(Some(&dir));
        assert!(points.contains(&(FOLDER.into(), Fine)) && points.contains(&(FORCING.into(), NotTold)), "{points:?}");
        assert!(!above.path().join("a").exists());
        assert_eq!(judged(None), [(FOLDER.into(), Doubtful)]);
        fs::write(above.path().join("file"), "").unwrap();
        assert_eq!(judged(Some(&above.path().join("file/state"))), [(FOLDER.into(), Wrong)]);
    }

    #[test]
    fn a_folder_that_an_engine_has_is_told_with_its_process_and_stays_its_own() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(in_use(dir.path()).found, "free: no engine was here");
        let engine = StateFolder::open(dir.path()).unwrap();
        let point = in_use(dir.path());
        let found = format!("another engine (process {}) uses it", std::process::id());
        assert_eq!((point.verdict, point.found), (Wrong, found));
        drop(engine);
        assert_eq!(in_use(dir.path()).found, "free");
        StateFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn timing_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        look(&config(Some(dir.path())));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn room_time_and_kind_are_judged() {
        let mut spill = config(None).spill;
        let gib = spill.max_bytes;
        assert_eq!(room(gib, 0, &spill).verdict, Fine);
        assert_eq!(room(gib / 2, 0, &spill).verdict, Doubtful);
        assert_eq!(room(gib / 2, gib / 2, &spill).verdict, Fine, "half of it is there");
        let slow = || Ok((Duration::from_millis(20), Duration::from_millis(90)));
        assert_eq!(forcing(slow(), &spill).found, "20.0 ms for 64 KiB, 90.0 ms at most");
        spill.fsync = Fsync::Always;
        assert_eq!(forcing(slow(), &spill).verdict, Doubtful);
        (spill.fsync, spill.fsync_interval_ms) = (Fsync::Interval, 30);
        assert_eq!(forcing(slow(), &spill).verdict, Doubtful);
        spill.fsync = Fsync::Never;
        assert_eq!(forcing(slow(), &spill).verdict, Fine);
        assert_eq!(forcing(Err(io::ErrorKind::Unsupported.into()), &spill).verdict, NotTold);
        spill.enabled = false;
        assert_eq!(room(0, 0, &spill).verdict, Fine);
        assert_eq!(file_system(TMPFS_MAGIC).verdict, Doubtful);
        assert_eq!(file_system(nix::sys::statfs::EXT4_SUPER_MAGIC).verdict, Fine);
    }
}
