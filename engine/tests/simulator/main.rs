//! The simulator, read by an independent client.

mod client;
mod dialects;
mod market;
mod protocol;
mod replay;
