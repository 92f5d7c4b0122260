//! The agenda: which fault strikes when, and what is done then. The market's thread strikes, between two batches.

use std::sync::Arc;
use std::time::Duration;

use super::entrance::Door;
use super::{Fault, WORDS, What, When};
use crate::sim::connection::{Connection, Hub};
use crate::sim::dialect;
use crate::sim::lock::lock;
use crate::sim::outbound::write_text_frame;
use crate::sim::schedule::unix_ns;

/// What is sent as garbage.
const GARBAGE: &str = "garbage: this is no JSON";
/// What is said with a close.
const CLOSE_REASON: &str = "closed on purpose";

/// What comes next on the agenda.
#[derive(Debug)]
struct Planned {
    due_ns: i64,
    every_ns: Option<i64>,
    deed: Deed,
}

#[derive(Debug, Clone)]
enum Deed {
    Strike(Fault),
    /// An announced cut of the connections that had the notice: those with numbers up to this.
    CutNoticed(u64),
}

/// Strikes with the configured faults when they are due.
pub(in crate::sim) struct Striker {
    hub: Arc<Hub>,
    /// In the order of due times.
    agenda: Vec<Planned>,
    stalled_until_ns: Option<i64>,
    /// The number of the connection that was cut alone last.
    last_cut: u64,
}

impl Striker {
    /// `None` if no fault is to strike at some time.
    pub(in crate::sim) fn new(hub: &Arc<Hub>) -> Option<Self> {
        let mut striker = Self { hub: Arc::clone(hub), agenda: Vec::new(), stalled_until_ns: None, last_cut: 0 };
        for fault in &hub.config.faults {
            let (after, every_ns) = match fault.when {
                When::Always => continue,
                When::Once(after) => (after, None),
                When::Every(every) => (every, Some(nanos(every))),
            };
            striker.plan(Planned { due_ns: nanos(after), every_ns, deed: Deed::Strike(fault.clone()) });
        }
        (!striker.agenda.is_empty()).then_some(striker)
    }

    /// Does what is due. Returns for how long the market is to hold still, if it is. `skip` has so many trades of each
    /// symbol not sent and returns how many that are in all.
    pub(in crate::sim) fn strike(&mut self, now_ns: i64, skip: &mut dyn FnMut(u64) -> u64) -> Option<i64> {
        while self.agenda.first().is_some_and(|planned| planned.due_ns <= now_ns) {
            let Planned { due_ns, every_ns, deed } = self.agenda.remove(0);
            if let Some(every_ns) = every_ns {
                // What a late thread has missed is not made up for.
                let missed = (now_ns - due_ns) / every_ns;
                self.plan(Planned {
                    due_ns: due_ns + (missed + 1) * every_ns,
                    every_ns: Some(every_ns),
                    deed: deed.clone(),
                });
            }
            match deed {
                Deed::Strike(fault) => self.carry_out(&fault, now_ns, skip),
                Deed::CutNoticed(newest) => {
                    let connections = self.hub.drop_connections(|connection| connection.number <= newest);
                    tracing::info!(connections, "cut, as announced");
                }
            }
        }
        let left_ns = self.stalled_until_ns? - now_ns;
        if left_ns <= 0 {
            self.release();
            return None;
        }
        Some(self.until_next(now_ns).map_or(left_ns, |next_ns| next_ns.min(left_ns)))
    }

    /// Nanoseconds until something is due; `None` if nothing will be.
    pub(in crate::sim) fn until_next(&self, now_ns: i64) -> Option<i64> {
        self.agenda.first().map(|planned| (planned.due_ns - now_ns).max(0))
    }

    /// Ends a stall.
    pub(in crate::sim) fn release(&mut self) {
        if self.stalled_until_ns.take().is_some() {
            self.hub.entrance.hold(false);
            for connection in self.hub.connections() {
                lock(&connection.outbound).release();
                self.hub.flush(&connection);
            }
        }
    }

    /// Doors are shut before connections that are due to be dropped at the same time are: nobody slips in between.
    fn plan(&mut self, planned: Planned) {
        let rank = |planned: &Planned| {
            let shuts =
                matches!(&planned.deed, Deed::Strike(Fault { what: What::Refuse(_) | What::Status { .. }, .. }));
            (planned.due_ns, !shuts)
        };
        let place = self.agenda.partition_point(|other| rank(other) <= rank(&planned));
        self.agenda.insert(place, planned);
    }

    fn carry_out(&mut self, fault: &Fault, now_ns: i64, skip: &mut dyn FnMut(u64) -> u64) {
        let place = fault.what.place();
        let touched = match &fault.what {
            What::Cut => self.hub.drop_connections(|_| true),
            What::CutOne => self.cut_one(),
            // Who is turned away is counted when it happens.
            What::Refuse(lasts) => self.shut(Door::Refuse, *lasts, place),
            What::Status { code, lasts } => self.shut(Door::Status(*code), *lasts, place),
            What::Close(code) => self.close(*code),
            What::Stall(lasts) => self.stall(*lasts, now_ns),
            What::Silent => self.silence(),
            What::Mute(symbol) => self.mute(symbol),
            What::Drip(piece_bytes) => self.drip(*piece_bytes),
            What::Garbage => self.each(|connection| self.say(connection, GARBAGE)),
            What::Drop(trades) => skip(*trades),
            What::Shutdown(notice) => self.announce(*notice, now_ns),
            What::Reject(_) | What::NoAck(_) => 0,
        };
        self.hub.meter.fault_struck(place, touched);
        tracing::info!(%fault, touched, touches = WORDS[place].touches, "fault struck");
    }

