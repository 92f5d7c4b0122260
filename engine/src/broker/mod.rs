//! A Kafka broker and a schema registry inside the process, so that the engine can be tried and
//! tested where neither is installed.
//!
//! Both are real servers on real ports: any Kafka client and any client of Confluent's registry
//! API on this machine can use them. Both forget everything when they are dropped.
//!
//! - [`EmbeddedBroker`] is librdkafka's mock cluster with one broker. It checks idempotent producers'
//!   sequence numbers, forms consumer groups and keeps headers, keys and compression. What it does
//!   not do is said there.
//! - [`EmbeddedRegistry`] gives out schema ids and refuses incompatible schemas.
//! - [`run`] is the command `k2-feed broker`, which serves both until it is told to stop.

mod command;
mod forward;
mod kafka;
mod registry;
mod store;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

pub use command::{BrokerArgs, DEFAULT_PARTITIONS, TopicSpec, run};
pub use kafka::EmbeddedBroker;
pub use registry::EmbeddedRegistry;

/// Any free port on the loopback interface.
pub const ANY_LOOPBACK_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How the cluster id of an embedded broker begins. A client can tell by it, before it sends admin
/// requests, that they would never be answered.
pub const CLUSTER_ID_PREFIX: &str = "mockCluster";

/// Why an embedded server did not start or do as told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// An address that other machines could reach.
    #[error(
        "{what} cannot listen on {addr}: the embedded broker tells its clients to come to 127.0.0.1, \
         so only programs on this machine can use it; listen on 127.0.0.1:{port}, or run a real Kafka",
        port = addr.port()
    )]
    NotLoopback {
        /// Which server.
        what: &'static str,
        /// The address asked for.
        addr: SocketAddr,
    },

    /// The port is taken, or not ours to take.
    #[error(
        "{what} cannot listen on {addr}: {reason}; stop what uses that port (`ss -ltnp` shows it) or \
         choose another, port 0 takes any free one"
    )]
    Listen {
        /// Which server.
        what: &'static str,
        /// The address asked for.
        addr: SocketAddr,
        /// What the kernel said.
        reason: std::io::Error,
    },

    /// The broker inside librdkafka did not start.
    #[error("the embedded broker did not start: {0}; check that 127.0.0.1 is up and file handles are left")]
    Mock(rdkafka::error::KafkaError),

    /// A topic that Kafka would not take, or that is there already.
    #[error("topic {name:?} with {partitions} partitions was not created: {reason}")]
    Topic {
        /// The topic's name.
        name: String,
        /// Partitions asked for.
        partitions: i32,
        /// Why, and the way out.
        reason: String,
    },

    /// A thread could not be started.
    #[error("{what} got no thread: {reason}; raise the limit of processes (ulimit -u)")]
    Thread {
        /// Which server.
        what: &'static str,
        /// What the kernel said.
        reason: std::io::Error,
    },
}

/// Binds a listener on the loopback interface.
fn listen(what: &'static str, addr: SocketAddr) -> Result<TcpListener, BrokerError> {
    if !addr.ip().is_loopback() {
        return Err(BrokerError::NotLoopback { what, addr });
    }
    TcpListener::bind(addr).map_err(|reason| BrokerError::Listen { what, addr, reason })
}
