//! The simulator, read by an independent client.

mod client;
mod dialects;
mod faults;
mod history;
mod market;
mod protocol;
mod replay;
