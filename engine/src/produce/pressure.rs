//! How far the broker is behind, said once each time that it changes.

use std::time::Duration;

use crate::clock::Nanos;
use crate::throttle::Throttle;

/// That records wait in the ring is said no more often than this: under load it comes and goes by the millisecond.
const WAITING_INTERVAL: Duration = Duration::from_secs(10);

/// Where records go that the client has no room for.
#[derive(Debug)]
pub(super) struct Pressure {
    /// When records began to go to disk, while some are there.
    spilling: Option<Nanos>,
    /// Whether the disk has no room.
    is_full: bool,
    waiting: Throttle,
}

impl Pressure {
    pub(super) fn new() -> Self {
        Pressure { spilling: None, is_full: false, waiting: Throttle::new(WAITING_INTERVAL) }
    }

    /// A record went to disk. Whether it is the first since all was well.
    pub(super) fn spills(&mut self, now: Nanos) -> bool {
        let begins = self.spilling.is_none();
        if begins {
            self.spilling = Some(now);
        }
        begins
    }

    /// A record found no room on disk. Whether it is the first.
    pub(super) fn fills(&mut self) -> bool {
        !std::mem::replace(&mut self.is_full, true)
    }

    /// Nothing waits any more. How long something did.
    pub(super) fn ends(&mut self, now: Nanos) -> Option<Duration> {
        self.is_full = false;
        self.spilling.take().map(|since| now.time_since(since))
    }

    /// A record waits in the ring. Whether to say so.
    pub(super) fn waits(&mut self, now: Nanos) -> bool {
        self.waiting.pass(now).is_some()
    }
}
