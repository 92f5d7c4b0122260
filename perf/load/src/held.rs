//! Looks for the highest rate that is held: twice as much each time until it is not, then in between.

use crate::point::Measured;
use crate::setting::Setting;

/// What `--rates` calls it.
pub(crate) const HELD: &str = "held";
/// Where the search begins, in trades a second.
const FIRST: f64 = 5_000.0;
/// Nothing is looked for below.
const LEAST: f64 = 100.0;
/// The search ends when what is held and what is not lie this near to each other.
const NEAR: f64 = 1.1;

/// The search under one load.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    setting: Setting,
    /// The highest rate that was held, and the lowest above it that was not.
    held: Option<f64>,
    not_held: Option<f64>,
    /// Whether the rate has failed once already: one failure may be the machine's.
    has_failed: bool,
}

impl Search {
    /// One that has not begun.
    pub(crate) fn new(setting: Setting) -> Self {
        Search { setting, held: None, not_held: None, has_failed: false }
    }

    fn rate(&self) -> Option<f64> {
        match (self.held, self.not_held) {
            (None, None) => Some(FIRST),
            (Some(held), None) => Some(held * 2.0),
            (None, Some(not_held)) => Some(not_held / 2.0).filter(|rate| *rate >= LEAST),
            (Some(held), Some(not_held)) => Some((held * not_held).sqrt()).filter(|_| not_held > held * NEAR),
        }
    }

    /// What is to be run next; nothing at the end.
    pub(crate) fn next(&self) -> Option<Setting> {
        let rate = self.rate()?.round();
        Some(Setting { rate: format!("{rate}"), ..self.setting.clone() })
    }

    /// What became of it.
    pub(crate) fn note(&mut self, measured: &Measured) {
        let Some(rate) = self.rate() else { return };
        if measured.is_held {
            self.held = Some(rate);
        } else if std::mem::replace(&mut self.has_failed, true) {
            self.not_held = Some(rate);
        } else {
            return;
        }
        self.has_failed = false;
    }

    /// What was found, in words.
    pub(crate) fn found(&self) -> String {
        let held = self.held.map_or("nothing is held".into(), |held| format!("{held:.0} trades/s are held"));
        let above = self.not_held.map_or(String::new(), |rate| format!(", {rate:.0} are not"));
        format!("{}  {held}{above}", self.setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of a subject that holds up to `limit`, and what was run.
    fn search(limit: f64) -> (Search, Vec<f64>) {
        let (mut search, mut run) = (Search::new(Setting::default()), Vec::new());
        while let Some(rate) = search.next().and_then(|setting| setting.per_second()) {
            run.push(rate);
            search.note(&Measured { is_held: rate <= limit, ..Measured::default() });
        }
        (search, run)
    }

    #[test]
    fn the_limit_is_found_from_both_sides() {
        for limit in [300.0, 4_999.0, 5_000.0, 123_456.0] {
            let (search, run) = search(limit);
            let (held, not_held) = (search.held.unwrap(), search.not_held.unwrap());
            assert!(held <= limit && limit < not_held && not_held <= held * NEAR, "{limit}: {held} to {not_held}");
            assert!(run.len() < 25, "{run:?}");
        }
    }

    #[test]
    fn who_holds_nothing_is_given_up() {
        let (search, run) = search(0.0);
        assert_eq!((search.held, run.last().copied()), (None, Some(156.0)));
        assert!(search.found().contains("nothing is held, 156 are not"), "{}", search.found());
    }

    #[test]
    fn one_failure_may_be_the_machines() {
        let mut search = Search::new(Setting::default());
        search.note(&Measured::default());
        assert_eq!(search.next().unwrap().rate, "5000");
        search.note(&Measured { is_held: true, ..Measured::default() });
        assert_eq!(search.next().unwrap().rate, "10000");
        search.note(&Measured::default());
        search.note(&Measured::default());
        assert_eq!(search.next().unwrap().rate, "7071");
    }
}
