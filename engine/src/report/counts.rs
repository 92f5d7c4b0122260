//! What was counted in an interval: a line of `counts.jsonl`.

use serde::{Deserialize, Serialize};

use crate::accounting::Accounting;
use crate::record::Kind;

/// One interval's counts, as a JSON object on a line of its own. Intervals follow each other without a break, those of the
/// latency log: each begins where the one before ended, the first at 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// When the interval ended, in seconds since the start.
    pub end_s: f64,
    /// Messages received in it.
    pub frames: u64,
    /// Those of them that could not be decoded.
    pub rejected: u64,
    /// Trades decoded in it, duplicates included.
    pub trades: u64,
    /// Trades that the broker has acknowledged in it.
    pub acked_trades: u64,
    /// Records of all kinds that the broker has acknowledged in it.
    pub acked_records: u64,
    /// Records given up in it.
    pub failed: u64,
    /// Records for which there was no room in it.
    pub dropped: u64,
    /// Jumps in a symbol's sequence that were noticed in it.
    pub gaps: u64,
    /// Trades that are missing in them.
    pub missing: u64,
    /// Gaps that were repaired in it.
    pub repaired: u64,
    /// Connections that were made anew in it after one broke.
    pub reconnects: u64,
    /// Times that a connection was not read because the ring had no room.
    pub ring_full: u64,
    /// Records on disk at its end.
    pub spilled: u64,
    /// Records in the ring or with librdkafka at its end.
    pub in_flight: u64,
}

impl Counts {
    /// All that was counted up to `end_s`, as of one interval since the start.
    pub fn since_start(accounting: &Accounting, end_s: f64) -> Self {
        let (feed, records) = (&accounting.feed, accounting.all_records());
        Counts {
            end_s,
            frames: feed.frames.received,
            rejected: feed.frames.rejected,
            trades: feed.trades,
            acked_trades: accounting.records(Kind::Normalized).acked,
            acked_records: records.acked,
            failed: records.failed,
            dropped: records.dropped,
            gaps: feed.gaps,
            missing: feed.missing,
            repaired: feed.repairs.gaps,
            reconnects: feed.reconnects,
            ring_full: feed.ring_full,
            spilled: records.spilled,
            in_flight: records.in_flight,
        }
    }

    /// What came to it after `before`; both are since the start.
    pub fn after(&self, before: &Counts) -> Self {
        // A frame for which there is no room is taken back and comes again, so a count may be one less for a moment.
        self.each_with(before, u64::saturating_sub)
    }

    /// This interval and the one that follows it, as one.
    pub fn and(&self, next: &Counts) -> Self {
        next.each_with(self, |next, this| next + this)
    }

    /// With each of the counts put together with that of another; what is there at the end is this one's.
    fn each_with(&self, other: &Counts, of: impl Fn(u64, u64) -> u64) -> Self {
        Counts {
            frames: of(self.frames, other.frames),
            rejected: of(self.rejected, other.rejected),
            trades: of(self.trades, other.trades),
            acked_trades: of(self.acked_trades, other.acked_trades),
            acked_records: of(self.acked_records, other.acked_records),
            failed: of(self.failed, other.failed),
            dropped: of(self.dropped, other.dropped),
            gaps: of(self.gaps, other.gaps),
            missing: of(self.missing, other.missing),
            repaired: of(self.repaired, other.repaired),
            reconnects: of(self.reconnects, other.reconnects),
            ring_full: of(self.ring_full, other.ring_full),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::{FeedTally, ProducerTally, TopicTally};

    #[test]
    fn an_interval_has_what_came_to_it_and_what_is_there_at_its_end() {
        let at = |trades, acked, spilled, end_s| {
            let mut feed = FeedTally { trades, reconnects: trades / 10, ..FeedTally::default() };
            feed.begin(0);
            feed.made[0][Kind::Normalized as usize].committed = trades;
            let topic = TopicTally { acked, spilled, ..TopicTally::new("trades", Kind::Normalized) };
            let producer = ProducerTally { topics: vec![topic], ..ProducerTally::default() };
            let names = ["raw".into(), "trades".into(), "dlq".into()];
            Counts::since_start(&Accounting::of(feed, producer, &[names]), end_s)
        };
        let (one, two) = (at(10, 6, 3, 1.0), at(25, 24, 0, 2.5));
        assert_eq!(one.after(&Counts::default()), one);
        let second = two.after(&one);
        assert_eq!((second.trades, second.acked_trades, second.reconnects), (15, 18, 1));
        assert_eq!((one.spilled, one.in_flight), (3, 1));
        assert_eq!((second.end_s, second.spilled, second.in_flight), (2.5, 0, 1));
    }
}
