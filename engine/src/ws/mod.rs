//! The client's half of WebSocket (RFC 6455), without IO.
//!
//! [`handshake`] makes the upgrade request and judges the answer, [`buffer`] holds what was received,
//! [`deframe`] finds messages in it in place, [`frame`] makes the few frames that a client sends.
//! Request, response parsing, frame headers and close codes are tungstenite's; reading messages is ours, since
//! tungstenite hands out immutable bytes, which cannot be parsed in place.

pub mod buffer;
pub mod deframe;
pub mod frame;
pub mod handshake;
