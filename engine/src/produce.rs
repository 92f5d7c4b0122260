//! The producer core: drains the rings of the feed cores into librdkafka and reads its delivery reports.
//!
//! One pinned thread. A lap takes a bounded batch from each ring, hands it over, and polls for reports. A record
//! stays in its ring until librdkafka has taken it; what librdkafka holds is bounded in number and bytes, so a slow
//! broker fills the ring, and a full ring is the feed core's to see.

mod in_flight;

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};

use crate::accounting::ProducerTally;
use crate::avro;
use crate::bell::Bell;
use crate::clock::Nanos;
use crate::cores::Wait;
use crate::interval::{ProducerMeasured, Recorder};
use crate::kafka::{Header, Kafka, Message, Refusal, Report, Topic};
use crate::latency::Hop;
use crate::record::{Kind, Record};
use in_flight::{Entry, InFlight};

/// Most records taken from a ring in one lap.
const MAX_BATCH: usize = 256;
/// Most events taken from librdkafka in one lap; one holds the reports of a whole request.
const MAX_EVENTS: usize = 16;
/// Longest sleep: measurements are asked for, and the wish to stop is looked at.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);
/// Longest wait for the broker at the end.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// What the header `source` says of a trade that came by the exchange's REST API; others have no such header.
const SOURCE_REST: &[u8] = b"rest";

/// Where the records of one feed go.
#[derive(Debug, Clone)]
pub struct Route {
    /// The exchange's name, a header of raw records.
    pub exchange: String,
    /// The topics, by [`Kind`].
    pub topics: [Topic; Kind::ALL.len()],
}

/// A route that is wanted at run time.
pub struct NewRoute {
    /// The feed's number. What an attempt that failed has left there is replaced.
    pub feed: usize,
    /// See [`Route::exchange`].
    pub exchange: String,
    /// The topics' names, by [`Kind`].
    pub topics: [String; Kind::ALL.len()],
    /// Told whether it is there, or why not.
    pub done: Sender<Result<(), String>>,
}

/// What a producer core works with.
pub struct ProducerCore {
    kafka: Kafka,
    rings: Vec<k2_ring::Consumer>,
    routes: Vec<Route>,
    /// Routes to add, in the order of the feeds' numbers.
    new_routes: Receiver<NewRoute>,
    in_flight: InFlight,
    recorder: Recorder<ProducerTally>,
    bell: Arc<Bell>,
    wait: Wait,
    names: HeaderNames,
}

/// The names of the headers, as C strings.
struct HeaderNames {
    exchange: CString,
    connection: CString,
    received_ns: CString,
    reason: CString,
    source: CString,
}

/// What is left when a producer core has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remainder {
    /// Records in the rings.
    pub in_rings: usize,
    /// Records handed over and not reported on.
    pub in_flight: usize,
    /// Why librdkafka takes no more, if that is so.
    pub fatal: Option<String>,
}

impl ProducerCore {
    /// A producer core over `rings`, with at most so many records and bytes in flight.
    pub fn new(
        kafka: Kafka,
        rings: Vec<k2_ring::Consumer>,
        (routes, new_routes): (Vec<Route>, Receiver<NewRoute>),
        bounds: (usize, usize),
        recorder: Recorder<ProducerTally>,
        bell: Arc<Bell>,
        wait: Wait,
    ) -> Self {
        if wait == Wait::Park {
            kafka.ring_on_report(bell.fd());
        }
        let names = HeaderNames {
            exchange: c"exchange".into(),
            connection: c"connection".into(),
            received_ns: c"received_ns".into(),
            reason: c"reason".into(),
            source: c"source".into(),
        };
        let in_flight = InFlight::new(bounds.0, bounds.1);
        ProducerCore { kafka, rings, routes, new_routes, in_flight, recorder, bell, wait, names }
    }

