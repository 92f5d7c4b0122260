//! What the rest of the simulator needs to know of an exchange's protocol: its dialect.

mod binance;
mod binance_usdm;
mod bybit;
mod coinbase_advanced;
mod coinbase_exchange;
mod kraken_v1;
mod kraken_v2;
mod okx;
mod request;

use std::ops::Range;
use std::time::Duration;

pub(crate) use request::Request;

use super::template::Template;
use crate::venue::protocol::Protocol;

/// What an exchange demands of its clients, and how it shows that it lives. A test may shorten the times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Messages that a client may send within a second; one more and it is disconnected.
    pub inbound_per_second: Option<usize>,
    /// Between ping frames on each connection, where the exchange sends any.
    pub ping_interval: Option<Duration>,
    /// A ping unanswered for so long ends the connection.
    pub pong_timeout: Duration,
    /// A connection without a subscription ends after so long.
    pub subscribe_within: Option<Duration>,
    /// A connection on which neither side sends anything for so long ends.
    pub longest_quiet: Option<Duration>,
    /// Between heartbeat messages, where there are any.
    pub heartbeat_interval: Duration,
}

impl Rules {
    /// Nothing is demanded.
    const NONE: Rules = Rules {
        inbound_per_second: None,
        ping_interval: None,
        pong_timeout: Duration::from_secs(60),
        subscribe_within: None,
        longest_quiet: None,
        heartbeat_interval: Duration::from_secs(1),
    };

    /// Those of a protocol, as far as its exchange states them.
    pub fn of(protocol: Protocol) -> Self {
        of(protocol).rules()
    }

    /// The times that a connection is watched for.
    pub(crate) fn times(&self) -> impl Iterator<Item = Duration> {
        [self.ping_interval, Some(self.pong_timeout), self.subscribe_within, self.longest_quiet]
            .into_iter()
            .flatten()
            .chain([self.heartbeat_interval])
    }
}

/// Which of its forms an exchange's frames have on a connection; only the exchange's own file knows the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Shape(pub(crate) u8);

/// What a client has asked for on its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) protocol: Protocol,
    pub(crate) shape: Shape,
    /// In the order of subscription, each once: the exchange's own names, or `<channel>:<symbol>` where it has none.
    pub(crate) streams: Vec<String>,
    /// Symbols whose snapshot is still to be sent.
    pub(crate) owed: Vec<String>,
    /// A fault: no trades are sent.
    pub(crate) silent: bool,
    /// A fault: streams whose trades are not sent.
    pub(crate) muted: Vec<String>,
}

impl Session {
    pub(crate) fn new(protocol: Protocol) -> Self {
        let shape = Shape::default();
        Self { protocol, shape, streams: Vec::new(), owed: Vec::new(), silent: false, muted: Vec::new() }
    }

    /// Adds a stream; false if it is there already.
    pub(crate) fn add(&mut self, stream: String) -> bool {
        let is_new = !self.streams.contains(&stream);
        if is_new {
            self.streams.push(stream);
        }
        is_new
    }

    /// Takes a stream away; false if it is not there.
    pub(crate) fn remove(&mut self, stream: &str) -> bool {
        let before = self.streams.len();
        self.streams.retain(|known| known != stream);
        self.streams.len() < before
    }

    /// The symbols of a channel, where streams are named `<channel>:<symbol>`.
    pub(crate) fn symbols<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = &'a str> {
        self.streams.iter().filter_map(move |stream| symbol_of(stream, channel))
    }
}

/// The symbol of a stream named `<channel>:<symbol>`.
pub(crate) fn symbol_of<'a>(stream: &'a str, channel: &str) -> Option<&'a str> {
    stream.strip_prefix(channel)?.strip_prefix(':')
}

/// Why an upgrade is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// Seconds after which the client may try again, where it is told.
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, reason: String) -> Self {
        Self { status, reason, retry_after_s: None }
    }

    pub(crate) fn no_such_path(path: &str) -> Self {
        Self::new(404, format!("no such path: {path}"))
    }
}

/// A symbol that is traded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a str,
    /// Decimals that its prices need.
    pub(crate) price_decimals: u8,
    /// Decimals that its quantities need.
    pub(crate) quantity_decimals: u8,
}

/// How trades of the past are shown to a new subscriber.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) template: Template,
    /// How many, if there are as many.
    pub(crate) trades: usize,
    pub(crate) newest_first: bool,
}

/// The name of a recorded frame's stream, and where its bare payload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) stream: String,
    pub(crate) data: Range<usize>,
}

impl Recorded {
    /// A frame that goes out as it is.
    pub(crate) fn whole(stream: String, frame: &str) -> Self {
        Self { stream, data: 0..frame.len() }
    }
}

/// One exchange's protocol: pure functions, no sockets, no clock of their own.
pub(crate) trait Dialect: Send + Sync {
    /// What is demanded of clients.
    fn rules(&self) -> Rules;

    /// Where clients connect.
    fn default_path(&self) -> &'static str;

    /// What stands between base and quote of a symbol, if anything.
    fn separator(&self) -> Option<char>;

    /// Whether a symbol is well formed.
    fn is_symbol(&self, text: &str) -> bool {
        match self.separator() {
            Some(separator) => are_names(text, separator),
            None => is_name(text),
        }
    }

    /// The exchange's symbol for a pair, given by the usual names of its parts.
    fn symbol(&self, base: &str, quote: &str) -> String {
        match self.separator() {
            Some(separator) => format!("{base}{separator}{quote}"),
            None => format!("{base}{quote}"),
        }
    }

