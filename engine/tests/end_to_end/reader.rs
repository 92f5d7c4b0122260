//! An independent consumer: rdkafka for the records, plain HTTP for the schema that each record names, apache-avro for
//! what they say.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::child::PATIENCE;
use crate::world::Broker;

pub(crate) const TOPIC: &str = "market.crypto.trades.binance";
pub(crate) const TOPIC_DLQ: &str = "market.crypto.trades.binance.dlq";
pub(crate) const TOPIC_RAW: &str = "market.crypto.trades.binance.raw";

/// A record of the raw topic.
pub(crate) struct Raw {
    pub(crate) key: String,
    pub(crate) exchange: String,
    pub(crate) connection: String,
    pub(crate) received_ns: i64,
    pub(crate) frame: String,
}

/// A record of the normalized topic.
pub(crate) struct Normalized {
    pub(crate) key: String,
    /// The header `source`; a record without headers has none.
    pub(crate) source: Option<String>,
    /// The fields in the schema's order.
    pub(crate) fields: Vec<(String, Value)>,
}

/// What the two topics hold, in the order in which it was read: within a symbol, that of its partition.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) raw: Vec<Raw>,
    pub(crate) normalized: Vec<Normalized>,
}

pub(crate) struct Reader {
    consumer: BaseConsumer,
    registry: String,
    /// By their ids in the registry.
    schemas: HashMap<u32, Schema>,
    /// The next offset of each partition.
    next: HashMap<(String, i32), i64>,
    pub(crate) found: Found,
}

impl Reader {
    /// Reads both topics, which must exist, from their beginning.
    pub(crate) fn start(broker: &Broker) -> Self {
        let consumer = consumer(broker, &[TOPIC, TOPIC_RAW]);
        let registry = broker.registry.clone();
        Reader { consumer, registry, schemas: HashMap::new(), next: HashMap::new(), found: Found::default() }
    }

    /// Reads on until both topics have given `count` records since the start.
    pub(crate) fn until(&mut self, count: usize) -> &Found {
        let deadline = Instant::now() + PATIENCE;
        while self.found.raw.len() < count || self.found.normalized.len() < count {
            let (raw, normalized) = (self.found.raw.len(), self.found.normalized.len());
            assert!(Instant::now() < deadline, "{raw} raw and {normalized} normalized records of {count} came");
            self.poll(Duration::from_millis(100));
        }
        &self.found
    }

    /// Reads on until `is_enough`.
    pub(crate) fn until_that(&mut self, is_enough: impl Fn(&Found) -> bool) -> &Found {
        let deadline = Instant::now() + PATIENCE;
        while !is_enough(&self.found) {
            let (raw, normalized) = (self.found.raw.len(), self.found.normalized.len());
            assert!(Instant::now() < deadline, "{raw} raw and {normalized} normalized records are not enough");
            self.poll(Duration::from_millis(100));
        }
        &self.found
    }

    /// Reads on to the end of all partitions, to find what nobody expects.
    pub(crate) fn into_all(mut self) -> Found {
        let assignment = self.consumer.assignment().unwrap();
        let ends = assignment.elements().into_iter().map(|element| {
            let (topic, partition) = (element.topic(), element.partition());
            ((topic.to_string(), partition), self.end(topic, partition))
        });
        let ends: Vec<_> = ends.filter(|(_, end)| *end > 0).collect();
        let deadline = Instant::now() + PATIENCE;
        while ends.iter().any(|(partition, end)| self.next.get(partition) < Some(end)) {
            assert!(Instant::now() < deadline, "the ends are {ends:?}, read was up to {:?}", self.next);
            self.poll(Duration::from_millis(100));
        }
        self.found
    }

