//! The engine against a real Apache Kafka and a real registry, started by `perf/real`, and read by clients that share
//! nothing with it. Skipped, with a line that says what to install, where Java or Maven is missing, unless
//! `K2_REQUIRE_REAL` is set: then that is a failure.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

mod check;
#[path = "../end_to_end/child.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod child;
mod failures;
#[path = "../end_to_end/oracle.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod oracle;
mod python;
#[path = "../end_to_end/reader.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod reader;
mod real;
#[path = "../end_to_end/report.rs"]
mod report;
#[path = "../end_to_end/required.rs"]
mod required;
mod run;
#[cfg(feature = "tls")]
mod secure;
#[cfg(feature = "read")]
mod tail;
#[path = "../end_to_end/world.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod world;
