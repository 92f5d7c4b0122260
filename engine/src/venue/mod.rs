//! Exchanges: one file each, with everything that differs between them.
//!
//! A venue says where to connect, how symbols are named and subscribed, what a frame means, by which rule trades
//! are counted, and what the exchange allows. The feed core is generic over [`Venue`] and picks one when a
//! connection is made: the hot path neither dispatches nor compares names.

pub mod binance;
pub mod json;
pub mod protocol;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bumpalo::Bump;
use url::Url;

use crate::decimal::NotDecimal;
use crate::trade::Trade;
use json::{Json, Value};

/// Most characters of a frame's own text that a reason repeats.
const MAX_SHOWN: usize = 80;

/// The exchanges that the engine carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// Binance spot.
    Binance,
}

impl Exchange {
    /// All exchanges.
    pub const ALL: [Exchange; 1] = [Exchange::Binance];

    /// The name in configuration, topics and records.
    pub fn name(self) -> &'static str {
        match self {
            Exchange::Binance => "binance",
        }
    }

    /// Where the exchange is reached unless the configuration says otherwise.
    pub fn default_url(self) -> &'static str {
        match self {
            Exchange::Binance => binance::DEFAULT_URL,
        }
    }

    /// Checks the form of a symbol and finds its canonical one, as `BTC/USDT`.
    ///
    /// # Errors
    /// A sentence that names the symbol and the way out.
    pub fn canonical_symbol(self, symbol: &str) -> Result<String, String> {
        match self {
            Exchange::Binance => binance::canonical_symbol(symbol),
        }
    }

    /// Splits a feed over as many connections as the exchange's limits ask for.
    ///
    /// # Errors
    /// A sentence that names the value and the way out.
    pub fn connections(self, url: &Url, time_unit: TimeUnit, symbols: &[String]) -> Result<Vec<Subscription>, String> {
        match self {
            Exchange::Binance => binance::connections(url, time_unit, symbols),
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Exchange {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Exchange::ALL.iter().map(|exchange| exchange.name());
        Exchange::ALL.into_iter().find(|exchange| exchange.name() == name).ok_or_else(|| {
            let nearest = known().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)));
            let list = known().collect::<Vec<_>>().join(", ");
            match nearest.filter(|nearest| strsim::jaro(nearest, name) > 0.7) {
                Some(nearest) => format!("exchange {name:?} is not known, did you mean {nearest:?}? Known are: {list}"),
                None => format!("exchange {name:?} is not known. Known are: {list}"),
            }
        })
    }
}

/// The unit of the times that an exchange is asked to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Thousandths of a second, what consumers of the raw topic expect.
    #[default]
    Millisecond,
    /// Millionths of a second.
    Microsecond,
}

/// One connection's part of a feed: where it goes and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The address with path and query.
    pub url: Url,
    /// The unit of the times on this connection.
    pub time_unit: TimeUnit,
    /// The exchange's symbols that this connection carries.
    pub symbols: Vec<String>,
    /// The requests to send, in order; none where the address itself subscribes.
    pub requests: Vec<Request>,
}

/// A message to the exchange that it acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What the acknowledgement repeats.
    pub id: u64,
    /// The message's text.
    pub text: String,
}

/// What an exchange allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Streams on one connection.
    pub streams_per_connection: usize,
    /// Symbols in one request.
    pub symbols_per_request: usize,
    /// The least time between two messages that we send.
    pub message_interval: Duration,
    /// The longest time without a byte from the exchange, which sends heartbeats more often, after which the
    /// connection is taken to be dead.
    pub max_silence: Duration,
}

/// How an exchange counts the trades of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceRule {
    /// One by one: a number left out is a gap.
    Contiguous,
}

