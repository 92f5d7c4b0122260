//! Wakes a feed core that sleeps on although there is work.
//!
//! Seen with glommio 0.9 on Linux 6.18, on a busy machine and in about one of 40 runs of a few seconds: the executor
//! stays in `io_uring_enter` although its timer is over and its sockets are readable, until a signal comes, and then goes
//! on as if nothing had been. So whoever has not shown its pulse for a while gets a signal that does nothing else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use signal_hook::consts::SIGURG;

use crate::clock::Nanos;
use crate::cores::CpuSet;

/// A core that has shown no pulse for so long is woken: several times as long as its clock.
const LONGEST_REST: Duration = Duration::from_millis(250);
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// A core's sign of life.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    last: AtomicU64,
    /// The thread, as long as it runs.
    thread: Mutex<Option<Pthread>>,
}

/// Ends a core's pulse with its thread.
pub struct Beating(Pulse);

impl Pulse {
    /// Begins on the core's own thread.
    pub fn begin(&self) -> Beating {
        self.beat();
        *self.0.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(pthread_self());
        Beating(self.clone())
    }

    /// The core is alive.
    pub fn beat(&self) {
        self.0.last.store(Nanos::now().0, Ordering::Relaxed);
    }

    /// Wakes the core if it has rested for too long. For how long it has, then.
    fn wake(&self, now: Nanos) -> Option<Duration> {
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = now.time_since(Nanos(self.0.last.load(Ordering::Relaxed)));
        let thread = (*thread).filter(|_| rested > LONGEST_REST)?;
        // It cannot have ended: it would wait for the lock.
        pthread_kill(thread, Signal::SIGURG).ok()?;
        Some(rested)
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        *self.0.0.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
    /// If the signal cannot be taken over, or no thread be made.
    pub fn start(pulses: Vec<Pulse>, cpus: CpuSet) -> Result<Self, String> {
        let wrong = |error: std::io::Error| format!("feed cores cannot be watched: {error}");
        // Whoever has no handler is not interrupted.
        signal_hook::flag::register(SIGURG, Arc::new(AtomicBool::new(false))).map_err(wrong)?;
        let (stop, stopped) = channel();
        let watch = move || {
            cpus.apply();
            let mut is_resting = vec![false; pulses.len()];
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                for ((core, pulse), is_resting) in pulses.iter().enumerate().zip(&mut is_resting) {
                    let rested = pulse.wake(Nanos::now());
                    if let (Some(rested), false) = (rested, *is_resting) {
                        tracing::warn!(core, ?rested, "a feed core sleeps, or its CPU is taken: it is woken");
                    }
                    *is_resting = rested.is_some();
                }
            }
        };
        let thread = std::thread::Builder::new().name("k2-watch".into()).spawn(watch).map_err(wrong)?;
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
    use nix::errno::Errno;
    use nix::poll::{PollTimeout, poll};

    use super::*;

    #[test]
    fn who_sleeps_for_too_long_is_woken() {
        let (pulse, here) = (Pulse::default(), Pulse::default());
        let sleeper = {
            let pulse = pulse.clone();
            std::thread::spawn(move || {
                let _beating = pulse.begin();
                poll(&mut [], PollTimeout::NONE)
            })
        };
        // One that beats is left alone, and so is one that has ended.
        let _beating = here.begin();
        let ended = Pulse::default();
        drop(ended.begin());
        let _watch = Watch::start(vec![pulse, here.clone(), ended], CpuSet::available().unwrap()).unwrap();
        while !sleeper.is_finished() {
            here.beat();
            std::thread::yield_now();
        }
        assert_eq!(sleeper.join().unwrap(), Err(Errno::EINTR));
    }
}
