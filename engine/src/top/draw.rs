//! Draws what is shown: the engine's state, rates and hops, and the tables.

mod overview;
mod rows;

use std::time::SystemTime;

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Widget};

use super::keys::{FOOTER, HELP};
use super::seen::Seen;
use super::state::{State, View};
use super::table::{Table, Tone};
use super::tables::Which;
use crate::readable::seconds;

/// All is shown of what has room on a screen of this size, but for rows that are scrolled to.
pub(super) const WIDTH: u16 = 80;
const HEIGHT: u16 = 24;
/// On a smaller one than this nothing can be read.
const LEAST_WIDTH: u16 = 40;
const LEAST_HEIGHT: u16 = 8;
/// Below this height the tables get the place of rates and hops.
const LEAST_WITH_OVERVIEW: u16 = 18;
/// Most lines of what is to be said; how many more there are is said, too.
const NOTES: usize = 4;

/// How it is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// With colours; without, words and weight say the same.
    pub(super) colors: bool,
    /// With what belongs to a screen that goes on: history, and what keys do.
    pub(super) goes_on: bool,
    /// The present time.
    pub(super) now: SystemTime,
}

impl Look {
    fn style(self, tone: Tone) -> Style {
        let style = Style::new();
        match (tone, self.colors) {
            (Tone::Plain, _) => style,
            (Tone::Faint, _) => style.add_modifier(Modifier::DIM),
            (Tone::Good, true) => style.fg(Color::Green),
            (Tone::Good, false) => style,
            (Tone::Odd, true) => style.fg(Color::Yellow),
            (Tone::Odd, false) => style.add_modifier(Modifier::BOLD),
            (Tone::Bad, true) => style.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Tone::Bad, false) => style.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        }
    }

    fn span(self, text: impl Into<String>, tone: Tone) -> Span<'static> {
        Span::styled(text.into(), self.style(tone))
    }
}

/// Draws all of it. Returns how many rows of the chosen table there was room for.
pub(super) fn draw(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    if area.width < LEAST_WIDTH || area.height < LEAST_HEIGHT {
        let text = format!("{}x{} is too small: {WIDTH}x{HEIGHT} shows all", area.width, area.height);
        Paragraph::new(text).render(area, buf);
        return 1;
    }
    let with_overview = area.height >= LEAST_WITH_OVERVIEW;
    let notes = notes(state, look, area);
    let parts = [
        Constraint::Length(1),
        Constraint::Length(notes.len().max(1) as u16),
        Constraint::Length(if with_overview { overview::HEIGHT } else { 0 }),
        Constraint::Length(u16::from(area.height > HEIGHT)),
        Constraint::Fill(1),
        Constraint::Length(u16::from(look.goes_on)),
    ];
    let [top, middle, overview, _, tables, bottom] = Layout::vertical(parts).areas(area);
    header(state, look, top, buf);
    notes.into_iter().zip(middle.rows()).for_each(|(note, line)| put(note, line, buf));
    let mut page = 1;
    if let Some(seen) = state.shown() {
        if with_overview {
            overview::draw(state, seen, look, overview, buf);
        }
        page = draw_tables(state, seen, look, tables, buf);
    }
    let keys = FOOTER.iter().flat_map(|(key, does)| {
        [Span::styled(*key, Modifier::BOLD), Span::raw(" "), look.span(*does, Tone::Faint), Span::raw("  ")]
    });
    put(Line::from_iter(keys), bottom, buf);
    if state.help {
        help(area, buf);
    }
    page
}

/// Draws a line; one that has no room ends in an ellipsis.
fn put(line: Line<'_>, area: Rect, buf: &mut Buffer) {
    let is_cut = line.width() > usize::from(area.width);
    line.render(area, buf);
    if is_cut && !area.is_empty() {
        buf[(area.right() - 1, area.y)].set_symbol("…");
    }
}

/// What this is, and how it stands.
fn header(state: &State, look: Look, area: Rect, buf: &mut Buffer) {
    let mut stand = Vec::new();
    if state.paused_at().is_some() {
        stand.push(look.span("PAUSED", Tone::Odd));
    }
    match (&state.trouble, state.shown()) {
        (Some(_), _) => stand.push(look.span("NOT REACHABLE", Tone::Bad)),
        (None, None) => {}
        (None, Some(seen)) => {
            let told = |is_so, yes, no| if is_so { look.span(yes, Tone::Good) } else { look.span(no, Tone::Bad) };
            stand.push(told(seen.status.live, "LIVE", "NOT LIVE"));
            stand.push(told(seen.status.ready, "READY", "NOT READY"));
        }
    }
    let stand = Line::from_iter(stand.into_iter().flat_map(|word| [Span::raw("  "), word]));
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(stand.width() as u16)]).areas(area);
    put(stand, right, buf);
    let (version, up) = match state.shown() {
        None => (String::new(), String::new()),
        Some(Seen { status, .. }) => {
            (format!(" {}", status.version), format!("  up {}", seconds(status.uptime_s as u64)))
        }
    };
    let what = Span::styled(format!("k2-feed{version}"), Modifier::BOLD);
    put(Line::from(vec![what, Span::raw(format!("  {}{up}", state.url))]), left, buf);
}

