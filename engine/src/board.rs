//! What connections and symbols are at just now: shown by the feed cores, read by whoever looks.
//!
//! A core writes at its ticks, by relaxed stores: nothing for a message, and it waits for nobody. What belongs together may
//! be read in part from one tick, in part from the next.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Nanos;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is none; one is being made, or waited for.
    #[default]
    Connecting,
    /// It is up, and nothing is subscribed yet.
    Connected,
    /// At least one of its symbols is subscribed.
    Subscribed,
}

impl State {
    /// All states.
    pub const ALL: [State; 3] = [State::Connecting, State::Connected, State::Subscribed];

    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            State::Connecting => "connecting",
            State::Connected => "connected",
            State::Subscribed => "subscribed",
        }
    }
}

/// What is shown of the connections and symbols of all feed cores.
#[derive(Debug, Default)]
pub struct Board {
    connections: Mutex<Vec<Weak<ConnectionSign>>>,
    symbols: Mutex<Vec<Weak<SymbolSign>>>,
}

/// Where a core shows what one of its connections is at.
#[derive(Debug)]
pub struct ConnectionSign {
    exchange: &'static str,
    number: usize,
    core: usize,
    /// Where it goes, without a password.
    url: Mutex<String>,
    attempts: AtomicU64,
    state: AtomicU8,
    symbols: AtomicU64,
    subscribed: AtomicU64,
    began: AtomicU64,
    heard: AtomicU64,
}

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// How far it is.
    pub state: State,
    /// Symbols that it is to carry.
    pub symbols: usize,
    /// Those of them that are subscribed.
    pub subscribed: usize,
    /// When it came up.
    pub began: Nanos,
    /// When its last byte came.
    pub heard: Nanos,
}

/// A connection, as it was at its core's last tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Of which exchange.
    pub exchange: String,
    /// Its number among those of the exchange.
    pub connection: usize,
    /// The feed core that has it.
    pub core: String,
    /// How far it is.
    pub state: State,
    /// Where it goes, or went last; empty before the first time.
    pub url: String,
    /// Symbols that it is to carry.
    pub symbols: usize,
    /// Those of them that are subscribed.
    pub subscribed: usize,
    /// Connections that were made in its place so far, itself included.
    pub attempts: u64,
    /// For how long it has been up, in seconds.
    pub up_s: Option<f64>,
    /// How long ago its last byte came, in seconds.
    pub heard_s_ago: Option<f64>,
}

/// Where a core shows how a symbol of a feed stands.
#[derive(Debug)]
pub struct SymbolSign {
    exchange: &'static str,
    symbol: String,
    is_wanted: AtomicBool,
    trades: AtomicU64,
    gaps: AtomicU64,
    missing: AtomicU64,
    received_unix_ns: AtomicI64,
    delay_ns: AtomicI64,
}

/// What was counted of a symbol since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SymbolCounts {
    /// Trades decoded, those that came again included.
    pub trades: u64,
    /// Jumps in its sequence.
    pub gaps: u64,
    /// Trades that are missing in them.
    pub missing: u64,
}

impl SymbolCounts {
    /// So many trades are missing in one place.
    pub fn gap(&mut self, missing: u64) {
        self.gaps += 1;
        self.missing = self.missing.saturating_add(missing);
    }
}

/// A symbol of a feed, as it was at its core's last tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Of which exchange.
    pub exchange: &'static str,
    /// As the exchange writes it.
    pub symbol: String,
    /// What was counted.
    pub counts: SymbolCounts,
    /// When its last trade was received, in nanoseconds since 1970; 0 before the first.
    pub received_unix_ns: i64,
    /// How long after its own time that was, by clocks that may differ, in nanoseconds.
    pub delay_ns: i64,
}

impl Board {
    /// A connection that a core will have. It is shown as long as the core keeps it.
    pub fn connection(&self, exchange: &'static str, number: usize, core: usize) -> Arc<ConnectionSign> {
        let sign = Arc::new(ConnectionSign {
            exchange,
            number,
            core,
            url: Mutex::default(),
            attempts: AtomicU64::new(0),
            state: AtomicU8::new(State::Connecting as u8),
            symbols: AtomicU64::new(0),
            subscribed: AtomicU64::new(0),
            began: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        });
        keep(&self.connections, &sign);
        sign
    }

    /// A symbol that a core will feed.
    pub fn symbol(&self, exchange: &'static str, symbol: &str) -> Arc<SymbolSign> {
        let sign = Arc::new(SymbolSign {
            exchange,
            symbol: symbol.to_string(),
            is_wanted: AtomicBool::new(true),
            trades: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            received_unix_ns: AtomicI64::new(0),
            delay_ns: AtomicI64::new(0),
        });
        keep(&self.symbols, &sign);
        sign
    }

    /// All connections, by exchange and number, as of `now`.
    pub fn connections(&self, now: Nanos) -> Vec<Connection> {
        let mut all: Vec<_> = kept(&self.connections).iter().map(|sign| sign.read(now)).collect();
        all.sort_by(|one, other| (&one.exchange, one.connection).cmp(&(&other.exchange, other.connection)));
        all
    }

    /// All symbols that are wanted, by exchange and symbol; what several feeds have of one is put together.
    pub fn symbols(&self) -> Vec<Symbol> {
        let mut all: Vec<_> = kept(&self.symbols).iter().filter_map(|sign| sign.read()).collect();
        all.sort_by(|one, other| (one.exchange, &one.symbol).cmp(&(other.exchange, &other.symbol)));
        all.dedup_by(|next, kept| {
            let is_same = (next.exchange, &next.symbol) == (kept.exchange, &kept.symbol);
            if is_same {
                kept.add(next);
            }
            is_same
        });
        all
    }
}

