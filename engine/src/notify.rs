//! What systemd is told of the process, where it asks to be: that it is ready, that it is alive, that it stops.
//!
//! Source: `man 3 sd_notify`; a unit of `Type=notify-reload` with `WatchdogSec=` uses all of it. Without `NOTIFY_SOCKET` in
//! the environment nothing is said.

use sd_notify::NotifyState;

/// Tells systemd.
#[derive(Debug, Default)]
pub struct Notifier {
    /// Whether it was said that it cannot be told.
    has_failed: bool,
}

impl Notifier {
    /// The engine runs; systemd may start what waits for it.
    pub fn ready(&mut self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The process makes progress, and this is what it is at. To be said more often than `WatchdogSec=`.
    pub fn alive(&mut self, status: &str) {
        self.tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
    }

    /// This is what it is at, though it is not known to be alive.
    pub fn status(&mut self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    /// The configuration is read again, until [`Self::ready`] is said.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("systemd cannot be told of the reload: {error}"),
        }
    }

    /// The engine stops.
    pub fn stopping(&mut self) {
        self.tell(&[NotifyState::Stopping]);
    }

    fn tell(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states)
            && !std::mem::replace(&mut self.has_failed, true)
        {
            tracing::warn!("systemd cannot be told how the process is (NOTIFY_SOCKET): {error}");
        }
    }
}
