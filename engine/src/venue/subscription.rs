//! What a connection asks for.

use std::collections::HashMap;

use url::Url;

use super::time::{NANOS_PER_MICRO, NANOS_PER_MILLI};
use super::{Reject, Venue};

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

/// Where a feed comes from, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub url: Url,
    /// The unit of the times, where the exchange leaves it to us.
    pub time_unit: TimeUnit,
}

impl Endpoint {
    /// With this path, if it has none of its own.
    pub(super) fn or_path(&self, path: &str) -> Endpoint {
        let mut endpoint = self.clone();
        if endpoint.url.path() == "/" {
            endpoint.url.set_path(path);
        }
        endpoint
    }
}

/// A symbol under all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// As it is configured: what records carry.
    pub symbol: String,
    /// `BTC/USDT`, whatever the exchange calls it.
    pub canonical: String,
    /// As requests name it.
    pub requested: String,
    /// As frames name it.
    pub framed: String,
}

impl Instrument {
    /// An instrument that the exchange calls by its configured symbol throughout.
    pub fn new(symbol: &str, canonical: String) -> Self {
        let name = || symbol.to_string();
        Instrument { symbol: name(), canonical, requested: name(), framed: name() }
    }
}

impl TimeUnit {
    /// Nanoseconds of a unit.
    pub fn nanos(self) -> i64 {
        match self {
            TimeUnit::Millisecond => NANOS_PER_MILLI,
            TimeUnit::Microsecond => NANOS_PER_MICRO,
        }
    }
}

/// One connection's part of a feed: where it goes and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The address with path and query, and the unit of the times on this connection.
    pub endpoint: Endpoint,
    /// What this connection carries.
    pub instruments: Vec<Instrument>,
    /// Whether the address itself subscribes; else requests do.
    pub by_address: bool,
}

impl Subscription {
    /// A subscription by requests.
    pub fn by_requests(endpoint: Endpoint, instruments: &[Instrument]) -> Self {
        Subscription { endpoint, instruments: instruments.to_vec(), by_address: false }
    }
}

/// What a request asks the exchange to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// To send the trades of some instruments.
    Subscribe,
    /// To send them no longer.
    Unsubscribe,
}

impl Verb {
    /// One of two texts.
    pub(super) fn pick(self, subscribe: &'static str, unsubscribe: &'static str) -> &'static str {
        match self {
            Verb::Subscribe => subscribe,
            Verb::Unsubscribe => unsubscribe,
        }
    }
}

/// Writes a request of an id, for these names.
type Write = fn(&Endpoint, Verb, u64, &[&str]) -> String;

/// How requests are written on a connection.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Where the connection goes.
    pub endpoint: Endpoint,
    /// See [`Venue::request`].
    pub write: Write,
    /// The most instruments of one request.
    pub symbols_per_request: usize,
    /// See [`super::Facts::opening`].
    pub opening: Option<&'static str>,
}

impl Requests {
    /// As the venue writes them to `endpoint`.
    pub fn of<V: Venue>(endpoint: Endpoint) -> Self {
        let symbols_per_request = V::FACTS.limits.symbols_per_request;
        Requests { endpoint, write: V::request, symbols_per_request, opening: V::FACTS.opening }
    }
}

/// See [`super::Protocol::subscriptions`].
pub(super) fn spread<V: Venue>(endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Vec<Subscription>, String> {
    let count = instruments.len().div_ceil(V::FACTS.limits.symbols_per_connection).max(1);
    // As even as it goes: the first ones carry one more.
    let (each, more) = (instruments.len() / count, instruments.len() % count);
    let mut rest = instruments;
    (0..count)
        .map(|number| {
            let (mine, others) = rest.split_at(each + usize::from(number < more));
            rest = others;
            V::subscription(endpoint, mine)
        })
        .collect()
}

/// The instruments of a connection, to be found by the exchange's names.
#[derive(Debug, Default)]
pub struct Symbols(HashMap<Box<str>, usize, foldhash::fast::RandomState>);

impl Symbols {
    /// In this order.
    pub fn new(instruments: &[Instrument]) -> Self {
        let framed = instruments.iter().map(|instrument| instrument.framed.as_str());
        Symbols(framed.enumerate().map(|(index, name)| (name.into(), index)).collect())
    }

    /// One more, at this place.
    pub fn add(&mut self, instrument: &Instrument, place: usize) {
        self.0.insert(instrument.framed.as_str().into(), place);
    }

    /// The instrument at this place is not among them any more.
    pub fn remove(&mut self, place: usize) {
        self.0.retain(|_, other| *other != place);
    }

    /// The place of the instrument that a frame names in `field`.
    ///
    /// # Errors
    /// That the symbol was not asked for.
    #[inline]
    pub fn find(&self, field: &'static str, symbol: &str) -> Result<usize, Reject> {
        self.0.get(symbol).copied().ok_or_else(|| Reject::not_subscribed(field, symbol))
    }

    /// The place of the instrument of that name, if there is one.
    pub fn get(&self, symbol: &str) -> Option<usize> {
        self.0.get(symbol).copied()
    }
}
