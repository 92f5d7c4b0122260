//! The axes of charts: where a value is, which lines there are, and what they are called.

use crate::readable::thousands;

/// The part of all times that the axis of quantiles ends at: 99.999 %, as 5 nines.
pub const NINES: f64 = 5.0;
/// Longest time that is written in seconds on an axis.
const LONGEST_IN_SECONDS: f64 = 600.0;

/// An axis. Values have been turned to places along it before they are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The place at which it begins.
    pub from: f64,
    /// The place at which it ends.
    pub to: f64,
    /// Places with a line and a name.
    pub named: Vec<(f64, String)>,
    /// Places with a fainter line.
    pub unnamed: Vec<f64>,
}

impl Axis {
    /// Of times between these, in nanoseconds, by their logarithm; a little longer where they are close together.
    pub fn times(least_ns: u64, most_ns: u64) -> Self {
        let (least, most) = (least_ns.max(1) as f64, most_ns.max(least_ns).max(1) as f64);
        let steps = || (0..=11).flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(decade)));
        let from = steps().rfind(|step| *step <= least).unwrap_or(1.0);
        let to = steps().find(|step| *step >= most && *step >= from * 5.0).unwrap_or(most);
        let is_within = |value: &f64| (from..=to).contains(value);
        // Where there are few decades, 2 and 5 have names, too.
        let is_short = to / from <= 1_000.0;
        let is_named = |value: &f64| is_short || value.log10().fract() == 0.0;
        let named = steps().filter(is_within).filter(is_named).map(|value| (value.log10(), time_name(value)));
        let all = (0..=11).flat_map(|decade| (1..10).map(move |step| f64::from(step) * 10_f64.powi(decade)));
        let unnamed = all.filter(is_within).map(f64::log10);
        Axis { from: from.log10(), to: to.log10(), named: named.collect(), unnamed: unnamed.collect() }
    }

    /// Of parts of all times, as far as 99.999 %, by the number of their nines: 90, 99, 99.9 % are as far from each other.
    pub fn quantiles() -> Self {
        let named = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
        let names = ["0", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
        let named = named.map(nines).into_iter().zip(names.map(String::from)).collect();
        Axis { from: 0.0, to: NINES, named, unnamed: Vec::new() }
    }

    /// Of numbers from 0 to `most` or a little more, with about so many names.
    pub fn numbers(most: f64, names: usize) -> Self {
        let step = round_step(most.max(1.0) / names as f64);
        let to = (most.max(1.0) / step).ceil() * step;
        let count = (to / step).round() as usize;
        let named = (0..=count).map(|at| (at as f64 * step, number_name(at as f64 * step, step)));
        Axis { from: 0.0, to, named: named.collect(), unnamed: Vec::new() }
    }

    /// Of seconds since the start; in minutes where they are many.
    pub fn seconds(end_s: f64) -> Self {
        const STEPS: [f64; 16] = [
            0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0,
            14_400.0,
        ];
        let end = end_s.max(1.0);
        let step = STEPS.into_iter().find(|step| end / step <= 12.0).unwrap_or_else(|| round_step(end / 10.0));
        let in_minutes = end > LONGEST_IN_SECONDS;
        let name = |second: f64| if in_minutes { format!("{} min", second / 60.0) } else { format!("{second} s") };
        let count = (end / step).floor() as usize;
        let named = (0..=count).map(|at| (at as f64 * step, name(at as f64 * step)));
        Axis { from: 0.0, to: end, named: named.collect(), unnamed: Vec::new() }
    }
}

/// The place of a quantile on [`Axis::quantiles`].
pub fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// The quantile at a place on [`Axis::quantiles`].
pub fn quantile_at(nines: f64) -> f64 {
    1.0 - 10_f64.powf(-nines)
}

/// The next of 1, 2, 5, 10, 20, 50 … that is no less.
fn round_step(step: f64) -> f64 {
    let decade = 10_f64.powf(step.log10().floor());
    // A step that is a power of ten may come out a little more than that.
    [1.0, 2.0, 5.0, 10.0].map(|part| part * decade).into_iter().find(|round| *round >= step * 0.999_999).unwrap_or(step)
}

