//! Sockets and TLS: bytes in.
//!
//! A connection is made off the feed core ([`dial`]), since names, handshakes and certificates block and cost
//! milliseconds; what the feed core then owns is a [`stream::Stream`] that never blocks.

pub mod dial;
pub mod http;
pub mod socket;
pub mod stream;
pub mod tls;

use url::Url;

/// Whether an address is on this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
