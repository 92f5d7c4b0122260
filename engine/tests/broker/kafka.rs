//! The broker, with the clients that the engine and its consumers use.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use k2_feed::broker::{ANY_LOOPBACK_PORT, BrokerError, CLUSTER_ID_PREFIX, EmbeddedBroker, EmbeddedRegistry};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

const WAIT: Duration = Duration::from_secs(20);

/// Keeps the partition and offset of each acknowledged record.
#[derive(Default)]
struct Acks(Mutex<Vec<(i32, i64)>>);

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let message = result.as_ref().expect("delivered");
        let mut acks = self.0.lock().expect("no panic in another callback");
        acks.push((message.partition(), message.offset()));
    }
}

/// A producer set up as the engine's.
fn producer(bootstrap: &str) -> BaseProducer<Acks> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "1")
        .create_with_context(Acks::default())
        .unwrap()
}

fn consumer(bootstrap: &str, create_topics: bool) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", create_topics.to_string())
        .create()
        .unwrap()
}

/// Writes `count` records with ten keys, a value that tells their number, and a header.
fn write(bootstrap: &str, topic: &str, count: usize) -> Vec<(i32, i64)> {
    let producer = producer(bootstrap);
    for number in 0..count {
        let (key, value) = (format!("KEY{}", number % 10), number.to_string());
        let exchange = Header { key: "exchange", value: Some("binance") };
        let headers = OwnedHeaders::new().insert(exchange);
        let record = BaseRecord::to(topic).key(&key).payload(&value).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(WAIT).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
    producer.context().0.lock().unwrap().clone()
}

/// Reads `count` records of a topic from its beginning.
fn read<T>(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    count: usize,
    take: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Vec<T> {
    let consumer = consumer(bootstrap, false);
    let mut assigned = TopicPartitionList::new();
    for partition in 0..partitions {
        assigned.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assigned).unwrap();
    let until = Instant::now() + WAIT;
    let mut found = Vec::new();
    while found.len() < count {
        assert!(Instant::now() < until, "{} of {count} records", found.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            found.push(take(&message.unwrap()));
        }
    }
    found
}

/// What a topic has, `None` when the broker does not know it.
fn partitions_of(consumer: &BaseConsumer, topic: &str) -> Option<usize> {
    let metadata = consumer.fetch_metadata(Some(topic), WAIT).unwrap();
    let topic = metadata.topics().first().expect("the topic asked for");
    topic.error().is_none().then(|| topic.partitions().len())
}

fn write_and_read_back(broker: &EmbeddedBroker) {
    const COUNT: usize = 500;
    let bootstrap = broker.bootstrap_servers();
    broker.create_topic("trades", 3).unwrap();
    assert_eq!(write(&bootstrap, "trades", COUNT).len(), COUNT);

    let records = read(&bootstrap, "trades", 3, COUNT, |message| {
        let header = message.headers().unwrap().get(0);
        assert_eq!((header.key, header.value), ("exchange", Some("binance".as_bytes())));
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let number = message.payload_view::<str>().unwrap().unwrap().parse::<usize>().unwrap();
        (key, message.partition(), number)
    });
    let mut by_key: BTreeMap<String, (i32, Vec<usize>)> = BTreeMap::new();
    for (key, partition, number) in records {
        let (home, numbers) = by_key.entry(key).or_insert((partition, Vec::new()));
        assert_eq!(*home, partition, "a key stays on its partition");
        numbers.push(number);
    }
    assert_eq!(by_key.len(), 10);
    for (digit, (_, numbers)) in (0..10).zip(by_key.values()) {
        let sent: Vec<usize> = (digit..COUNT).step_by(10).collect();
        assert_eq!(*numbers, sent, "each once, in the order sent");
    }
}

#[test]
fn an_idempotent_producers_records_are_read_back() {
    let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT).unwrap();
    assert!(broker.bootstrap_servers().starts_with("127.0.0.1:"));
    write_and_read_back(&broker);
}

/// A port that the system has just given out and taken back.
fn free_port() -> SocketAddr {
    TcpListener::bind(ANY_LOOPBACK_PORT).unwrap().local_addr().unwrap()
}

#[test]
fn a_chosen_port_leads_to_the_broker_and_is_free_afterwards() {
    let addr = free_port();
    let broker = EmbeddedBroker::start(addr).unwrap();
    assert_eq!(broker.bootstrap_servers(), addr.to_string());
    write_and_read_back(&broker);
    drop(broker);
    TcpListener::bind(addr).unwrap();
}

#[test]
fn ports_taken_and_addresses_that_others_could_reach_are_refused() {
    let taken = TcpListener::bind(ANY_LOOPBACK_PORT).unwrap();
    let addr = taken.local_addr().unwrap();
    let broker = EmbeddedBroker::start(addr).unwrap_err();
    let registry = EmbeddedRegistry::start(addr).unwrap_err();
    for error in [broker, registry] {
        assert!(matches!(error, BrokerError::Listen { .. }));
        let text = error.to_string();
        assert!(text.contains(&addr.to_string()) && text.contains("port 0"), "{text}");
    }
    let everywhere = "0.0.0.0:9092".parse().unwrap();
    let broker = EmbeddedBroker::start(everywhere).unwrap_err();
    let registry = EmbeddedRegistry::start(everywhere).unwrap_err();
    for error in [broker, registry] {
        assert!(matches!(error, BrokerError::NotLoopback { .. }));
        let text = error.to_string();
        assert!(text.contains("0.0.0.0:9092") && text.contains("127.0.0.1:9092"), "{text}");
    }
}

#[test]
fn topics_that_kafka_would_not_take_are_refused() {
    let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT).unwrap();
    broker.create_topic("twice", 3).unwrap();
    let long = "x".repeat(250);
    for (name, partitions) in [("twice", 3), ("", 3), ("a b", 3), (&long, 3), ("a", 0), ("a", -1)] {
        let error = broker.create_topic(name, partitions).unwrap_err();
        assert!(matches!(error, BrokerError::Topic { .. }), "{name}: {error}");
    }
}

