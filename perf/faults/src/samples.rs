//! Memory of the engine and bytes of its journals, ten times a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(100);

/// What was seen at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sample {
    /// Seconds since the beginning.
    pub(crate) at_s: f64,
    /// `VmRSS` of the engine, 0 while it does not run.
    pub(crate) resident_bytes: u64,
    /// Its most so far, `VmHWM`: between two samples, too.
    pub(crate) most_resident_bytes: u64,
    /// Bytes of all files in the journals' folder.
    pub(crate) spilled_bytes: u64,
}

/// Takes samples until it is finished.
pub(crate) struct Sampler {
    /// The engine's process, 0 for none.
    pid: Arc<AtomicU32>,
    samples: Arc<Mutex<Vec<Sample>>>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Sampler {
    /// Of an engine whose journals are in this folder.
    pub(crate) fn start(begun: Instant, journals: PathBuf) -> anyhow::Result<Self> {
        let (pid, samples, is_over) =
            (Arc::<AtomicU32>::default(), Arc::<Mutex<Vec<Sample>>>::default(), Arc::<AtomicBool>::default());
        let (engine, all, over) = (Arc::clone(&pid), Arc::clone(&samples), Arc::clone(&is_over));
        let run = move || {
            while !over.load(Ordering::Relaxed) {
                let sample = take(begun, engine.load(Ordering::Relaxed), &journals);
                all.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
                std::thread::sleep(INTERVAL);
            }
        };
        let thread = std::thread::Builder::new().name("samples".into()).spawn(run)?;
        Ok(Sampler { pid, samples, is_over, thread })
    }

    /// The engine's process is another, or none.
    pub(crate) fn watch(&self, pid: Option<u32>) {
        self.pid.store(pid.unwrap_or(0), Ordering::Relaxed);
    }

    /// The newest.
    pub(crate) fn last(&self) -> Sample {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).last().copied().unwrap_or_default()
    }

    /// All of them.
    pub(crate) fn finish(self) -> Vec<Sample> {
        self.is_over.store(true, Ordering::Relaxed);
        // It does not panic.
        let _ = self.thread.join();
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn take(begun: Instant, pid: u32, journals: &Path) -> Sample {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    Sample {
        at_s: begun.elapsed().as_secs_f64(),
        resident_bytes: kib("VmRSS:") * 1024,
        most_resident_bytes: kib("VmHWM:") * 1024,
        spilled_bytes: bytes_in(journals),
    }
}

/// Bytes of all files in a folder and those below. What goes away meanwhile counts nothing.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_and_a_folder_are_measured() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("topic")).unwrap();
        fs::write(folder.path().join("topic/1.spill"), [0; 70]).unwrap();
        fs::write(folder.path().join("lock"), [0; 7]).unwrap();
        let sample = take(Instant::now(), std::process::id(), folder.path());
        assert_eq!(sample.spilled_bytes, 77);
        assert!((1 << 20..=sample.most_resident_bytes).contains(&sample.resident_bytes), "{sample:?}");
        let nobody = take(Instant::now(), 0, &folder.path().join("missing"));
        assert_eq!((nobody.resident_bytes, nobody.spilled_bytes), (0, 0));
    }
}
