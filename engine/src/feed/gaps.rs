//! The open gaps of one symbol: which of their trades have not come yet, by whichever way.
//!
//! The list, not the tracker's memory of numbers, decides which trades of the exchange's history are published: those
//! that are in an open gap and have not come since. A gap may be larger than that memory, and its repair come later.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::accounting::FeedTally;
use crate::clock::Nanos;
use crate::repair::{Reason, Source, Unfilled};
use crate::venue::Instrument;
use crate::venue::history::Missing;

/// Most gaps of a symbol that are open at a time.
const MOST_OPEN: usize = 256;

/// The gaps of one symbol that are to be repaired.
pub(super) struct Gaps {
    pub(super) feed: u16,
    pub(super) instrument: Arc<Instrument>,
    pub(super) source: Arc<Source>,
    pub(super) open: Vec<Gap>,
    tickets: u64,
}

/// One open gap.
#[derive(Debug)]
pub(super) struct Gap {
    /// What the repairer's answer names it by.
    pub(super) ticket: u64,
    /// When it was noted.
    pub(super) noted: Nanos,
    /// Whether the repairer was asked.
    pub(super) asked: bool,
    /// Trades that came from the exchange's history.
    pub(super) repaired: u64,
    /// All that was missing at first.
    missing: Missing,
    /// The numbers that have not come yet, in their order.
    left: Vec<RangeInclusive<i64>>,
}

impl Gaps {
    /// None yet.
    pub(super) fn new(feed: u16, instrument: Arc<Instrument>, source: Arc<Source>) -> Self {
        Gaps { feed, instrument, source, open: Vec::new(), tickets: 0 }
    }

    /// Opens a gap, or gives it back if too many are open.
    pub(super) fn note(&mut self, missing: Missing, noted: Nanos) -> Result<(), Gap> {
        self.tickets += 1;
        let left = vec![missing.first..=missing.last];
        let gap = Gap { ticket: self.tickets, noted, asked: false, repaired: 0, missing, left };
        if self.open.len() == MOST_OPEN {
            return Err(gap);
        }
        self.open.push(gap);
        Ok(())
    }

    /// A trade came live: whether it was missing in a gap. It is not any more.
    pub(super) fn came(&mut self, number: i64) -> bool {
        self.open.iter_mut().any(|gap| gap.take(number))
    }

    /// The gap of this ticket, if it is still open.
    pub(super) fn get(&mut self, ticket: u64) -> Option<&mut Gap> {
        self.open.iter_mut().find(|gap| gap.ticket == ticket)
    }

    /// Closes the gap of this ticket.
    pub(super) fn close(&mut self, ticket: u64) -> Option<Gap> {
        let place = self.open.iter().position(|gap| gap.ticket == ticket)?;
        Some(self.open.remove(place))
    }
}

impl Gap {
    /// Whether the trade of this number has not come yet. From now on it has.
    pub(super) fn take(&mut self, number: i64) -> bool {
        let place = self.left.partition_point(|range| *range.end() < number);
        if !self.left.get(place).is_some_and(|range| range.contains(&number)) {
            return false;
        }
        let (first, last) = self.left.remove(place).into_inner();
        let around = [(first, number - 1), (number + 1, last)];
        let rest = around.into_iter().filter(|(first, last)| first <= last).map(|(first, last)| first..=last);
        self.left.splice(place..place, rest);
        true
    }

    /// As [`Self::take`], of a trade of the exchange's history.
    pub(super) fn fill(&mut self, number: i64) -> bool {
        let is_missing = self.take(number);
        self.repaired += u64::from(is_missing);
        is_missing
    }

    /// How many trades were missing at first.
    pub(super) fn count(&self) -> u64 {
        self.missing.count()
    }

    /// From the first to the last that has not come yet; `None` if all have.
    pub(super) fn left(&self) -> Option<Missing> {
        let (first, last) = (self.left.first()?.start(), self.left.last()?.end());
        Some(Missing { first: *first, last: *last, ..self.missing })
    }

    /// How many have not come yet.
    pub(super) fn count_left(&self) -> u64 {
        self.left.iter().map(|range| range.end().abs_diff(*range.start()) + 1).sum()
    }
}

/// Counts and says what became of a gap.
pub(super) fn close(gaps: &Gaps, gap: Gap, unfilled: Option<Unfilled>, tally: &mut FeedTally) {
    let symbol = &gaps.instrument.symbol;
    let (missing, repaired) = (gap.count(), gap.repaired);
    let seconds = Nanos::now().since(gap.noted) as f64 / 1e9;
    match (gap.left(), unfilled) {
        (None, _) if repaired == 0 => {
            tally.repairs.filled += 1;
            tracing::info!(symbol, missing, seconds, "gap: closed by another connection");
        }
        (None, _) => {
            tally.repairs.gaps += 1;
            tracing::info!(symbol, missing, repaired, seconds, "gap: closed by the exchange's history");
        }
        (Some(left), unfilled) => {
            let Unfilled { reason, words } = unfilled.unwrap_or_else(|| Unfilled {
                reason: Reason::Absent,
                words: "the exchange's history does not hold them".into(),
            });
            tally.repairs.given_up[reason as usize] += 1;
            let (first, last, missing, reason) = (left.first, left.last, gap.count_left(), reason.name());
            tracing::error!(symbol, first, last, missing, repaired, reason, "gap: trades cannot be had: {words}");
        }
    }
}

pub(super) fn give_up(reason: Reason, words: &str) -> Option<Unfilled> {
    Some(Unfilled { reason, words: words.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(missing: RangeInclusive<i64>) -> Gap {
        let (first, last) = missing.into_inner();
        let missing = Missing { first, last, after_ns: 5, before_ns: 6 };
        Gap { ticket: 1, noted: Nanos(0), asked: false, repaired: 0, missing, left: vec![first..=last] }
    }

    #[test]
    fn each_number_is_taken_once_in_whatever_order() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut numbers: Vec<i64> = (90..=130).collect();
        random.shuffle(&mut numbers);
        let mut gap = gap(100..=120);
        let mut left = 21;
        for number in numbers {
            let is_missing = (100..=120).contains(&number);
            left -= u64::from(is_missing);
            assert_eq!((gap.take(number), gap.take(number)), (is_missing, false), "{number}");
            assert_eq!(gap.count_left(), left);
        }
        assert_eq!((gap.left(), gap.count()), (None, 21));
    }

    #[test]
    fn what_is_left_is_asked_for_from_its_first_to_its_last() {
        let mut gap = gap(10..=20);
        for number in [10, 11, 15, 20] {
            assert!(gap.take(number));
        }
        assert_eq!(gap.left(), Some(Missing { first: 12, last: 19, after_ns: 5, before_ns: 6 }));
        assert_eq!((gap.count(), gap.count_left()), (11, 7));
    }
}
