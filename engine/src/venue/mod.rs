//! Exchanges: one file for each protocol, with everything that differs between them.
//!
//! A venue says where to connect, how symbols are named and subscribed, what a frame means, by which rule trades are
//! counted, and what the exchange allows. The feed core is generic over [`Venue`] and picks one when a connection is
//! made: the hot path neither dispatches nor compares names.
//!
//! # Adding an exchange
//!
//! 1. Write `venue/<exchange>.rs`: a type that implements [`Venue`], with the protocol's facts in a table at the top,
//!    each with its source, and a doubt where there is one.
//!    - [`Venue::FACTS`] has its names, its addresses and its limits.
//!    - [`Venue::instrument`] checks a symbol's form and knows base and quote. What it cannot know is an error, never a
//!      guess; [`crate::instruments`] helps.
//!    - [`Venue::subscription`] says where a connection goes, [`Venue::request`] writes what it asks for there.
//!    - [`Venue::HISTORY`], where the exchange has one, says how trades of the past are asked for.
//!    - [`Venue::decode`] turns a frame into trades or into something for the session. `fields!` declares the fields that
//!      matter and walks over an object once; then each is checked by a function of [`field`], which names it in the
//!      reason of a refusal. Side is always the taker's, prices and quantities stay the exchange's text.
//! 2. Add its line to the list in [`protocol`].
//! 3. Give it frames: a table of trades as the exchange documents them in its tests, its usual shape in
//!    `engine/tests/frames` for digits, allocations and benches, and its protocol in `sim/`, from the documents and not
//!    from the decoder.

pub mod binance;
pub mod binance_usdm;
pub mod bybit;
pub mod coinbase;
pub mod coinbase_advanced;
pub mod coinbase_exchange;
pub mod field;
pub mod history;
pub mod json;
pub mod kraken;
pub mod kraken_v1;
pub mod kraken_v2;
pub mod okx;
pub mod protocol;
pub mod reject;
pub mod subscription;
#[cfg(test)]
mod testing;
pub mod time;

use std::time::Duration;

use bumpalo::Bump;
use url::Url;

use crate::instruments::Pair;
use crate::trade::Trade;
pub use history::{History, Query};
use json::Json;
pub use protocol::{Protocol, Visit};
pub use reject::Reject;
pub use subscription::{Endpoint, Instrument, Requests, Subscription, Symbols, TimeUnit, Verb};

/// Most characters of a frame's own text that a reason repeats.
const MAX_SHOWN: usize = 80;

/// What is to be known of a protocol before anything is connected.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The exchange's name in configuration, topics and records.
    pub exchange: &'static str,
    /// The protocol's name among those of its exchange.
    pub protocol: &'static str,
    /// Where it is reached unless the configuration says otherwise.
    pub url: &'static str,
    /// Other addresses of the exchange at which the same is to be had, in the order in which to try them.
    pub alternatives: &'static [&'static str],
    /// Whether an address that was given is this protocol's; of an exchange's protocols the first that says so is taken.
    pub serves: fn(&Url) -> bool,
    /// What the exchange is told once on each connection, behind the first request. No answer is awaited.
    pub opening: Option<&'static str>,
    /// What the exchange allows.
    pub limits: Limits,
}

/// What an exchange allows, and how it shows that it is alive.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Symbols on one connection.
    pub symbols_per_connection: usize,
    /// Symbols in one request.
    pub symbols_per_request: usize,
    /// The least time between two messages that we send on a connection.
    pub message_interval: Duration,
    /// How often we may connect.
    pub connects: Connects,
    /// The longest time without a byte from the exchange, which sends heartbeats or answers pings more often, after which
    /// the connection is taken to be dead.
    pub max_silence: Duration,
    /// The age at which the exchange ends a connection.
    pub max_age: Option<Duration>,
    /// What is sent now and then so that the exchange keeps the connection.
    pub ping: Option<Ping>,
}

/// How often connections to an exchange may be made, over all of them.
#[derive(Debug, Clone, Copy)]
pub struct Connects {
    /// The time between two, in the long run.
    pub interval: Duration,
    /// How many may be made at once.
    pub at_once: u32,
}

