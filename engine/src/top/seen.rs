//! A status, and what follows from those before it: the history of the rates, and how fast each symbol and core goes.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use super::answer::{Accounting, Answer};
use crate::http::status::{Rates, Status};

/// So many looks are kept for the history: more are no wider than a screen.
const HISTORY: usize = 300;
/// Two looks that are closer together, in seconds of the engine's time, say nothing of a rate.
const LEAST_S: f64 = 0.25;

/// What was seen last.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The status.
    pub(super) status: Status,
    /// What became of everything since the start.
    pub(super) accounting: Accounting,
    /// When it came.
    pub(super) at: SystemTime,
    /// The rates, the newest first; none of looks that brought nothing.
    pub(super) history: VecDeque<Option<Rates>>,
    /// What symbols and cores had counted, at the look before.
    before: Counted,
}

/// Counts since the start, by name.
#[derive(Debug, Clone, Default)]
struct Counted {
    uptime_s: Option<f64>,
    trades: HashMap<(String, String), u64>,
    cpu_seconds: HashMap<String, f64>,
}

impl Counted {
    fn of(status: &Status) -> Self {
        let trades = status.symbols.iter().map(|one| ((one.exchange.clone(), one.symbol.clone()), one.trades));
        let cpu_seconds = status.cores.iter().filter_map(|one| Some((one.core.clone(), one.cpu_seconds?)));
        Counted { uptime_s: Some(status.uptime_s), trades: trades.collect(), cpu_seconds: cpu_seconds.collect() }
    }
}

impl Seen {
    /// An answer, which came `at`, after what was seen before it.
    pub(super) fn new(answer: Answer, at: SystemTime, before: Option<Seen>) -> Self {
        let Answer { status, accounting } = answer;
        let rates = status.rates;
        // Of another process nothing follows.
        let before = before.filter(|seen| seen.status.started == status.started);
        let mut seen = match before {
            None => Seen { status, accounting, at, history: VecDeque::new(), before: Counted::default() },
            Some(seen) if status.uptime_s - seen.status.uptime_s < LEAST_S => Seen { status, accounting, at, ..seen },
            Some(seen) => Seen { before: Counted::of(&seen.status), status, accounting, at, history: seen.history },
        };
        seen.remember(Some(rates));
        seen
    }

    /// A look brought nothing.
    pub(super) fn missed(&mut self) {
        self.remember(None);
    }

    fn remember(&mut self, rates: Option<Rates>) {
        self.history.push_front(rates);
        self.history.truncate(HISTORY);
    }

    /// Trades a second of a symbol, since the look before.
    pub(super) fn symbol_rate(&self, exchange: &str, symbol: &str, trades: u64) -> Option<f64> {
        let before = self.before.trades.get(&(exchange.to_string(), symbol.to_string()))?;
        Some(trades.saturating_sub(*before) as f64 / self.seconds()?)
    }

    /// The part of its CPU that a core has had since the look before, from 0 to 1.
    pub(super) fn core_use(&self, core: &str, cpu_seconds: Option<f64>) -> Option<f64> {
        let before = self.before.cpu_seconds.get(core)?;
        Some(((cpu_seconds? - before) / self.seconds()?).clamp(0.0, 1.0))
    }

    /// The engine's time since the look before.
    fn seconds(&self) -> Option<f64> {
        self.before.uptime_s.map(|before| self.status.uptime_s - before).filter(|seconds| *seconds >= LEAST_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::status::{Core, SymbolStatus};

    fn answer(started: &str, uptime_s: f64, trades: u64, cpu_seconds: f64) -> Answer {
        let symbol =
            SymbolStatus { exchange: "okx".into(), symbol: "BTC-USDT".into(), trades, ..SymbolStatus::default() };
        let core = Core { core: "feed-0".into(), cpu_seconds: Some(cpu_seconds), ..Core::default() };
        let status = Status {
            started: started.into(),
            uptime_s,
            rates: Rates { trades: trades as f64, ..Rates::default() },
            symbols: vec![symbol],
            cores: vec![core],
            ..Status::default()
        };
        Answer { status, ..Answer::default() }
    }

    fn after(seen: Option<Seen>, answer: Answer) -> Seen {
        Seen::new(answer, SystemTime::UNIX_EPOCH, seen)
    }

    fn rates(seen: &Seen) -> (Option<f64>, Option<f64>) {
        let (symbol, core) = (&seen.status.symbols[0], &seen.status.cores[0]);
        (seen.symbol_rate("okx", "BTC-USDT", symbol.trades), seen.core_use("feed-0", core.cpu_seconds))
    }

    #[test]
    fn a_rate_is_that_since_the_look_before() {
        let first = after(None, answer("a", 10.0, 500, 3.0));
        assert_eq!(rates(&first), (None, None));
        let second = after(Some(first), answer("a", 12.0, 600, 3.5));
        assert_eq!(rates(&second), (Some(50.0), Some(0.25)));
        let third = after(Some(second), answer("a", 13.0, 600, 4.6));
        assert_eq!(rates(&third), (Some(0.0), Some(1.0)));
        let same = after(Some(third), answer("a", 13.0, 600, 4.6));
        assert_eq!(rates(&same), (Some(0.0), Some(1.0)), "the same once more changes nothing");
    }

    #[test]
    fn another_process_begins_anew() {
        let first = after(None, answer("a", 10.0, 500, 3.0));
        let mut second = after(Some(first), answer("a", 11.0, 600, 3.5));
        second.missed();
        let trades = |seen: &Seen| seen.history.iter().map(|one| one.map(|one| one.trades)).collect::<Vec<_>>();
        assert_eq!(trades(&second), [None, Some(600.0), Some(500.0)]);
        let other = after(Some(second), answer("b", 12.0, 5, 0.1));
        assert_eq!((rates(&other), trades(&other)), ((None, None), vec![Some(5.0)]));
    }
}