/// An exchange as the hot path sees it.
pub trait Venue: Sized + 'static {
    /// How trades are counted.
    const SEQUENCE: SequenceRule;
    /// What the exchange allows.
    const LIMITS: Limits;
    /// The fewest bytes of a frame that a trade can take: bounds how many trades a frame may hold.
    const MIN_TRADE_BYTES: usize;

    /// The venue as one connection needs it.
    fn new(subscription: &Subscription) -> Self;

    /// Decodes one text message in place. The trades borrow from `frame` and `arena`; all their numbers are
    /// checked, and their symbols are among those of the connection.
    ///
    /// # Errors
    /// [`Reject`] with the field and what is wrong with it.
    fn decode<'frame>(
        &self,
        frame: &'frame mut [u8],
        symbols: &Symbols,
        json: &mut Json,
        arena: &'frame Bump,
    ) -> Result<Frame<'frame>, Reject>;
}

/// The symbols of a connection, to be found by the exchange's name.
#[derive(Debug, Default)]
pub struct Symbols(HashMap<Box<str>, usize, foldhash::fast::RandomState>);

impl Symbols {
    /// In this order.
    pub fn new(symbols: &[String]) -> Self {
        Symbols(symbols.iter().enumerate().map(|(index, symbol)| (symbol.as_str().into(), index)).collect())
    }

    /// The place of `symbol`, which a frame names in `field`.
    ///
    /// # Errors
    /// That the symbol was not asked for.
    #[inline]
    pub fn find(&self, field: &'static str, symbol: &str) -> Result<usize, Reject> {
        self.0.get(symbol).copied().ok_or_else(|| Reject::not_subscribed(field, symbol))
    }
}

/// What a frame turned out to be.
#[derive(Debug, PartialEq)]
pub enum Frame<'frame> {
    /// Market data.
    Trades(&'frame [Trade<'frame>]),
    /// About the session.
    Control(Control<'frame>),
}

/// A frame about the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control<'frame> {
    /// The request with this id stands.
    Acknowledged(u64),
    /// A request was refused.
    Refused {
        /// Which, where the exchange says so.
        id: Option<u64>,
        /// The exchange's code.
        code: i64,
        /// The exchange's words.
        words: &'frame str,
    },
    /// The exchange is about to close: connect anew.
    ShuttingDown,
}

/// Why a frame was not decoded: the reason on the dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject(Box<Reason>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    field: &'static str,
    problem: Cow<'static, str>,
    not_utf8: bool,
}

impl Reject {
    /// `field` is wrong in this way.
    #[cold]
    pub fn new(field: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Reject(Box::new(Reason { field, problem: problem.into(), not_utf8: false }))
    }

    /// `field` is not there.
    #[cold]
    pub fn missing(field: &'static str) -> Self {
        Reject::new(field, "is missing")
    }

    /// `field` is there, but is no `expected`.
    #[cold]
    pub fn mistyped(field: &'static str, value: Value<'_, '_>, expected: &str) -> Self {
        Reject::new(field, format!("is {}, {expected} is expected", value.describe()))
    }

    /// Whether the text is not UTF-8, which RFC 6455 has the connection closed for.
    pub fn is_not_utf8(&self) -> bool {
        self.0.not_utf8
    }

    /// `field` is text that is no decimal number.
    #[cold]
    pub fn not_decimal(field: &'static str, text: &str, problem: NotDecimal) -> Self {
        match text.len() {
            0 => Reject::new(field, problem.to_string()),
            1..=40 => Reject::new(field, format!("{text:?} {problem}")),
            _ => Reject::new(field, format!("{:?}… {problem}", text.chars().take(40).collect::<String>())),
        }
    }

    /// The text is not UTF-8.
    #[cold]
    pub fn not_utf8() -> Self {
        Reject(Box::new(Reason { field: "frame", problem: "is not UTF-8".into(), not_utf8: true }))
    }

    #[cold]
    fn not_json(error: &simd_json::Error) -> Self {
        match error.error() {
            simd_json::ErrorType::InvalidUtf8 => Reject::not_utf8(),
            _ => Reject::new("frame", format!("is not JSON: {error}")),
        }
    }

    #[cold]
    fn not_subscribed(field: &'static str, symbol: &str) -> Self {
        let shown: String = symbol.chars().take(MAX_SHOWN).collect();
        let rest = if shown.len() < symbol.len() { "…" } else { "" };
        Reject::new(field, format!("{shown:?}{rest} was not subscribed"))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.field, self.0.problem)
    }
}
