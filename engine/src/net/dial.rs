//! Makes a connection: name, TCP, TLS, upgrade, each with a deadline of its own. Blocks, so it runs off the feed core.

mod connect;
mod error;
mod timed;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use url::Url;

use super::socket::enable_timestamps;
use super::stream::Stream;
use crate::ws::handshake::{Handshake, Refused};
pub use error::{DialError, Step};
use timed::Timed;

/// Longest wait for the addresses of a name. The system's resolver asks each name server for 5 s, twice (resolv.conf(5)).
const NAME_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the TCP connection to one address.
const TCP_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the upgrade.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long each step may take.
#[derive(Debug, Clone, Copy)]
struct Timeouts {
    name: Duration,
    /// For each of the name's addresses.
    tcp: Duration,
    tls: Duration,
    upgrade: Duration,
}

const TIMEOUTS: Timeouts =
    Timeouts { name: NAME_TIMEOUT, tcp: TCP_TIMEOUT, tls: TLS_TIMEOUT, upgrade: UPGRADE_TIMEOUT };

/// A connection that is upgraded and ready for messages.
pub struct Dialed<S = Stream> {
    /// The connection.
    pub stream: S,
    /// What the server sent right behind its answer: the first frames.
    pub leftover: Vec<u8>,
    /// The address that was reached.
    pub peer: SocketAddr,
    /// Whether the kernel stamps what it receives.
    pub timestamps: bool,
}

/// Connects to `url` (`ws` or `wss`) and upgrades.
///
/// # Errors
/// The step that failed. All of them may pass: the caller tries again.
pub fn dial(url: &Url, tls: &Arc<ClientConfig>) -> Result<Dialed, DialError> {
    dial_telling(url, tls, |_| ())
}

/// As [`dial`]; `done` is told of each step when it is done.
///
/// # Errors
/// As [`dial`].
pub fn dial_telling(url: &Url, tls: &Arc<ClientConfig>, done: impl FnMut(Step)) -> Result<Dialed, DialError> {
    dial_within(url, tls, TIMEOUTS, done)
}

fn dial_within(
    url: &Url,
    tls: &Arc<ClientConfig>,
    timeouts: Timeouts,
    mut done: impl FnMut(Step),
) -> Result<Dialed, DialError> {
    let host = url.host_str().ok_or_else(|| DialError::Name("the address names no host".into()))?;
    // An IPv6 address stands in brackets there.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = connect::resolve(host, port, timeouts.name, connect::look_up)?;
    done(Step::Name);
    let socket = connect::connect(addresses, timeouts.tcp)?;
    done(Step::Tcp);
    socket.set_nodelay(true).map_err(DialError::Io)?;
    let peer = socket.peer_addr().map_err(DialError::Io)?;
    // Before the first byte is received, so that the first frame is stamped, too.
    let timestamps = enable_timestamps(&socket);
    let timed = Timed { socket, deadline: Instant::now() + timeouts.tls };
    let mut transport = Transport { timed, tls: None };
    if url.scheme() == "wss" {
        let failed = |error| DialError::in_time(error, Step::Tls, peer, timeouts.tls, DialError::Tls);
        transport.start_tls(host, tls).map_err(failed)?;
        done(Step::Tls);
    }
    transport.timed.deadline = Instant::now() + timeouts.upgrade;
    let failed = |error| DialError::in_time(error, Step::Upgrade, peer, timeouts.upgrade, DialError::Io);
    let leftover = upgrade(url, &mut transport, failed)?;
    done(Step::Upgrade);
    let stream = Stream::new(transport.timed.socket, transport.tls).map_err(DialError::Io)?;
    Ok(Dialed { stream, leftover, peer, timestamps })
}

/// Sends the request and reads up to the end of the answer; returns what came behind it.
fn upgrade(
    url: &Url,
    transport: &mut Transport,
    failed: impl Fn(io::Error) -> DialError,
) -> Result<Vec<u8>, DialError> {
    let handshake = Handshake::new(url).map_err(|what| DialError::Upgrade(Refused::Invalid(what)))?;
    transport.write_all(handshake.request()).map_err(&failed)?;
    let mut received = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = transport.read(&mut chunk).map_err(&failed)?;
        if count == 0 {
            return Err(DialError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        received.extend_from_slice(&chunk[..count]);
        if let Some(len) = handshake.response(&received).map_err(DialError::Upgrade)? {
            return Ok(received.split_off(len));
        }
    }
}

/// The connection while it still blocks.
struct Transport {
    timed: Timed,
    tls: Option<Box<ClientConnection>>,
}

impl Transport {
    fn start_tls(&mut self, host: &str, config: &Arc<ClientConfig>) -> io::Result<()> {
        let name = ServerName::try_from(host.to_string()).map_err(|error| io::Error::other(format!("{host}: {error}")));
        let tls = ClientConnection::new(config.clone(), name?);
        let mut tls = tls.map_err(|error| io::Error::other(format!("{host}: {error}")))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.timed)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.timed.read(buffer),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.timed).read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.timed.write(bytes),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.timed).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.timed.flush()
    }
}

#[cfg(test)]
mod tests;
