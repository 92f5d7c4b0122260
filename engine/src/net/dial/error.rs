//! Why no connection came about, in words.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::CertificateError;

use crate::ws::handshake::Refused;

/// A step on the way to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The host's name becomes addresses.
    Name,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// The upgrade to WebSocket.
    Upgrade,
}

/// Which step failed, and how.
#[derive(Debug)]
pub enum DialError {
    /// The host's name has no address.
    Name(String),
    /// No address could be reached; the last of them, and why.
    Tcp(SocketAddr, io::Error),
    /// TLS failed; the certificate's fault is named.
    Tls(io::Error),
    /// The server did not upgrade.
    Upgrade(Refused),
    /// A step took too long.
    TimedOut {
        /// Which.
        step: Step,
        /// Who did not answer: a name, or an address.
        whom: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke.
    Io(io::Error),
}

impl DialError {
    /// What an IO error of `step` means: that its time is over, or else what `otherwise` makes of it.
    pub(super) fn in_time(
        error: io::Error,
        step: Step,
        peer: SocketAddr,
        after: Duration,
        otherwise: fn(io::Error) -> DialError,
    ) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => DialError::TimedOut { step, whom: peer.to_string(), after },
            _ => otherwise(error),
        }
    }

    /// How long the server asks us to stay away, where it says that in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            DialError::Upgrade(refused) => refused.retry_after(),
            _ => None,
        }
    }
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
            DialError::TimedOut { step, whom, after } => timed_out(f, *step, whom, *after),
            DialError::Io(error) => write!(f, "the connection broke before it was up: {error}"),
        }
    }
}

fn timed_out(f: &mut fmt::Formatter<'_>, step: Step, whom: &str, after: Duration) -> fmt::Result {
    match step {
        Step::Name => write!(
            f,
            "the host's name cannot be resolved: no answer for {whom} within {after:?}: look at the name servers in \
             /etc/resolv.conf, and whether they are reached"
        ),
        Step::Tcp => write!(
            f,
            "{whom} cannot be reached: no answer within {after:?}: look at the address and its port, and at firewalls and \
             routes on the way"
        ),
        Step::Tls => write!(
            f,
            "TLS failed: {whom} did not finish the handshake within {after:?}: look whether it speaks TLS at that port \
             (if not, the address begins with ws://), and at proxies on the way"
        ),
        Step::Upgrade => write!(
            f,
            "{whom} did not answer the upgrade within {after:?}: look whether it speaks WebSocket at that port, and with \
             TLS (wss://) or without (ws://)"
        ),
    }
}

fn is_unknown_issuer(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)))
}
