//! What the kernel tells in the files of `/proc` and `/sys`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::machine::first_line;

/// The kernel's files below a folder, which is `/` outside tests. What is not there, or may not be read, is not told.
pub(super) struct Kernel {
    root: PathBuf,
}

impl Kernel {
    /// This machine's.
    pub(super) fn here() -> Self {
        Kernel { root: "/".into() }
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }

    /// The first line of a file, if it has one.
    pub(super) fn line(&self, path: &str) -> Option<String> {
        first_line(self.at(path))
    }

    /// A number of four bytes, as devices give it out.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        let mut bytes = [0; 4];
        fs::File::open(self.at(path)).ok()?.read_exact(&mut bytes).ok()?;
        u64::try_from(i32::from_ne_bytes(bytes)).ok()
    }

    /// The names in a folder, sorted; none if it is not there.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(path)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Whether there is such a file or folder.
    pub(super) fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// The last part of where a link leads.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.at(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path).strip_prefix("/").unwrap_or(Path::new(path)))
    }
}

/// The value of `name:` in a file of such lines, as `/proc/self/status` is.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// A folder with the files of a made-up machine.
#[cfg(test)]
pub(super) struct Made {
    folder: tempfile::TempDir,
    /// Reads them.
    pub(super) kernel: Kernel,
}

#[cfg(test)]
impl Made {
    /// With these files.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kernel = Kernel { root: folder.path().into() };
        let made = Made { folder, kernel };
        made.put(files);
        made
    }

    /// And these.
    pub(super) fn put(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.folder.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// And this link.
    pub(super) fn link(&self, path: &str, target: &str) {
        let path = self.folder.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }
}
