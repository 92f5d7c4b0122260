//! Whether two settings differ, or only look so: ratios of quantiles, and how far they vary by themselves.
//!
//! Seconds are not independent of each other: a full disk or a busy neighbour lasts. So blocks of consecutive intervals
//! are drawn, not single ones (Carlstein, "The use of subseries values for estimating the variance of a general statistic
//! from a stationary sequence", Annals of Statistics 14, 1986; Künsch, "The jackknife and the bootstrap for general
//! stationary observations", Annals of Statistics 17, 1989), of a length that grows with the cube root of their number.
//! Of repeats, runs are drawn first, then blocks of each (Davison and Hinkley, "Bootstrap Methods and their Application",
//! 1997, 3.8). The interval is that of the percentiles (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
//! chapter 13).

use fastrand::Rng;

use super::figures::{Times, rank, supports};

/// Decides what is drawn.
pub const SEED: u64 = 1;
/// How often is drawn.
pub const RESAMPLES: usize = 1_000;
/// Blocks that a setting must have: of fewer, drawing shows too little.
pub const LEAST_BLOCKS: usize = 5;
/// The ends of the interval that holds 95 of 100.
const ENDS: [f64; 2] = [0.025, 0.975];

/// How a setting's quantile stands to that of the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The setting's through the first's.
    pub ratio: f64,
    /// Between these it is in 95 of 100 draws.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Ratio {
    /// Whether equal settings could look so.
    pub fn is_within_noise(&self) -> bool {
        self.low <= 1.0 && 1.0 <= self.high
    }
}

/// Why there is no [`Ratio`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// One of the settings has too few values for the quantile.
    Values,
    /// One of the settings has fewer than [`LEAST_BLOCKS`] blocks.
    Blocks,
}

/// A setting's times of one hop, in blocks, ready to be drawn from.
pub struct Blocks {
    /// All values that there are, rising.
    values: Vec<u64>,
    /// Of each block, how many of its times are no longer than each of `values`.
    up_to: Vec<Vec<u64>>,
    /// The blocks of each run.
    runs: Vec<std::ops::Range<usize>>,
}

impl Blocks {
    /// Of the intervals of each run.
    pub fn of(runs: &[Vec<&Times>]) -> Self {
        let mut blocks = Vec::new();
        let runs = runs.iter().map(|intervals| {
            let from = blocks.len();
            blocks.extend(cut(intervals));
            from..blocks.len()
        });
        let runs: Vec<_> = runs.collect();
        let all = Times::together(&blocks);
        let values: Vec<u64> = all.buckets().iter().map(|(value, _)| *value).collect();
        let up_to = blocks.iter().map(|block| running(block, &values)).collect();
        Blocks { values, up_to, runs }
    }

    /// The quantile of all times of the `drawn` blocks together; 0 if there are none.
    fn quantile(&self, drawn: &[usize], quantile: f64) -> u64 {
        let sum = |at: usize| drawn.iter().map(|block| self.up_to[*block][at]).sum::<u64>();
        let Some(last) = self.values.len().checked_sub(1) else { return 0 };
        let rank = rank(sum(last), quantile);
        let (mut below, mut found) = (0, last);
        while below < found {
            let middle = below.midpoint(found);
            if sum(middle) >= rank { found = middle } else { below = middle + 1 }
        }
        self.values[found]
    }

    fn count(&self) -> u64 {
        self.up_to.iter().filter_map(|block| block.last()).sum()
    }

    /// As many runs as there are, each any of them, and as many blocks of it as it has, each any of its own.
    fn draw(&self, rng: &mut Rng, drawn: &mut Vec<usize>) {
        drawn.clear();
        for _ in &self.runs {
            let run = self.runs[rng.usize(..self.runs.len())].clone();
            drawn.extend((0..run.len()).map(|_| rng.usize(run.clone())));
        }
    }
}

/// Compares quantiles of two settings, all by the same draws.
pub fn compare<const N: usize>(
    first: &Blocks,
    other: &Blocks,
    quantiles: [f64; N],
    seed: u64,
) -> [Result<Ratio, Unknown>; N] {
    let all = |blocks: &Blocks| (0..blocks.up_to.len()).collect::<Vec<_>>();
    let ratio = |of: &[usize], to: &[usize], quantile| {
        // A time of 0 is one of less than a nanosecond.
        other.quantile(to, quantile).max(1) as f64 / first.quantile(of, quantile).max(1) as f64
    };
    let mut rng = Rng::with_seed(seed);
    let (mut of, mut to) = (Vec::new(), Vec::new());
    let mut ratios = quantiles.map(|_| Vec::with_capacity(RESAMPLES));
    if first.up_to.len().min(other.up_to.len()) >= LEAST_BLOCKS {
        for _ in 0..RESAMPLES {
            first.draw(&mut rng, &mut of);
            other.draw(&mut rng, &mut to);
            for (ratios, quantile) in ratios.iter_mut().zip(quantiles) {
                ratios.push(ratio(&of, &to, quantile));
            }
        }
    }
    std::array::from_fn(|at| {
        let quantile = quantiles[at];
        if !supports(first.count().min(other.count()), quantile) {
            return Err(Unknown::Values);
        }
        let ratios = &mut ratios[at];
        if ratios.is_empty() {
            return Err(Unknown::Blocks);
        }
        ratios.sort_unstable_by(f64::total_cmp);
        let [low, high] = ENDS.map(|end| ratios[(end * (RESAMPLES - 1) as f64).round() as usize]);
        Ok(Ratio { ratio: ratio(&all(first), &all(other), quantile), low, high })
    })
}

/// Consecutive intervals put together; what is left over at the end belongs to the last block. Intervals without any
/// value before the first and after the last are no part of the run.
fn cut(intervals: &[&Times]) -> Vec<Times> {
    let is_used = |times: &&Times| times.count() > 0;
    let first = intervals.iter().position(is_used).unwrap_or(intervals.len());
    let last = intervals.iter().rposition(is_used).map_or(first, |last| last + 1);
    let intervals = &intervals[first..last];
    let length = ((intervals.len() as f64).cbrt().round() as usize).max(1);
    let count = intervals.len() / length;
    let block = |at: usize| {
        let end = if at + 1 == count { intervals.len() } else { (at + 1) * length };
        Times::together(intervals[at * length..end].iter().copied())
    };
    (0..count).map(block).collect()
}

/// How many of the times are no longer than each of `values`, which are all that there are, and others.
fn running(times: &Times, values: &[u64]) -> Vec<u64> {
    let mut buckets = times.buckets().iter().peekable();
    let mut sum = 0;
    let up_to = values.iter().map(|value| {
        while let Some((_, count)) = buckets.next_if(|(its, _)| its <= value) {
            sum += count;
        }
        sum
    });
    up_to.collect()
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
