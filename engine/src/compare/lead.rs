//! By how much one side's record was earlier than the other's.

use hdrhistogram::Histogram;

/// Longest time that is told, in milliseconds: an hour.
const LONGEST_MS: u64 = 3_600_000;
const PRECISION: u8 = 3;

/// How much earlier the new record of each trade was than the old, in milliseconds; below zero where it was later.
pub(super) struct Leads {
    /// Where the new one was later: by how much.
    later: Histogram<u64>,
    same: u64,
    earlier: Histogram<u64>,
}

impl Leads {
    pub(super) fn new() -> Self {
        let empty = || {
            Histogram::new_with_bounds(1, LONGEST_MS, PRECISION).expect("the bounds are constants that are in order")
        };
        Leads { later: empty(), same: 0, earlier: empty() }
    }

    pub(super) fn record(&mut self, old_ms: i64, new_ms: i64) {
        let apart = old_ms.abs_diff(new_ms);
        match new_ms.cmp(&old_ms) {
            std::cmp::Ordering::Less => self.earlier.saturating_record(apart),
            std::cmp::Ordering::Equal => self.same += 1,
            std::cmp::Ordering::Greater => self.later.saturating_record(apart),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.later.len() + self.same + self.earlier.len()
    }

    /// How many of the new records were earlier, at the same millisecond, and later.
    pub(super) fn shares(&self) -> [u64; 3] {
        [self.earlier.len(), self.same, self.later.len()]
    }

    /// The lead that a part of all trades does not exceed; none if there are none.
    pub(super) fn quantile(&self, part: f64) -> Option<i64> {
        let count = self.count();
        let rank = ((part * count as f64).ceil() as u64).clamp(1, count.max(1));
        let of = |histogram: &Histogram<u64>, rank: u64| {
            // In the middle of the rank, so that rounding does not lead to its neighbour.
            let part = (rank as f64 - 0.5) / histogram.len() as f64;
            histogram.value_at_quantile(part).min(histogram.max()) as i64
        };
        match rank {
            _ if count == 0 => None,
            // The largest of these is the least lead.
            rank if rank <= self.later.len() => Some(-of(&self.later, self.later.len() - rank + 1)),
            rank if rank <= self.later.len() + self.same => Some(0),
            rank => Some(of(&self.earlier, rank - self.later.len() - self.same)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Within a histogram's precision of what sorting says.
        #[test]
        fn quantiles_are_those_of_sorted_leads(leads in prop::collection::vec(-5_000..5_000_i64, 1..300), part in 0.0..=1.0_f64) {
            let mut found = Leads::new();
            leads.iter().for_each(|lead| found.record(10_000 + lead, 10_000));
            let mut sorted = leads.clone();
            sorted.sort_unstable();
            let rank = ((part * leads.len() as f64).ceil() as usize).clamp(1, leads.len());
            let (expected, told) = (sorted[rank - 1], found.quantile(part).unwrap());
            prop_assert!((told - expected).abs() <= expected.abs() / 500 + 1, "{told} is not {expected}");
        }
    }

    #[test]
    fn no_trades_have_no_lead() {
        assert_eq!(Leads::new().quantile(0.5), None);
    }
}
