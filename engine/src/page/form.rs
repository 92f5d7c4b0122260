//! `report.json` as it is read: what [`crate::report`] writes, in the same words.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::accounting::{Delivery, Frames, Records, Sessions};
use crate::machine::Machine;
use crate::twins::Lead;

/// All of it that is shown.
#[derive(Debug, Clone, Deserialize)]
pub struct Form {
    /// What was run: `run` or `demo`.
    pub command: String,
    /// The process's arguments.
    pub arguments: Vec<String>,
    /// The version of k2-feed.
    pub k2_feed: String,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// The machine.
    pub machine: Machine,
    /// The configuration, without secrets.
    pub config: Map<String, Value>,
    /// Which CPU ran what.
    pub plan: Map<String, Value>,
    /// What became of everything.
    pub accounting: Accounting,
    /// How connections with the same symbols stand to each other.
    pub twins: Vec<Standing>,
    /// By hop, what was measured, of which the log has the rest.
    pub latency_ns: BTreeMap<String, Counted>,
    /// What a demo's verifier found.
    #[serde(default)]
    pub verify: Map<String, Value>,
}

/// How many times of a hop were recorded.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Counted {
    /// So many.
    pub count: u64,
}

/// `accounting`.
#[derive(Debug, Clone, Deserialize)]
pub struct Accounting {
    /// Frames.
    pub frames: Frames,
    /// Trades decoded.
    pub trades: u64,
    /// Records by kind.
    pub records: BTreeMap<String, Records>,
    /// Records by topic.
    pub topics: BTreeMap<String, Topic>,
    /// Jumps in a symbol's sequence.
    pub gaps: u64,
    /// Trades missing in them.
    pub missing: u64,
    /// What became of them.
    pub repairs: Repairs,
    /// Trades that came after a later one.
    pub late: u64,
    /// Trades that had been seen.
    pub duplicates: u64,
    /// Connections made anew.
    pub reconnects: u64,
    /// What else became of connections.
    pub sessions: Sessions,
    /// Times that a connection was not read because the ring had no room.
    pub ring_full: u64,
    /// Times that the engine found that its accounting did not hold.
    pub broken: u64,
    /// What became of deliveries.
    pub delivery: Delivery,
}

/// A topic's records.
#[derive(Debug, Clone, Deserialize)]
pub struct Topic {
    /// What they are.
    pub kind: String,
    /// Their columns.
    #[serde(flatten)]
    pub records: Records,
}

/// What became of gaps.
#[derive(Debug, Clone, Deserialize)]
pub struct Repairs {
    /// Gaps repaired.
    pub gaps: u64,
    /// Trades published from the exchange's history.
    pub trades: u64,
    /// Gaps that connections filled by themselves.
    pub filled: u64,
    /// Gaps that stay, by reason.
    pub given_up: BTreeMap<String, u64>,
}

/// How a connection stands to its twins.
#[derive(Debug, Clone, Deserialize)]
pub struct Standing {
    /// The exchange.
    pub exchange: String,
    /// The connection's number.
    pub connection: usize,
    /// How often it was first.
    pub first: u64,
    /// How often it was not.
    pub second: u64,
    /// By how much it was first.
    pub lead_ns: Lead,
}

impl Accounting {
    /// All records together.
    pub fn all(&self) -> Records {
        self.topics.values().map(|topic| topic.records).sum()
    }

    /// Whether every frame and every record is in exactly one column, by these figures and by what the engine found.
    pub fn holds(&self) -> bool {
        self.broken == 0 && self.frames.holds() && self.topics.values().all(|topic| topic.records.holds())
    }

    /// Whether nothing was lost, and nothing is under way.
    pub fn is_complete(&self) -> bool {
        self.holds() && self.all().is_complete()
    }
}
