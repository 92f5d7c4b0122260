//! What a running engine answers to `GET /status`, and what of its accounting is shown.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

use crate::accounting::Records;
use crate::http::status::Status;

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// Without its accounting, which is taken out.
    pub(super) status: Status,
    pub(super) accounting: Accounting,
}

/// What became of everything since the start, as in `report.json`; nothing before it was collected once.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Accounting {
    /// Records by kind.
    pub(super) records: BTreeMap<String, Records>,
    /// Records by topic.
    pub(super) topics: BTreeMap<String, Topic>,
    /// Jumps in a symbol's sequence.
    pub(super) gaps: u64,
    /// Trades missing in them, those repaired since included.
    pub(super) missing: u64,
    /// What became of them.
    pub(super) repairs: Repairs,
    /// Connections made anew after one broke.
    pub(super) reconnects: u64,
    /// Times that a connection was not read because the ring had no room.
    pub(super) ring_full: u64,
    /// Times that the accounting did not hold.
    pub(super) broken: u64,
}

/// A topic's records.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Topic {
    /// What they are: `raw`, `normalized` or `dlq`.
    pub(super) kind: String,
    /// What became of them.
    #[serde(flatten)]
    pub(super) records: Records,
}

/// What became of gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Repairs {
    /// Gaps that were repaired.
    pub(super) gaps: u64,
}

impl Answer {
    /// Reads it.
    ///
    /// # Errors
    /// If it is no engine's.
    pub(super) fn read(text: &str) -> serde_json::Result<Self> {
        let mut status: Status = serde_json::from_str(text)?;
        // Any JSON object would do else: what another version leaves out is nothing.
        if status.version.is_empty() {
            return Err(serde_json::Error::missing_field("version"));
        }
        let accounting = match status.accounting.take() {
            Value::Null => Accounting::default(),
            known => serde_json::from_value(known)?,
        };
        Ok(Answer { status, accounting })
    }
}

impl Accounting {
    /// All topics' records together.
    pub(super) fn all_records(&self) -> Records {
        self.records.values().copied().sum()
    }
}
