//! What a simulator is asked to do, and why it may refuse.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::dialect::{self, Rules};
use super::fault::{self, Fault};
use super::ledger::Ledger;
use super::recording::RecordingError;
use crate::venue::protocol::Protocol;

/// Unsent bytes of one connection above which its reader counts as slow and is cut.
pub(super) const BACKLOG_BYTES: usize = 8 * 1024 * 1024;
/// How long a client may take to answer a close frame.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Trades due within this time go out together.
pub(super) const RESOLUTION: Duration = Duration::from_micros(50);

/// Trades of a symbol's past that are told.
const HISTORY_TRADES: usize = 20_000;

/// How many trades a second the market makes, over all its symbols.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Trades per second, on an open-loop schedule.
    PerSecond(f64),
    /// As many as the sockets take, and no more unverified than the ledger's window allows.
    Max,
}

/// When trades come, at the same mean rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Arrivals {
    /// At even distances.
    #[default]
    Even,
    /// At exponentially distributed distances, as of traders who know nothing of each other: a Poisson process. The
    /// distances come again after 65,536 trades.
    Poisson,
    /// In bursts.
    Burst(Burst),
}

/// Uneven load with the same mean rate.
///
/// Each period begins with a burst at `factor` times the mean rate that carries half of the period's trades, so
/// it lasts `period / (2 * factor)`; the other half is spread evenly over the rest. `10x/1s` at 5,000 trades a
/// second is 50 ms at 50,000 a second, then 950 ms at 2,632 a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// The burst's rate as a multiple of the mean rate; more than 1.
    pub factor: f64,
    /// From the beginning of one burst to the next.
    pub period: Duration,
}

/// When the market ends. Connections stay open until [`Simulator::stop`](super::Simulator::stop).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Only on request.
    Never,
    /// So long after the clock started.
    After(Duration),
    /// After so many scheduled trades (or, in a replay, frames), heard by a subscriber or not.
    Count(u64),
}

/// How fast a recording is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// Recorded spacing divided by this; 1.0 is as recorded.
    Times(f64),
    /// As fast as the sockets take it.
    Max,
}

/// A recording to send instead of generated trades.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Lines `<received ns> <frame>`; read through gzip if the name ends in `.gz`.
    pub file: PathBuf,
    /// How fast.
    pub speed: Speed,
}

/// What a simulator is asked to do. Start from [`SimulatorConfig::new`] and change what matters.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// The protocol that is spoken, and with it any other that the exchange serves at the same address.
    pub protocol: Protocol,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The symbols that exist, as the exchange writes them. Empty: whichever well-formed symbol is subscribed exists.
    pub symbols: Vec<String>,
    /// The market's rate over all symbols that have been subscribed at least once.
    pub rate: Rate,
    /// How trades are spread over time; other than evenly needs [`Rate::PerSecond`].
    pub arrivals: Arrivals,
    /// When the market ends.
    pub stop: Stop,
    /// Decides prices, quantities, sides and the order of symbols.
    pub seed: u64,
    /// The clock starts once so many different symbols (streams, in a replay) are subscribed; at least 1.
    pub start_when: usize,
    /// What is demanded of clients, and how the exchange shows that it lives.
    pub rules: Rules,
    /// How long a client may take to answer a close frame, at the end too, before its connection is dropped.
    pub close_timeout: Duration,
    /// The shortest sleep between batches: above `1 / resolution` trades a second, those due within it go out
    /// together and are up to that late. Shorter is more exact and takes more of a core, zero all of it.
    pub resolution: Duration,
    /// Unsent bytes above which a connection is cut, except where the market waits for its readers
    /// ([`Rate::Max`], [`Speed::Max`]).
    pub backlog_bytes: usize,
    /// Each symbol's first trade id; `None`: ten digits that depend on the symbol.
    pub first_trade_id: Option<u64>,
    /// How many of a symbol's last trades are told by plain HTTP at the exchange's own paths, where it has them; each takes
    /// 48 bytes.
    pub history_trades: usize,
    /// The HTTP status with which those are refused instead.
    pub history_status: Option<u16>,
    /// A recording to send instead of generated trades.
    pub replay: Option<Replay>,
    /// Where an in-process verifier learns what was put on the wire.
    pub ledger: Option<Ledger>,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
}

