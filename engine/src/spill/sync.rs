//! When written bytes are forced to the disk.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::writer::Writer;
use super::{Fsync, SpillError};

/// Forces files to the disk as [`Fsync`] says.
#[derive(Debug)]
pub(super) struct Syncer {
    folder: Arc<File>,
    path: PathBuf,
    how: How,
}

#[derive(Debug)]
enum How {
    Never,
    Always,
    Interval { interval: Duration, last: Instant, helper: Helper },
}

impl Syncer {
    /// Starts the helper thread if there is to be one.
    pub(super) fn start(fsync: Fsync, path: &Path) -> Result<Self, SpillError> {
        let folder = Arc::new(File::open(path).map_err(SpillError::io("open the folder", path))?);
        let how = match fsync {
            Fsync::Never => How::Never,
            Fsync::Always => How::Always,
            Fsync::Interval(interval) => {
                let helper = Helper::start().map_err(SpillError::io("start a thread for", path))?;
                How::Interval { interval, last: Instant::now(), helper }
            }
        };
        Ok(Syncer { folder, path: path.to_owned(), how })
    }

    /// The writer has written out, or had nothing to write.
    pub(super) fn flushed(&mut self, writer: &mut Writer) -> Result<(), SpillError> {
        match &mut self.how {
            How::Never => Ok(()),
            How::Always if writer.is_dirty() => writer.sync(),
            How::Always => Ok(()),
            How::Interval { interval, last, helper } => {
                if writer.is_dirty() && last.elapsed() >= *interval {
                    *last = Instant::now();
                    helper.pass_on(writer);
                }
                Ok(())
            }
        }
    }

    /// The writer writes nothing more.
    pub(super) fn sealed(&mut self, writer: &mut Writer) -> Result<(), SpillError> {
        match &mut self.how {
            How::Interval { helper, .. } if writer.is_dirty() => {
                helper.pass_on(writer);
                Ok(())
            }
            _ => self.flushed(writer),
        }
    }

    /// A file was made, or has a new name.
    pub(super) fn made_file(&mut self) -> Result<(), SpillError> {
        match &self.how {
            How::Never => Ok(()),
            How::Always => self.sync_folder(),
            How::Interval { helper, .. } => {
                helper.take(Job { file: Arc::clone(&self.folder), path: self.path.clone() });
                Ok(())
            }
        }
    }

    /// Forces the names of the files to the disk.
    pub(super) fn sync_folder(&self) -> Result<(), SpillError> {
        self.folder.sync_all().map_err(SpillError::io("force to the disk", &self.path))
    }
}

/// A file to force to the disk.
#[derive(Debug)]
struct Job {
    file: Arc<File>,
    path: PathBuf,
}

/// A thread that waits for the disk in the place of the caller. When it is dropped, it finishes what it was given.
#[derive(Debug)]
struct Helper {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    fn start() -> std::io::Result<Self> {
        let (jobs, work) = mpsc::channel();
        let thread = std::thread::Builder::new().name("k2-spill-sync".into()).spawn(move || run(&work))?;
        Ok(Helper { jobs: Some(jobs), thread: Some(thread) })
    }

    fn pass_on(&self, writer: &mut Writer) {
        writer.clear_dirty();
        self.take(Job { file: Arc::clone(writer.file()), path: writer.path().to_owned() });
    }

    fn take(&self, job: Job) {
        // The thread ends only after the sender.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.jobs = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::warn!("the thread that forces the spill journal to the disk has panicked");
        }
    }
}

fn run(work: &Receiver<Job>) {
    while let Ok(first) = work.recv() {
        // On a slow disk several requests wait for the same file; one answer does for them.
        let mut jobs = vec![first];
        for job in work.try_iter() {
            if !jobs.iter().any(|other| Arc::ptr_eq(&other.file, &job.file)) {
                jobs.push(job);
            }
        }
        for Job { file, path } in jobs {
            if let Err(error) = file.sync_all() {
                tracing::warn!("{}", SpillError::io("force to the disk", &path)(error));
            }
        }
    }
}
