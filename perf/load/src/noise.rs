//! What the machine does besides: time that a thread was not given although it wanted nothing but the CPU.

use std::time::{Duration, Instant};

use serde::Serialize;

/// How long it is watched before a run.
const WATCH: Duration = Duration::from_millis(250);
/// A shorter gap is the loop's own.
const LEAST_GAP: Duration = Duration::from_micros(10);

/// What a thread on each CPU, which does nothing but look at the clock, has missed.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Noise {
    /// Gaps above 10 us in a second, of all CPUs together.
    pub(crate) gaps_per_s: f64,
    /// The longest, in nanoseconds.
    pub(crate) longest_ns: u64,
    /// The share of the CPUs' time that lies in gaps.
    pub(crate) share: f64,
}

/// Watches all CPUs for a quarter of a second.
pub(crate) fn watch() -> Noise {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    let count = cpus.len().max(1) as f64;
    let watchers: Vec<_> = cpus.into_iter().map(|cpu| std::thread::spawn(move || watch_one(cpu))).collect();
    let gaps: Vec<Duration> = watchers.into_iter().flat_map(|watcher| watcher.join().unwrap_or_default()).collect();
    Noise {
        gaps_per_s: gaps.len() as f64 / WATCH.as_secs_f64(),
        longest_ns: gaps.iter().max().map_or(0, |gap| gap.as_nanos() as u64),
        share: gaps.iter().sum::<Duration>().as_secs_f64() / (WATCH.as_secs_f64() * count),
    }
}

fn watch_one(cpu: core_affinity::CoreId) -> Vec<Duration> {
    core_affinity::set_for_current(cpu);
    let mut gaps = Vec::with_capacity(10_000);
    let begun = Instant::now();
    let mut last = begun;
    while last < begun + WATCH {
        let now = Instant::now();
        if now - last > LEAST_GAP {
            gaps.push(now - last);
        }
        last = now;
    }
    gaps
}
