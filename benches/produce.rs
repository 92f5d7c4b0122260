//! From the ring to the report of delivery: the producer core beside rdkafka's `BaseProducer`, by the time of its thread.
//!
//! The broker is librdkafka's own, on other threads, as is librdkafka's work on requests; so what is told is what a record
//! costs the pinned core. Laps in which nothing was to be done are left out, and so is what writes to the ring.
//!
//! A round is [`TRADES`] trades, each with its frame: ns a record are the round's us divided by 10.

#[allow(dead_code, reason = "shared with a test that needs more of it")]
#[path = "../engine/tests/producing/mod.rs"]
mod producing;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use k2_feed::broker::EmbeddedBroker;
use k2_feed::kafka::Kafka;
use k2_feed::record::Kind;
use nix::time::{ClockId, clock_gettime};
use producing::Producing;
use rdkafka::client::ClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

/// Trades between two waits for the broker.
const TRADES: usize = 5_000;
/// Trades that are committed before they are taken.
const TOGETHER: usize = 100;

/// Time that this thread has run.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has this clock");
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

/// Adds the time of what is done to `busy`, if anything is; returns how much.
fn timed(busy: &mut Duration, work: impl FnOnce() -> usize) -> usize {
    let before = thread_time();
    let done = work();
    if done > 0 {
        *busy += thread_time() - before;
    }
    done
}

fn producer_core(producing: &mut Producing<Kafka>, rounds: u64) -> Duration {
    let mut busy = Duration::ZERO;
    for _ in 0..rounds {
        // Each record is taken, and reported.
        let mut left = 2 * TRADES * producing::RECORDS.len();
        for trade in 1..=TRADES {
            assert!(producing.commit(), "the ring has room");
            if trade % TOGETHER == 0 {
                left -= timed(&mut busy, || producing.core.lap());
            }
        }
        while left > 0 {
            left -= timed(&mut busy, || producing.core.lap());
        }
    }
    busy
}

/// Counts deliveries.
#[derive(Default)]
struct Delivered(AtomicUsize);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok());
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// `rdkafka`'s own producer, with the engine's settings.
struct Usual {
    producer: BaseProducer<Delivered>,
    _broker: EmbeddedBroker,
}

impl Usual {
    fn start() -> Self {
        let broker = producing::broker();
        let config = producing::client(&broker).client_config();
        let producer = config.create_with_context(Delivered::default()).expect("a client");
        Usual { producer, _broker: broker }
    }

    fn delivered(&self) -> usize {
        self.producer.context().0.load(Ordering::Relaxed)
    }

    fn poll(&self) -> usize {
        let before = self.delivered();
        self.producer.poll(Duration::ZERO);
        self.delivered() - before
    }

    fn rounds(&self, rounds: u64) -> Duration {
        let mut busy = Duration::ZERO;
        let (mut sent, before) = (0, self.delivered());
        for _ in 0..rounds {
            for _ in 0..TRADES / TOGETHER {
                timed(&mut busy, || {
                    for trade in 0..TOGETHER {
                        for (kind, bytes) in producing::RECORDS {
                            let key = producing::SYMBOLS[trade % producing::SYMBOLS.len()];
                            let record = BaseRecord::to(kind.name()).key(key).payload(&PAYLOAD[..bytes]);
                            let record = match kind {
                                Kind::Raw => record.headers(headers(trade)),
                                _ => record,
                            };
                            self.producer.send(record).expect("the queue has room");
                        }
                    }
                    self.poll();
                    TOGETHER
                });
            }
            sent += TRADES * producing::RECORDS.len();
            while self.delivered() - before < sent {
                timed(&mut busy, || self.poll());
            }
        }
        busy
    }
}

static PAYLOAD: [u8; 256] = [7; 256];

/// As a frame has them.
fn headers(received_ns: usize) -> OwnedHeaders {
    let received = received_ns.to_string();
    let all = [("exchange", "binance"), ("connection", "binance-0.1"), ("received_ns", received.as_str())];
    let none = OwnedHeaders::new_with_capacity(all.len());
    all.into_iter().fold(none, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

fn produce(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("produce");
    group.throughput(Throughput::Elements((TRADES * producing::RECORDS.len()) as u64));
    group.sample_size(20);
    let mut producing = Producing::start();
    group.bench_function("producer core", |bencher| {
        bencher.iter_custom(|rounds| producer_core(&mut producing, rounds));
    });
    let usual = Usual::start();
    group.bench_function("BaseProducer", |bencher| bencher.iter_custom(|rounds| usual.rounds(rounds)));
    group.finish();
}

criterion_group!(benches, produce);
criterion_main!(benches);
