//! What all charts share: size, colours, a panel with its axes, lines and names.
//!
//! Charts are drawn twice as large as they are shown, since plotters places everything on whole pixels. Colours are
//! attributes there; the page's style sheet has others in their place where the screen is dark.

use maud::{Markup, PreEscaped, html};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, apart};
use crate::latency::Hop;

/// Text, and what is summed up.
pub const INK: RGBColor = RGBColor(0x1F, 0x29, 0x33);
/// Names of axes and of their lines.
pub const MUTED: RGBColor = RGBColor(0x5B, 0x66, 0x73);
const LINE: RGBColor = RGBColor(0xD5, 0xDA, 0xE0);
const FAINT: RGBColor = RGBColor(0xEE, 0xF0, 0xF3);
/// Colours that people with any colour vision tell apart (Okabe and Ito, "Color Universal Design", 2008).
pub const COLORS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
];
/// The height of text, as plotters has it; it is shown as 12 pixels.
pub const TEXT: u32 = 30;
/// The width of a chart over the whole page.
pub const WIDTH: u32 = 2_000;
/// Room for the names left of a panel.
pub const LEFT: u32 = 130;
/// Room for the names below a panel.
const BELOW: u32 = 60;
/// Room above a panel for what its values are.
const ABOVE: u32 = 66;
/// From an axis to its names.
const TICK: u32 = 12;
/// Between names at the end of lines.
const NAME_GAP: i32 = 30;

/// A part of a chart.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A part of a chart with axes.
pub type Panel<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;
/// Why something was not drawn.
pub type NotDrawn = DrawingAreaErrorKind<std::io::Error>;
/// Whether something was drawn.
pub type Drawn = Result<(), NotDrawn>;

/// The colour of a hop's lines.
pub fn hop_color(hop: Hop) -> RGBColor {
    match hop {
        Hop::Total => INK,
        other => COLORS[[5, 2, 4, 3, 1, 0][other as usize]],
    }
}

/// The colour of the setting at this place among all.
pub fn setting_color(place: usize) -> RGBColor {
    COLORS[place % COLORS.len()]
}

/// A colour as style sheets have it.
pub fn css(color: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2)
}

/// Has a chart drawn. `told` is for those who cannot see it.
///
/// # Errors
/// If plotters does not draw it.
pub fn chart(size: (u32, u32), told: &str, draw: impl FnOnce(&Area) -> Drawn) -> anyhow::Result<Markup> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&root)
            .and_then(|()| root.present())
            .map_err(|error| anyhow::anyhow!("{told} cannot be drawn: {error}"))?;
    }
    Ok(html! { div.chart role="img" aria-label=(told) { (PreEscaped(svg)) } })
}

/// A panel that fills `area`, up to `right` at its right side; `name` says what its values are.
pub fn panel<'a>(area: &Area<'a>, name: &str, x: &Axis, y: &Axis, right: u32) -> Result<Panel<'a>, NotDrawn> {
    let mut builder = ChartBuilder::on(area);
    builder.margin_top(ABOVE).margin_right(right).x_label_area_size(BELOW).y_label_area_size(LEFT);
    let mut panel = builder.build_cartesian_2d(x.clone(), y.clone())?;
    let mut mesh = panel.configure_mesh();
    mesh.bold_line_style(LINE.stroke_width(2)).light_line_style(FAINT.stroke_width(2)).axis_style(LINE.stroke_width(2));
    mesh.label_style(text_style(MUTED, HPos::Center)).set_all_tick_mark_size(TICK);
    mesh.draw()?;
    area.draw(&Text::new(name.to_string(), (LEFT as i32, 20), text_style(INK, HPos::Left)))?;
    Ok(panel)
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        first + (f64::from(last - first) * (place - self.from) / (self.to - self.from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight().allow_light_points() {
            true => self.unnamed.clone(),
            false => self.named.iter().map(|(place, _)| *place).collect(),
        }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, place: &f64) -> String {
        self.named.iter().find(|(its, _)| its == place).map_or(String::new(), |(_, name)| name.clone())
    }
}

/// The style of names.
pub fn text_style(color: RGBColor, anchor: HPos) -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&color).pos(Pos::new(anchor, VPos::Center))
}

/// A line through `points`; what is missing is a break in it, and a point between two breaks a dot.
pub fn line(panel: &mut Panel, points: &[Option<(f64, f64)>], color: RGBColor, width: u32) -> Drawn {
    for piece in points.split(Option::is_none) {
        let piece: Vec<(f64, f64)> = piece.iter().flatten().copied().collect();
        match piece[..] {
            [] => {}
            [point] => drop(panel.draw_series([Circle::new(point, width * 2, color.filled())])?),
            _ => drop(panel.draw_series([PathElement::new(piece, color.stroke_width(width))])?),
        }
    }
    Ok(())
}

/// Names right of a panel, each beside its place, moved apart where they would lie on each other.
pub fn names_at_right(area: &Area, panel: &Panel, names: &[(f64, String, RGBColor)]) -> Drawn {
    let (x, y) = panel.plotting_area().get_pixel_range();
    let base = area.get_base_pixel();
    let backend = |place: f64| panel.backend_coord(&(0.0, place)).1 - base.1;
    let places: Vec<i32> = names.iter().map(|(place, ..)| backend(*place)).collect();
    let places = apart(&places, NAME_GAP, (y.start - base.1, y.end - base.1));
    for ((_, name, color), place) in names.iter().zip(places) {
        area.draw(&Text::new(name.clone(), (x.end - base.0 + 16, place), text_style(*color, HPos::Left)))?;
    }
    Ok(())
}
