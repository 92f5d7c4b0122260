//! Rates with their history, what was lost or waits, and the hops.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{RenderDirection, Sparkline, Widget};

use super::{Look, put, rows};
use crate::http::status::{Core, Rates, Status};
use crate::latency::{Hop, readable};
use crate::readable::{bytes, seconds, thousands};
use crate::top::seen::Seen;
use crate::top::state::State;
use crate::top::table::{Cell, Column, Table, Tone};

/// A line for the columns' names, three for rates, five for counts.
pub(super) const HEIGHT: u16 = 9;
/// The left half: wider is only its history.
const LEFT: (u16, u16) = (34, 64);
const BETWEEN: u16 = 2;
/// Of a line in the left half.
const NAME: usize = 8;
const RATE: usize = 11;

/// One of the rates.
type Rate = fn(&Rates) -> f64;

const HOPS: [Column; 5] = [
    Column::names("hop"),
    Column::figures("p50", 7),
    Column::figures("p99", 7),
    Column::figures("p99.9", 7),
    Column::figures("max", 7),
];

/// The hops of the last interval.
fn hops(status: &Status) -> Table {
    let row = |hop: Hop| {
        let times = status.hops.get(hop.name()).filter(|times| times.count > 0);
        let time = |ns: Option<u64>| ns.map_or(Cell::unknown(), |ns| Cell::figure(readable(ns), ns as f64));
        vec![
            Cell::name(hop.name()),
            time(times.map(|times| times.p50)),
            time(times.map(|times| times.p99)),
            time(times.map(|times| times.p99_9)),
            time(times.map(|times| times.max)),
        ]
    };
    Table { columns: &HOPS, rows: Hop::ALL.map(row).into() }
}

/// The left half's width, and the right one's.
fn halves(hops: &Table, width: u16) -> (u16, u16) {
    let left = width.saturating_sub(BETWEEN + rows::width(hops, None)).clamp(LEFT.0, LEFT.1);
    (left, width.saturating_sub(left + BETWEEN))
}

/// What of the hops there is no room for in `width`.
pub(super) fn left_out(status: &Status, width: u16) -> Vec<&'static str> {
    let hops = hops(status);
    rows::fit(&hops, None, halves(&hops, width).1).left_out
}

/// Draws it.
pub(super) fn draw(state: &State, seen: &Seen, look: Look, area: Rect, buf: &mut Buffer) {
    let hops = hops(&seen.status);
    let (left, right) = halves(&hops, area.width);
    let parts = [Constraint::Length(left), Constraint::Length(BETWEEN), Constraint::Length(right)];
    let [left, _, right] = Layout::horizontal(parts).areas(area);
    rows::draw(&hops, None, 0, look, right, buf);

    let lines = left.rows().collect::<Vec<_>>();
    let heading = format!("{:<NAME$}{:>RATE$}", "", "a second");
    Line::styled(heading, Modifier::BOLD).render(lines[0], buf);
    let rates: [(&str, Rate); 3] =
        [("frames", |rates| rates.frames), ("trades", |rates| rates.trades), ("acked", |rates| rates.acked)];
    for ((name, rate), line) in rates.into_iter().zip(&lines[1..]) {
        let shown = thousands(rate(&seen.status.rates).round() as u64);
        Line::from(format!("{name:<NAME$}{shown:>RATE$}")).render(*line, buf);
    }
    if look.goes_on {
        history(state, seen, look, rates.map(|(_, rate)| rate), left, buf);
    }
    for (counts, line) in counts(seen, look).into_iter().zip(&lines[4..]) {
        put(counts, *line, buf);
    }
}

/// A bar for each look that there is room for, the newest at the right.
fn history(state: &State, seen: &Seen, look: Look, rates: [Rate; 3], left: Rect, buf: &mut Buffer) {
    let before = (NAME + RATE) as u16 + BETWEEN;
    let bars = Rect { x: left.x + before, width: left.width.saturating_sub(before), ..left };
    let looks = usize::from(bars.width);
    let lines = bars.rows().collect::<Vec<_>>();
    let span = seconds((state.every * u32::from(bars.width)).as_secs());
    Line::from(look.span(format!("last {span}"), Tone::Faint)).alignment(Alignment::Right).render(lines[0], buf);
    for (rate, line) in rates.into_iter().zip(&lines[1..]) {
        let data = seen.history.iter().take(looks).map(|rates| rates.as_ref().map(|rates| rate(rates).round() as u64));
        let style = if look.colors { Style::new().fg(Color::Cyan) } else { Style::new() };
        Sparkline::default().data(data).direction(RenderDirection::RightToLeft).style(style).render(*line, buf);
    }
}

/// What was counted: gaps, what was lost, what broke, and what waits.
fn counts(seen: &Seen, look: Look) -> [Line<'static>; 5] {
    let Seen { status, accounting, .. } = seen;
    let records = accounting.all_records();
    let line = |name: &str, parts: &[(String, Tone)]| {
        let name = Span::raw(format!("{name:<NAME$}"));
        let parts = parts
            .iter()
            .enumerate()
            .flat_map(|(at, (text, tone))| [Span::raw(if at > 0 { ", " } else { "" }), look.span(text.clone(), *tone)]);
        Line::from_iter([name].into_iter().chain(parts))
    };
    let odd = |name: &str, count: u64| (format!("{}{name}", thousands(count)), Tone::odd_if(count > 0));
    let bad = |name: &str, count: u64| (format!("{}{name}", thousands(count)), Tone::bad_if(count > 0));
    let waits = |count, size, tone| [(format!("{} records", thousands(count)), tone), (bytes(size), tone)];
    let sum = |of: fn(&Core) -> Option<u64>| status.cores.iter().filter_map(of).sum();
    let queued: u64 = sum(|core| core.queue_records);
    let spilled = records.spilled;
    [
        line(
            "gaps",
            &[
                odd("", accounting.gaps),
                odd(" missing", accounting.missing),
                (format!("{} repaired", thousands(accounting.repairs.gaps)), Tone::Plain),
            ],
        ),
        line("lost", &[bad(" dropped", records.dropped), bad(" failed", records.failed)]),
        line("breaks", &[odd(" reconnects", accounting.reconnects), odd(" ring full", accounting.ring_full)]),
        line("queue", &waits(queued, sum(|core| core.queue_bytes), Tone::Plain)),
        line("spill", &waits(spilled, sum(|core| core.spill_bytes), Tone::odd_if(spilled > 0))),
    ]
}
