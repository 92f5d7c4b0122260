//! The simulator, read by an independent client.

mod client;
mod market;
mod protocol;
mod replay;
