//! What campaigns and loads are run with: a real broker and a real registry, and the engine as users start it.

pub mod engine;
mod server;

pub use server::{Server, free_address};