impl SimulatorConfig {
    /// 1,000 trades a second without end, on a port of 127.0.0.1 that the system chooses.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            symbols: Vec::new(),
            rate: Rate::PerSecond(1_000.0),
            arrivals: Arrivals::Even,
            stop: Stop::Never,
            seed: 1,
            start_when: 1,
            rules: Rules::of(protocol),
            close_timeout: CLOSE_TIMEOUT,
            resolution: RESOLUTION,
            backlog_bytes: BACKLOG_BYTES,
            first_trade_id: None,
            history_trades: HISTORY_TRADES,
            history_status: None,
            replay: None,
            ledger: None,
            faults: Vec::new(),
        }
    }

    /// Whether the market waits for its readers instead of keeping to a schedule.
    pub(crate) fn waits_for_readers(&self) -> bool {
        match &self.replay {
            Some(replay) => replay.speed == Speed::Max,
            None => self.rate == Rate::Max,
        }
    }

    /// Refuses what cannot be done before any thread or socket exists.
    pub(crate) fn check(&self) -> Result<(), SimError> {
        if let Rate::PerSecond(rate) = self.rate
            && !(rate.is_finite() && rate > 0.0)
        {
            return Err(SimError::Rate(rate));
        }
        if let Arrivals::Burst(burst) = self.arrivals
            && (!(burst.factor.is_finite() && burst.factor > 1.0) || burst.period.is_zero())
        {
            return Err(SimError::Burst(burst));
        }
        if self.arrivals != Arrivals::Even && (self.rate == Rate::Max || self.replay.is_some()) {
            return Err(SimError::UnevenWithoutRate);
        }
        if let Some(Replay { speed: Speed::Times(speed), .. }) = self.replay
            && !(speed.is_finite() && speed > 0.0)
        {
            return Err(SimError::Speed(speed));
        }
        if self.replay.is_some() && self.ledger.is_some() {
            return Err(SimError::LedgerWithReplay);
        }
        let dialect = dialect::of(self.protocol);
        if let Some(bad) = self.symbols.iter().find(|symbol| !dialect.is_symbol(symbol)) {
            return Err(SimError::Symbol { symbol: bad.clone(), example: dialect.symbol("BTC", "USDT") });
        }
        if let Some(twice) = duplicate(&self.symbols) {
            return Err(SimError::SymbolTwice(twice.to_owned()));
        }
        if !self.symbols.is_empty() && self.replay.is_none() && self.start_when > self.symbols.len() {
            return Err(SimError::StartWhen { wanted: self.start_when, exist: self.symbols.len() });
        }
        fault::check(self)
    }
}

fn duplicate(names: &[String]) -> Option<&str> {
    let mut seen = std::collections::HashSet::new();
    names.iter().find(|name| !seen.insert(name.as_str())).map(String::as_str)
}

impl SimError {
    /// Whether something else was to be asked for, rather than that what was asked for failed.
    pub(crate) fn is_usage(&self) -> bool {
        !matches!(self, SimError::Listen { .. } | SimError::Recording(_) | SimError::Thread { .. })
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; choose another port, port 0 for a free one, or stop what holds it")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The rate is no rate.
    #[error("rate {0} is not a positive number of trades per second; give e.g. 5000, or 'max'")]
    Rate(f64),
    /// The burst is none.
    #[error("burst {}x/{:?} needs a factor above 1 and a period above 0; give e.g. 10x/1s", .0.factor, .0.period)]
    Burst(Burst),
    /// Uneven arrivals need a mean rate.
    #[error(
        "a burst or a Poisson process varies a mean rate, and neither 'max' nor a replay has one; give a rate in trades per second"
    )]
    UnevenWithoutRate,
    /// The speed is no speed.
    #[error("replay speed {0} is not a positive number; give e.g. 1.0 for as recorded, or 'max'")]
    Speed(f64),
    /// Not a symbol.
    #[error("symbol '{symbol}' is none of this exchange's; write it as the exchange does, in capitals, e.g. {example}")]
    Symbol {
        /// What was given.
        symbol: String,
        /// A symbol as the exchange writes it.
        example: String,
    },
    /// A symbol is listed twice.
    #[error("symbol '{0}' is listed twice; a symbol has one market, so list it once")]
    SymbolTwice(String),
    /// The clock could never start.
    #[error("the clock waits for {wanted} symbols but only {exist} exist; list more symbols or lower start_when")]
    StartWhen {
        /// Symbols waited for.
        wanted: usize,
        /// Symbols listed.
        exist: usize,
    },
    /// A fault cannot strike here.
    #[error("the fault {fault} makes no sense here: {problem}")]
    Fault {
        /// The fault as it is written.
        fault: String,
        /// Why, and what to do instead.
        problem: String,
    },
    /// A replay has no ledger.
    #[error("a ledger records generated trades, and a replay sends recorded frames; use one of the two")]
    LedgerWithReplay,
    /// The recording cannot be used.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// No thread to be had.
    #[error("cannot start the thread '{name}': {cause}; raise the limit on processes (ulimit -u)")]
    Thread {
        /// The thread's name.
        name: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}
