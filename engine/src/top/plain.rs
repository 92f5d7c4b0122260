//! A screen as plain text: for a pipe, a file, or a terminal that is not to be taken over.

use std::time::SystemTime;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::draw::{Look, WIDTH, draw, size_of_all};
use super::state::State;

/// What is above the tables: the header, what is to be said, rates and hops, and a line between.
const ABOVE: usize = 15;

/// All that is shown, with all rows of all tables.
pub(super) fn plain(state: &State, now: SystemTime) -> String {
    let (width, height) = state.shown().map_or((0, 0), |seen| size_of_all(state, seen));
    let (width, height) = (width.max(WIDTH), ABOVE + height);
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height.try_into().unwrap_or(u16::MAX)));
    draw(state, Look { colors: false, goes_on: false, now }, buf.area, &mut buf);
    text(&buf)
}

/// The lines of `buf`, without the blank ones at its end.
pub(super) fn text(buf: &Buffer) -> String {
    let mut text = String::new();
    for row in buf.content.chunks(usize::from(buf.area.width).max(1)) {
        let mut covered = 0;
        for cell in row {
            // A wide character covers the cells after its own.
            if covered == 0 {
                text.push_str(cell.symbol());
                covered = Span::raw(cell.symbol()).width().max(1);
            }
            covered -= 1;
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
