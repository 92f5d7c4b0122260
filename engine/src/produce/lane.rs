//! The way of one topic's records, and what stands in it.

use crate::kafka::Topic;
use crate::record::Kind;

use super::backlog::Backlog;
use super::hold::{Hold, MOST_TOGETHER};

/// One topic.
pub(super) struct Lane {
    /// The topic's name.
    pub(super) name: String,
    /// What its records are.
    pub(super) kind: Kind,
    /// Whether it is kept how far its symbols are.
    pub(super) is_tracked: bool,
    /// The present client's handle of it.
    pub(super) topic: Topic,
    /// Records that the client has.
    pub(super) with_client: usize,
    /// How many of those that came back are offered together: fewer where the broker refused several for their size.
    pub(super) most_together: usize,
    /// Set while records that came back are to go first.
    pub(super) hold: Option<Hold>,
    /// The records that wait on disk, once there were any.
    pub(super) backlog: Option<Backlog>,
    /// Records that could not be read back from disk, of those that were noted.
    pub(super) lost: u64,
}

impl Lane {
    pub(super) fn new(name: String, kind: Kind, topic: Topic, is_tracked: bool) -> Self {
        Lane {
            name,
            kind,
            topic,
            is_tracked,
            with_client: 0,
            most_together: MOST_TOGETHER,
            hold: None,
            backlog: None,
            lost: 0,
        }
    }

    /// Whether a record of this key has to wait behind others.
    pub(super) fn is_behind(&self, key: &[u8]) -> bool {
        self.hold.is_some() || self.backlog.as_ref().is_some_and(|backlog| backlog.holds(key))
    }

    /// Whether the client has records that are not to go before those that came back.
    pub(super) fn must_come_back(&self) -> bool {
        self.with_client > 0 && self.hold.as_ref().is_some_and(|hold| hold.is_followed)
    }

    /// Whether records on disk may go: after those that came back, and one alone while it is not known whether the topic
    /// takes any.
    pub(super) fn may_replay(&self) -> bool {
        self.hold.as_ref().is_none_or(|hold| hold.is_on_disk && self.with_client == 0)
    }

    /// The topic has taken a record.
    #[cold]
    pub(super) fn has_taken(&mut self) {
        let Some(hold) = &mut self.hold else { return };
        hold.is_proven = true;
        if hold.is_on_disk {
            self.release();
        }
    }

    /// What came back has gone: the topic takes records again.
    pub(super) fn release(&mut self) {
        if self.hold.take().is_some_and(|hold| hold.is_told) {
            tracing::info!(topic = self.name, "the topic takes records again");
        }
    }

    /// Whether nothing stands in the way of any record.
    pub(super) fn is_clear(&self) -> bool {
        self.hold.is_none() && self.backlog.as_ref().is_none_or(Backlog::is_empty)
    }

    /// Records that wait on disk.
    pub(super) fn spilled(&self) -> u64 {
        self.backlog.as_ref().map_or(0, Backlog::len)
    }
}
