//! The folder in which the engine keeps what must survive it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The file in the folder that the running engine holds locked.
pub(crate) const LOCK: &str = "lock";
/// The file that shows whether the folder can be written; it is there for a moment only.
const PROBE: &str = "probe";

/// A folder that no other engine uses as long as this lives.
#[derive(Debug)]
pub struct StateFolder {
    dir: PathBuf,
    /// Whoever has it open and locked has the folder; the kernel unlocks it, however the process ends.
    _lock: File,
}

impl StateFolder {
    /// Makes the folder if it is missing, takes it for this engine, and sees whether it can be written.
    ///
    /// # Errors
    /// A sentence that names key, folder and the way out.
    pub fn open(dir: &Path) -> Result<Self, String> {
        let wrong = |what: String| format!("state.dir = {:?}: {what}", dir.display());
        let unwritable = |error: io::Error| {
            wrong(format!("it cannot be written: {error}: name a folder that this user may write (K2_STATE_DIR)"))
        };
        fs::create_dir_all(dir).map_err(|error| {
            wrong(format!("it cannot be made: {error}: name a folder that this user may make (K2_STATE_DIR)"))
        })?;
        let path = dir.join(LOCK);
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut lock = opened.map_err(unwritable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let by = owner(&mut lock).map_or(String::new(), |owner| format!(" (process {owner})"));
                wrong(format!("another engine{by} uses it: give each its own, or stop the other (K2_STATE_DIR)"))
            }
            TryLockError::Error(error) => {
                wrong(format!("it cannot be locked: {error}: name a folder on a local file system (K2_STATE_DIR)"))
            }
        })?;
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(unwritable)?;
        probe(&dir.join(PROBE)).map_err(unwritable)?;
        Ok(StateFolder { dir: dir.to_path_buf(), _lock: lock })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What stands in a file of the folder as JSON; nothing if there is no such file.
///
/// # Errors
/// Why it cannot be read.
pub fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, String> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error.to_string()),
    }
}

/// When a file of the folder must be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// Whenever the process dies.
    AfterCrash,
    /// Whenever the power fails, too, for which the disk is waited for.
    AfterPowerCut,
}

/// Writes a file beside the one that is there, then in its place: the old or the new one is whole.
///
/// # Errors
/// If it cannot be written; the old one is still there.
pub fn replace(path: &Path, bytes: &[u8], whole: Whole) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    if whole == Whole::AfterPowerCut {
        file.sync_all()?;
    }
    fs::rename(&new, path)?;
    if whole == Whole::AfterPowerCut {
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// The process that has written its number into the lock.
pub(crate) fn owner(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Writes a file down to the disk, and removes it.
fn probe(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(b"k2-feed")?;
    file.sync_all()?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_made_with_its_parents() {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("a/b/state");
        let folder = StateFolder::open(&dir).unwrap();
        assert_eq!(folder.dir(), dir);
        let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK], "the probe is gone");
    }

    #[test]
    fn one_engine_at_a_time_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateFolder::open(dir.path()).unwrap();
        assert_eq!(
            StateFolder::open(dir.path()).unwrap_err(),
            format!(
                "state.dir = {:?}: another engine (process {}) uses it: give each its own, or stop the other (K2_STATE_DIR)",
                dir.path(),
                std::process::id()
            )
        );
        drop(first);
        StateFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn what_cannot_be_a_folder_is_named() {
        let above = tempfile::tempdir().unwrap();
        let file = above.path().join("file");
        fs::write(&file, "").unwrap();
        let dir = file.join("state");
        let error = StateFolder::open(&dir).unwrap_err();
        assert!(error.starts_with(&format!("state.dir = {dir:?}: it cannot be made: Not a directory")), "{error}");
        // A folder in which nothing can be written, whoever asks.
        let error = StateFolder::open(Path::new("/proc/self")).unwrap_err();
        assert!(error.starts_with("state.dir = \"/proc/self\": it cannot be written: "), "{error}");
        assert!(error.ends_with(": name a folder that this user may write (K2_STATE_DIR)"), "{error}");
    }
}
