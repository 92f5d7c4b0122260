//! The binary from end to end: its commands as child processes over real sockets, judged by clients and readers that
//! did not write what they read.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

#[cfg(feature = "report")]
mod browser;
mod child;
mod configuration;
mod crash;
mod demo;
mod failures;
mod fatal;
#[cfg(feature = "report")]
mod histogram_log;
mod losses;
mod oracle;
#[cfg(feature = "report")]
mod page;
mod raw;
mod reader;
mod reconnect;
mod registry;
mod reload;
mod repair;
mod replay;
mod report;
#[cfg(feature = "report")]
mod required;
mod run;
mod sandbox;
mod tls;
mod world;