/// What is to be said in words.
fn notes(state: &State, look: Look, area: Rect) -> Vec<Line<'static>> {
    let mut notes = Vec::new();
    let mut note = |text: String, tone| notes.push(Line::from(look.span(text, tone)));
    if let Some(trouble) = &state.trouble {
        let ago = look.now.duration_since(trouble.since).unwrap_or_default().as_secs();
        note(format!("no answer since {} ({}): {}", time(trouble.since), seconds(ago), trouble.why), Tone::Bad);
        if let Some(seen) = state.shown() {
            note(
                format!("what is shown is of {}; it is asked again every {:?}", time(seen.at), state.every),
                Tone::Odd,
            );
        }
    } else if state.shown().is_none() && state.paused_at().is_none() {
        note("waiting for the first answer".into(), Tone::Faint);
    }
    if let Some(at) = state.paused_at() {
        note(format!("paused at {}: p goes on", time(at)), Tone::Odd);
    }
    if let Some(Seen { status, accounting, .. }) = state.shown() {
        status.reasons.iter().for_each(|reason| note(format!("not ready: {reason}"), Tone::Bad));
        if accounting.broken > 0 {
            note(format!("the accounting did not hold {} times", accounting.broken), Tone::Bad);
        }
        let left_out = match area.height < LEAST_WITH_OVERVIEW {
            true => vec!["rates", "hops"],
            false => overview::left_out(status, area.width),
        };
        if !left_out.is_empty() {
            let (width, height) = (area.width, area.height);
            note(format!("{width}x{height} has no room for {}: {WIDTH}x{HEIGHT} has", left_out.join(", ")), Tone::Odd);
        }
    }
    if notes.len() > NOTES {
        let more = notes.len() - (NOTES - 1);
        notes.truncate(NOTES - 1);
        notes.push(Line::from(look.span(format!("and {more} more"), Tone::Bad)));
    }
    notes
}

/// A table that can be drawn.
struct Part {
    which: Which,
    table: Table,
    view: View,
    /// With its columns' names, all rows, and what it has no room for.
    height: usize,
}

/// All tables, for this width.
fn parts(state: &State, seen: &Seen, width: u16) -> Vec<Part> {
    let part = |which: Which| {
        let view = state.view(which);
        let table = which.table(seen, view.order);
        let height = rows::height(&table, view.order, width);
        Part { which, table, view, height }
    };
    Which::ALL.map(part).into()
}

/// The height of tables below each other, with their names and a line between.
fn height(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.height + 2).sum::<usize>().saturating_sub(1)
}

/// The size of all tables below each other.
pub(super) fn size_of_all(state: &State, seen: &Seen) -> (u16, usize) {
    let parts = parts(state, seen, u16::MAX);
    let width = parts.iter().map(|part| rows::width(&part.table, Some(part.view.order))).max();
    (width.unwrap_or_default(), height(&parts))
}

/// All tables below each other where there is room for all their rows. Else the chosen one, and below it those for which
/// there is room. Returns how many rows of the chosen one there was room for.
fn draw_tables(state: &State, seen: &Seen, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let mut parts = parts(state, seen, area.width);
    let mut page = 1;
    let mut rest = area;
    if height(&parts) > usize::from(area.height) {
        let names = Which::ALL.into_iter().flat_map(|which| [name(state, seen, look, which), Span::raw(" ")]);
        put(Line::from_iter(names), area, buf);
        let chosen = parts.remove(state.chosen() as usize);
        let table = below(area, 1);
        page = rows::draw(&chosen.table, Some(chosen.view.order), chosen.view.first, look, table, buf);
        rest = below(table, chosen.height + 1);
    }
    for Part { which, table, view, height } in parts {
        if usize::from(rest.height) > height {
            put(Line::from(name(state, seen, look, which)), rest, buf);
            let place = Rect { height: height as u16, ..below(rest, 1) };
            let shown = rows::draw(&table, Some(view.order), view.first, look, place, buf);
            page = if which == state.chosen() { shown } else { page };
            rest = below(rest, height + 2);
        }
    }
    page
}

/// What is left of `area` after so many lines.
fn below(area: Rect, lines: usize) -> Rect {
    let lines = lines.min(usize::from(area.height)) as u16;
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// A table's name, and how many rows it has.
fn name(state: &State, seen: &Seen, look: Look, which: Which) -> Span<'static> {
    let text = format!("{} {}", which.name(), which.len(seen));
    match look.goes_on && which == state.chosen() {
        true => Span::styled(format!(" {text} "), Modifier::REVERSED),
        false if look.goes_on => Span::raw(format!(" {text} ")),
        false => Span::raw(text),
    }
}

fn help(area: Rect, buf: &mut Buffer) {
    let width = HELP.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let mut lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(key, does)| Line::from(vec![Span::styled(format!("{key:<width$}  "), Modifier::BOLD), Span::raw(*does)]))
        .collect();
    lines.push(Line::default());
    lines.extend(TELLS.map(Line::from));
    let (wide, high) = (lines.iter().map(Line::width).max().unwrap_or_default() as u16 + 4, lines.len() as u16 + 2);
    let place = area.centered(Constraint::Length(wide.min(area.width)), Constraint::Length(high.min(area.height)));
    Clear.render(place, buf);
    let frame = Block::bordered().title(" k2-feed top ").padding(Padding::horizontal(1));
    Paragraph::new(lines).block(frame).alignment(Alignment::Left).render(place, buf);
}

/// What figures mean that their names do not tell.
const TELLS: [&str; 6] = [
    "Rates and hops are of the engine's last interval, counts since its start.",
    "delay is from the exchange's time of the last trade to its receipt;",
    "last trade and heard say how long ago something came.",
    "queue is what librdkafka has, spill and on disk what Kafka did not take.",
    "busy is a core's part of its CPU; stuck is one that shows no sign of life.",
    "A breaker is open where an address is left alone since it has failed.",
];

/// The time of day.
fn time(at: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.get(11..19).map_or(text.clone(), |time| format!("{time} UTC"))
}