    /// The session that a client opens with this path and query.
    fn open(&self, path: &str, query: Option<&str>) -> Result<Session, Refusal>;

    /// What is said first on a connection.
    fn greeting(&self, _connection: u64) -> Option<String> {
        None
    }

    /// Takes a client's message and returns the replies.
    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String>;

    /// What is said at each heartbeat. `last_id` tells a symbol's latest trade.
    fn heartbeats(&self, _session: &Session, _now_ns: i64, _last_id: &dyn Fn(&str) -> Option<u64>) -> Vec<String> {
        Vec::new()
    }

    /// Whether the market's thread says everything, because replies and heartbeats are numbered with the trades'
    /// frames (each has [`SEQUENCE`] in its text then) or tell of trades.
    fn market_speaks(&self) -> bool {
        false
    }

    /// Whether a request is answered once, whatever it names; otherwise what it names is answered one by one.
    fn answers_as_a_whole(&self) -> bool {
        false
    }

    /// The symbol whose trades a stream carries, if it carries trades.
    fn traded_symbol(&self, stream: &str, shape: Shape) -> Option<String>;

    /// The trade frame of a symbol.
    fn template(&self, symbol: &Symbol<'_>, shape: Shape) -> Template;

    /// Frames that are sent now and then among the trades, use up an id, and tell no trade of the market.
    fn asides(&self, _symbol: &Symbol<'_>, _shape: Shape) -> Vec<Template> {
        Vec::new()
    }

    /// What a new subscriber gets first, where the exchange sends trades of the past.
    fn snapshot(&self, _symbol: &Symbol<'_>, _shape: Shape) -> Option<Snapshot> {
        None
    }

    /// Most trades in one frame.
    fn trades_per_frame(&self) -> u64 {
        1
    }

    /// Whether trades have ids. Where they have none, their times are made to differ.
    fn has_ids(&self) -> bool {
        true
    }

    /// The unit of the trades' times, in nanoseconds.
    fn time_unit_ns(&self, shape: Shape) -> i64;

    /// What is said before the server goes away.
    fn shutdown_notice(&self, _shape: Shape, _unix_ns: i64) -> Option<String> {
        None
    }

    /// Takes a recorded frame apart; `None` if no stream is named in it.
    fn recorded(&self, frame: &str) -> Option<Recorded>;

    /// Whether clients of this shape get the bare payload of a recorded frame.
    fn is_bare(&self, _shape: Shape) -> bool {
        false
    }
}

/// Stands in a text that the market's thread says for the number that the frame gets on its connection.
pub(crate) const SEQUENCE: &str = "\"<sequence>\"";

/// The dialect of a protocol.
pub(crate) fn of(protocol: Protocol) -> &'static dyn Dialect {
    match protocol {
        Protocol::BinanceSpot => &binance::Binance,
        Protocol::BinanceUsdm => &binance_usdm::BinanceUsdm,
        Protocol::KrakenV2 => &kraken_v2::KrakenV2,
        Protocol::KrakenV1 => &kraken_v1::KrakenV1,
        Protocol::CoinbaseAdvanced => &coinbase_advanced::CoinbaseAdvanced,
        Protocol::CoinbaseExchange => &coinbase_exchange::CoinbaseExchange,
        Protocol::Bybit => &bybit::Bybit,
        Protocol::Okx => &okx::Okx,
    }
}

/// The protocols that are served where this one is: Kraken has both of its own on one host, told apart by the path.
pub(crate) fn served_with(protocol: Protocol) -> &'static [Protocol] {
    match protocol {
        Protocol::BinanceSpot => &[Protocol::BinanceSpot],
        Protocol::BinanceUsdm => &[Protocol::BinanceUsdm],
        Protocol::KrakenV2 | Protocol::KrakenV1 => &[Protocol::KrakenV2, Protocol::KrakenV1],
        Protocol::CoinbaseAdvanced => &[Protocol::CoinbaseAdvanced],
        Protocol::CoinbaseExchange => &[Protocol::CoinbaseExchange],
        Protocol::Bybit => &[Protocol::Bybit],
        Protocol::Okx => &[Protocol::Okx],
    }
}

/// The session that a client opens on the host of `protocol`.
pub(crate) fn open(protocol: Protocol, path: &str, query: Option<&str>) -> Result<Session, Refusal> {
    let mut refusal = Refusal::no_such_path(path);
    for served in served_with(protocol) {
        match of(*served).open(path, query) {
            Ok(session) => return Ok(session),
            Err(refused) if *served == protocol => refusal = refused,
            Err(_) => {}
        }
    }
    Err(refusal)
}

/// Two currencies that are traded against each other, by their usual names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What is bought and sold, e.g. `BTC`.
    pub base: String,
    /// What it is paid in, e.g. `USDT`.
    pub quote: String,
}

impl Pair {
    /// The exchange's symbol.
    pub fn symbol(&self, protocol: Protocol) -> String {
        of(protocol).symbol(&self.base, &self.quote)
    }

    /// The symbol that consumers know, whatever the exchange: `BTC/USDT`.
    pub fn canonical(&self) -> String {
        format!("{}/{}", self.base, self.quote)
    }
}

/// Uppercase letters (since December 2025 also non-ASCII ones, at Binance) and digits.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() && !c.is_lowercase())
}

/// Names with `separator` between, at least two.
fn are_names(text: &str, separator: char) -> bool {
    text.contains(separator) && text.split(separator).all(is_name)
}

#[cfg(test)]
mod tests;
