//! Where the time goes: each hop's share of the mean, and how far its times are spread.

use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::draw::{Drawn, INK, Panel, WIDTH, chart, css, hop_color, panel, setting_color, text_style};
use super::figures::quantile;
use super::setting::Setting;
use crate::latency::{Hop, readable};

/// The height of a setting's bar, and of what is around all.
const BAR_HEIGHT: u32 = 74;
const AROUND: u32 = 120;
/// Room right of bars for their sums.
const SUMS: u32 = 150;
/// The height that a setting's bar has in a hop's row.
const ROW_HEIGHT: u32 = 50;

/// The hops that lie behind each other; `total` is all of them but the first.
const STACKED: [Hop; 6] = [Hop::Recv, Hop::Decode, Hop::Encode, Hop::Ring, Hop::Produce, Hop::Ack];

/// A bar for each setting, of the means of its hops.
///
/// # Errors
/// If it cannot be drawn.
pub fn means(settings: &[Setting]) -> anyhow::Result<Markup> {
    let sum = |setting: &Setting| STACKED.iter().map(|hop| setting.total(*hop).mean()).sum::<f64>();
    let most = settings.iter().map(sum).fold(1.0, f64::max);
    let (unit, unit_ns) = unit(most);
    let height = AROUND + BAR_HEIGHT * settings.len() as u32;
    let drawn = chart((WIDTH, height), "The mean of each hop, behind each other", |area| {
        let x = Axis::numbers(most / unit_ns, 8);
        let mut panel = panel(
            area,
            &format!("mean, {unit}"),
            &x,
            &rows(settings.iter().map(|setting| setting.name.clone())),
            SUMS,
        )?;
        for (place, setting) in settings.iter().enumerate() {
            let row = (settings.len() - 1 - place) as f64;
            let mut at = 0.0;
            for hop in STACKED {
                let end = at + setting.total(hop).mean() / unit_ns;
                panel.draw_series([Rectangle::new([(at, row + 0.15), (end, row + 0.85)], hop_color(hop).filled())])?;
                at = end;
            }
            let end = panel.backend_coord(&(at, row + 0.5));
            let text = readable(sum(setting).round() as u64);
            area.draw(&Text::new(text, (end.0 + 12, end.1), text_style(INK, HPos::Left)))?;
        }
        Ok(())
    })?;
    Ok(html! {
        figure {
            (drawn)
            figcaption {
                @for hop in STACKED { span.mark style=(format!("--mark:{}", css(hop_color(hop)))) { (hop.name()) } " " }
                "Means add up, as far as hops are of the same things: decode is once a frame, encode once a trade, the others once a record. total begins after recv, and has what records waited on disk, too. "
                @for setting in settings { "Mean of total in " (setting.name) ": " (readable(setting.total(Hop::Total).mean().round() as u64)) ". " }
            }
        }
    })
}

/// A bar from p50 to p99 for each hop and setting, and a line to p99.9.
///
/// # Errors
/// If it cannot be drawn.
pub fn spread(settings: &[Setting]) -> anyhow::Result<Markup> {
    let all = || settings.iter().flat_map(|setting| Hop::ALL.map(|hop| setting.total(hop)));
    let least = all().filter_map(|times| quantile(times, 0.5)).min().unwrap_or(1);
    let most = all()
        .filter(|times| !times.is_empty())
        .map(|times| quantile(times, 0.999).unwrap_or(times.max()))
        .max()
        .unwrap_or(1);
    let row_height = ROW_HEIGHT * settings.len().max(1) as u32;
    let height = AROUND + row_height * Hop::ALL.len() as u32;
    let drawn = chart((WIDTH, height), "p50 to p99 of each hop", |area| {
        let y = rows(Hop::ALL.iter().map(Hop::to_string));
        let mut panel =
            panel(area, "p50 to p99 (bar) and p99.9 (line), log scale", &Axis::times(least, most), &y, SUMS)?;
        let part = 0.8 / settings.len() as f64;
        for (row, hop) in Hop::ALL.into_iter().rev().enumerate() {
            for (place, setting) in settings.iter().enumerate() {
                let top = row as f64 + 0.9 - place as f64 * part;
                let color = if settings.len() == 1 { hop_color(hop) } else { setting_color(place) };
                let at = |part| quantile(setting.total(hop), part).map(|value| (value.max(1) as f64).log10());
                bar(&mut panel, (top - part * 0.85, top), [at(0.5), at(0.99), at(0.999)], color)?;
            }
        }
        Ok(())
    })?;
    Ok(html! {
        figure {
            (drawn)
            figcaption {
                @if settings.len() > 1 { @for (place, setting) in settings.iter().enumerate() {
                    span.mark style=(format!("--mark:{}", css(setting_color(place)))) { (setting.name) } " "
                } }
                "Quantiles do not add up: the slowest of each hop are not of the same records."
            }
        }
    })
}

fn bar(panel: &mut Panel, (low, high): (f64, f64), [p50, p99, p99_9]: [Option<f64>; 3], color: RGBColor) -> Drawn {
    let middle = low.midpoint(high);
    if let (Some(from), Some(to)) = (p50, p99) {
        panel.draw_series([Rectangle::new([(from, low), (to, high)], color.filled())])?;
    }
    if let (Some(from), Some(to)) = (p99, p99_9) {
        panel.draw_series([PathElement::new([(from, middle), (to, middle)], color.stroke_width(4))])?;
        panel.draw_series([PathElement::new([(to, low), (to, high)], color.stroke_width(4))])?;
    }
    Ok(())
}

/// A row for each name, the first above.
fn rows(names: impl DoubleEndedIterator<Item = String>) -> Axis {
    let named: Vec<_> = names.rev().enumerate().map(|(row, name)| (row as f64 + 0.5, name)).collect();
    Axis { from: 0.0, to: named.len() as f64, named, unnamed: Vec::new() }
}

/// The unit in which a time has one to three digits, and how many nanoseconds it has.
fn unit(ns: f64) -> (&'static str, f64) {
    let units = [("s", 1e9), ("ms", 1e6), ("us", 1e3)];
    units.into_iter().find(|(_, its)| ns >= *its).unwrap_or(("ns", 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_of_few_digits() {
        let units = [1.0, 999.0, 1_000.0, 2_500_000.0, 7e10].map(|ns| unit(ns).0);
        assert_eq!(units, ["ns", "ns", "us", "ms", "s"]);
    }

    #[test]
    fn the_first_setting_and_hop_are_above() {
        let rows = rows(Hop::ALL.iter().map(Hop::to_string));
        assert_eq!(rows.named.last(), Some(&(6.5, "recv".to_string())));
        assert_eq!(rows.named[0], (0.5, "total".to_string()));
    }
}
