//! An exchange to test against: its WebSocket protocol over real sockets, with generated or recorded trades.
//!
//! It is written from the exchanges' own documentation and knows nothing of this crate's decoders, so it can
//! contradict them. Its layers, each unaware of the ones above it:
//!
//! | layer | what it knows |
//! |-|-|
//! | `market` | which trade comes next: ids, prices, quantities, seeded |
//! | `schedule` | when the trade is due, whether or not anybody keeps up |
//! | `template` | how a trade's varying text goes into a frame's constant text |
//! | `binance` | one exchange's protocol: paths, requests, replies, frame texts, limits |
//! | `outbound`, `connection`, `server` | sockets, WebSocket framing, keep-alive, slow readers |
//! | `generator`, `replay` | what is due when, and who wants it |
//! | `driver`, `wire` | the one thread that puts due frames on the wire, batch by batch |
//! | `simulator`, `command` | start, watch, stop |
//!
//! The schedule is an open loop: trade k is due at its own moment, a reader that stalls does not slow the market,
//! and what is put on the wire after that moment is late by the difference, which is measured.

mod binance;
mod command;
mod config;
mod connection;
mod driver;
mod generator;
mod ledger;
mod market;
mod meter;
mod outbound;
mod protocol;
mod replay;
mod schedule;
mod server;
mod simulator;
mod template;
mod wire;

pub use command::{SimulateArgs, parse_rate, simulate};
pub use config::{Burst, Rate, Replay, SimError, SimulatorConfig, Speed, Stop};
pub use ledger::{Batch, Ledger, LedgerReader, SentTrade};
pub use meter::{Lateness, Progress, Summary};
pub use replay::RecordingError;
pub use simulator::{Simulator, start};
