//! The embedded broker and registry with the clients that the engine and its consumers use.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use k2_feed::avro::NORMALIZED_TRADE;
use k2_feed::broker::{ANY_LOOPBACK_PORT, BrokerError, CLUSTER_ID_PREFIX, EmbeddedBroker, EmbeddedRegistry};
use k2_feed::registry::{RegistryClient, RegistryError, value_subject};
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

#[test]
fn the_client_registers_once_and_is_refused_with_the_reason() {
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    let client = RegistryClient::new(&registry.url()).unwrap();
    let subject = value_subject("market.crypto.trades.binance");
    let id = client.ensure(&subject, NORMALIZED_TRADE).unwrap();
    assert_eq!(client.ensure(&subject, NORMALIZED_TRADE).unwrap(), id);
    let elsewhere = value_subject("market.crypto.trades.kraken");
    assert_eq!(client.ensure(&elsewhere, NORMALIZED_TRADE).unwrap(), id);
    assert_eq!(client.schema_by_id(id).unwrap(), NORMALIZED_TRADE);

    let without_default = NORMALIZED_TRADE.replace("\"connection\"", "\"socket\"").replace(
        r#""name": "socket",
      "type": ["null", "string"],
      "default": null,"#,
        r#""name": "socket",
      "type": "string","#,
    );
    let error = client.ensure(&subject, &without_default).unwrap_err();
    assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("'socket'") && text.contains("default value"), "{text}");
    assert!(text.contains(&subject) && text.contains("BACKWARD"), "{text}");

    let missing = client.schema_by_id(99).unwrap_err();
    assert!(matches!(missing, RegistryError::NotFound { .. }), "{missing}");
    let invalid = client.ensure(&subject, r#"{"type":"recrod"}"#).unwrap_err();
    assert!(matches!(invalid, RegistryError::InvalidSchema { .. }), "{invalid}");
}

#[test]
fn the_client_keeps_a_base_path_and_names_a_wrong_one() {
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    for path in ["", "/", "/apis/ccompat/v7", "/apis/ccompat/v7/"] {
        let client = RegistryClient::new(&format!("{}{path}", registry.url())).unwrap();
        assert_eq!(client.ensure("a/b c%-value", NORMALIZED_TRADE).unwrap(), 1);
    }
    let client = RegistryClient::new(&format!("{}/registry", registry.url())).unwrap();
    let error = client.ensure("trades-value", NORMALIZED_TRADE).unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("/registry/subjects/trades-value"), "{error}");
}

/// One request as any HTTP client makes it: status, content type, body.
fn http(method: &str, url: &str, body: &str) -> (u16, String, serde_json::Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut answer = match method {
        "GET" => agent.get(url).call(),
        "DELETE" => agent.delete(url).call(),
        "PUT" => agent.put(url).send(body),
        _ => agent.post(url).send(body),
    }
    .unwrap();
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let json = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    (answer.status().as_u16(), content_type, json)
}

