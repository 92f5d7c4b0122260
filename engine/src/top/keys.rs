//! The keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Quit,
    Pause,
    Help,
    /// To order the table by its next column.
    Sort,
    /// To turn its order round.
    Reverse,
    NextTable,
    PreviousTable,
    Scroll(Scroll),
}

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scroll {
    LineUp,
    LineDown,
    PageUp,
    PageDown,
    Top,
    Bottom,
}

/// Each key, and what it does, as it is told.
pub(super) const HELP: [(&str, &str); 9] = [
    ("q, Esc, Ctrl-C", "quit"),
    ("p, space", "pause: keep what is shown, and go on from what is then"),
    ("Tab, right", "the next table"),
    ("Shift-Tab, left", "the one before"),
    ("s", "order the table by its next column"),
    ("r", "turn its order round"),
    ("up, down", "scroll the table by a row"),
    ("PgUp, PgDn", "by a page; Home and End to its ends"),
    ("?", "this; any key but those that quit goes back"),
];

/// The most used of them, for the last line.
pub(super) const FOOTER: [(&str, &str); 7] = [
    ("q", "quit"),
    ("p", "pause"),
    ("s", "sort"),
    ("r", "reverse"),
    ("Tab", "table"),
    ("↑↓ PgUp PgDn", "scroll"),
    ("?", "help"),
];

/// What `key` asks for, if anything.
pub(super) fn wish(key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        let is_stop = key.modifiers == KeyModifiers::CONTROL && matches!(key.code, KeyCode::Char('c' | 'C'));
        return is_stop.then_some(Wish::Quit);
    }
    Some(match key.code {
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Wish::Quit,
        KeyCode::Char('p' | 'P' | ' ') => Wish::Pause,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Wish::Help,
        KeyCode::Char('s' | 'S') => Wish::Sort,
        KeyCode::Char('r' | 'R') => Wish::Reverse,
        KeyCode::Tab | KeyCode::Right => Wish::NextTable,
        KeyCode::BackTab | KeyCode::Left => Wish::PreviousTable,
        KeyCode::Up => Wish::Scroll(Scroll::LineUp),
        KeyCode::Down => Wish::Scroll(Scroll::LineDown),
        KeyCode::PageUp => Wish::Scroll(Scroll::PageUp),
        KeyCode::PageDown => Wish::Scroll(Scroll::PageDown),
        KeyCode::Home => Wish::Scroll(Scroll::Top),
        KeyCode::End => Wish::Scroll(Scroll::Bottom),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ask_for_what_the_help_says() {
        let of = |code, modifiers| wish(KeyEvent::new(code, modifiers));
        let plain = |code| of(code, KeyModifiers::NONE);
        for quits in [plain(KeyCode::Char('q')), plain(KeyCode::Esc), of(KeyCode::Char('c'), KeyModifiers::CONTROL)] {
            assert_eq!(quits, Some(Wish::Quit));
        }
        assert_eq!(plain(KeyCode::Char('c')), None);
        assert_eq!(of(KeyCode::Char('q'), KeyModifiers::CONTROL), None);
        assert_eq!((plain(KeyCode::Char(' ')), plain(KeyCode::Char('p'))), (Some(Wish::Pause), Some(Wish::Pause)));
        assert_eq!(of(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Wish::PreviousTable));
        assert_eq!(of(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Wish::Help));
        let release = KeyEvent { kind: KeyEventKind::Release, ..KeyEvent::from(KeyCode::Char('q')) };
        assert_eq!(wish(release), None);
    }
}
