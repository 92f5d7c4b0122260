//! What became of everything: every frame and every record is in exactly one column.

use std::ops::AddAssign;

use serde::Serialize;

use crate::record::Kind;
use crate::repair::Reason;

/// What became of the text and binary messages received: `received = decoded + control + rejected`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

/// What became of one topic's records: `committed = acked + failed + dropped + spilled + in_flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// Records that a feed core made, those it had to drop included; those that an earlier run left on disk; dead letters of
    /// records that the broker refused.
    pub committed: u64,
    /// Those of them that an earlier run left on disk.
    pub recovered: u64,
    /// Records that the broker has acknowledged.
    pub acked: u64,
    /// Records that were given up: the broker refuses them for what they are (they are dead letters then, unless they were
    /// that), they cannot be read from disk any more, or the client did not give them back.
    pub failed: u64,
    /// Records for which there was no room, neither in the ring nor on disk.
    pub dropped: u64,
    /// Records that wait on disk, or have been read from there and are not acknowledged.
    pub spilled: u64,
    /// Records in the ring or with librdkafka.
    pub in_flight: u64,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedTally {
    /// Frames.
    pub frames: Frames,
    /// Trades decoded: those published, and the duplicates.
    pub trades: u64,
    /// Records made, by [`Kind`].
    pub committed: [u64; Kind::ALL.len()],
    /// Records for which the ring had no room, by [`Kind`].
    pub dropped: [u64; Kind::ALL.len()],
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
}

/// What one producer core has counted since it began. Of each [`Kind`],
/// `taken + recovered + dead_lettered = acked + failed + dropped + spilled + in_flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProducerTally {
    /// Records taken from the rings.
    pub taken: [u64; Kind::ALL.len()],
    /// Records that an earlier run left on disk.
    pub recovered: [u64; Kind::ALL.len()],
    /// Dead letters made of records that the broker refused.
    pub dead_lettered: u64,
    /// Records acknowledged.
    pub acked: [u64; Kind::ALL.len()],
    /// Records given up.
    pub failed: [u64; Kind::ALL.len()],
    /// Records on disk that were given up for newer ones.
    pub dropped: [u64; Kind::ALL.len()],
    /// Records on disk.
    pub spilled: [u64; Kind::ALL.len()],
    /// Records that the client has or has given back, those on disk left out.
    pub in_flight: [u64; Kind::ALL.len()],
    /// What became of deliveries.
    pub delivery: Delivery,
}

/// What became of deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Times that a record found the client's queue full.
    pub queue_full: u64,
    /// Times that a record went to disk.
    pub spills: u64,
    /// Times that the client gave a record back.
    pub returned: u64,
    /// Of these, records that the broker may have nevertheless: they may be on the topic twice.
    pub possible_duplicates: u64,
    /// Times that the client was made anew.
    pub clients: u64,
    /// Places where a journal was damaged; how many records they held is not known.
    pub damaged: u64,
}

impl ProducerTally {
    /// Whether every record is in exactly one column.
    pub fn holds(&self) -> bool {
        Kind::ALL.into_iter().all(|kind| {
            let at = kind as usize;
            let dead_lettered = if kind == Kind::Dlq { self.dead_lettered } else { 0 };
            self.taken[at] + self.recovered[at] + dead_lettered
                == self.acked[at] + self.failed[at] + self.dropped[at] + self.spilled[at] + self.in_flight[at]
        })
    }
}

/// The whole engine's columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accounting {
    /// All feed cores together.
    pub feed: FeedTally,
    /// All producer cores together.
    pub producer: ProducerTally,
    /// Times that it was looked at while the engine ran and did not hold: never, or the engine counts wrong.
    pub broken: u64,
}

impl Accounting {
    /// The columns of one topic. `in_flight` is what is in no other column.
    pub fn records(&self, kind: Kind) -> Records {
        let at = kind as usize;
        let ProducerTally { recovered, acked, failed, dropped, spilled, .. } = &self.producer;
        let dead_lettered = if kind == Kind::Dlq { self.producer.dead_lettered } else { 0 };
        let committed = self.feed.committed[at] + recovered[at] + dead_lettered;
        let (acked, failed, spilled) = (acked[at], failed[at], spilled[at]);
        let dropped = self.feed.dropped[at] + dropped[at];
        let in_flight = committed.saturating_sub(acked + failed + dropped + spilled);
        Records { committed, recovered: recovered[at], acked, failed, dropped, spilled, in_flight }
    }