    /// Where a partition ends. A broker that has just gone may be asked first.
    fn end(&self, topic: &str, partition: i32) -> i64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.consumer.fetch_watermarks(topic, partition, PATIENCE) {
                Ok((_, end)) => return end,
                Err(error) => assert!(Instant::now() < deadline, "{topic} {partition}: {error}"),
            }
        }
    }

    fn poll(&mut self, longest: Duration) {
        // A connection that was lost is made anew: the wait decides.
        let Some(Ok(message)) = self.consumer.poll(longest) else { return };
        self.next.insert((message.topic().to_string(), message.partition()), message.offset() + 1);
        let key = text(message.key().expect("a key"));
        if message.topic() == TOPIC_RAW {
            self.found.raw.push(raw(key, &message));
        } else {
            let payload = message.payload().expect("a value");
            let fields = decode(&mut self.schemas, &self.registry, payload);
            self.found.normalized.push(Normalized { key, source: source(&message), fields });
        }
    }
}

/// A consumer of all partitions of these topics from their beginning.
fn consumer(broker: &Broker, topics: &[&str]) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &broker.servers)
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        // Questions about the ends wait behind a fetch for which there is nothing yet.
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions();
        assert!(!partitions.is_empty(), "{topic} is not there");
        for partition in partitions {
            assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&assignment).unwrap();
    consumer
}

/// The first `count` dead letters: what could not be decoded, and the reason.
pub(crate) fn dead_letters(broker: &Broker, count: usize) -> Vec<(String, String)> {
    let consumer = consumer(broker, &[TOPIC_DLQ]);
    let deadline = Instant::now() + PATIENCE;
    let mut letters = Vec::new();
    while letters.len() < count {
        assert!(Instant::now() < deadline, "{} dead letters of {count} came", letters.len());
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.expect("a record");
        let headers = message.headers().expect("headers");
        let header = |name| headers.iter().find(|header| header.key == name).and_then(|header| header.value);
        assert_eq!((header("exchange"), header("connection")), (Some(&b"binance"[..]), Some(&b"binance-0.1"[..])));
        assert!(header("received_ns").is_some());
        letters.push((text(message.payload().expect("a value")), text(header("reason").expect("a reason"))));
    }
    letters
}

/// The only header that a trade has, if it has one.
fn source(message: &BorrowedMessage<'_>) -> Option<String> {
    let headers = message.headers()?;
    assert_eq!((headers.count(), headers.get(0).key), (1, "source"));
    Some(text(headers.get(0).value.expect("a header has a value")))
}

fn raw(key: String, message: &BorrowedMessage<'_>) -> Raw {
    let headers = message.headers().expect("headers");
    let names: Vec<_> = headers.iter().map(|header| header.key).collect();
    assert_eq!(names, ["exchange", "connection", "received_ns"]);
    let header = |at: usize| text(headers.get(at).value.expect("a header has a value"));
    Raw {
        key,
        exchange: header(0),
        connection: header(1),
        received_ns: header(2).parse().expect("nanoseconds"),
        frame: text(message.payload().expect("a value")),
    }
}

/// Confluent's wire format: a zero, the schema's id, one Avro datum, and nothing after it.
fn decode(schemas: &mut HashMap<u32, Schema>, registry: &str, payload: &[u8]) -> Vec<(String, Value)> {
    let [0, a, b, c, d, datum @ ..] = payload else { panic!("not Confluent-framed: {payload:?}") };
    let id = u32::from_be_bytes([*a, *b, *c, *d]);
    let schema = schemas.entry(id).or_insert_with(|| fetch(registry, id));
    let mut rest = datum;
    let value = from_avro_datum(schema, &mut rest, None).expect("an Avro datum");
    assert!(rest.is_empty(), "{} bytes follow a record", rest.len());
    let Value::Record(fields) = value else { panic!("no record: {value:?}") };
    fields
}

fn fetch(registry: &str, id: u32) -> Schema {
    let mut answer = ureq::get(format!("{registry}/schemas/ids/{id}")).call().expect("the registry knows the id");
    let body: serde_json::Value = answer.body_mut().read_json().unwrap();
    Schema::parse_str(body["schema"].as_str().expect("a schema")).unwrap()
}

fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).expect("UTF-8").to_string()
}