/// A text that keeps a connection alive.
#[derive(Debug, Clone, Copy)]
pub struct Ping {
    /// How long we may say nothing.
    pub interval: Duration,
    /// What is sent then.
    pub text: &'static str,
}

/// How an exchange tells trades of a symbol apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceRule {
    /// It counts one by one: a number left out is a gap.
    Contiguous,
    /// Numbers rise, but some are left out: those that come twice are known, gaps are not.
    Increasing,
    /// Each trade has a name of its own, in no order.
    Named,
    /// Trades have no names: they are told apart by their content, and by how often a connection has shown it.
    Unnamed,
}

/// A protocol as the rest of the engine sees it.
pub trait Venue: Sized + 'static {
    /// What is to be known before anything is connected.
    const FACTS: Facts;
    /// How trades are told apart.
    const SEQUENCE: SequenceRule;
    /// The fewest bytes of a frame that a trade can take: bounds how many trades a frame may hold.
    const MIN_TRADE_BYTES: usize;
    /// The exchange's trades of the past by their numbers, where it tells them to everybody: gaps are filled from it.
    const HISTORY: Option<History> = None;

    /// Checks the form of a configured symbol, and finds its other names. `pair` is base and quote where they are
    /// configured, too: then they are not looked for.
    ///
    /// # Errors
    /// A sentence that names the symbol and the way out.
    fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String>;

    /// Where one connection goes to carry `instruments`, no more of them than the limits allow.
    ///
    /// # Errors
    /// A sentence that names what is wrong with the address, and the way out.
    fn subscription(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Subscription, String>;

    /// The request that subscribes or unsubscribes instruments of these names on a connection to `endpoint`. `id` is for
    /// the answer to repeat, where the exchange does that.
    fn request(endpoint: &Endpoint, verb: Verb, id: u64, names: &[&str]) -> String;

    /// The venue as one connection needs it.
    fn new(subscription: &Subscription) -> Self;

    /// Decodes one text message, which may change it. The trades borrow from `frame` and `arena`; all their numbers are
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

/// What a frame turned out to be.
#[derive(Debug, PartialEq)]
pub enum Frame<'frame> {
    /// Market data: any number of trades, in the order in which they took place.
    Trades(&'frame [Trade<'frame>]),
    /// Market data that holds no trade of the market.
    NoTrade {
        /// Of which instrument.
        instrument: usize,
        /// The number that it uses up, where the exchange counts it with the trades.
        number: Option<i64>,
    },
    /// About the session.
    Control(Control<'frame>),
}

/// A frame about the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control<'frame> {
    /// A subscription stands; or, if the answer says no more than what it is the answer to, what was asked was done.
    Acknowledged(About<'frame>),
    /// A subscription stands no longer, as was asked.
    Unsubscribed(About<'frame>),
    /// These subscriptions stand and no others, by the instruments' places among those of the connection.
    Standing(&'frame [usize]),
    /// A request was refused.
    Refused {
        /// Which.
        about: About<'frame>,
        /// The exchange's code, empty where it has none.
        code: &'frame str,
        /// The exchange's words.
        words: &'frame str,
    },
    /// The exchange is there: a heartbeat, the answer to a ping, a status, or anything else to which nothing is done.
    Heartbeat,
    /// The exchange is about to close: connect anew.
    ShuttingDown,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'frame> {
    /// All that the request with this id asked for.
    Request(u64),
    /// These instruments, by their places among those of the connection.
    Instruments(&'frame [usize]),
    /// All that the oldest request without an answer asked for: the exchange answers in order.
    Oldest,
    /// One instrument or more, the exchange does not say which.
    Unknown,
}

impl<'frame> About<'frame> {
    /// The instrument of this name, if the exchange names one of the connection's.
    fn named(name: Option<&str>, symbols: &Symbols, arena: &'frame Bump) -> Self {
        match name.and_then(|name| symbols.get(name)) {
            Some(place) => About::Instruments(arena.alloc_slice_copy(&[place])),
            None => About::Unknown,
        }
    }
}
