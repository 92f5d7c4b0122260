//! What goes to librdkafka, and what comes back.

use std::ffi::CStr;
use std::fmt;

use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

/// A topic of the client it was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic(pub(super) usize);

impl Topic {
    /// The topic of this number, of a client that is not librdkafka's.
    pub fn at(place: usize) -> Self {
        Topic(place)
    }

    /// Its number.
    pub fn place(self) -> usize {
        self.0
    }
}

/// A record to be produced.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The key; empty for none.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Comes back with the delivery report.
    pub tag: usize,
}

/// A header of a record.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// The name.
    pub name: &'a CStr,
    /// The value.
    pub value: &'a [u8],
}

/// Why a record was not taken or not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub RDKafkaErrorCode);

impl Refusal {
    /// Whether librdkafka's queue has no room: the record is to be offered again.
    pub fn is_queue_full(self) -> bool {
        self.0 == RDKafkaErrorCode::QueueFull
    }

    /// Whether the record came back since the engine asked for it.
    pub fn is_purge(self) -> bool {
        matches!(self.0, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
    }

    /// Whether it is the record that will never be taken, whatever the broker's state.
    pub fn is_of_the_record(self) -> bool {
        matches!(self.0, RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::InvalidTimestamp)
    }

    /// Whether the record, or the request that it was in with others, is too large for the topic.
    pub fn is_too_large(self) -> bool {
        matches!(self.0, RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// As given with the record.
    pub tag: usize,
    /// Why it was not delivered, if it was not.
    pub refusal: Option<Refusal>,
    /// The partition that it is on, and its offset there, if it was delivered.
    pub place: Option<(i32, i64)>,
    /// Whether the broker may have it although it was not delivered, as far as is known.
    pub may_have_arrived: bool,
    /// The record's key.
    pub key: &'a [u8],
    /// The record's value.
    pub value: &'a [u8],
    /// The record's headers.
    pub headers: Headers<'a>,
}

/// The headers of a record that comes back.
#[derive(Debug, Clone, Copy)]
pub enum Headers<'a> {
    /// librdkafka has them.
    Native(&'a sys::rd_kafka_message_t),
    /// Name and value of each, where another client takes librdkafka's place.
    List(&'a [(std::ffi::CString, Vec<u8>)]),
}
