//! One run over time: latency, and beneath it rate, reconnects, gaps and what waits on disk.

use maud::{Markup, html};
use plotters::prelude::*;

use super::axis::Axis;
use super::draw::{Area, COLORS, Drawn, MUTED, Panel, WIDTH, chart, css, line, names_at_right, panel};
use super::figures::Times;
use super::read::{Interval, Run};
use crate::latency::Hop;

const LATENCY_HEIGHT: u32 = 640;
const RATE_HEIGHT: u32 = 300;
const SPILLED_HEIGHT: u32 = 260;
/// Room right of panels for the names of curves.
const NAMES: u32 = 110;

const RECONNECT: RGBColor = COLORS[1];
const GAP: RGBColor = COLORS[3];
const RATE: RGBColor = COLORS[0];
const SPILLED: RGBColor = COLORS[4];

/// The range that the latency of all `runs` needs, in nanoseconds, so that their charts can be compared.
pub fn range<'a>(runs: impl Iterator<Item = &'a Run>) -> (u64, u64) {
    let (mut least, mut most) = (u64::MAX, 1);
    for interval in runs.flat_map(|run| &run.intervals) {
        let times = &interval.hops[Hop::Total as usize];
        least = least.min(times.quantile(0.5).or(times.max()).unwrap_or(u64::MAX));
        most = most.max(times.max().unwrap_or(1));
    }
    (least.min(most), most)
}

/// A run's chart. `range_ns` is that of the latency.
///
/// # Errors
/// If it cannot be drawn.
pub fn timeline(run: &Run, range_ns: (u64, u64)) -> anyhow::Result<Markup> {
    let intervals = run.intervals.as_slice();
    let has_spilled = intervals.iter().any(|interval| interval.counts.spilled > 0);
    let height = LATENCY_HEIGHT + RATE_HEIGHT + if has_spilled { SPILLED_HEIGHT } else { 0 };
    let end = intervals.last().map_or(1.0, |last| last.counts.end_s);
    let x = Axis::seconds(end);
    let told = format!("Latency, rate and reconnects over time of {}", run.folder.display());
    let drawn = chart((WIDTH, height), &told, |area| {
        let (latency, beneath) = area.split_vertically(LATENCY_HEIGHT);
        let (rate, spilled) = beneath.split_vertically(RATE_HEIGHT);
        draw_latency(&latency, intervals, &x, range_ns)?;
        draw_rate(&rate, intervals, &x)?;
        if has_spilled { draw_spilled(&spilled, intervals, &x) } else { Ok(()) }
    })?;
    Ok(html! { figure { (drawn) figcaption { (marks(run)) (unsupported(intervals)) } } })
}

impl Interval {
    /// Where its points are drawn.
    fn middle_s(&self) -> f64 {
        self.start_s.midpoint(self.counts.end_s)
    }

    /// A count in a second.
    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.length_s().max(1e-3)
    }
}

fn draw_latency(area: &Area, intervals: &[Interval], x: &Axis, (least, most): (u64, u64)) -> Drawn {
    let y = Axis::times(least, most);
    let name = format!("total, latency of each {}, log scale", length(intervals));
    let mut panel = panel(area, &name, x, &y, NAMES)?;
    draw_marks(&mut panel, intervals, y.from, y.to)?;
    type At = fn(&Times) -> Option<u64>;
    let curves: [(&str, RGBColor, u32, At); 4] = [
        ("max", MUTED, 2, Times::max),
        ("p99.9", COLORS[1], 3, |times| times.quantile(0.999)),
        ("p99", COLORS[2], 4, |times| times.quantile(0.99)),
        ("p50", COLORS[0], 5, |times| times.quantile(0.5)),
    ];
    let mut names = Vec::new();
    for (name, color, width, at) in curves {
        let point = |interval: &Interval| {
            let value = at(&interval.hops[Hop::Total as usize])?;
            Some((interval.middle_s(), (value.max(1) as f64).log10()))
        };
        let points: Vec<_> = intervals.iter().map(point).collect();
        line(&mut panel, &points, color, width)?;
        let last = points.iter().rev().flatten().next();
        names.extend(last.map(|(_, place)| (*place, name.to_string(), color)));
    }
    names_at_right(area, &panel, &names)
}

