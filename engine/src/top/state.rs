//! What is shown, and how keys and answers change it.

use std::time::{Duration, SystemTime};

use super::answer::Answer;
use super::fetch::NoStatus;
use super::keys::{Scroll, Wish};
use super::seen::Seen;
use super::table::Order;
use super::tables::Which;

/// All that a screen is drawn from.
pub(super) struct State {
    /// The engine's URL, without secrets.
    pub(super) url: String,
    /// Between two looks.
    pub(super) every: Duration,
    /// What was seen last.
    latest: Option<Seen>,
    /// While it is paused: what is shown, and since when.
    paused: Option<(Option<Seen>, SystemTime)>,
    /// Why nothing is seen any more.
    pub(super) trouble: Option<Trouble>,
    /// Whether the help is shown.
    pub(super) help: bool,
    /// The table that keys are about, by its place in [`Which::ALL`].
    chosen: usize,
    views: [View; Which::ALL.len()],
    /// How many rows of that table were shown when it was drawn last.
    pub(super) page: usize,
}

/// Why there are no answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trouble {
    /// When the first one did not come.
    pub(super) since: SystemTime,
    /// What became of the last.
    pub(super) why: String,
}

/// How a table is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// The order of its rows.
    pub(super) order: Order,
    /// The first row that is shown.
    pub(super) first: usize,
}

impl State {
    /// Before anything was seen.
    pub(super) fn new(url: String, every: Duration) -> Self {
        let views = Which::ALL.map(|which| View { order: which.order(), first: 0 });
        State { url, every, latest: None, paused: None, trouble: None, help: false, chosen: 0, views, page: 1 }
    }

    /// An answer came, or none.
    pub(super) fn looked(&mut self, outcome: Result<Answer, NoStatus>, at: SystemTime) {
        match outcome {
            Ok(answer) => {
                self.latest = Some(Seen::new(answer, at, self.latest.take()));
                self.trouble = None;
            }
            Err(error) => {
                let since = self.trouble.take().map_or(at, |trouble| trouble.since);
                self.trouble = Some(Trouble { since, why: error.to_string() });
                if let Some(seen) = &mut self.latest {
                    seen.missed();
                }
            }
        }
        self.stay_inside();
    }

    /// Does what a key asks for. Whether to go on.
    pub(super) fn obey(&mut self, wish: Wish, at: SystemTime) -> bool {
        if wish == Wish::Quit {
            return false;
        }
        if std::mem::take(&mut self.help) {
            return true;
        }
        let tables = Which::ALL.len();
        match wish {
            Wish::Quit => return false,
            Wish::Help => self.help = true,
            Wish::Pause => {
                self.paused = match self.paused.take() {
                    Some(_) => None,
                    None => Some((self.latest.clone(), at)),
                }
            }
            Wish::Sort => {
                let columns = self.chosen().columns().len();
                let view = &mut self.views[self.chosen];
                *view = View { order: Order { column: (view.order.column + 1) % columns, reversed: false }, first: 0 };
            }
            Wish::Reverse => {
                let view = &mut self.views[self.chosen];
                *view = View { order: Order { reversed: !view.order.reversed, ..view.order }, first: 0 };
            }
            Wish::NextTable => self.chosen = (self.chosen + 1) % tables,
            Wish::PreviousTable => self.chosen = (self.chosen + tables - 1) % tables,
            Wish::Scroll(scroll) => self.scroll(scroll),
        }
        self.stay_inside();
        true
    }

    fn scroll(&mut self, scroll: Scroll) {
        let page = self.page;
        let first = &mut self.views[self.chosen].first;
        *first = match scroll {
            Scroll::LineUp => first.saturating_sub(1),
            Scroll::LineDown => *first + 1,
            Scroll::PageUp => first.saturating_sub(page),
            Scroll::PageDown => *first + page,
            Scroll::Top => 0,
            Scroll::Bottom => usize::MAX,
        };
    }

    /// No table is scrolled beyond its last page.
    fn stay_inside(&mut self) {
        let rows = self.shown().map_or(0, |seen| self.chosen().len(seen));
        let first = &mut self.views[self.chosen].first;
        *first = (*first).min(rows.saturating_sub(self.page));
    }

    /// It was drawn, with so many rows of the chosen table.
    pub(super) fn drawn(&mut self, page: usize) {
        self.page = page.max(1);
        self.stay_inside();
    }

    /// What is to be shown: what was seen last, or what was when it was paused.
    pub(super) fn shown(&self) -> Option<&Seen> {
        match &self.paused {
            Some((held, _)) => held.as_ref(),
            None => self.latest.as_ref(),
        }
    }

    /// Since when it is paused.
    pub(super) fn paused_at(&self) -> Option<SystemTime> {
        self.paused.as_ref().map(|(_, at)| *at)
    }

    /// The table that keys are about.
    pub(super) fn chosen(&self) -> Which {
        Which::ALL[self.chosen]
    }

    /// How a table is looked at.
    pub(super) fn view(&self, which: Which) -> View {
        self.views[which as usize]
    }
}
