//! Whether a symbol's trades come one after the other, by the venue's rule.

use crate::venue::SequenceRule;

/// What a trade's number says about those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// The first of its symbol, or the one that follows.
    InOrder,
    /// Numbers were left out.
    Gap {
        /// The last number seen before.
        after: i64,
        /// The number that came.
        before: i64,
        /// How many are missing between them.
        missing: u64,
    },
    /// The number, or a later one, was seen before.
    Repeated {
        /// The highest number seen.
        last: i64,
    },
}

/// The highest number seen of one symbol.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracker {
    last: Option<i64>,
}

impl Tracker {
    /// Takes note of a trade's number.
    #[inline]
    pub fn observe(&mut self, rule: SequenceRule, number: i64) -> Observation {
        let SequenceRule::Contiguous = rule;
        let Some(last) = self.last else {
            self.last = Some(number);
            return Observation::InOrder;
        };
        if number <= last {
            return Observation::Repeated { last };
        }
        self.last = Some(number);
        match number.abs_diff(last) {
            1 => Observation::InOrder,
            step => Observation::Gap { after: last, before: number, missing: step - 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_repeats_are_told_with_both_numbers() {
        let mut tracker = Tracker::default();
        let mut observe = |number| tracker.observe(SequenceRule::Contiguous, number);
        assert_eq!(observe(10), Observation::InOrder);
        assert_eq!(observe(11), Observation::InOrder);
        assert_eq!(observe(15), Observation::Gap { after: 11, before: 15, missing: 3 });
        assert_eq!(observe(12), Observation::Repeated { last: 15 });
        assert_eq!(observe(15), Observation::Repeated { last: 15 });
        assert_eq!(observe(16), Observation::InOrder);
        assert_eq!(observe(i64::MAX), Observation::Gap { after: 16, before: i64::MAX, missing: i64::MAX as u64 - 17 });
    }
}