    /// Starts the core on `cpu`, a thread of its own. Once `stop` is set it empties the rings, waits for the
    /// broker, and returns what is left.
    ///
    /// # Errors
    /// If no thread can be made.
    pub fn start(self, number: usize, cpu: usize, stop: Arc<AtomicBool>) -> Result<JoinHandle<Remainder>, String> {
        let thread = std::thread::Builder::new().name(format!("k2-produce-{number}")).spawn(move || {
            if !core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
                tracing::warn!(number, cpu, "the producer core cannot be bound to its CPU");
            }
            self.run(&stop)
        });
        thread.map_err(|error| format!("producer core {number} cannot be started: {error}"))
    }

    /// Runs until told to stop, or until librdkafka takes nothing any more.
    fn run(mut self, stop: &AtomicBool) -> Remainder {
        while !stop.load(Ordering::Acquire) && self.kafka.fatal().is_none() {
            if self.lap() == 0 {
                self.rest();
            }
        }
        let deadline = Nanos::now().plus(FLUSH_TIMEOUT);
        while !self.is_done() && self.kafka.fatal().is_none() && Nanos::now() < deadline {
            if self.lap() == 0 {
                self.rest();
            }
        }
        self.recorder.finish();
        let in_rings = self.rings.iter_mut().map(|ring| ring.batch(usize::MAX).len()).sum();
        let fatal = self.kafka.fatal().map(|words| format!("the producer cannot go on: {words}"));
        Remainder { in_rings, in_flight: self.in_flight.len(), fatal }
    }

    /// Adds the routes that are wanted.
    fn add_routes(&mut self) {
        while let Ok(NewRoute { feed, exchange, topics, done }) = self.new_routes.try_recv() {
            let topics = topics.each_ref().map(|name| self.kafka.topic(name).map_err(|error| error.to_string()));
            let added = match topics {
                [Ok(raw), Ok(normalized), Ok(dlq)] => {
                    self.routes.truncate(feed);
                    self.routes.push(Route { exchange, topics: [raw, normalized, dlq] });
                    Ok(())
                }
                [raw, normalized, dlq] => raw.and(normalized).and(dlq).map(|_| ()),
            };
            // Whoever asked may have given up.
            let _ = done.send(added);
        }
    }

    /// One lap: every ring once, then the reports. Returns how much was done.
    #[inline]
    fn lap(&mut self) -> usize {
        let mut done = 0;
        for ring in 0..self.rings.len() {
            done += self.drain(ring);
        }
        done += self.take_reports();
        self.add_routes();
        self.recorder.pass_on_if_asked();
        done
    }

    /// Hands a batch of one ring over. Returns how many records left the ring.
    fn drain(&mut self, ring: usize) -> usize {
        let Self { kafka, rings, routes, in_flight, recorder, names, .. } = self;
        let batch = rings[ring].batch(MAX_BATCH);
        if batch.is_empty() {
            return 0;
        }
        let seen = Nanos::now();
        // As many as may be in flight. Their tags follow one another in this array.
        let mut tags = [0usize; MAX_BATCH];
        let mut taken = 0;
        for record in batch.iter().map(Record::read) {
            let bytes = record.value.len() + record.key.len();
            let entry =
                Entry { received: record.head.received, handed: seen, kind: record.head.kind, bytes: bytes as u32 };
            let Some(tag) = in_flight.admit(entry) else { break };
            tags[taken] = tag;
            taken += 1;
            recorder.now.hops.record(Hop::Ring, record.head.committed, seen);
        }
        let records = || batch.iter().map(Record::read).zip(tags).take(taken);
        hand_over(kafka, routes, in_flight, &mut recorder.now, names, records);
        let handed = Nanos::now();
        for tag in &tags[..taken] {
            in_flight.handed(*tag, handed);
            recorder.now.hops.record(Hop::Produce, seen, handed);
        }
        batch.release(taken);
        taken
    }

    fn take_reports(&mut self) -> usize {
        let Self { kafka, in_flight, recorder, .. } = self;
        let mut now = None;
        kafka.poll(MAX_EVENTS, |report| {
            let now = *now.get_or_insert_with(Nanos::now);
            settle(&report, in_flight, &mut recorder.now, now);
        })
    }

    /// Waits for work in the way that was chosen.
    fn rest(&mut self) {
        match self.wait {
            Wait::Spin => std::hint::spin_loop(),
            Wait::Park => {
                let Self { rings, bell, in_flight, .. } = self;
                // What waits only for room in flight is no work: a report will ring.
                let may_take = !in_flight.is_full();
                bell.sleep(LONGEST_SLEEP, || may_take && rings.iter_mut().any(|ring| !ring.is_empty()));
            }
        }
    }

    fn is_done(&mut self) -> bool {
        self.in_flight.len() == 0 && self.rings.iter_mut().all(|ring| ring.is_empty())
    }
}

