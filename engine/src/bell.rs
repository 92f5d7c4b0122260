//! Wakes a producer core that sleeps.
//!
//! An eventfd, which librdkafka can write to as well when a delivery report comes, so that one wait covers both.
//! The ringer pays a system call only when somebody sleeps.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

/// Shared by the core that sleeps and those that wake it.
pub struct Bell {
    fd: EventFd,
    sleeping: AtomicBool,
}

/// What is written to the eventfd to ring the bell.
pub const RING: u64 = 1;

impl Bell {
    /// A bell that nobody has rung.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        let fd = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Bell { fd, sleeping: AtomicBool::new(false) })
    }

    /// The eventfd, for others who ring it by writing [`RING`].
    pub fn fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }

    /// Wakes the sleeper, if there is one. To be called after the work has been made visible.
    #[inline]
    pub fn ring(&self) {
        // Pairs with the fence in `sleep`: either the sleeper sees the work, or we see the sleeper.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
        // The only failure is that the counter is full, and then the sleeper wakes anyway.
        let _ = self.fd.write(RING);
    }

    /// Sleeps until the bell is rung or `longest` has passed, unless `has_work` finds some after the ringers
    /// have been told.
    pub fn sleep(&self, longest: Duration, has_work: impl FnOnce() -> bool) {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !has_work() {
            self.doze(longest);
        }
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Sleeps for so long without being woken by [`Self::ring`]: only what writes to [`Self::fd`] does.
    pub fn doze(&self, longest: Duration) {
        let mut polled = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        let rung = ppoll(&mut polled, Some(TimeSpec::from_duration(longest)), None);
        if rung.is_ok_and(|count| count > 0) {
            let _ = self.fd.read();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_sleeper_is_woken_and_one_with_work_does_not_sleep() {
        let bell = Arc::new(Bell::new().unwrap());
        bell.sleep(Duration::from_secs(3600), || true);
        let ringer = {
            let bell = bell.clone();
            // Rings until it was heard: the sleeper may not sleep yet when it begins.
            std::thread::spawn(move || {
                while Arc::strong_count(&bell) > 1 {
                    bell.ring();
                }
            })
        };
        bell.sleep(Duration::from_secs(3600), || false);
        drop(bell);
        ringer.join().unwrap();
    }
}
