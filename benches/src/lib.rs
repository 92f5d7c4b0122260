//! Criterion benchmarks, one file a hop: what they share.
//!
//! Every group holds ours and the references. Criterion measures one after the other; on a machine that others
//! use, too, the ratio of two such figures says little. So each group ends with a second measurement in which the
//! contenders take turns every 100 us, and which prints the median time and the ratio of each to ours.

pub mod contest;
mod echo;
pub mod fixture;
#[path = "../../engine/tests/frames/mod.rs"]
mod frames;
pub mod pipeline;
pub mod produce;
#[allow(dead_code, reason = "shared with a test that needs more of it")]
#[path = "../../engine/tests/producing/mod.rs"]
mod producing;
pub mod reference;
pub mod venue;

/// The engine's allocator, for the references' benefit: ours does not allocate.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
