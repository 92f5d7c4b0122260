//! The decoders on what exchanges really sent, and on digits of every kind.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

mod exact;
#[path = "../frames/mod.rs"]
mod frames;
mod judge;
mod recorded;
mod recording;
