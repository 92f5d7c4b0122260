//! Market data from exchange WebSockets to Kafka, on pinned cores.
//!
//! ```text
//! exchange ==> [ feed core: receive -> deframe -> decode -> encode ] --ring--> [ producer core: drain -> produce ] ==> Kafka
//! ```
//!
//! To follow a trade, read in this order:
//!
//! | module | what happens there |
//! |-|-|
//! | [`net`] | a connection is made; bytes are received with the kernel's time stamp |
//! | [`ws`] | messages are found in the receive buffer, in place |
//! | [`venue`] | a message becomes trades that borrow from it |
//! | [`feed`] | the hot path: all of the above, into the ring |
//! | [`avro`], [`decimal`] | a trade becomes a record, in the ring's memory |
//! | [`record`] | what lies in the ring |
//! | [`produce`], [`kafka`] | the rings are drained into librdkafka, and its reports read |
//! | [`spill`] | what Kafka does not take waits on disk |
//!
//! Around it: [`engine`] starts and stops it, [`registry`] gives schemas their ids, [`state`] is the folder of what survives
//! the engine, [`resume`] keeps there how far each symbol is, [`session`] and [`sequence`] watch over connections and ids,
//! [`repair`] fills gaps from the exchange's history, [`latency`], [`accounting`], [`twins`] and [`interval`] measure,
//! [`report`] writes down, and `page` makes a page of it. While it runs, [`board`] and [`pulse`] have what the cores
//! show, [`http`] serves it with [`metrics`], [`health`] and `top` ask there, and [`notify`] tells systemd. [`check`]
//! looks, before a start, whether all of it can be. `consume` reads trades back from Kafka: `tail` shows the latest,
//! `compare` holds those of two handlers against each other. [`sim`], [`broker`] and [`demo`] stand in for the world
//! outside.

pub mod accounting;
pub mod avro;
pub mod bell;
pub mod board;
pub mod broker;
pub mod check;
pub mod cli;
pub mod clock;
#[cfg(feature = "read")]
pub mod compare;
pub mod config;
#[cfg(feature = "read")]
pub mod consume;
pub mod cores;
pub mod decimal;
pub mod demo;
pub mod digits;
pub mod engine;
pub mod feed;
pub mod fnv1a;
pub mod health;
pub mod http;
pub mod instruments;
pub mod interval;
pub mod kafka;
pub mod latency;
pub mod machine;
pub mod metrics;
pub mod nearest;
pub mod net;
pub mod notify;
pub mod outcome;
pub mod pace;
#[cfg(feature = "report")]
pub mod page;
pub mod process;
pub mod produce;
pub mod pulse;
pub mod readable;
pub mod record;
pub mod registry;
pub mod repair;
pub mod report;
pub mod resume;
pub mod run;
pub mod secret;
pub mod sequence;
pub mod session;
pub mod signals;
pub mod sim;
pub mod spill;
pub mod state;
#[cfg(feature = "read")]
pub mod tail;
pub mod throttle;
#[cfg(feature = "top")]
pub mod top;
pub mod trade;
pub mod twins;
pub mod venue;
pub mod ws;
