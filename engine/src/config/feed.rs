//! What holds of one `[[feed]]`.

use std::time::Duration;

use serde::Serialize;
use serde::ser::SerializeStruct;
use url::Url;

use super::shown;
use crate::record::Kind;
use crate::venue::{Endpoint, Instrument, Protocol, Subscription};

/// One `[[feed]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The protocol, and with it the exchange.
    pub protocol: Protocol,
    /// Where the exchange is reached.
    pub endpoint: Endpoint,
    /// Where else, in the order in which to try them.
    pub alternatives: Vec<Url>,
    /// Where the trades of gaps are fetched from, if they are: the exchange's REST API.
    pub rest_url: Option<Url>,
    /// The least time between requests to it, of all symbols together.
    pub rest_interval: Duration,
    /// What is asked for, spread as the exchange's limits want it.
    pub subscriptions: Vec<Subscription>,
    /// How many connections carry each of these; what comes by more than one of them is published once.
    pub connections: usize,
    /// The feed core that carries it, by its number; any if not given.
    pub core: Option<usize>,
    /// What is published of frames as received.
    pub raw: Raw,
    /// The topic of normalized trades.
    pub topic: String,
    /// The topic of frames as received.
    pub topic_raw: String,
    /// The topic of frames that could not be decoded.
    pub topic_dlq: String,
}

/// What is published of frames as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raw {
    /// Every frame, verbatim.
    #[default]
    Frame,
    /// Nothing: the raw topic is not needed.
    Off,
}

impl Feed {
    /// What is fed.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.subscriptions.iter().flat_map(|subscription| &subscription.instruments)
    }

    /// All addresses, the preferred one first.
    pub fn urls(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.endpoint.url).chain(&self.alternatives)
    }

    /// The alternatives as they may be shown.
    pub(super) fn alternatives_shown(&self) -> Vec<String> {
        self.alternatives.iter().map(|url| shown(url).to_string()).collect()
    }

    /// What a connection asks for to carry `instruments`, no more of them than it may carry: one for each address.
    pub fn ways(&self, instruments: &[Instrument]) -> Vec<Subscription> {
        // The addresses have been found right, and the instruments fit on one connection.
        let way = |endpoint: &Endpoint| self.protocol.subscriptions(endpoint, instruments).unwrap_or_default();
        let mut ways = way(&self.endpoint);
        // The first may say in its query which unit it has.
        let time_unit = ways.first().map_or(self.endpoint.time_unit, |first| first.endpoint.time_unit);
        ways.extend(self.alternatives.iter().flat_map(|url| way(&Endpoint { url: url.clone(), time_unit })));
        ways
    }

    /// Why its gaps stay gaps, where no REST API is given. `is_repaired` is [`Repair::enabled`](super::Repair::enabled).
    pub fn unrepaired(&self, is_repaired: bool) -> &'static str {
        match self.protocol.history() {
            None => "gaps stay: the exchange has no history by trade id that is open to everybody",
            Some(_) if !is_repaired => "gaps stay: repair.enabled is false",
            Some(_) => "gaps stay: url is not the exchange's own, so rest_url must be given, too",
        }
    }

    /// The kinds of records that are published.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        let keeps_raw = self.raw == Raw::Frame;
        Kind::ALL.into_iter().filter(move |kind| *kind != Kind::Raw || keeps_raw)
    }

    /// The topics to which a producer core sends records, by their kinds. No other than those that are published to: what
    /// a client is told of it asks the broker for, which may make it.
    pub fn routes(&self) -> [&str; Kind::ALL.len()] {
        let keeps_raw = self.raw == Raw::Frame;
        Kind::ALL.map(|kind| if kind == Kind::Raw && !keeps_raw { &self.topic } else { self.topic(kind) })
    }

    /// The topic of records of this kind.
    pub fn topic(&self, kind: Kind) -> &str {
        match kind {
            Kind::Raw => &self.topic_raw,
            Kind::Normalized => &self.topic,
            Kind::Dlq => &self.topic_dlq,
        }
    }
}

impl Serialize for Feed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Feed", 14)?;
        fields.serialize_field("exchange", self.protocol.exchange())?;
        fields.serialize_field("protocol", self.protocol.name())?;
        let symbols: Vec<_> = self.instruments().map(|instrument| &instrument.symbol).collect();
        fields.serialize_field("symbols", &symbols)?;
        fields.serialize_field("url", shown(&self.endpoint.url).as_str())?;
        fields.serialize_field("alternatives", &self.alternatives_shown())?;
        match &self.rest_url {
            Some(url) => {
                fields.serialize_field("rest_url", shown(url).as_str())?;
                fields.serialize_field("rest_interval_ms", &(self.rest_interval.as_millis() as u64))?;
            }
            None => {
                fields.skip_field("rest_url")?;
                fields.skip_field("rest_interval_ms")?;
            }
        }
        fields.serialize_field("time_unit", &self.endpoint.time_unit)?;
        fields.serialize_field("connections", &self.connections)?;
        match self.core {
            Some(core) => fields.serialize_field("core", &core)?,
            None => fields.skip_field("core")?,
        }
        fields.serialize_field("raw", &self.raw)?;
        fields.serialize_field("topic", &self.topic)?;
        match self.raw {
            Raw::Frame => fields.serialize_field("topic_raw", &self.topic_raw)?,
            Raw::Off => fields.skip_field("topic_raw")?,
        }
        fields.serialize_field("topic_dlq", &self.topic_dlq)?;
        fields.end()
    }
}