/// What the engine has to reckon with when it wants its topics to exist.
#[test]
fn an_unknown_topic_appears_with_four_partitions_when_a_client_may_create_it() {
    let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT).unwrap();
    let bootstrap = broker.bootstrap_servers();

    let looking = consumer(&bootstrap, false);
    assert_eq!(partitions_of(&looking, "looked"), None);
    assert_eq!(partitions_of(&looking, "looked"), None);

    let creating = consumer(&bootstrap, true);
    assert_eq!(partitions_of(&creating, "asked"), Some(4));
    assert_eq!(partitions_of(&looking, "asked"), Some(4));

    let producer = producer(&bootstrap);
    let metadata = producer.client().fetch_metadata(Some("asked by producer"), WAIT).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 4);

    write(&bootstrap, "written", 1);
    assert_eq!(partitions_of(&looking, "written"), Some(4));

    broker.create_topic("made", 3).unwrap();
    assert_eq!(partitions_of(&looking, "made"), Some(3));
}

/// The mock names a controller that does not exist, so an admin request waits for it until its own
/// limit: who sends one to a broker that may be this has to set that limit (60 s otherwise).
#[test]
fn an_admin_request_ends_at_its_own_limit() {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    let broker = EmbeddedBroker::start(ANY_LOOPBACK_PORT).unwrap();
    let admin: AdminClient<_> =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().unwrap();
    let topic = NewTopic::new("made", 3, TopicReplication::Fixed(1));
    let limit = Some(Duration::from_millis(300));
    let options = AdminOptions::new().request_timeout(limit).operation_timeout(limit);
    let error = block_on(admin.create_topics([&topic], &options)).unwrap_err();
    let timed_out = KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut);
    assert_eq!(error, timed_out);
    assert_eq!(partitions_of(&consumer(&broker.bootstrap_servers(), false), "made"), None);

    // By this an engine can tell beforehand.
    let cluster = admin.inner().fetch_cluster_id(WAIT).unwrap();
    assert!(cluster.starts_with(CLUSTER_ID_PREFIX), "{cluster}");
}

/// Waits for a future without a runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}