#[test]
fn the_registry_answers_as_confluents_does() {
    use serde_json::json;
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    let ask = |method: &str, path: &str, body: serde_json::Value| {
        let url = format!("{}{path}", registry.url());
        let (status, content_type, json) = http(method, &url, &body.to_string());
        assert_eq!(content_type, "application/vnd.schemaregistry.v1+json");
        (status, json)
    };
    let get = |path: &str| ask("GET", path, json!(null));
    let refused = |(status, json): (u16, serde_json::Value)| {
        assert!(json["message"].is_string(), "{json}");
        (status, json["error_code"].as_u64().unwrap())
    };
    let long = json!({ "schema": r#"{"type":"long"}"#, "schemaType": "AVRO" });
    let int = json!({ "schema": "\"int\"" });
    let string = json!({ "schema": "\"string\"" });

    assert_eq!(get("/subjects"), (200, json!([])));
    assert_eq!(get("/schemas/types"), (200, json!(["AVRO"])));
    assert_eq!(get("/config"), (200, json!({ "compatibilityLevel": "BACKWARD" })));
    assert_eq!(refused(get("/subjects/s/versions")), (404, 40401));
    assert_eq!(refused(ask("POST", "/subjects/s", int.clone())), (404, 40401));
    assert_eq!(refused(get("/schemas/ids/1")), (404, 40403));

    assert_eq!(ask("POST", "/subjects/s/versions", int.clone()), (200, json!({ "id": 1 })));
    assert_eq!(ask("POST", "/subjects/s/versions?normalize=true", int.clone()).1["id"], 1);
    assert_eq!(ask("POST", "/subjects/s/versions", long.clone()), (200, json!({ "id": 2 })));
    let latest = json!({ "subject": "s", "version": 2, "id": 2, "schema": r#"{"type":"long"}"# });
    assert_eq!(get("/subjects/s/versions/latest"), (200, latest.clone()));
    assert_eq!(get("/subjects/s/versions/2"), (200, latest.clone()));
    assert_eq!(ask("POST", "/subjects/s", long), (200, latest));
    assert_eq!(get("/subjects/s/versions"), (200, json!([1, 2])));
    assert_eq!(get("/subjects"), (200, json!(["s"])));
    assert_eq!(get("/schemas/ids/1?fetchMaxId=false"), (200, json!({ "schema": "\"int\"" })));
    assert_eq!(refused(get("/subjects/s/versions/3")), (404, 40402));
    assert_eq!(refused(get("/subjects/s/versions/0")), (422, 42202));

    let check = "/compatibility/subjects/s/versions/latest";
    assert_eq!(ask("POST", check, int.clone()), (200, json!({ "is_compatible": false })));
    let (_, verdict) = ask("POST", &format!("{check}?verbose=true"), string.clone());
    assert!(verdict["messages"][0].as_str().unwrap().contains("version 2"), "{verdict}");
    assert_eq!(refused(ask("POST", "/subjects/s", string.clone())), (404, 40403));
    assert_eq!(refused(ask("POST", "/subjects/s/versions", string.clone())), (409, 409));
    assert_eq!(refused(get("/config/s")), (404, 40408));
    let none = json!({ "compatibility": "NONE" });
    assert_eq!(ask("PUT", "/config/s", none.clone()), (200, none));
    assert_eq!(get("/config/s").1, json!({ "compatibilityLevel": "NONE" }));
    assert_eq!(ask("POST", "/subjects/s/versions", string), (200, json!({ "id": 3 })));
    let full = json!({ "compatibility": "full" });
    assert_eq!(ask("PUT", "/config", full).1, json!({ "compatibility": "FULL" }));
    assert_eq!(get("/config/t?defaultToGlobal=true").1["compatibilityLevel"], "FULL");
    assert_eq!(refused(ask("PUT", "/config", json!({ "compatibility": "SOME" }))), (422, 42203));

    for schema in ["{", "{\"type\":\"recrod\"}", "", "[]x"] {
        let body = json!({ "schema": schema });
        assert_eq!(refused(ask("POST", "/subjects/s/versions", body)), (422, 42201), "{schema}");
    }
    let proto = json!({ "schema": "\"int\"", "schemaType": "PROTOBUF" });
    assert_eq!(refused(ask("POST", "/subjects/s/versions", proto)), (422, 42201));
    let url = format!("{}/subjects/s/versions", registry.url());
    assert_eq!(http("POST", &url, "no JSON").0, 400);
    assert_eq!(http("POST", &url, &"x".repeat(2 * 1024 * 1024)).0, 413);
    assert_eq!(refused(ask("DELETE", "/subjects/s", json!(null))), (405, 405));
    assert_eq!(refused(get("/nothing/here")), (404, 404));
}

#[test]
fn a_stopped_registry_is_gone() {
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    let client = RegistryClient::new(&registry.url()).unwrap();
    client.ensure("s", "\"int\"").unwrap();
    drop(registry);
    let error = client.ensure("s", "\"int\"").unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
}
