//! A table on the screen: as many columns and rows of it as there is room for, and what there is none for.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Table as Drawn, Widget};

use super::Look;
use crate::top::table::{Order, Table, Tone};

/// Between columns.
const SPACING: u16 = 2;
/// Names that have no room are cut, to no less than this.
const LEAST_NAME: u16 = 12;

/// Which columns there is room for, and how wide they are.
pub(super) struct Fit {
    widths: Vec<u16>,
    /// The names of those that there is no room for.
    pub(super) left_out: Vec<&'static str>,
}

/// The columns of `table` from the left that have room in `width`.
pub(super) fn fit(table: &Table, order: Option<Order>, width: u16) -> Fit {
    let mut fit = Fit { widths: Vec::new(), left_out: Vec::new() };
    let mut rest = width;
    for (at, column) in table.columns.iter().enumerate() {
        let header = Span::raw(column_name(table, order, at)).width();
        let widest = table.rows.iter().map(|row| Span::raw(row[at].text.as_str()).width()).chain([header]).max();
        let wanted = column.least.max(widest.unwrap_or_default() as u16);
        let spacing = if at == 0 { 0 } else { SPACING };
        let room = rest.saturating_sub(spacing);
        let given = if column.is_figure || room >= wanted { wanted } else { room.max(LEAST_NAME.min(wanted)) };
        if given > room || !fit.left_out.is_empty() {
            fit.left_out.push(column.name);
            continue;
        }
        rest = room - given;
        fit.widths.push(given);
    }
    fit
}

/// How wide all columns are.
pub(super) fn width(table: &Table, order: Option<Order>) -> u16 {
    let widths = fit(table, order, u16::MAX).widths;
    widths.iter().sum::<u16>() + SPACING * (widths.len() as u16).saturating_sub(1)
}

/// How high it is in `width`, with its columns' names, all rows, and the line that tells what has no room.
pub(super) fn height(table: &Table, order: Order, width: u16) -> usize {
    1 + table.rows.len().max(1) + usize::from(!fit(table, Some(order), width).left_out.is_empty())
}

/// Draws the columns' names and the rows from `first`; what has no room is told in the last line. Returns how many rows
/// there was room for.
pub(super) fn draw(
    table: &Table,
    order: Option<Order>,
    first: usize,
    look: Look,
    area: Rect,
    buf: &mut Buffer,
) -> usize {
    let Fit { widths, left_out } = fit(table, order, area.width);
    let room = usize::from(area.height).saturating_sub(1);
    let is_clipped = table.rows.len() > room || (order.is_some() && !left_out.is_empty());
    let page = room - usize::from(is_clipped && room > 0);
    let first = first.min(table.rows.len().saturating_sub(page));
    let shown = &table.rows[first..table.rows.len().min(first + page)];

    let cell = |at: usize, text: String, style| {
        let alignment = if table.columns[at].is_figure { Alignment::Right } else { Alignment::Left };
        Cell::new(Line::from(Span::styled(text, style)).alignment(alignment))
    };
    let header = (0..widths.len()).map(|at| cell(at, column_name(table, order, at), Modifier::BOLD.into()));
    let rows = shown.iter().map(|row| {
        Row::new(
            widths.iter().enumerate().map(|(at, width)| cell(at, cut(&row[at].text, *width), look.style(row[at].tone))),
        )
    });
    let lines = shown.len().max(1).min(page) + 1;
    let [above, below] = [lines as u16, u16::from(is_clipped)].map(|height| height.min(area.height));
    let place = Rect { height: above, ..area };
    Drawn::new(rows, widths.iter().map(|width| Constraint::Length(*width)))
        .header(Row::new(header))
        .column_spacing(SPACING)
        .render(place, buf);
    if table.rows.is_empty() && area.height > 1 {
        Line::from(look.span("none", Tone::Faint)).render(Rect { y: area.y + 1, height: 1, ..area }, buf);
    }
    if is_clipped && room > 0 {
        let told = told(table.rows.len(), first, page, &left_out);
        Line::from(look.span(told, Tone::Faint)).render(Rect { y: area.y + above, height: below, ..area }, buf);
    }
    page
}

/// What there is no room for.
fn told(rows: usize, first: usize, page: usize, left_out: &[&str]) -> String {
    let scrolled = (rows > page).then(|| format!("rows {} to {} of {rows}", first + 1, first + page));
    let narrow = (!left_out.is_empty()).then(|| format!("no room for {}", left_out.join(", ")));
    [scrolled, narrow].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A column's name, with an arrow if the rows are ordered by it.
fn column_name(table: &Table, order: Option<Order>, at: usize) -> String {
    let arrow = match order.filter(|order| order.column == at) {
        None => "",
        Some(order) if order.is_falling(table.columns) => "▼",
        Some(_) => "▲",
    };
    format!("{}{arrow}", table.columns[at].name)
}

/// The beginning of a text that has no room.
fn cut(text: &str, width: u16) -> String {
    let width = usize::from(width);
    if Span::raw(text).width() <= width {
        return text.to_string();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if Span::raw(kept.as_str()).width() >= width {
            kept.pop();
            break;
        }
    }
    kept + "…"
}
