//! Percentile curves: how long so many of all times were at most.

use hdrhistogram::Histogram;
use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::{Axis, NINES, quantile_at};
use super::draw::{
    Area, Drawn, LEFT, MUTED, WIDTH, chart, hop_color, line, names_at_right, panel, setting_color, text_style,
};
use super::setting::Setting;
use crate::latency::Hop;
use crate::readable::thousands;

/// Between two points of a curve, in nines.
const STEP: f64 = 0.02;
const HEIGHT: u32 = 900;
/// Of a panel with one hop, of which two lie beside each other.
const SMALL: (u32, u32) = (WIDTH / 2 - 20, 560);
/// Room right of a panel for names of hops, and for those of settings.
const HOP_NAMES: u32 = 150;
const SETTING_NAMES: u32 = 60;

/// One setting: a curve for each hop.
///
/// # Errors
/// If it cannot be drawn.
pub fn all_hops(setting: &Setting) -> anyhow::Result<Markup> {
    let curves = Hop::ALL.map(|hop| Curve {
        name: hop.to_string(),
        color: hop_color(hop),
        width: if hop == Hop::Total { 5 } else { 4 },
        histogram: setting.total(hop),
    });
    let drawn = draw(&curves, (WIDTH, HEIGHT), "latency, log scale", HOP_NAMES)?;
    Ok(html! { figure { (drawn) figcaption { (ends(&curves)) } } })
}

/// Several settings: a panel for each hop, with a curve for each setting.
///
/// # Errors
/// If it cannot be drawn.
pub fn each_hop(settings: &[Setting]) -> anyhow::Result<Markup> {
    let mut panels = Vec::new();
    for hop in Hop::ALL.into_iter().rev() {
        let curves: Vec<Curve> = settings
            .iter()
            .enumerate()
            .map(|(place, setting)| Curve {
                name: setting.name.clone(),
                color: setting_color(place),
                width: 4,
                histogram: setting.total(hop),
            })
            .collect();
        let drawn = draw(&curves, SMALL, &format!("{hop}, latency, log scale"), SETTING_NAMES)?;
        panels.push(html! { figure.half { (drawn) figcaption { (ends(&curves)) } } });
    }
    Ok(html! { div.panels { @for panel in &panels { (panel) } } })
}

struct Curve<'a> {
    name: String,
    color: RGBColor,
    width: u32,
    histogram: &'a Histogram<u64>,
}

impl Curve<'_> {
    /// As far as its count supports.
    fn end(&self) -> f64 {
        (self.histogram.len() as f64).log10().min(NINES)
    }

    fn points(&self) -> Vec<Option<(f64, f64)>> {
        let end = self.end();
        let steps = (0..).map(|step| f64::from(step) * STEP).take_while(|place| *place < end).chain([end]);
        let point = |place| {
            let value = self.histogram.value_at_quantile(quantile_at(place));
            Some((place, (value.max(1) as f64).log10()))
        };
        steps.map(point).collect()
    }
}

fn draw(curves: &[Curve], size: (u32, u32), name: &str, room: u32) -> anyhow::Result<Markup> {
    let curves = || curves.iter().filter(|curve| !curve.histogram.is_empty());
    let told = format!("Percentile curves: {name}, by percentile");
    chart(size, &told, |area| {
        let least = curves().map(|curve| curve.histogram.min()).min();
        let last = |curve: &Curve| curve.histogram.value_at_quantile(quantile_at(curve.end()));
        let most = curves().map(last).max();
        let (Some(least), Some(most)) = (least, most) else {
            return nothing(area);
        };
        let mut panel = panel(area, name, &Axis::quantiles(), &Axis::times(least, most), room)?;
        let mut names = Vec::new();
        for curve in curves() {
            let points = curve.points();
            line(&mut panel, &points, curve.color, curve.width)?;
            let end = points.last().copied().flatten();
            names.extend(end.map(|(_, place)| (place, curve.name.clone(), curve.color)));
            if curve.end() < NINES {
                panel.draw_series(end.map(|end| Circle::new(end, 8, curve.color.filled())))?;
            }
        }
        names_at_right(area, &panel, &names)
    })
}

fn nothing(area: &Area) -> Drawn {
    area.draw(&Text::new("nothing was recorded", (LEFT as i32, SMALL.1 as i32 / 2), text_style(MUTED, HPos::Left)))
}

/// Which curves end early, and which are not there.
fn ends(curves: &[Curve]) -> String {
    let (none, some): (Vec<&Curve>, Vec<&Curve>) = curves.iter().partition(|curve| curve.histogram.is_empty());
    let early = some.into_iter().filter(|curve| curve.end() < NINES);
    let early: Vec<String> =
        early.map(|curve| format!("{} ({} values)", curve.name, thousands(curve.histogram.len()))).collect();
    let mut said = String::new();
    if !early.is_empty() {
        said += &format!("Ends at a dot: {}. ", early.join(", "));
    }
    if !none.is_empty() {
        let names: Vec<&str> = none.iter().map(|curve| curve.name.as_str()).collect();
        said += &format!("Nothing was recorded of {}.", names.join(", "));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::histogram;
    use crate::page::axis::nines;

    fn curve(histogram: &Histogram<u64>) -> Curve<'_> {
        Curve { name: "ack".into(), color: BLACK, width: 1, histogram }
    }

    #[test]
    fn a_curve_ends_where_its_count_does() {
        let mut few = histogram();
        (1..=500).for_each(|value| few.record(value).unwrap());
        let one = curve(&few);
        let (place, value) = one.points().last().copied().flatten().unwrap();
        assert!((quantile_at(place) - 0.998).abs() < 1e-9 && (nines(0.998) - place).abs() < 1e-9);
        assert_eq!(10_f64.powf(value).round(), 499.0);
        assert!(ends(&[one]).contains("ack (500 values)"));
        let mut many = histogram();
        many.record_n(1, 1_000_000).unwrap();
        assert_eq!(curve(&many).points().last().copied().flatten(), Some((5.0, 0.0)));
        assert_eq!(ends(&[curve(&many)]), "");
        assert_eq!(ends(&[curve(&histogram())]), "Nothing was recorded of ack.");
    }
}
