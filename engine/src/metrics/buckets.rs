//! A hop's times since the start, in the buckets that Prometheus keeps.

use hdrhistogram::Histogram;

/// The buckets' upper bounds, in nanoseconds: 1, 2.5 and 5 of each power of ten, from 1 us to 10 s.
pub const BOUNDS_NS: [u64; 22] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Times by bucket; the last is of those beyond all bounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets {
    counts: [u64; BOUNDS_NS.len() + 1],
    sum_ns: f64,
}

impl Buckets {
    /// Takes in what a histogram holds. A time that it keeps to three digits counts as the least that it may have been.
    pub fn add(&mut self, histogram: &Histogram<u64>) {
        for cell in histogram.iter_recorded() {
            let ns = histogram.lowest_equivalent(cell.value_iterated_to());
            let times = cell.count_since_last_iteration();
            self.counts[BOUNDS_NS.partition_point(|bound| *bound < ns)] += times;
            self.sum_ns += histogram.median_equivalent(ns) as f64 * times as f64;
        }
    }

    /// Bounds in seconds, each with how many times are not above it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS_NS.iter().map(|bound| *bound as f64 / 1e9).zip(counts)
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum_ns / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::histogram;

    #[test]
    fn bounds_rise_by_ones_halves_and_quarters() {
        let mut expected = Vec::new();
        for power in 3..10 {
            expected.extend([10, 25, 50].map(|tenths| 10_u64.pow(power) * tenths / 10));
        }
        expected.push(10_000_000_000);
        assert_eq!(BOUNDS_NS.to_vec(), expected);
    }

    #[test]
    fn times_are_in_their_buckets_and_the_rest_beyond() {
        let (mut buckets, mut times) = (Buckets::default(), histogram());
        for ns in [1, 1_000, 1_001, 2_500, 2_502, 10_000_000_000, 20_000_000_000] {
            times.record(ns).unwrap();
        }
        buckets.add(&times);
        buckets.add(&times);
        let cumulative: Vec<_> = buckets.cumulative().collect();
        assert_eq!(cumulative[..3], [(1e-6, 4), (2.5e-6, 8), (5e-6, 10)]);
        assert_eq!((cumulative[20].1, cumulative[21], buckets.count()), (10, (10.0, 12), 14));
        assert!((buckets.sum() / 60.000014 - 1.0).abs() < 1e-3, "{}", buckets.sum());
    }
}
