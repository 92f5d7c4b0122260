//! Throughput against latency, where settings differ in their rate.

use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::draw::{Area, COLORS, Drawn, INK, Panel, WIDTH, chart, line, names_at_right, panel, text_style};
use super::figures::{COMPARED, quantile};
use super::setting::Setting;
use crate::latency::Hop;

const HEIGHT: u32 = 760;
/// Room right of the panel for the names of curves.
const NAMES: u32 = 110;

/// The chart: a curve for each quantile of `total`, a point for each setting.
///
/// # Errors
/// If it cannot be drawn.
pub fn sweep(settings: &[Setting]) -> anyhow::Result<Markup> {
    let mut by_rate: Vec<&Setting> = settings.iter().collect();
    by_rate.sort_by(|one, other| one.rate().total_cmp(&other.rate()));
    let most_rate = by_rate.last().map_or(1.0, |last| last.rate());
    let at = |setting: &Setting, part| quantile(setting.total(Hop::Total), part);
    let all = || by_rate.iter().flat_map(|setting| COMPARED.map(|(part, _)| at(setting, part))).flatten();
    let (least, most) = (all().min().unwrap_or(1), all().max().unwrap_or(1));
    let drawn = chart((WIDTH, HEIGHT), "Latency of total over the rate of trades", |area| {
        let (x, y) = (Axis::numbers(most_rate * 1.02, 8), Axis::times(least, most));
        let mut panel = panel(area, "total, log scale, over trades acknowledged in a second", &x, &y, NAMES)?;
        let mut names = Vec::new();
        for ((part, name), color) in COMPARED.into_iter().zip([COLORS[0], COLORS[2], COLORS[1]]) {
            let point = |setting: &&Setting| Some((setting.rate(), (at(setting, part)?.max(1) as f64).log10()));
            let points: Vec<_> = by_rate.iter().map(point).collect();
            line(&mut panel, &points, color, 4)?;
            panel.draw_series(points.iter().flatten().map(|point| Circle::new(*point, 9, color.filled())))?;
            names.extend(points.iter().rev().flatten().next().map(|(_, place)| (*place, name.to_string(), color)));
        }
        letters(area, &panel, &by_rate, y.to)?;
        names_at_right(area, &panel, &names)
    })?;
    let told = "Each column of points is a setting, by its letter; other things than the rate may differ, too: see the configuration.";
    Ok(html! { figure { (drawn) figcaption { (told) } } })
}

/// The settings' letters, above the panel.
fn letters(area: &Area, panel: &Panel, settings: &[&Setting], top: f64) -> Drawn {
    let mut free = 0;
    for setting in settings {
        let (x, y) = panel.backend_coord(&(setting.rate(), top));
        // One that would lie on another goes to its right.
        let x = x.max(free);
        free = x + 20 * (setting.name.len() as i32 + 1);
        let style = text_style(INK, HPos::Center);
        area.draw(&Text::new(setting.name.clone(), (x, y - 14), style))?;
    }
    Ok(())
}
