//! Where the records of a feed go, and how they are handed over.

use std::ffi::CStr;

use crossbeam::channel::Sender;

use crate::kafka::{Header, Message, Refusal, Topic};
use crate::record::{Kind, Record};

use super::client::Client;

/// The headers of records.
pub(super) const EXCHANGE: &CStr = c"exchange";
pub(super) const CONNECTION: &CStr = c"connection";
pub(super) const RECEIVED_NS: &CStr = c"received_ns";
pub(super) const REASON: &CStr = c"reason";
const SOURCE: &CStr = c"source";
/// What the header `source` says of a trade that came by the exchange's REST API; others have no such header.
const SOURCE_REST: &[u8] = b"rest";
/// At most so many bytes of headers go with a record besides the connection and the reason, which are in the ring, too.
pub(super) const HEADER_BYTES: usize = 64;

/// Where the records of one feed go.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// The exchange's name, a header of raw records.
    pub(super) exchange: String,
    /// The lanes of its topics, by [`Kind`].
    pub(super) lanes: [usize; Kind::ALL.len()],
}

/// A route that is wanted.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// The exchange's name.
    pub exchange: String,
    /// The topics' names, by [`Kind`].
    pub topics: [String; Kind::ALL.len()],
}

/// A route that is wanted at run time.
pub struct NewRoute {
    /// The feed's number. What an attempt that failed has left there is replaced.
    pub feed: usize,
    /// The route.
    pub route: RouteSpec,
    /// Told whether it is there, or why not.
    pub done: Sender<Result<(), String>>,
}

/// Whether a record goes without headers: a trade of a connection.
#[inline]
pub(super) fn is_plain(record: &Record<'_>) -> bool {
    record.head.kind == Kind::Normalized && !record.head.from_rest
}

#[inline]
pub(super) fn message<'ring>(record: &Record<'ring>, tag: usize) -> Message<'ring> {
    Message { key: record.key, value: record.value, tag }
}

/// Hands one record over, of whatever kind.
pub(super) fn produce(
    client: &mut impl Client,
    topic: Topic,
    exchange: &[u8],
    record: &Record<'_>,
    tag: usize,
) -> Result<(), Refusal> {
    let message = message(record, tag);
    let mut received = itoa::Buffer::new();
    let headers = [
        Header { name: EXCHANGE, value: exchange },
        Header { name: CONNECTION, value: record.connection },
        Header { name: RECEIVED_NS, value: received.format(record.head.received_unix_ns).as_bytes() },
    ];
    match record.head.kind {
        Kind::Dlq => {
            let [exchange, connection, received] = headers;
            let reason = Header { name: REASON, value: record.reason };
            client.produce(topic, message, [exchange, connection, received, reason])
        }
        Kind::Raw => client.produce(topic, message, headers),
        Kind::Normalized if record.head.from_rest => {
            client.produce(topic, message, [Header { name: SOURCE, value: SOURCE_REST }])
        }
        Kind::Normalized => client.produce(topic, message, []),
    }
}
