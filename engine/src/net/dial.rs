//! Makes a connection: name, TCP, TLS, upgrade. Blocks, so it runs off the feed core. TCP has a deadline, TLS and upgrade
//! have one together; how long a name may take, the system's resolver decides.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection};
use url::Url;

use super::socket::enable_timestamps;
use super::stream::Stream;
use crate::ws::handshake::{Handshake, Refused};

/// Longest wait for the TCP connection to one address.
const TCP_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the TLS handshake and the upgrade together.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

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

/// Which step failed, and how.
#[derive(Debug)]
pub enum DialError {
    /// The host's name has no address.
    Name(String),
    /// No address could be reached.
    Tcp(SocketAddr, io::Error),
    /// TLS failed; the certificate's fault is named.
    Tls(io::Error),
    /// The server did not upgrade.
    Upgrade(Refused),
    /// The connection broke, or nothing came in time.
    Io(io::Error),
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::Name(what) => write!(f, "the host's name cannot be resolved: {what}"),
            DialError::Tcp(address, error) => write!(f, "{address} cannot be reached: {error}"),
            DialError::Tls(error) if is_unknown_issuer(error) => {
                write!(f, "TLS failed: {error}: if its root is your own, name it in tls.extra_ca")
            }
            DialError::Tls(error) => write!(f, "TLS failed: {error}"),
            DialError::Upgrade(refused) => refused.fmt(f),
            DialError::Io(error) => write!(f, "the connection broke before it was up: {error}"),
        }
    }
}

fn is_unknown_issuer(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)))
}

/// Connects to `url` (`ws` or `wss`) and upgrades.
///
/// # Errors
/// The step that failed. All of them may pass: the caller tries again.
pub fn dial(url: &Url, tls: &Arc<ClientConfig>) -> Result<Dialed, DialError> {
    let host = url.host_str().ok_or_else(|| DialError::Name("the address names no host".into()))?;
    // An IPv6 address stands in brackets there.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let socket = connect(host, url.port_or_known_default().unwrap_or(443))?;
    let peer = socket.peer_addr().map_err(DialError::Io)?;
    // Before the first byte is received, so that the first frame is stamped, too.
    let timestamps = enable_timestamps(&socket);
    let mut transport = Transport { socket, tls: None, deadline: Instant::now() + HANDSHAKE_TIMEOUT };
    if url.scheme() == "wss" {
        transport.start_tls(host, tls)?;
    }
    let leftover = upgrade(url, &mut transport)?;
    let stream = Stream::new(transport.socket, transport.tls).map_err(DialError::Io)?;
    Ok(Dialed { stream, leftover, peer, timestamps })
}

/// Tries the host's addresses in turn.
fn connect(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| DialError::Name(format!("{host}: {error}")))?;
    let mut last = DialError::Name(format!("{host} has no address"));
    for address in addresses {
        match TcpStream::connect_timeout(&address, TCP_TIMEOUT) {
            Ok(socket) => {
                socket.set_nodelay(true).map_err(DialError::Io)?;
                return Ok(socket);
            }
            Err(error) => last = DialError::Tcp(address, error),
        }
    }
    Err(last)
}

/// Sends the request and reads up to the end of the answer; returns what came behind it.
fn upgrade(url: &Url, transport: &mut Transport) -> Result<Vec<u8>, DialError> {
    let handshake = Handshake::new(url).map_err(|what| DialError::Upgrade(Refused::Invalid(what)))?;
    transport.write_all(handshake.request()).map_err(DialError::Io)?;
    let mut received = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = transport.read(&mut chunk).map_err(DialError::Io)?;
        if count == 0 {
            return Err(DialError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        received.extend_from_slice(&chunk[..count]);
        if let Some(len) = handshake.response(&received).map_err(DialError::Upgrade)? {
            return Ok(received.split_off(len));
        }
    }
}

/// The connection while it still blocks: until the deadline, no longer.
struct Transport {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    deadline: Instant,
}

impl Transport {
    fn start_tls(&mut self, host: &str, config: &Arc<ClientConfig>) -> Result<(), DialError> {
        let invalid = |error: &dyn fmt::Display| DialError::Tls(io::Error::other(format!("{host}: {error}")));
        let name = ServerName::try_from(host.to_string()).map_err(|error| invalid(&error))?;
        let mut tls = ClientConnection::new(config.clone(), name).map_err(|error| invalid(&error))?;
        while tls.is_handshaking() {
            self.arm().map_err(DialError::Tls)?;
            tls.complete_io(&mut self.socket).map_err(DialError::Tls)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// Lets the next socket call wait until the deadline.
    fn arm(&self) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        }
        self.socket.set_read_timeout(Some(left))?;
        self.socket.set_write_timeout(Some(left))
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.arm()?;
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.socket).read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.arm()?;
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