fn draw_rate(area: &Area, intervals: &[Interval], x: &Axis) -> Drawn {
    let rate = |interval: &Interval| interval.per_second(interval.counts.acked_trades);
    let most = intervals.iter().map(rate).fold(0.0, f64::max);
    let y = Axis::numbers(most, 3);
    let mut panel = panel(area, "trades acknowledged in a second", x, &y, NAMES)?;
    steps(&mut panel, intervals, rate, RATE)?;
    draw_marks(&mut panel, intervals, y.from, y.to)
}

fn draw_spilled(area: &Area, intervals: &[Interval], x: &Axis) -> Drawn {
    let spilled = |interval: &Interval| interval.counts.spilled as f64;
    let most = intervals.iter().map(spilled).fold(0.0, f64::max);
    let mut panel = panel(
        area,
        &format!("records on disk at the end of each {}", length(intervals)),
        x,
        &Axis::numbers(most, 3),
        NAMES,
    )?;
    steps(&mut panel, intervals, spilled, SPILLED)
}

/// How long an interval is, in words.
fn length(intervals: &[Interval]) -> String {
    let seconds = intervals.first().map_or(1.0, |first| first.length_s().round());
    if seconds > 1.0 { format!("{seconds} s") } else { "second".into() }
}

/// A filled curve that is level during each interval.
fn steps(panel: &mut Panel, intervals: &[Interval], value: impl Fn(&Interval) -> f64, color: RGBColor) -> Drawn {
    let level = |interval: &Interval| [interval.start_s, interval.counts.end_s].map(|at| (at, value(interval)));
    let points: Vec<_> = intervals.iter().flat_map(level).collect();
    panel.draw_series(AreaSeries::new(points, 0.0, color.mix(0.18)).border_style(color.stroke_width(3)))?;
    Ok(())
}

/// A line through the panel for each interval with a reconnect, and with a gap.
fn draw_marks(panel: &mut Panel, intervals: &[Interval], from: f64, to: f64) -> Drawn {
    for interval in intervals {
        let at = interval.middle_s();
        if interval.counts.reconnects > 0 {
            panel.draw_series([PathElement::new([(at, from), (at, to)], RECONNECT.mix(0.5).stroke_width(3))])?;
        }
        if interval.counts.gaps > 0 {
            panel.draw_series(DashedLineSeries::new([(at, from), (at, to)], 6, 8, GAP.stroke_width(4)))?;
        }
    }
    Ok(())
}

/// What the marks are, as far as there are any.
fn marks(run: &Run) -> Markup {
    let (reconnects, gaps) = (run.sum(|counts| counts.reconnects), run.sum(|counts| counts.gaps));
    html! {
        @if reconnects > 0 { span.mark style=(format!("--mark:{}", css(RECONNECT))) { "reconnects: " (reconnects) " (lines)" } " " }
        @if gaps > 0 { span.mark style=(format!("--mark:{}", css(GAP))) { "gaps: " (gaps) " (dashed lines)" } " " }
        @if reconnects + gaps == 0 { "No reconnect, no gap. " }
    }
}

fn unsupported(intervals: &[Interval]) -> &'static str {
    let is_short = |interval: &Interval| {
        let times = &interval.hops[Hop::Total as usize];
        times.count() > 0 && times.quantile(0.999).is_none()
    };
    match intervals.iter().any(is_short) {
        true => "A quantile is left out of intervals with too few values for it: p99 wants 100, p99.9 1,000.",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::run;

    #[test]
    fn what_went_wrong_is_marked() {
        let mut run = run(&[2_000; 5]);
        let calm = timeline(&run, (1_000, 1_000_000)).unwrap().into_string();
        assert!(calm.contains("No reconnect, no gap") && !calm.contains("on disk"), "{calm}");
        run.intervals[2].counts.reconnects = 1;
        run.intervals[3].counts.spilled = 500;
        let rough = timeline(&run, (1_000, 1_000_000)).unwrap().into_string();
        assert!(rough.contains("reconnects: 1") && rough.contains("records on disk"), "{rough}");
        let lines = |svg: &str| svg.matches(&css(RECONNECT)).count();
        assert!(lines(&rough) > lines(&calm));
    }
}
