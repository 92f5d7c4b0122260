//! What can go wrong with a journal.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Something that could not be done on disk.
#[derive(Debug, Error)]
pub enum SpillError {
    /// The system refused.
    #[error("the spill journal cannot {action} {}: {source}{}", path.display(), way_out(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("the spill folder {} is in use: give each engine a folder of its own, or stop the other one", .0.display())]
    InUse(PathBuf),
    /// A setting that makes no sense.
    #[error("segment_bytes is {segment_bytes} and max_bytes {max_bytes}: a segment takes 1 byte to all of max_bytes")]
    Settings {
        /// [`crate::spill::Settings::segment_bytes`].
        segment_bytes: u64,
        /// [`crate::spill::Settings::max_bytes`].
        max_bytes: u64,
    },
    /// A preamble over [`crate::spill::MAX_PREAMBLE_BYTES`].
    #[error("a preamble of {0} bytes is over the limit of {max}: have fewer routes", max = super::MAX_PREAMBLE_BYTES)]
    Preamble(usize),
}

impl SpillError {
    /// For `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpillError {
        move |source| SpillError::Io { action, path: path.to_owned(), source }
    }
}

/// What to do about an error of the system, where that is known.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room there, or lower max_bytes",
        io::ErrorKind::PermissionDenied => "; give the engine's user the right to write there, or name another folder",
        io::ErrorKind::ReadOnlyFilesystem => "; mount it for writing, or name another folder",
        io::ErrorKind::NotADirectory => "; a file is where a folder is needed: name another folder",
        _ => "",
    }
}

impl SpillError {
    /// Whether the disk has no room.
    fn is_for_room(&self) -> bool {
        let no_room = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, SpillError::Io { source, .. } if no_room.contains(&source.kind()))
    }
}

impl Refused {
    /// Whether it would be taken if others were given up.
    pub fn is_for_room(&self) -> bool {
        match self {
            Refused::Full { .. } => true,
            Refused::TooLarge { .. } => false,
            Refused::Io(error) => error.is_for_room(),
        }
    }
}

/// Why a record was not taken. The journal is as it was before.
#[derive(Debug, Error)]
pub enum Refused {
    /// It does not fit into `max_bytes` beside what is there. [`crate::spill::Journal::drop_oldest`] makes room.
    #[error("the spill journal is full: {bytes} of {max_bytes} bytes, {wanted} more wanted")]
    Full {
        /// Bytes that are there.
        bytes: u64,
        /// Bytes that it would have added.
        wanted: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// It is larger than any record may be, or than the whole journal.
    #[error("a record of {bytes} bytes is more than a spill journal of {max_bytes} bytes takes")]
    TooLarge {
        /// The record's length.
        bytes: u64,
        /// The journal's limit; a record also has one, [`crate::spill::MAX_RECORD_BYTES`].
        max_bytes: u64,
    },
    /// The disk does not take it now; it may later.
    #[error(transparent)]
    Io(#[from] SpillError),
}
