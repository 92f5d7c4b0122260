//! Sockets and TLS: bytes in.
//!
//! A connection is made off the feed core ([`dial`]), since names, handshakes and certificates block and cost
//! milliseconds; what the feed core then owns is a [`stream::Stream`] that never blocks.

pub mod dial;
pub mod socket;
pub mod stream;
pub mod tls;
