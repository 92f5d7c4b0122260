//! Market data from exchange WebSockets to Kafka, on pinned cores.
//!
//! The flow has one direction, and the modules stand in its order:
//!
//! ```text
//! exchange ==> [ feed core: receive -> deframe -> decode -> encode ] --ring--> [ producer core: drain -> produce ] ==> Kafka
//! ```

pub mod accounting;
pub mod avro;
pub mod bell;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cores;
pub mod decimal;
pub mod engine;
pub mod feed;
pub mod instruments;
pub mod interval;
pub mod kafka;
pub mod latency;
pub mod machine;
pub mod net;
pub mod produce;
pub mod record;
pub mod registry;
pub mod report;
pub mod run;
pub mod sequence;
pub mod session;
pub mod signals;
pub mod sim;
pub mod trade;
pub mod venue;
pub mod ws;
