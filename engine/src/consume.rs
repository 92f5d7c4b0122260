//! Trades read back from Kafka, between two moments and in the order of time: what `tail` and `compare` stand on.
//!
//! [`source`] is where they are read, [`window`] finds the first and last record of each partition, [`stream`] reads one
//! partition, [`merge`] puts several in the order of their time, [`decode`] makes trades of records. Nothing of a consumer
//! group is touched: no offset is committed, and nobody else's reading is disturbed.

pub mod decode;
pub mod merge;
pub mod moment;
pub mod source;
pub mod stream;
pub mod trade;
pub mod window;

/// A record, as it lies in its partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The record's time: when it was made, or appended where the topic says so. Milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Its place in the partition.
    pub offset: i64,
    /// The exchange's symbol.
    pub key: Vec<u8>,
    /// A trade as Avro, or a frame.
    pub value: Vec<u8>,
}
