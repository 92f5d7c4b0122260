//! Exchanges to test against: their WebSocket protocol over real sockets, with generated or recorded trades.
//!
//! It is written from the exchanges' own documentation and knows nothing of this crate's decoders, so it can
//! contradict them. Its layers, each unaware of the ones above it:
//!
//! | layer | what it knows |
//! |-|-|
//! | `market` | which trade comes next: ids, prices, quantities, seeded |
//! | `schedule` | when the trade is due, whether or not anybody keeps up |
//! | `number`, `timestamp`, `template` | how trades' varying text goes into a frame's constant text |
//! | `dialect` | the exchanges' protocols, a file each: paths, requests, replies, frame texts, limits |
//! | `outbound`, `connection`, `client`, `server` | sockets, WebSocket framing, keep-alive, slow readers |
//! | `history` | trades of the past, by plain HTTP on the same port |
//! | `generator`, `listing`, `recording`, `replay` | what is due when, and who wants it |
//! | `recorder`, `ledger` | what was sent, for a verifier in the same process |
//! | `fault` | what goes wrong on purpose, and when |
//! | `driver`, `wire` | the one thread that puts due frames on the wire, batch by batch |
//! | `simulator`, `command` | start, watch, stop |
//!
//! The schedule is an open loop: trade k is due at its own moment, a reader that stalls does not slow the market,
//! and what is put on the wire after that moment is late by the difference, which is measured.

mod client;
mod client_stream;
mod command;
mod config;
mod connection;
mod dialect;
mod driver;
mod fault;
mod generator;
mod history;
mod ledger;
mod listing;
mod lock;
mod market;
mod meter;
mod number;
mod outbound;
mod recorder;
mod recording;
mod replay;
mod schedule;
mod server;
mod simulator;
mod template;
mod timestamp;
mod wire;

pub use command::{SimulateArgs, parse_rate, simulate};
pub use config::{Arrivals, Burst, Rate, Replay, SimError, SimulatorConfig, Speed, Stop};
pub use dialect::{Pair, Rules};
pub use fault::{Fault, Recovery, Struck, What, When};
pub use ledger::{Batch, Counts, Ledger, LedgerReader, SentFrame, SentTrade};
pub use meter::{Lateness, Progress, Summary};
pub use recording::RecordingError;
pub use simulator::{Simulator, start};
