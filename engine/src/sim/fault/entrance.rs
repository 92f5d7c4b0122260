//! What newcomers meet: a shut door, and how their connection behaves.

use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt::Linger};
use tungstenite::http::Uri;

use super::{Fault, What, When};
use crate::sim::connection::{Connection, Hub};
use crate::sim::dialect::{self, Refusal, Session};
use crate::sim::lock::lock;

/// A way to turn newcomers away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Refuse,
    Status(u16),
}

#[derive(Debug)]
struct Shut {
    door: Door,
    until: Instant,
    /// What the door's fault is among the words.
    place: usize,
}

/// Shared by the market's thread, which shuts and opens, and those that let clients in.
#[derive(Debug)]
pub(in crate::sim) struct Entrance(Mutex<State>);

#[derive(Debug)]
struct State {
    shut: Vec<Shut>,
    held: bool,
    piece_bytes: usize,
}

impl Entrance {
    pub(in crate::sim) fn new(faults: &[Fault]) -> Self {
        let piece = faults.iter().find_map(|fault| match (&fault.what, fault.when) {
            (What::Drip(bytes), When::Always) => Some(*bytes),
            _ => None,
        });
        Self(Mutex::new(State { shut: Vec::new(), held: false, piece_bytes: piece.unwrap_or(usize::MAX) }))
    }

    pub(super) fn shut(&self, door: Door, lasts: Duration, place: usize) -> Instant {
        let mut state = lock(&self.0);
        let now = Instant::now();
        state.shut.retain(|shut| shut.until > now);
        state.shut.push(Shut { door, until: now + lasts, place });
        now + lasts
    }

    /// From now on newcomers get nothing, or everything again.
    pub(super) fn hold(&self, held: bool) {
        lock(&self.0).held = held;
    }

    /// From now on newcomers get pieces of at most so many bytes.
    pub(super) fn drip(&self, piece_bytes: usize) {
        lock(&self.0).piece_bytes = piece_bytes;
    }

    /// Makes a new connection, which the market's thread can see already, like all others.
    pub(in crate::sim) fn receive(&self, connection: &Connection) {
        let State { held, piece_bytes, .. } = *lock(&self.0);
        let mut outbound = lock(&connection.outbound);
        outbound.in_pieces(piece_bytes);
        if held {
            outbound.hold();
        }
    }

    /// When the last door that is shut opens; now if none is.
    pub(super) fn accepts_again(&self) -> Instant {
        let now = Instant::now();
        lock(&self.0).shut.iter().map(|shut| shut.until).max().map_or(now, |until| until.max(now))
    }

    /// The first door that is shut and turns clients away as asked; until when, and its place among the words.
    fn shut_by<T>(&self, away: impl Fn(Door) -> Option<T>) -> Option<(T, Instant, usize)> {
        let now = Instant::now();
        let state = lock(&self.0);
        let mut shut = state.shut.iter().filter(|shut| shut.until > now);
        shut.find_map(|shut| Some((away(shut.door)?, shut.until, shut.place)))
    }
}

impl Hub {
    /// Whether a client that has just connected is to be reset; dropping its socket does so then.
    pub(in crate::sim) fn resets(&self, socket: &TcpStream) -> bool {
        let shut = self.entrance.shut_by(|door| (door == Door::Refuse).then_some(()));
        let Some(((), until, place)) = shut else { return false };
        // Without it the client reads an end instead of a reset: refused all the same.
        let _ = setsockopt(socket, Linger, &linger { l_onoff: 1, l_linger: 0 });
        self.turned_away(until, place);
        self.meter.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        true
    }

    /// The session that a client opens, unless a fault or the exchange has it refused.
    pub(in crate::sim) fn open(&self, uri: &Uri) -> Result<Session, Refusal> {
        let shut = self.entrance.shut_by(|door| match door {
            Door::Status(code) => Some(code),
            Door::Refuse => None,
        });
        if let Some((status, until, place)) = shut {
            self.turned_away(until, place);
            let left = until.saturating_duration_since(Instant::now());
            // Both statuses may name a time (RFC 9110, 15.6.4; RFC 6585, 4): a whole second at least.
            let retry_after_s = matches!(status, 429 | 503).then(|| left.as_millis().div_ceil(1_000).max(1) as u64);
            return Err(Refusal { status, reason: "try again later".to_owned(), retry_after_s });
        }
        let session = dialect::open(self.config.protocol, uri.path(), uri.query())?;
        self.requests.judge(&session).map(|()| session)
    }

    fn turned_away(&self, until: Instant, place: usize) {
        self.meter.fault_touched(place, 1);
        self.recoveries.turned_away(until, self.newest());
    }
}
