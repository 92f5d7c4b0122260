//! The engine between an exchange and a broker of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use k2_feed::accounting::Accounting;
use k2_feed::broker::{ANY_LOOPBACK_PORT, EmbeddedBroker, EmbeddedRegistry};
use k2_feed::config::Config;
use k2_feed::engine::Engine;
use k2_feed::record::Kind;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::exchange::{Exchange, PATIENCE, Peer};

/// Engines pin their threads to the same CPUs: one at a time.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct World {
    pub(crate) exchange: Exchange,
    engine: Engine,
    config: Config,
    broker: EmbeddedBroker,
    _registry: EmbeddedRegistry,
    _one: MutexGuard<'static, ()>,
}

/// A record as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl World {
    pub(crate) fn start() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        log();
        let exchange = Exchange::start();
        let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT).unwrap();
        let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
        let variables = [
            ("K2_EXCHANGE", "binance".to_string()),
            ("K2_SYMBOLS", "BTCUSDT,ETHUSDT".to_string()),
            ("K2_BINANCE_WS_URL", exchange.url()),
            ("K2_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers()),
            ("K2_KAFKA_SCHEMA_REGISTRY_URL", registry.url()),
        ];
        let config = Config::load(None, variables.map(|(name, value)| (name.to_string(), value))).unwrap();
        let engine = Engine::start(&config).unwrap();
        World { exchange, engine, config, broker, _registry: registry, _one: one }
    }

    pub(crate) fn max_frame_bytes(&self) -> usize {
        self.config.limits.max_frame_bytes
    }

    /// The first `count` records of a topic, in the order of their values: dead letters have no key, so they come in
    /// no order.
    pub(crate) fn read(&self, kind: Kind, count: usize) -> Vec<Read> {
        let topic = self.config.feeds[0].topic(kind);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("group.id", "test")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let mut assigned = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            assigned.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
        }
        consumer.assign(&assigned).unwrap();
        let (mut found, until) = (Vec::new(), Instant::now() + PATIENCE);
        while found.len() < count {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} records on {topic}\n{}", found.len(), log().text.lock().unwrap());
            if let Some(message) = consumer.poll(left) {
                found.push(owned(&message.unwrap()));
            }
        }
        found.sort_by(|a, b| a.value.cmp(&b.value));
        found
    }

    /// Stops the engine, which says goodbye to `peer`. Nothing may be lost, and nothing uncounted.
    pub(crate) fn finish(self, mut peer: Peer) -> Accounting {
        // What the engine had not read when it closes would have the kernel reset the connection, goodbye and all.
        peer.expect_pong(b"all is read");
        let stopped = self.engine.stop();
        assert!(stopped.failures.is_empty(), "{:?}", stopped.failures);
        assert_eq!(peer.expect_close(), 1001);
        let accounting = stopped.last.accounting;
        assert!(accounting.holds() && accounting.is_complete(), "{accounting:?}");
        accounting
    }
}

fn owned(message: &impl Message) -> Read {
    let bytes = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let text = |value: Option<&[u8]>| String::from_utf8(bytes(value)).unwrap();
    Read {
        key: bytes(message.key()),
        value: bytes(message.payload()),
        headers: headers.map(|header| (header.key.to_string(), text(header.value))).collect(),
    }
}

/// All that was logged.
#[derive(Default)]
pub(crate) struct Log {
    text: Mutex<String>,
    grown: Condvar,
}

/// The log of the process.
pub(crate) fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        tracing_subscriber::fmt().with_ansi(false).with_writer(|| LogWriter).init();
        Log::default()
    })
}

impl Log {
    /// Waits for a line with all of `words`.
    pub(crate) fn expect(&self, words: &[&str]) {
        let text = self.text.lock().unwrap();
        let is_there = |text: &str| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        let (text, waited) = self.grown.wait_timeout_while(text, PATIENCE, |text| !is_there(text)).unwrap();
        assert!(!waited.timed_out(), "no line with {words:?} in\n{text}");
    }
}

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let log = log();
        log.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(bytes));
        log.grown.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