/// A round time on an axis, as short as can be: `500 ns`, `2 us`, `10 ms`.
fn time_name(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", value.round())
}

/// A round number on an axis whose names are `step` apart, with thousands as people write them.
fn number_name(value: f64, step: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", (value / step).round() * step / 1e6),
        value if step < 1.0 => format!("{value:.1}"),
        value => thousands(value.round() as u64),
    }
}

/// Moves places apart that are closer to each other than `gap`, as little as can be, keeping their order, so that the
/// names at them do not lie on each other. They stay between `bounds` if there is room.
pub fn apart(places: &[i32], gap: i32, bounds: (i32, i32)) -> Vec<i32> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|at| places[*at]);
    let mut apart = places.to_vec();
    let mut least = bounds.0;
    for at in &order {
        apart[*at] = apart[*at].max(least);
        least = apart[*at] + gap;
    }
    let mut most = bounds.1;
    for at in order.iter().rev() {
        apart[*at] = apart[*at].min(most);
        most = apart[*at] - gap;
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.named.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn times_have_round_names_with_units() {
        let wide = Axis::times(310, 72_000_000);
        assert_eq!(names(&wide), ["1 us", "10 us", "100 us", "1 ms", "10 ms", "100 ms"]);
        assert_eq!((wide.from, wide.to), (200_f64.log10(), 8.0));
        assert_eq!(names(&Axis::times(1_500_000, 7_000_000)), ["1 ms", "2 ms", "5 ms", "10 ms"]);
        assert_eq!(names(&Axis::times(1_000_000_000, 1_000_000_000)), ["1 s", "2 s", "5 s"]);
    }

    #[test]
    fn quantiles_are_as_far_apart_as_they_have_nines() {
        let axis = Axis::quantiles();
        let places: Vec<_> = axis.named.iter().map(|(place, _)| (place * 1e3).round() / 1e3).collect();
        assert_eq!(places, [0.0, 0.301, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((quantile_at(nines(0.999)) - 0.999).abs() < 1e-12);
    }

    #[test]
    fn numbers_and_seconds_have_few_round_names() {
        assert_eq!(names(&Axis::numbers(2_034.0, 4)), ["0", "1,000", "2,000", "3,000"]);
        assert_eq!(names(&Axis::numbers(0.0, 1)), ["0", "1"]);
        assert_eq!(names(&Axis::numbers(2.9, 8)), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]);
        assert_eq!(names(&Axis::numbers(1_500_000.0, 4)), ["0", "500,000", "1 M", "1.5 M"]);
        assert_eq!(names(&Axis::seconds(20.04)).last(), Some(&"20 s"));
        assert_eq!(names(&Axis::seconds(3_600.0)).last(), Some(&"60 min"));
    }

    proptest! {
        #[test]
        fn every_time_is_on_its_axis(one in 1_u64..60_000_000_000, other in 1_u64..60_000_000_000) {
            let (least, most) = (one.min(other), one.max(other));
            let axis = Axis::times(least, most);
            prop_assert!(axis.from <= (least as f64).log10() && (most as f64).log10() <= axis.to);
            prop_assert!((2..=12).contains(&axis.named.len()), "{:?}", axis.named);
            prop_assert!(axis.named.is_sorted_by(|one, next| one.0 < next.0));
            prop_assert!(axis.named.iter().all(|(place, _)| (axis.from..=axis.to).contains(place)));
        }

        #[test]
        fn every_number_is_on_its_axis(most in 0.0_f64..1e9) {
            let axis = Axis::numbers(most, 4);
            prop_assert!(axis.to >= most && axis.to <= (most * 2.5).max(1.0));
            prop_assert!((2..=6).contains(&axis.named.len()), "{:?}", axis.named);
        }

        #[test]
        fn names_do_not_lie_on_each_other(places in prop::collection::vec(0..400_i32, 0..10)) {
            let moved = apart(&places, 30, (0, 400));
            let mut sorted = moved.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 30), "{:?}", moved);
            prop_assert!(sorted.iter().all(|place| (0..=400).contains(place)));
        }
    }
}
