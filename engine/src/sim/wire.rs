//! Frames of one batch, staged for each connection, and written with one system call a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::connection::{Connection, Hub, Note};
use super::dialect::{self, SEQUENCE, Session};
use super::lock::lock;
use super::outbound::{Mark, write_text_frame};
use super::schedule::unix_ns;

#[derive(Debug)]
struct Subscriber {
    connection: Arc<Connection>,
    staged: Vec<u8>,
    marks: Vec<Mark>,
}

impl Subscriber {
    fn say(&mut self, note: &Note, session: &Session, last_id: &dyn Fn(&str) -> Option<u64>) {
        let texts = match note {
            Note::Reply(text) => vec![text.clone()],
            Note::Heartbeat => dialect::of(session.protocol).heartbeats(session, unix_ns(), last_id),
        };
        for text in texts {
            let text = match text.contains(SEQUENCE) {
                true => text.replace(SEQUENCE, &self.connection.numbered.fetch_add(1, Relaxed).to_string()),
                false => text,
            };
            write_text_frame(text.as_bytes(), &mut self.staged);
        }
    }
}

/// The market thread's view of the connections: a snapshot that is taken anew when they change.
pub(crate) struct Wire {
    hub: Arc<Hub>,
    version: u64,
    subscribers: Vec<Subscriber>,
}

impl Wire {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, version: 0, subscribers: Vec::new() }
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Takes a new snapshot if connections or subscriptions changed. Nothing may be staged.
    pub(crate) fn refresh(&mut self) -> bool {
        let version = self.hub.version();
        if version == self.version {
            return false;
        }
        self.version = version;
        self.subscribers = self
            .hub
            .connections()
            .into_iter()
            .filter(|connection| connection.stands())
            .map(|connection| Subscriber { connection, staged: Vec::new(), marks: Vec::new() })
            .collect();
        true
    }

    /// Notes that what changed up to the snapshot has been attended to.
    pub(crate) fn note_attended(&self) {
        self.hub.attended(self.version);
    }

    /// Shows every subscriber's index with its session, and stages what is to be said on it. Both happen while the
    /// session is locked, so that a subscription is acknowledged before its first trade.
    pub(crate) fn for_each_session(
        &mut self,
        last_id: &dyn Fn(&str) -> Option<u64>,
        mut see: impl FnMut(usize, &mut Session),
    ) {
        for (index, subscriber) in self.subscribers.iter_mut().enumerate() {
            let connection = Arc::clone(&subscriber.connection);
            if let Some(session) = lock(&connection.session).as_mut() {
                see(index, session);
                for note in lock(&connection.notes).drain(..) {
                    subscriber.say(&note, session, last_id);
                }
            }
        }
    }

    /// Adds a text frame to what goes to a subscriber next. How late it is is measured if it is `due` at some time.
    pub(crate) fn stage(&mut self, subscriber: usize, payload: &[u8], due_ns: Option<i64>) {
        let Subscriber { staged, marks, .. } = &mut self.subscribers[subscriber];
        write_text_frame(payload, staged);
        if let Some(due_ns) = due_ns {
            marks.push(Mark { end: staged.len(), due_ns });
        }
    }

    /// The number of a subscriber's next frame.
    pub(crate) fn next_number(&self, subscriber: usize) -> u64 {
        self.subscribers[subscriber].connection.numbered.fetch_add(1, Relaxed)
    }

    /// Writes what is staged.
    pub(crate) fn commit(&mut self, now_ns: i64) {
        for Subscriber { connection, staged, marks } in &mut self.subscribers {
            if !staged.is_empty() {
                self.hub.send(connection, staged, marks);
                if !marks.is_empty() {
                    self.hub.meter.sending_ns.store(now_ns as u64, Relaxed);
                }
                staged.clear();
                marks.clear();
            }
        }
    }

    /// Drops what is staged: the simulator stops.
    pub(crate) fn discard(&mut self) {
        for subscriber in &mut self.subscribers {
            subscriber.staged.clear();
            subscriber.marks.clear();
        }
    }

    /// Writes what was left unsent before; returns the bytes that are still left, over all connections.
    pub(crate) fn flush(&self) -> usize {
        self.subscribers.iter().map(|subscriber| self.hub.flush(&subscriber.connection)).sum()
    }
}
