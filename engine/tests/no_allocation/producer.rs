//! The producer core. Its client is the real one, its broker librdkafka's own; what librdkafka asks of libc's allocator for
//! a record, some two times, is not counted here.

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
use k2_feed::produce::{ProducerCore, ProducerSettings, Resume, RouteSpec, Shown};
use k2_feed::record::{HEAD_LEN, Head, Kind, Tail, seal};
use k2_feed::resume::Progress;
use k2_feed::session::backoff::Bounds;

use crate::counting::calls;

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/// Trades of a round; each is two records.
const TRADES: u64 = 21_000;
const WARM_UP_ROUNDS: u64 = 2;
const COUNTED_ROUNDS: u64 = 10;
/// Only a broken broker takes so long for a round.
const PATIENCE: Duration = Duration::from_secs(60);

struct Rig {
    ring: k2_ring::Producer,
    core: ProducerCore<Kafka>,
    collector: Collector<ProducerTally>,
    /// Trades of each symbol so far.
    number: i64,
}

impl Rig {
    fn new(servers: &str) -> Self {
        let (ring, consumer) = k2_ring::ring(4 * 1024 * 1024).unwrap();
        let (recorder, collector) = interval::pair(ProducerMeasured::producer(), ProducerMeasured::producer());
        let client = ClientSettings {
            bootstrap_servers: servers.into(),
            compression: Compression::Lz4,
            linger: Duration::from_millis(1),
            queue_records: 100_000,
            queue_bytes: 64 * 1024 * 1024,
            message_timeout: None,
            message_max_bytes: 128 * 1024,
            security: Security::default(),
            librdkafka: BTreeMap::new(),
        };
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
            Kafka::new(&client.client_config()).unwrap(),
            Box::new(|| Err("one client is enough".into())),
            vec![consumer],
            (&[route], new_routes),
            recorder,
            Arc::new(Bell::new().unwrap()),
            settings,
        );
        Rig { ring, core: core.unwrap(), collector, number: 0 }
    }

    /// Commits trades of all symbols, as frames and as records, and runs the core until all are acknowledged.
    fn round(&mut self, round: u64) {
        // A gap or two are remembered, and shown with the rest.
        self.number += i64::from(round < WARM_UP_ROUNDS);
        for trade in 0..TRADES {
            self.number += i64::from(trade % SYMBOLS.len() as u64 == 0);
            for kind in [Kind::Raw, Kind::Normalized] {
                let symbol = SYMBOLS[trade as usize % SYMBOLS.len()];
                while !self.commit(kind, symbol) {
                    self.core.lap();
                }
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while self.acked() < [(round + 1) * TRADES; 2] {
            assert!(Instant::now() < deadline, "not all is acknowledged");
        }
    }

    /// Whether there was room.
    fn commit(&mut self, kind: Kind, symbol: &str) -> bool {
        let Ok(mut claim) = self.ring.claim(1_024) else { return false };
        let value_len = if kind == Kind::Raw { 180 } else { 150 };
        claim[HEAD_LEN..HEAD_LEN + value_len].fill(self.number as u8);
        let received = Nanos::now();
        let number = (kind == Kind::Normalized).then_some(self.number);
        let head = Head { received, committed: received, number, ..Head::of(kind) };
        let length = seal(&mut claim, head, value_len, Tail { key: symbol, connection: "binance-0.1", reason: "" });
        claim.commit(length);
        true
    }

    /// Runs the core until it has passed its measurements on: frames and trades that are acknowledged.
    fn acked(&mut self) -> [u64; 2] {
        self.collector.ask();
        loop {
            self.core.lap();
            let acked = self.collector.collect(|measured| {
                assert!(measured.tally.holds());
                let of = |kind| measured.tally.topics.iter().find(|topic| topic.kind == kind).unwrap();
                [Kind::Raw, Kind::Normalized].map(|kind| of(kind).acked)
            });
            if let Some(acked) = acked {
                return acked;
            }
        }
    }
}

#[test]
fn handing_over_and_settling_takes_no_allocation() {
    let broker = EmbeddedBroker::start("127.0.0.1:0".parse().unwrap()).unwrap();
    for kind in Kind::ALL {
        broker.create_topic(kind.name(), 3).unwrap();
    }
    let mut rig = Rig::new(&broker.bootstrap_servers());
    (0..WARM_UP_ROUNDS).for_each(|round| rig.round(round));
    let before = calls();
    (WARM_UP_ROUNDS..WARM_UP_ROUNDS + COUNTED_ROUNDS).for_each(|round| rig.round(round));
    assert_eq!(calls(), before, "the producer core called the allocator");
    assert_eq!(rig.acked(), [(WARM_UP_ROUNDS + COUNTED_ROUNDS) * TRADES; 2]);
}
