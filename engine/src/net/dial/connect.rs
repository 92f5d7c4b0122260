//! From a host's name to a TCP connection.
//!
//! A host has several addresses, and one that swallows packets must not keep the others from being tried: each is
//! tried a while after the one before, or at once when that has failed, and the first that answers is taken (RFC 8305,
//! "Happy Eyeballs"). A connection is made seldom and off the feed core, so a thread for each attempt costs nothing that
//! counts.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crossbeam::channel::{RecvTimeoutError, bounded, unbounded};

use super::{DialError, Step};

/// After so long without an answer the next address is tried, too. RFC 8305 wants 100 ms to 2 s: less than a far
/// exchange's round trip would use up connects that it counts.
const NEXT_AFTER: Duration = Duration::from_secs(1);
/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Asks the system's resolver, for as long as that takes.
pub(super) fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// The addresses of a host, in the order in which to try them. `look_up` cannot be interrupted: it runs on a thread of
/// its own, which outlives the wait and ends when the resolver gives up.
pub(super) fn resolve(
    host: &str,
    port: u16,
    timeout: Duration,
    look_up: impl FnOnce(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (sender, receiver) = bounded(1);
    let name = host.to_string();
    // Nobody listens any more once the time is over.
    let ask = move || drop(sender.send(look_up(&name, port)));
    std::thread::Builder::new().name("k2-name".into()).spawn(ask).map_err(DialError::Io)?;
    match receiver.recv_timeout(timeout) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(DialError::Name(format!("{host} has no address"))),
        Ok(Ok(addresses)) => Ok(in_turns(addresses)),
        Ok(Err(error)) => Err(DialError::Name(format!("{host}: {error}"))),
        Err(RecvTimeoutError::Timeout) => {
            Err(DialError::TimedOut { step: Step::Name, whom: host.into(), after: timeout })
        }
        Err(RecvTimeoutError::Disconnected) => Err(DialError::Name(format!("{host}: the resolver has failed"))),
    }
}

/// IPv6 and IPv4 in turns, beginning with what the system prefers, so that a machine on which one of them leads nowhere
/// comes to the other soon (RFC 8305, section 4).
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_preferred = |address: &SocketAddr| address.is_ipv6() == addresses[0].is_ipv6();
    let (preferred, others): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(is_preferred);
    let longest = preferred.len().max(others.len());
    let in_turns = (0..longest).flat_map(|place| [preferred.get(place), others.get(place)]);
    in_turns.flatten().copied().take(MAX_ADDRESSES).collect()
}

/// Connects to the first of the addresses that answers. Each has `timeout` for itself.
pub(super) fn connect(addresses: Vec<SocketAddr>, timeout: Duration) -> Result<TcpStream, DialError> {
    connect_staggered(addresses, timeout, NEXT_AFTER)
}

fn connect_staggered(
    addresses: Vec<SocketAddr>,
    timeout: Duration,
    next_after: Duration,
) -> Result<TcpStream, DialError> {
    let failed = |address: SocketAddr, error: io::Error| match error.kind() {
        io::ErrorKind::TimedOut => DialError::TimedOut { step: Step::Tcp, whom: address.to_string(), after: timeout },
        _ => DialError::Tcp(address, error),
    };
    if let [only] = addresses[..] {
        return TcpStream::connect_timeout(&only, timeout).map_err(|error| failed(only, error));
    }
    let (sender, receiver) = unbounded();
    let mut waiting = addresses.into_iter();
    let mut under_way = 0;
    let mut last = DialError::Name("the host has no address".into());
    loop {
        if let Some(address) = waiting.next() {
            let sender = sender.clone();
            // One that comes later than another is closed by being dropped.
            let attempt = move || drop(sender.send((address, TcpStream::connect_timeout(&address, timeout))));
            std::thread::Builder::new().name("k2-connect".into()).spawn(attempt).map_err(DialError::Io)?;
            under_way += 1;
        } else if under_way == 0 {
            return Err(last);
        }
        // Once all have begun, each ends by itself.
        let patience = if waiting.len() > 0 { next_after } else { timeout * 2 };
        match receiver.recv_timeout(patience) {
            Ok((_, Ok(socket))) => return Ok(socket),
            Ok((address, Err(error))) => {
                under_way -= 1;
                last = failed(address, error);
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
