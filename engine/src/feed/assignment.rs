//! What a feed core is told of its connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::avro::SymbolPrefix;
use crate::pace::Pace;
use crate::session::backoff::Bounds;
use crate::session::breaker::Addresses;
use crate::venue::{Instrument, Protocol, Subscription};

/// What a feed core is told about one of its connections.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The feed, an index into the plan's feeds.
    pub feed: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The connection's number among those of its exchange.
    pub number: usize,
    /// What to ask for, and where: one for each of the feed's addresses, with the same instruments.
    pub ways: Vec<Subscription>,
    /// What the records of each instrument begin with.
    pub prefixes: Vec<SymbolPrefix>,
    /// Whether frames are published as received.
    pub keeps_raw: bool,
    /// When connections to the exchange may be made.
    pub pace: Pace,
    /// Which of the addresses can be reached.
    pub addresses: Arc<Mutex<Addresses>>,
    /// The waits between attempts.
    pub backoff: Bounds,
    /// The age at which connections are made anew, where it is less than the exchange's.
    pub max_age: Option<Duration>,
}

impl Assignment {
    pub(super) fn instruments(&self) -> &[Instrument] {
        self.ways.first().map(|way| way.instruments.as_slice()).unwrap_or_default()
    }

    /// The symbols that it carries.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.instruments().iter().map(|instrument| instrument.symbol.as_str())
    }

    pub(super) fn addresses_differ(&self, other: &Assignment) -> bool {
        let endpoints = |one: &Assignment| one.ways.iter().map(|way| way.endpoint.clone()).collect::<Vec<_>>();
        endpoints(self) != endpoints(other)
    }
}

/// What holds for the messages of all connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest message, in bytes.
    pub max_frame_bytes: usize,
    /// Whether a connection that finds the ring full is not read (else its trades are dropped).
    pub stop_reading: bool,
}
