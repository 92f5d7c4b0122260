//! The embedded broker: librdkafka's mock cluster with one broker, on a port that can be chosen.

use std::net::{SocketAddr, TcpListener};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::forward::Forwarder;
use super::{BrokerError, listen};

/// Longest topic name that Kafka takes, in bytes.
const TOPIC_NAME_LIMIT_BYTES: usize = 249;

/// Most partitions of one topic here; each holds up to 5 MiB of memory.
const PARTITIONS_LIMIT: i32 = 1_000;

/// A Kafka broker in this process, for this machine; gone with all its records when dropped.
///
/// It serves produce (idempotent and transactional), fetch, list offsets, consumer groups with
/// committed offsets, and metadata. A topic is created when a client that may create topics asks
/// for its metadata, always with four partitions: that number is fixed in librdkafka, so topics
/// that need another are made by [`EmbeddedBroker::create_topic`] before a client asks.
///
/// What a real broker does and this one does not:
/// - Kafka's admin requests (create, delete, describe topics, ACLs, groups): it does not announce
///   them, and names a controller that does not exist, for which librdkafka's admin client waits
///   until its request timeout, 60 s unless set. Its cluster id begins with
///   [`CLUSTER_ID_PREFIX`](super::CLUSTER_ID_PREFIX), by which a client can tell beforehand.
/// - Retention by time: each partition keeps its last 5 MiB of batches, as compressed by their
///   producer, or 100,000 batches, and drops older ones. Whoever checks what was written reads
///   while it is written.
/// - Offsets by time: it knows the first and the last offset only.
/// - The first member of a consumer group waits three seconds for others.
/// - TLS, SASL, quotas, a disk.
pub struct EmbeddedBroker {
    // Dropped before the cluster to which it forwards.
    forwarder: Option<Forwarder>,
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts a broker that clients find at `addr`, an address of the loopback interface.
    ///
    /// Port 0 is the mock's own port, which the system chooses. The mock cannot be given one, so
    /// another port is served by a forwarder: clients connect there first, are told the mock's own
    /// address in the metadata, and talk to that from then on.
    ///
    /// # Errors
    /// [`BrokerError::NotLoopback`], [`BrokerError::Listen`] when the port is taken,
    /// [`BrokerError::Mock`] when librdkafka cannot start a broker.
    pub fn start(addr: SocketAddr) -> Result<Self, BrokerError> {
        const WHAT: &str = "the embedded broker";
        // The listener first: a taken port should not cost a cluster.
        let listener: Option<TcpListener> = match addr.port() {
            0 if addr.ip().is_loopback() => None,
            _ => Some(listen(WHAT, addr)?),
        };
        let cluster = MockCluster::new(1).map_err(BrokerError::Mock)?;
        let forwarder = match listener {
            None => None,
            Some(listener) => {
                let target = cluster.bootstrap_servers();
                let forwarder =
                    Forwarder::start(listener, target).map_err(|reason| BrokerError::Thread { what: WHAT, reason })?;
                Some(forwarder)
            }
        };
        Ok(Self { forwarder, cluster })
    }

    /// Where clients start: the value of their `bootstrap.servers`, host and port.
    pub fn bootstrap_servers(&self) -> String {
        match &self.forwarder {
            Some(forwarder) => forwarder.addr().to_string(),
            None => self.cluster.bootstrap_servers(),
        }
    }

    /// Creates a topic with this many partitions and one replica.
    ///
    /// # Errors
    /// [`BrokerError::Topic`] when the name or the number is none that Kafka takes, or when the
    /// topic is there already, be it that a client's question made it.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        let refuse = |reason: String| BrokerError::Topic { name: name.to_owned(), partitions, reason };
        // The mock itself would take any name, and end the process at a negative number.
        check_topic_name(name).map_err(&refuse)?;
        if !(1..=PARTITIONS_LIMIT).contains(&partitions) {
            return Err(refuse(format!("choose 1 to {PARTITIONS_LIMIT} partitions")));
        }
        match self.cluster.create_topic(name, partitions, 1) {
            Ok(()) => Ok(()),
            Err(KafkaError::MockCluster(RDKafkaErrorCode::TopicAlreadyExists)) => {
                Err(refuse("it exists already; create each once, and before clients ask for it".to_owned()))
            }
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    /// The cluster behind it, to inject the faults that librdkafka's mock knows: errors to the next
    /// requests, a broker that is down, a longer round trip.
    pub fn faults(&self) -> &MockCluster<'static, DefaultProducerContext> {
        &self.cluster
    }
}

/// Kafka's rule for topic names; the reason when it is broken.
pub(super) fn check_topic_name(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > TOPIC_NAME_LIMIT_BYTES {
        return Err(format!("a topic name has 1 to {TOPIC_NAME_LIMIT_BYTES} bytes, this one {}", name.len()));
    }
    if name == "." || name == ".." || !name.bytes().all(legal) {
        return Err("a topic name has only letters, digits, '.', '_' and '-'".to_owned());
    }
    Ok(())
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedBroker").field("bootstrap_servers", &self.bootstrap_servers()).finish_non_exhaustive()
    }
}
