use fastrand::Rng;
use proptest::prelude::*;

use super::*;
use crate::latency::histogram;

fn times(values: impl IntoIterator<Item = u64>) -> Times {
    let mut histogram = histogram();
    values.into_iter().for_each(|value| histogram.record(value).unwrap());
    Times::of(&histogram)
}

fn blocks(intervals: &[Times]) -> Blocks {
    Blocks::of(&[intervals.iter().collect()])
}

/// A time of an exponential distribution with this mean.
fn exponential(rng: &mut Rng, mean: f64) -> u64 {
    (-(1.0 - rng.f64()).ln() * mean).round() as u64 + 1
}

#[test]
fn twice_as_long_is_a_ratio_of_two_without_noise() {
    let (one, two) = (vec![times([100; 50]); 30], vec![times([200; 50]); 30]);
    let [median] = compare(&blocks(&one), &blocks(&two), [0.5], SEED);
    assert_eq!(median, Ok(Ratio { ratio: 2.0, low: 2.0, high: 2.0 }));
    let [median] = compare(&blocks(&one), &blocks(&one), [0.5], SEED);
    assert!(median.unwrap().is_within_noise());
}

#[test]
fn what_the_values_do_not_support_is_not_compared() {
    let few = vec![times([100; 20]); 30];
    let told = compare(&blocks(&few), &blocks(&few), [0.5, 0.999], SEED);
    assert!(told[0].is_ok());
    assert_eq!(told[1], Err(Unknown::Values));
    let short = vec![times([100; 20]); 7];
    assert_eq!(compare(&blocks(&few), &blocks(&short), [0.5], SEED), [Err(Unknown::Blocks)]);
}

/// The median of n exponential times varies by 1 / (ln 2 · √n) of itself, and the ratio of two such by √2 of that.
#[test]
fn the_interval_is_as_wide_as_theory_has_it() {
    let mut rng = Rng::with_seed(SEED);
    let mut run = || (0..200).map(|_| times((0..50).map(|_| exponential(&mut rng, 1e5)))).collect::<Vec<_>>();
    let (one, other) = (run(), run());
    let [median] = compare(&blocks(&one), &blocks(&other), [0.5], SEED);
    let Ratio { low, high, .. } = median.unwrap();
    let expected = 2.0 * 1.96 * 2_f64.sqrt() / (2_f64.ln() * 10_000_f64.sqrt());
    assert!((0.75..1.3).contains(&((high - low) / expected)), "{low} to {high}, {expected} wide by theory");
}

#[test]
fn equal_settings_look_different_in_about_five_of_a_hundred() {
    let mut rng = Rng::with_seed(SEED);
    let trials = 200;
    let missed = (0..trials).filter(|seed| {
        let mut run = || (0..60).map(|_| times((0..20).map(|_| exponential(&mut rng, 1e5)))).collect::<Vec<_>>();
        let (one, other) = (run(), run());
        !compare(&blocks(&one), &blocks(&other), [0.5], *seed)[0].unwrap().is_within_noise()
    });
    let missed = missed.count();
    assert!((1..=24).contains(&missed), "{missed} of {trials}");
}

/// A load that lasts for seconds is noise of its own, which drawing single seconds would not see.
#[test]
fn what_lasts_for_seconds_widens_the_interval() {
    let mut rng = Rng::with_seed(SEED);
    let levels: Vec<f64> = (0..40).map(|_| 1e5 * (1.0 + rng.f64())).collect();
    let mut second = |level: f64| times((0..50).map(|_| exponential(&mut rng, level)));
    let lasting: Vec<_> = levels.iter().flat_map(|level| [*level; 5]).map(&mut second).collect();
    let mut mixed = lasting.clone();
    Rng::with_seed(SEED).shuffle(&mut mixed);
    let width = |run: &[Times]| {
        let [median] = compare(&blocks(run), &blocks(run), [0.5], SEED);
        median.map(|ratio| ratio.high - ratio.low).unwrap()
    };
    assert!(width(&lasting) > 1.4 * width(&mixed), "{} and {}", width(&lasting), width(&mixed));
}

#[test]
fn repeats_that_disagree_widen_the_interval() {
    let run = |value: u64| vec![times((0..100).map(|at| value + at)); 30];
    let (one, other) = (run(1_000), run(1_500));
    let repeats = Blocks::of(&[one.iter().collect(), other.iter().collect()]);
    let [median] = compare(&blocks(&one), &repeats, [0.5], SEED);
    let median = median.unwrap();
    assert!(median.is_within_noise() && median.high > 1.3, "{median:?}");
}

#[test]
fn quiet_ends_are_no_part_of_a_run() {
    let (quiet, busy) = (times([]), times([100; 10]));
    let run: Vec<&Times> = [[&quiet; 20], [&busy; 20], [&quiet; 20]].concat();
    assert_eq!(cut(&run).len(), 20 / 3);
    assert_eq!(cut(&run).iter().map(Times::count).sum::<u64>(), 200);
    assert!(cut(&[&quiet]).is_empty());
}

proptest! {
    /// Drawn or not, a quantile is that of all values of the blocks together.
    #[test]
    fn the_quantile_of_blocks_is_that_of_their_times(
        intervals in prop::collection::vec(prop::collection::vec(1_u64..1_000_000, 1..40), 1..40),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        at in 0.0_f64..1.0,
    ) {
        let intervals: Vec<Times> = intervals.into_iter().map(times).collect();
        let refs: Vec<&Times> = intervals.iter().collect();
        let (cut, blocks) = (cut(&refs), blocks(&intervals));
        let drawn: Vec<usize> = picks.iter().map(|pick| pick.index(cut.len())).collect();
        let together: Vec<u64> = drawn
            .iter()
            .flat_map(|block| cut[*block].buckets())
            .flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize))
            .collect();
        let mut sorted = together;
        sorted.sort_unstable();
        prop_assert_eq!(blocks.quantile(&drawn, at), sorted[rank(sorted.len() as u64, at) as usize - 1]);
    }
}
