//! Times of an interval and what can be said of them.

use hdrhistogram::Histogram;

/// The quantiles that runs are compared by, and their names.
pub const COMPARED: [(f64, &str); 3] = [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")];

/// The times of one hop in one interval or several, in nanoseconds: values in rising order, each with how often it was
/// recorded. An hour of full histograms would not fit in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    buckets: Vec<(u64, u64)>,
    count: u64,
}

impl Times {
    /// Those of a histogram, a value standing for all that it does not tell apart from it.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let buckets = histogram.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value()));
        Times { buckets: buckets.collect(), count: histogram.len() }
    }

    /// All of these together.
    pub fn together<'a>(all: impl IntoIterator<Item = &'a Times>) -> Self {
        let mut buckets: Vec<(u64, u64)> = all.into_iter().flat_map(|times| &times.buckets).copied().collect();
        buckets.sort_unstable();
        buckets.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 += if same { later.1 } else { 0 };
            same
        });
        // What is kept of a long run is mostly this.
        buckets.shrink_to_fit();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Times { buckets, count }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Values, in nanoseconds and rising, each with how often it is there.
    pub fn buckets(&self) -> &[(u64, u64)] {
        &self.buckets
    }

    /// The least time that this part of all, between 0 and 1, is not longer than; in nanoseconds. `None` where the count
    /// does not support it.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        if !supports(self.count, quantile) {
            return None;
        }
        let rank = rank(self.count, quantile);
        let mut seen = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.map(|(value, _)| *value)
    }

    /// The longest, in nanoseconds.
    pub fn max(&self) -> Option<u64> {
        self.buckets.last().map(|(value, _)| *value)
    }
}

/// Which of `count` values in rising order is the quantile, from 1.
pub fn rank(count: u64, quantile: f64) -> u64 {
    ((count as f64 * quantile).ceil() as u64).clamp(1, count.max(1))
}

/// Whether at least one of `count` values is beyond the quantile: with fewer it would only be the longest again.
pub fn supports(count: u64, quantile: f64) -> bool {
    // 1 - 0.999 is a little more or less than a thousandth.
    const ROUNDING: f64 = 1e-9;
    count > 0 && count as f64 * (1.0 - quantile) >= 1.0 - ROUNDING
}

/// A histogram's quantile, as [`Times::quantile`] has it.
pub fn quantile(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    supports(histogram.len(), quantile).then(|| histogram.value_at_quantile(quantile))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::histogram;
    use proptest::prelude::*;

    fn times(values: &[u64]) -> Times {
        let mut histogram = histogram();
        values.iter().for_each(|value| histogram.record(*value).unwrap());
        Times::of(&histogram)
    }

    #[test]
    fn a_quantile_wants_a_value_beyond_it() {
        for (quantile, least) in
            [(0.5, 2), (0.9, 10), (0.99, 100), (0.999, 1_000), (0.9999, 10_000), (0.99999, 100_000)]
        {
            assert!(supports(least, quantile) && !supports(least - 1, quantile), "{quantile}");
        }
        assert_eq!(times(&[]).quantile(0.0), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_histogram(values in prop::collection::vec(1_u64..1_000_000_000, 1..400)) {
            let mut whole = histogram();
            values.iter().for_each(|value| whole.record(*value).unwrap());
            let (one, other) = values.split_at(values.len() / 3);
            let together = Times::together([&times(one), &times(other)]);
            prop_assert_eq!(&together, &times(&values));
            prop_assert_eq!(together.max(), Some(whole.max()));
            for at in [0.25, 0.5, 0.9, 0.99] {
                prop_assert_eq!(together.quantile(at), quantile(&whole, at));
            }
        }
    }
}
