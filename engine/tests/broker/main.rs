//! The embedded broker and registry with the clients that the engine and its consumers use.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

mod kafka;
mod registry;
