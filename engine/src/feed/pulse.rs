//! Notices a feed core that does not run although its clock is due: something holds it, or its CPU is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Nanos;
use crate::cores::CpuSet;

/// A core that has shown no pulse for so long is told of: several times as long as its clock.
const LONGEST_REST: Duration = Duration::from_millis(250);
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// The pulse of a core that does not run.
const NONE: u64 = u64::MAX;

/// A core's sign of life.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<AtomicU64>);

/// Ends a core's pulse with its thread.
pub struct Beating(Pulse);

impl Pulse {
    /// That of a core that does not run yet.
    pub fn none() -> Self {
        Pulse(Arc::new(AtomicU64::new(NONE)))
    }

    /// Begins.
    pub fn begin(&self) -> Beating {
        self.beat();
        Beating(self.clone())
    }

    /// The core is alive.
    pub fn beat(&self) {
        self.0.store(Nanos::now().0, Ordering::Relaxed);
    }

    /// For how long the core has shown none, if that is too long.
    fn rested(&self, now: Nanos) -> Option<Duration> {
        let last = self.0.load(Ordering::Relaxed);
        let rested = now.time_since(Nanos(last));
        (last != NONE && rested > LONGEST_REST).then_some(rested)
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.0.store(NONE, Ordering::Relaxed);
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
                    let rested = pulse.rested(Nanos::now());
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
        assert_eq!(pulse.rested(later(LONGEST_REST * 2)), None, "it does not run yet");
        let beating = pulse.begin();
        assert_eq!(pulse.rested(Nanos::now()), None);
        let rested = pulse.rested(later(LONGEST_REST * 2));
        assert!(rested.is_some_and(|rested| rested >= LONGEST_REST * 2));
        pulse.beat();
        assert_eq!(pulse.rested(later(LONGEST_REST / 2)), None);
        drop(beating);
        assert_eq!(pulse.rested(later(LONGEST_REST * 2)), None, "it has ended");
    }
}
