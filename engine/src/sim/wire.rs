//! Frames of one batch, staged for each connection, and written with one system call a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::connection::{Connection, Hub, lock};
use super::outbound::{Mark, write_text_frame};
use super::protocol::Session;

#[derive(Debug)]
struct Subscriber {
    connection: Arc<Connection>,
    staged: Vec<u8>,
    marks: Vec<Mark>,
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

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Takes a new snapshot if connections or subscriptions changed. Nothing may be staged.
    pub(crate) fn refresh(&mut self) -> bool {
        let version = self.hub.version();
        if version == self.version {
            return false;
        }
        self.version = version;
        let open = |connection: &Arc<Connection>| lock(&connection.session).is_some();
        self.subscribers = self
            .hub
            .connections()
            .into_iter()
            .filter(open)
            .map(|connection| Subscriber { connection, staged: Vec::new(), marks: Vec::new() })
            .collect();
        true
    }

    /// Every subscriber's index with its session.
    pub(crate) fn for_each_session(&self, mut see: impl FnMut(usize, &Session)) {
        for (index, subscriber) in self.subscribers.iter().enumerate() {
            if let Some(session) = lock(&subscriber.connection.session).as_ref() {
                see(index, session);
            }
        }
    }

    /// Adds a text frame to what goes to a subscriber next.
    pub(crate) fn stage(&mut self, subscriber: usize, payload: &[u8], due_ns: i64) {
        let Subscriber { staged, marks, .. } = &mut self.subscribers[subscriber];
        write_text_frame(payload, staged);
        marks.push(Mark { end: staged.len(), due_ns });
    }

    /// Writes what is staged.
    pub(crate) fn commit(&mut self, now_ns: i64) {
        for Subscriber { connection, staged, marks } in &mut self.subscribers {
            if !staged.is_empty() {
                self.hub.send(connection, staged, marks);
                staged.clear();
                marks.clear();
                self.hub.meter.sending_ns.store(now_ns as u64, Relaxed);
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
