//! A disk that can be full: a small file system in memory, which only this process and its children see.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

/// The file that fills the disk.
const FILLER: &str = "filler";

/// A file system of its own.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts one of this size in `folder`. To be called before there are other threads: this process goes into a user and
    /// mount namespace of its own.
    pub(crate) fn mount(folder: &Path, bytes: u64) -> anyhow::Result<Self> {
        let (user, group) = (getuid(), getgid());
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).context("no namespace of its own")?;
        fs::write("/proc/self/setgroups", "deny").context("/proc/self/setgroups")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1")).context("/proc/self/uid_map")?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1")).context("/proc/self/gid_map")?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("mounts are not private")?;
        let size = format!("size={bytes}");
        mount(Some("none"), folder, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).context("no tmpfs")?;
        Ok(Disk { folder: folder.to_path_buf() })
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        let mut file = File::create(self.folder.join(FILLER)).context("the disk cannot be filled")?;
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("the disk cannot be filled"),
            }
        }
    }

    /// Gives it back.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        fs::remove_file(self.folder.join(FILLER)).context("the disk cannot be cleared")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The folder is to be removed; if this fails, it stays behind, empty.
        let _ = umount2(&self.folder, MntFlags::MNT_DETACH);
    }
}
