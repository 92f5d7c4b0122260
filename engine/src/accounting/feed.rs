//! What a feed core counts.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::record::Kind;
use crate::repair::Reason;

/// What became of the text and binary messages received: `received = decoded + control + rejected`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Messages received.
    pub received: u64,
    /// Those that held market data.
    pub decoded: u64,
    /// Those about the session: acknowledgements, heartbeats, notices.
    pub control: u64,
    /// Those that could not be decoded.
    pub rejected: u64,
}

impl Frames {
    /// Whether every message is in exactly one column.
    pub fn holds(&self) -> bool {
        self.received == self.decoded + self.control + self.rejected
    }
}

/// What became of gaps: `gaps = repaired + filled + given_up`, and those that are being repaired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Gaps of which all trades were had, some at least from the exchange's history.
    pub gaps: u64,
    /// Trades that were published from the exchange's history, also those of gaps that were not filled.
    pub trades: u64,
    /// Gaps that connections filled by themselves.
    pub filled: u64,
    /// Gaps that stay gaps, by [`Reason`].
    pub given_up: [u64; Reason::ALL.len()],
}

impl Repairs {
    /// Gaps that stay gaps for this reason.
    pub fn given_up(&self, reason: Reason) -> u64 {
        self.given_up[reason as usize]
    }

    /// Gaps that stay gaps.
    pub fn all_given_up(&self) -> u64 {
        self.given_up.iter().sum()
    }
}

/// What became of connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Attempts to connect that failed, and connections that ended before any market data had come.
    pub failed: u64,
    /// Times that an address was left alone since it had failed for long.
    pub breakers_opened: u64,
    /// Connections whose place another took before they had to go.
    pub replaced: u64,
    /// Subscriptions made anew since they had fallen silent.
    pub resubscribed: u64,
}

/// What one feed core has counted since it began.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FeedTally {
    /// Frames.
    pub frames: Frames,
    /// Trades decoded: those published, and the duplicates.
    pub trades: u64,
    /// Records, by the feeds' numbers and [`Kind`].
    pub made: Vec<[Made; Kind::ALL.len()]>,
    /// Times that a connection was not read because the ring had no room.
    pub ring_full: u64,
    /// Jumps in a symbol's sequence.
    pub gaps: u64,
    /// Trades that are missing in them.
    pub missing: u64,
    /// What became of them.
    pub repairs: Repairs,
    /// Trades that came after a later one of their symbol.
    pub late: u64,
    /// Trades that had been seen, and were not published again.
    pub duplicates: u64,
    /// Connections made anew after one broke.
    pub reconnects: u64,
    /// What else became of connections.
    pub sessions: Sessions,
    /// Nanoseconds from bytes in a receive buffer to the end of their batch; waits for room in the ring are among them.
    pub busy_ns: u64,
}

/// The records that a feed core has made for one topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Made {
    /// Records made.
    pub committed: u64,
    /// Those of them for which the ring had no room.
    pub dropped: u64,
}

impl FeedTally {
    /// There is room for the counts of this feed.
    pub fn begin(&mut self, feed: u16) {
        let count = usize::from(feed) + 1;
        self.made.resize(self.made.len().max(count), Default::default());
    }

    /// Records made, of all feeds, by [`Kind`].
    pub fn committed(&self) -> [u64; Kind::ALL.len()] {
        Kind::ALL.map(|kind| self.made.iter().map(|made| made[kind as usize].committed).sum())
    }

    /// Records for which the ring had no room, of all feeds, by [`Kind`].
    pub fn dropped(&self) -> [u64; Kind::ALL.len()] {
        Kind::ALL.map(|kind| self.made.iter().map(|made| made[kind as usize].dropped).sum())
    }
}

impl Clone for FeedTally {
    fn clone(&self) -> Self {
        FeedTally { made: self.made.clone(), ..*self }
    }

    /// Without an allocation, if there were as many feeds.
    fn clone_from(&mut self, other: &Self) {
        let mut made = std::mem::take(&mut self.made);
        made.clone_from(&other.made);
        *self = FeedTally { made, ..*other };
    }
}

impl AddAssign<&FeedTally> for FeedTally {
    fn add_assign(&mut self, other: &FeedTally) {
        self.frames.received += other.frames.received;
        self.frames.decoded += other.frames.decoded;
        self.frames.control += other.frames.control;
        self.frames.rejected += other.frames.rejected;
        self.trades += other.trades;
        self.made.resize(self.made.len().max(other.made.len()), Default::default());
        for (mine, theirs) in self.made.iter_mut().flatten().zip(other.made.iter().flatten()) {
            mine.committed += theirs.committed;
            mine.dropped += theirs.dropped;
        }
        self.ring_full += other.ring_full;
        self.gaps += other.gaps;
        self.missing += other.missing;
        self.repairs += other.repairs;
        self.late += other.late;
        self.duplicates += other.duplicates;
        self.reconnects += other.reconnects;
        self.sessions.failed += other.sessions.failed;
        self.sessions.breakers_opened += other.sessions.breakers_opened;
        self.sessions.replaced += other.sessions.replaced;
        self.sessions.resubscribed += other.sessions.resubscribed;
        self.busy_ns += other.busy_ns;
    }
}

impl AddAssign for Repairs {
    fn add_assign(&mut self, other: Self) {
        self.gaps += other.gaps;
        self.trades += other.trades;
        self.filled += other.filled;
        self.given_up.iter_mut().zip(other.given_up).for_each(|(mine, theirs)| *mine += theirs);
    }
}