    fn cut_one(&mut self) -> u64 {
        let mut numbers: Vec<u64> = self.standing().iter().map(|connection| connection.number).collect();
        numbers.sort_unstable();
        let next = numbers.iter().find(|number| **number > self.last_cut).or(numbers.first());
        next.copied().map_or(0, |chosen| {
            self.last_cut = chosen;
            self.hub.drop_connections(|connection| connection.number == chosen)
        })
    }

    fn shut(&self, door: Door, lasts: Duration, place: usize) -> u64 {
        let until = self.hub.entrance.shut(door, lasts, place);
        self.hub.recoveries.postpone(until);
        0
    }

    fn close(&self, code: u16) -> u64 {
        let newest = self.hub.newest();
        let mut standing = self.standing();
        standing.retain(|connection| connection.number <= newest);
        if !standing.is_empty() {
            self.hub.recoveries.dropped(newest, self.hub.entrance.accepts_again());
        }
        standing.iter().for_each(|connection| lock(&connection.outbound).close(code, CLOSE_REASON));
        self.hub.changed();
        standing.len() as u64
    }

    fn stall(&mut self, lasts: Duration, now_ns: i64) -> u64 {
        let until_ns = now_ns + nanos(lasts);
        self.stalled_until_ns = Some(self.stalled_until_ns.map_or(until_ns, |other_ns| other_ns.max(until_ns)));
        // Whoever comes after this finds it so, whoever came before is among the connections.
        self.hub.entrance.hold(true);
        let connections = self.hub.connections();
        connections.iter().for_each(|connection| lock(&connection.outbound).hold());
        connections.len() as u64
    }

    fn silence(&self) -> u64 {
        let silenced = self.each(|connection| {
            if let Some(session) = lock(&connection.session).as_mut() {
                session.silent = true;
            }
        });
        self.hub.changed();
        silenced
    }

    fn mute(&self, symbol: &str) -> u64 {
        let mut muted = 0;
        for connection in self.standing() {
            if let Some(session) = lock(&connection.session).as_mut() {
                muted += u64::from(session.mute(symbol));
            }
        }
        self.hub.changed();
        muted
    }

    fn drip(&self, piece_bytes: usize) -> u64 {
        self.hub.entrance.drip(piece_bytes);
        self.each(|connection| lock(&connection.outbound).in_pieces(piece_bytes))
    }

    fn announce(&mut self, notice: Duration, now_ns: i64) -> u64 {
        let newest = self.hub.newest();
        let mut standing = self.standing();
        standing.retain(|connection| connection.number <= newest);
        for connection in &standing {
            let spoken = lock(&connection.session).as_ref().map(|session| (session.protocol, session.shape));
            let text = spoken.and_then(|(protocol, shape)| dialect::of(protocol).shutdown_notice(shape, unix_ns()));
            if let Some(text) = text {
                self.say(connection, &text);
            }
        }
        let deed = Deed::CutNoticed(newest);
        self.plan(Planned { due_ns: now_ns + nanos(notice), every_ns: None, deed });
        standing.len() as u64
    }

    fn say(&self, connection: &Connection, text: &str) {
        let mut frame = Vec::new();
        write_text_frame(text.as_bytes(), &mut frame);
        self.hub.send(connection, &frame, &[]);
    }

    /// The connections whose handshake is over.
    fn standing(&self) -> Vec<Arc<Connection>> {
        let mut connections = self.hub.connections();
        connections.retain(|connection| connection.stands());
        connections
    }

    /// Does something to each of them; returns how many there are.
    fn each(&self, mut act: impl FnMut(&Connection)) -> u64 {
        let standing = self.standing();
        standing.iter().for_each(|connection| act(connection));
        standing.len() as u64
    }
}

impl Hub {
    /// Drops the TCP connections that are chosen, as a failing network would; returns how many of them stood.
    pub(in crate::sim) fn drop_connections(&self, chosen: impl Fn(&Connection) -> bool) -> u64 {
        // Whoever comes after this is new, even if it is here before the last one is dropped.
        let newest = self.newest();
        let mut connections = self.connections();
        connections.retain(|connection| connection.number <= newest && chosen(connection));
        let standing = connections.iter().filter(|connection| connection.stands()).count() as u64;
        if standing > 0 {
            self.recoveries.dropped(newest, self.entrance.accepts_again());
        }
        connections.iter().for_each(|connection| lock(&connection.outbound).cut());
        self.changed();
        standing
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
