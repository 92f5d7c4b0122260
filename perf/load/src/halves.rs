//! The CPUs, where there are four or more: one half for the program that is measured, the other for all else.

use std::sync::OnceLock;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Fewer are not shared out: half of two would be one for broker, exchange and reader.
const LEAST: usize = 4;
/// The calling thread.
const SELF: Pid = Pid::from_raw(0);

/// The first half, and the second.
static HALVES: OnceLock<(CpuSet, CpuSet)> = OnceLock::new();

/// This thread, and what it starts, goes to the second half from now on. Whether there are halves.
pub(crate) fn take_second() -> anyhow::Result<bool> {
    let all = sched_getaffinity(SELF)?;
    let cpus: Vec<_> = (0..CpuSet::count()).filter(|cpu| all.is_set(*cpu) == Ok(true)).collect();
    if cpus.len() < LEAST {
        return Ok(false);
    }
    let (first, second) = cpus.split_at(cpus.len() / 2);
    let (_, second) = HALVES.get_or_init(|| (set(first), set(second)));
    sched_setaffinity(SELF, second)?;
    Ok(true)
}

/// What is started meanwhile goes to the first half.
pub(crate) fn on_first<T>(start: impl FnOnce() -> T) -> T {
    let Some((first, second)) = HALVES.get() else { return start() };
    // Both were allowed before.
    let _ = sched_setaffinity(SELF, first);
    let started = start();
    let _ = sched_setaffinity(SELF, second);
    started
}

fn set(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for cpu in cpus {
        // They come from such a set.
        let _ = set.set(*cpu);
    }
    set
}
