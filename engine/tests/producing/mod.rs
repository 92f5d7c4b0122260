//! A producer core between a ring and a client: the real one with librdkafka's own broker, unless another is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::unbounded;
use k2_feed::accounting::ProducerTally;
use k2_feed::bell::Bell;
use k2_feed::broker::EmbeddedBroker;
use k2_feed::clock::Nanos;
use k2_feed::config::RingFull;
use k2_feed::cores::Wait;
use k2_feed::interval::{self, Collector, ProducerMeasured};
use k2_feed::kafka::Kafka;
use k2_feed::kafka::security::Security;
use k2_feed::kafka::settings::{Compression, ProducerSettings as ClientSettings};
use k2_feed::produce::{Client, ProducerCore, ProducerSettings, Resume, RouteSpec, Shown};
use k2_feed::record::{HEAD_LEN, Head, Kind, Tail, seal};
use k2_feed::resume::Progress;
use k2_feed::session::backoff::Bounds;

pub(crate) const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/// What becomes of a trade, and how many bytes that has.
pub(crate) const RECORDS: [(Kind, usize); 2] = [(Kind::Raw, 180), (Kind::Normalized, 150)];
/// Room for either record.
const RECORD_BYTES: usize = 512;
/// Only a broken broker takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The core and both its ends; whoever uses it runs the core's laps.
pub(crate) struct Producing<C> {
    ring: k2_ring::Producer,
    /// To be run lap by lap.
    pub(crate) core: ProducerCore<C>,
    collector: Collector<ProducerTally>,
    /// Trades of each symbol so far.
    number: i64,
    /// Trades of all symbols so far.
    committed: u64,
    _broker: Option<EmbeddedBroker>,
}

/// A broker with the topics.
pub(crate) fn broker() -> EmbeddedBroker {
    let broker = EmbeddedBroker::start("127.0.0.1:0".parse().expect("an address")).expect("a broker");
    for kind in Kind::ALL {
        broker.create_topic(kind.name(), 3).expect("a topic");
    }
    broker
}

/// The engine's settings of a client, by default.
pub(crate) fn client(broker: &EmbeddedBroker) -> ClientSettings {
    ClientSettings {
        bootstrap_servers: broker.bootstrap_servers(),
        compression: Compression::Lz4,
        linger: Duration::from_millis(1),
        queue_records: 100_000,
        queue_bytes: 64 * 1024 * 1024,
        message_timeout: None,
        message_max_bytes: 128 * 1024,
        security: Security::default(),
        librdkafka: BTreeMap::new(),
    }
}

impl Producing<Kafka> {
    /// All is made; nothing is committed.
    pub(crate) fn start() -> Self {
        let broker = broker();
        let kafka = Kafka::new(&client(&broker).client_config()).expect("it is made");
        Producing { _broker: Some(broker), ..Producing::with(kafka) }
    }
}

impl<C: Client + Send + 'static> Producing<C> {
    /// The same, with this client.
    pub(crate) fn with(client: C) -> Self {
        let (ring, consumer) = k2_ring::ring(4 * 1024 * 1024).expect("it is made");
        let (recorder, collector) = interval::pair(ProducerMeasured::producer(), ProducerMeasured::producer());
        let route = RouteSpec { exchange: "binance".into(), topics: Kind::ALL.map(|kind| kind.name().into()) };
        let (_, new_routes) = unbounded();
        let settings = ProducerSettings {
            max_records: 100_000,
            max_bytes: 64 * 1024 * 1024,
            when_full: RingFull::StopReading,
            store: None,
            reached: Some(Resume {
                shown: Arc::new(Shown::default()),
                known: Progress::default(),
                mixed: BTreeSet::new(),
            }),
            waits: Bounds { min: Duration::from_millis(100), max: Duration::from_secs(10) },
            wait: Wait::Park,
            gather: Duration::ZERO,
            shutdown_timeout: Duration::ZERO,
        };
        let core = ProducerCore::new(
            client,
            Box::new(|| Err("one client is enough".into())),
            vec![consumer],
            (&[route], new_routes),
            recorder,
            Arc::new(Bell::new().expect("it is made")),
            settings,
        );
        Producing { ring, core: core.expect("a core"), collector, number: 0, committed: 0, _broker: None }
    }

    /// Has every symbol miss a trade.
    pub(crate) fn miss_a_trade(&mut self) {
        self.number += 1;
    }

    /// Commits the frame and the record of the next trade; whether there was room.
    pub(crate) fn commit(&mut self) -> bool {
        if !self.ring.has_room(2 * RECORD_BYTES, 2) {
            return false;
        }
        let symbol = self.committed as usize % SYMBOLS.len();
        self.number += i64::from(symbol == 0);
        self.committed += 1;
        for (kind, value_len) in RECORDS {
            self.commit_one(kind, value_len, SYMBOLS[symbol]);
        }
        true
    }

    fn commit_one(&mut self, kind: Kind, value_len: usize, symbol: &str) {
        let mut claim = self.ring.claim(RECORD_BYTES).expect("room");
        claim[HEAD_LEN..HEAD_LEN + value_len].fill(self.number as u8);
        let received = Nanos::now();
        let number = (kind == Kind::Normalized).then_some(self.number);
        let head = Head { received, committed: received, number, ..Head::of(kind) };
        let length = seal(&mut claim, head, value_len, Tail { key: symbol, connection: "binance-0.1", reason: "" });
        claim.commit(length);
    }

    /// Whether all that was committed is acknowledged, by measurements that are asked for.
    pub(crate) fn is_level(&mut self) -> bool {
        self.collector.ask();
        self.core.lap();
        let committed = self.committed;
        let is_level = self.collector.collect(|measured| {
            let of = |kind| measured.tally.topics.iter().find(|topic| topic.kind == kind).expect("the topic");
            measured.tally.holds() && RECORDS.iter().all(|(kind, _)| of(*kind).acked == committed)
        });
        is_level.expect("a lap passes measurements on that are asked for")
    }

    /// Runs the core until all that was committed is acknowledged.
    pub(crate) fn level(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_level() {
            assert!(Instant::now() < deadline, "not all is acknowledged");
        }
    }
}