fn keep<T>(list: &Mutex<Vec<Weak<T>>>, sign: &Arc<T>) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.retain(|other| other.strong_count() > 0);
    list.push(Arc::downgrade(sign));
}

/// The lock is held for a moment only: a core may wait for it when it adds one.
fn kept<T>(list: &Mutex<Vec<Weak<T>>>) -> Vec<Arc<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
}

impl ConnectionSign {
    /// A connection has come up, by this address.
    pub fn begins(&self, url: &str) {
        url.clone_into(&mut self.url.lock().unwrap_or_else(PoisonError::into_inner));
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// Shows what it is at.
    pub fn show(&self, standing: Standing) {
        self.symbols.store(standing.symbols as u64, Ordering::Relaxed);
        self.subscribed.store(standing.subscribed as u64, Ordering::Relaxed);
        self.began.store(standing.began.0, Ordering::Relaxed);
        self.heard.store(standing.heard.0, Ordering::Relaxed);
        self.state.store(standing.state as u8, Ordering::Relaxed);
    }

    fn read(&self, now: Nanos) -> Connection {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let state = State::ALL[usize::from(self.state.load(Ordering::Relaxed))];
        let since = |at: u64| (state != State::Connecting).then(|| seconds(now.time_since(Nanos(at))));
        Connection {
            exchange: self.exchange.into(),
            connection: self.number,
            core: format!("feed-{}", self.core),
            state,
            url: self.url.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            symbols: of(&self.symbols) as usize,
            subscribed: of(&self.subscribed) as usize,
            attempts: of(&self.attempts),
            up_s: since(of(&self.began)),
            heard_s_ago: since(of(&self.heard)),
        }
    }
}

/// Seconds, to the millisecond.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}

impl SymbolSign {
    /// Shows how the symbol stands; `received` is when its last trade was, and how long after its own time, in nanoseconds.
    pub fn show(&self, is_wanted: bool, counts: SymbolCounts, received: Option<(i64, i64)>) {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
        self.trades.store(counts.trades, Ordering::Relaxed);
        self.gaps.store(counts.gaps, Ordering::Relaxed);
        self.missing.store(counts.missing, Ordering::Relaxed);
        if let Some((unix_ns, delay_ns)) = received {
            self.received_unix_ns.store(unix_ns, Ordering::Relaxed);
            self.delay_ns.store(delay_ns, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Option<Symbol> {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let counts = SymbolCounts { trades: of(&self.trades), gaps: of(&self.gaps), missing: of(&self.missing) };
        self.is_wanted.load(Ordering::Relaxed).then(|| Symbol {
            exchange: self.exchange,
            symbol: self.symbol.clone(),
            counts,
            received_unix_ns: self.received_unix_ns.load(Ordering::Relaxed),
            delay_ns: self.delay_ns.load(Ordering::Relaxed),
        })
    }
}

impl Symbol {
    /// This and another of its exchange as one: what was counted of both, and the last trade of either.
    pub fn add(&mut self, other: &Symbol) {
        self.counts.trades += other.counts.trades;
        self.counts.gaps += other.counts.gaps;
        self.counts.missing += other.counts.missing;
        if other.received_unix_ns > self.received_unix_ns {
            (self.received_unix_ns, self.delay_ns) = (other.received_unix_ns, other.delay_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_shown_as_long_as_its_core_keeps_it() {
        let board = Board::default();
        let sign = board.connection("binance", 1, 0);
        let other = board.connection("binance", 0, 0);
        let now = Nanos(5_000_000_000);
        assert_eq!(board.connections(now).iter().map(|one| one.connection).collect::<Vec<_>>(), [0, 1]);
        sign.begins("wss://a/ws");
        let (state, began, heard) = (State::Subscribed, Nanos(2_000_000_000), Nanos(4_500_000_000));
        sign.show(Standing { state, symbols: 3, subscribed: 2, began, heard });
        let shown = &board.connections(now)[1];
        assert_eq!((shown.state, shown.symbols, shown.subscribed, shown.attempts), (State::Subscribed, 3, 2, 1));
        assert_eq!((shown.url.as_str(), shown.up_s, shown.heard_s_ago), ("wss://a/ws", Some(3.0), Some(0.5)));
        sign.show(Standing { symbols: 3, ..Standing::default() });
        assert_eq!(board.connections(now)[1].up_s, None, "there is none");
        drop(other);
        assert_eq!(board.connections(now).len(), 1);
    }

    #[test]
    fn a_symbol_of_two_feeds_is_one() {
        let board = Board::default();
        let (one, two) = (board.symbol("binance", "BTCUSDT"), board.symbol("binance", "BTCUSDT"));
        let gone = board.symbol("binance", "ETHUSDT");
        let counts = |trades| SymbolCounts { trades, gaps: 1, missing: 2 };
        one.show(true, counts(10), Some((7, 3)));
        two.show(true, counts(5), Some((9, 4)));
        gone.show(false, counts(1), None);
        let symbols = board.symbols();
        assert_eq!(symbols.len(), 1, "{symbols:?}");
        assert_eq!(symbols[0].counts, SymbolCounts { trades: 15, gaps: 2, missing: 4 });
        assert_eq!((symbols[0].received_unix_ns, symbols[0].delay_ns), (9, 4));
    }
}