/// Hands `records` over, those without headers in one call a topic.
fn hand_over<'ring, I>(
    kafka: &mut Kafka,
    routes: &[Route],
    in_flight: &mut InFlight,
    measured: &mut ProducerMeasured,
    names: &HeaderNames,
    records: impl Fn() -> I,
) where
    I: Iterator<Item = (Record<'ring>, usize)>,
{
    let refuse = |message: Message<'_>, refusal: Refusal, in_flight: &mut InFlight, measured: &mut ProducerMeasured| {
        let report = Report { tag: message.tag, refusal: Some(refusal), key: message.key, value: message.value };
        settle(&report, in_flight, measured, Nanos::now());
    };
    for (feed, route) in routes.iter().enumerate() {
        let normalized = || {
            let of_topic = move |record: &Record<'_>| is_plain(record) && usize::from(record.head.feed) == feed;
            records().filter(move |(record, _)| of_topic(record)).map(|(record, tag)| message(&record, tag))
        };
        let topic = route.topics[Kind::Normalized as usize];
        let count = normalized().count();
        let mut settled = 0;
        while settled < count {
            settled += kafka.produce_batch(topic, normalized().skip(settled), |message, refusal| {
                refuse(message, refusal, in_flight, measured);
            });
            if settled < count {
                make_room(kafka, in_flight, measured);
            }
        }
    }
    for (record, tag) in records().filter(|(record, _)| !is_plain(record)) {
        let message = message(&record, tag);
        loop {
            match produce_with_headers(kafka, routes, names, &record, message) {
                Ok(()) => break,
                Err(refusal) if refusal.is_queue_full() => make_room(kafka, in_flight, measured),
                Err(refusal) => break refuse(message, refusal, in_flight, measured),
            }
        }
    }
}

/// Whether a record goes without headers: a trade of a connection.
#[inline]
fn is_plain(record: &Record<'_>) -> bool {
    record.head.kind == Kind::Normalized && !record.head.from_rest
}

fn message<'ring>(record: &Record<'ring>, tag: usize) -> Message<'ring> {
    Message { key: record.key, value: record.value, tag }
}

/// A raw record, a dead letter, or a trade of the exchange's REST API.
fn produce_with_headers(
    kafka: &mut Kafka,
    routes: &[Route],
    names: &HeaderNames,
    record: &Record<'_>,
    message: Message<'_>,
) -> Result<(), Refusal> {
    let route = &routes[usize::from(record.head.feed)];
    let mut received = itoa::Buffer::new();
    let headers = [
        Header { name: &names.exchange, value: route.exchange.as_bytes() },
        Header { name: &names.connection, value: record.connection },
        Header { name: &names.received_ns, value: received.format(record.head.received_unix_ns).as_bytes() },
    ];
    let topic = route.topics[record.head.kind as usize];
    match record.head.kind {
        Kind::Dlq => {
            let [exchange, connection, received] = headers;
            let reason = Header { name: &names.reason, value: record.reason };
            kafka.produce(topic, message, [exchange, connection, received, reason])
        }
        Kind::Raw => kafka.produce(topic, message, headers),
        Kind::Normalized => kafka.produce(topic, message, [Header { name: &names.source, value: SOURCE_REST }]),
    }
}

/// librdkafka's queue was full before our own bound, which leaves it a margin. Reports make room.
#[cold]
fn make_room(kafka: &mut Kafka, in_flight: &mut InFlight, measured: &mut ProducerMeasured) {
    measured.tally.queue_full += 1;
    let now = Nanos::now();
    if kafka.poll(MAX_EVENTS, |report| settle(&report, in_flight, measured, now)) == 0 {
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Puts a record in its last column.
#[inline]
fn settle(report: &Report<'_>, in_flight: &mut InFlight, measured: &mut ProducerMeasured, now: Nanos) {
    let entry = in_flight.settle(report.tag);
    match report.refusal {
        None => {
            measured.tally.acked[entry.kind as usize] += 1;
            measured.hops.record(Hop::Ack, entry.handed, now);
            measured.hops.record(Hop::Total, entry.received, now);
        }
        Some(refusal) => {
            measured.tally.failed[entry.kind as usize] += 1;
            log_loss(entry.kind, report, refusal);
        }
    }
}

/// What is lost is named: by symbol, and by id where the record is a trade.
#[cold]
fn log_loss(kind: Kind, report: &Report<'_>, refusal: Refusal) {
    let symbol = String::from_utf8_lossy(report.key);
    let id = if kind == Kind::Normalized { avro::read_trade_id(report.value) } else { None };
    tracing::error!(topic = kind.name(), %symbol, id, bytes = report.value.len(), "record lost: {refusal}");
}