    /// All topics' records together.
    pub fn all_records(&self) -> Records {
        let mut sum = Records::default();
        for records in Kind::ALL.map(|kind| self.records(kind)) {
            sum.committed += records.committed;
            sum.recovered += records.recovered;
            sum.acked += records.acked;
            sum.failed += records.failed;
            sum.dropped += records.dropped;
            sum.spilled += records.spilled;
            sum.in_flight += records.in_flight;
        }
        sum
    }

    /// Whether every frame and every record is in exactly one column.
    pub fn holds(&self) -> bool {
        let frames = self.feed.frames;
        let columns = |kind: Kind| {
            let records = self.records(kind);
            records.committed == records.acked + records.failed + records.dropped + records.spilled + records.in_flight
        };
        frames.received == frames.decoded + frames.control + frames.rejected
            && Kind::ALL.into_iter().all(columns)
            && self.producer.holds()
    }

    /// Whether what the broker refused is all that did not arrive, and arrived as dead letters.
    pub fn are_all_dead_letters(&self) -> bool {
        let sum = self.all_records();
        let is_all = sum.failed == self.producer.dead_lettered && sum.dropped + sum.spilled + sum.in_flight == 0;
        self.holds() && is_all && sum.failed > 0
    }

    /// Whether nothing was lost, and nothing is under way: what exit code 0 promises.
    pub fn is_complete(&self) -> bool {
        let sum = self.all_records();
        self.holds() && sum.failed + sum.dropped + sum.spilled + sum.in_flight == 0
    }
}

impl AddAssign for FeedTally {
    fn add_assign(&mut self, other: Self) {
        self.frames.received += other.frames.received;
        self.frames.decoded += other.frames.decoded;
        self.frames.control += other.frames.control;
        self.frames.rejected += other.frames.rejected;
        self.trades += other.trades;
        add_each(&mut self.committed, other.committed);
        add_each(&mut self.dropped, other.dropped);
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
    }
}

impl AddAssign for Repairs {
    fn add_assign(&mut self, other: Self) {
        self.gaps += other.gaps;
        self.trades += other.trades;
        self.filled += other.filled;
        add_each(&mut self.given_up, other.given_up);
    }
}

impl AddAssign for ProducerTally {
    fn add_assign(&mut self, other: Self) {
        add_each(&mut self.taken, other.taken);
        add_each(&mut self.recovered, other.recovered);
        self.dead_lettered += other.dead_lettered;
        add_each(&mut self.acked, other.acked);
        add_each(&mut self.failed, other.failed);
        add_each(&mut self.dropped, other.dropped);
        add_each(&mut self.spilled, other.spilled);
        add_each(&mut self.in_flight, other.in_flight);
        self.delivery.queue_full += other.delivery.queue_full;
        self.delivery.spills += other.delivery.spills;
        self.delivery.returned += other.delivery.returned;
        self.delivery.possible_duplicates += other.delivery.possible_duplicates;
        self.delivery.clients += other.delivery.clients;
        self.delivery.damaged += other.delivery.damaged;
    }
}

fn add_each<const N: usize>(mine: &mut [u64; N], theirs: [u64; N]) {
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_in_no_column_is_noticed() {
        let mut accounting = Accounting::default();
        accounting.feed.frames = Frames { received: 3, decoded: 1, control: 1, rejected: 1 };
        assert!(accounting.holds());
        accounting.feed.frames.received = 4;
        assert!(!accounting.holds());
    }

    #[test]
    fn a_record_acknowledged_twice_is_noticed() {
        let mut accounting = Accounting::default();
        accounting.feed.committed[Kind::Raw as usize] = 1;
        accounting.producer.taken[Kind::Raw as usize] = 1;
        accounting.producer.acked[Kind::Raw as usize] = 2;
        assert!(!accounting.holds());
        accounting.producer.taken[Kind::Raw as usize] = 2;
        assert!(!accounting.holds(), "of one that was committed");
    }

    #[test]
    fn what_is_in_flight_is_not_complete() {
        let mut accounting = Accounting::default();
        accounting.feed.committed[Kind::Normalized as usize] = 2;
        accounting.producer.taken[Kind::Normalized as usize] = 2;
        accounting.producer.in_flight[Kind::Normalized as usize] = 1;
        accounting.producer.acked[Kind::Normalized as usize] = 1;
        assert_eq!(accounting.records(Kind::Normalized).in_flight, 1);
        assert!(accounting.holds() && !accounting.is_complete());
        accounting.producer.in_flight[Kind::Normalized as usize] = 0;
        accounting.producer.acked[Kind::Normalized as usize] = 2;
        assert!(accounting.is_complete());
    }
}
