//! The binary from end to end: its commands as child processes over real sockets, judged by clients and readers that
//! did not write what they read.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

#[cfg(feature = "report")]
mod browser;
mod check;
mod child;
#[cfg(feature = "read")]
mod compare;
mod configuration;
mod crash;
mod demo;
mod failures;
mod fatal;
#[cfg(feature = "report")]
mod histogram_log;
mod losses;
mod monitoring;
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
#[cfg_attr(not(feature = "report"), allow(dead_code, reason = "the report's tests use the rest"))]
mod required;
mod run;
mod sandbox;
mod shown;
#[cfg(feature = "read")]
mod tail;
#[cfg(feature = "top")]
mod terminal;
mod tls;
#[cfg(feature = "top")]
mod top;
mod world;
