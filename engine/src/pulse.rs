//! Signs of life of the pinned cores, and the thread that notices a feed core without any although its clock is due:
//! something holds it, or its CPU is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::unistd::gettid;

use crate::clock::Nanos;
use crate::cores::CpuSet;

/// A feed core that has shown no pulse for so long is told of: several times as long as its clock.
const LONGEST_REST: Duration = Duration::from_millis(250);
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// A core of either kind that has shown none for so long is stuck: nothing that it does takes that.
const STUCK: Duration = Duration::from_secs(3);
/// The pulse of a core that does not run.
const NONE: u64 = u64::MAX;

/// A core's sign of life.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Sign>);

#[derive(Debug)]
struct Sign {
    last: AtomicU64,
    /// The kernel's number of the core's thread; 0 before it runs.
    thread: AtomicI32,
}

/// Ends a core's pulse with its thread.
pub struct Beating(Pulse);

impl Pulse {
    /// That of a core that does not run yet.
    pub fn none() -> Self {
        Pulse(Arc::new(Sign { last: AtomicU64::new(NONE), thread: AtomicI32::new(0) }))
    }

    /// Begins, on the calling thread.
    pub fn begin(&self) -> Beating {
        self.0.thread.store(gettid().as_raw(), Ordering::Relaxed);
        self.beat();
        Beating(self.clone())
    }

    /// The core is alive. Returns when that was.
    #[inline]
    pub fn beat(&self) -> Nanos {
        let now = Nanos::now();
        self.0.last.store(now.0, Ordering::Relaxed);
        now
    }

    /// For how long the core has shown none, if that is longer than `longest`.
    fn rested(&self, now: Nanos, longest: Duration) -> Option<Duration> {
        let last = self.0.last.load(Ordering::Relaxed);
        let rested = now.time_since(Nanos(last));
        (last != NONE && rested > longest).then_some(rested)
    }

    /// For how long the core has shown none, if it is stuck.
    pub fn stuck(&self, now: Nanos) -> Option<Duration> {
        self.rested(now, STUCK)
    }

    /// Time that the core's thread has had a CPU, as the kernel says; `None` before it runs, and if the kernel does not.
    pub fn cpu_time(&self) -> Option<Duration> {
        let thread = self.0.thread.load(Ordering::Relaxed);
        let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
        Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.0.last.store(NONE, Ordering::Relaxed);
    }
}

/// Watches the cores' pulses until it is dropped.
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches `pulses`, by the cores' numbers, on `cpus`.
    ///
    /// # Errors
    /// If no thread can be made.
    pub fn start(pulses: Vec<Pulse>, cpus: CpuSet) -> Result<Self, String> {
        let (stop, stopped) = channel();
        let watch = move || {
            cpus.apply();
            let mut is_resting = vec![false; pulses.len()];
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                for ((core, pulse), is_resting) in pulses.iter().enumerate().zip(&mut is_resting) {
                    let rested = pulse.rested(Nanos::now(), LONGEST_REST);
                    if let (Some(rested), false) = (rested, *is_resting) {
                        tracing::warn!(
                            core,
                            ?rested,
                            "a feed core does not run: its CPU is taken, or something holds it"
                        );
                    }
                    *is_resting = rested.is_some();
                }
            }
        };
        let thread = std::thread::Builder::new().name("k2-watch".into()).spawn(watch);
        let thread = thread.map_err(|error| format!("feed cores cannot be watched: {error}"))?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_runs_and_shows_no_pulse_is_noticed() {
        let pulse = Pulse::none();
        let later = |by| Nanos::now().plus(by);
        assert_eq!(pulse.stuck(later(STUCK * 2)), None, "it does not run yet");
        assert_eq!(pulse.cpu_time(), None);
        let beating = pulse.begin();
        assert_eq!(pulse.stuck(Nanos::now()), None);
        let stuck = pulse.stuck(later(STUCK * 2));
        assert!(stuck.is_some_and(|rested| rested >= STUCK * 2));
        pulse.beat();
        assert_eq!(pulse.rested(later(LONGEST_REST / 2), LONGEST_REST), None);
        assert!(pulse.cpu_time().is_some(), "the kernel counts it at the thread's next rest");
        drop(beating);
        assert_eq!(pulse.stuck(later(STUCK * 2)), None, "it has ended");
    }
}
