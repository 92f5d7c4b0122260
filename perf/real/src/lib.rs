//! What campaigns, loads and the gate are run with: a real broker and a real registry, and the engine as users start it.

mod child;
pub mod engine;
mod server;

pub use child::Said;
pub use server::{Server, free_address};
