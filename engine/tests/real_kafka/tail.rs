//! `tail` against a Kafka that knows offsets by time.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::child::{Child, PATIENCE, k2_feed};
use crate::reader::{Reader, TOPIC};
use crate::real::Real;
use crate::world::{Exchange, Run, alone};

const COPY: &str = "trades.copied";
const COUNT: usize = 600;
const MINUTE_MS: i64 = 60_000;

/// The records of the normalized topic.
fn records(servers: &str) -> Vec<OwnedMessage> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut all = TopicPartitionList::new();
    (0..3).for_each(|partition| all.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap());
    consumer.assign(&all).unwrap();
    (0..COUNT).map(|_| consumer.poll(PATIENCE).expect("a record").unwrap().detach()).collect()
}

/// Half of the records are older than the window, and one is no trade: what is younger is shown, and it is said.
#[test]
fn a_window_begins_at_its_time() {
    let _alone = alone();
    let Some(real) = Real::start() else { return };
    let exchange = Exchange::start(&["--rate", "600", "--count", "600"]);
    let run = Run::start(&real.broker, &exchange.url, "BTCUSDT,ETHUSDT,SOLUSDT").subscribed();
    Reader::start(&real.broker).until(COUNT);
    run.stop();

    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &real.broker.servers).create().unwrap();
    let now_ms = k2_feed::clock::unix_now_ns() / 1_000_000;
    let send = |value: &[u8], partition, time_ms| {
        let record = BaseRecord::<(), [u8]>::to(COPY).payload(value).partition(partition).timestamp(time_ms);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    };
    let records = records(&real.broker.servers);
    let (old, young) = records.split_at(COUNT / 2);
    for (half, age) in [(old, 10 * MINUTE_MS), (young, 2 * MINUTE_MS)] {
        for (at, record) in half.iter().enumerate() {
            send(record.payload().unwrap(), at as i32 % 3, now_ms - age + at as i64);
        }
    }
    send(b"no trade", 1, now_ms);
    producer.flush(PATIENCE).unwrap();

    let tail = |last: &str| {
        let mut command = k2_feed(&["tail", "--format", "json", "--topic", COPY, "--last", last]);
        command.args(["--bootstrap-servers", &real.broker.servers]);
        command.args(["--schema-registry-url", &real.broker.registry]);
        Child::start(command).ended()
    };
    let ended = tail("5m").expect(1).says(&["trades.copied [1]", "is no trade", "1 record(s)"]);
    let time = |line: &str| serde_json::from_str::<Value>(line).unwrap()["record_timestamp"].as_i64().unwrap();
    let times: Vec<_> = ended.stdout.lines().map(|line| time(line) - now_ms + 2 * MINUTE_MS).collect();
    assert_eq!(times, (0..young.len() as i64).collect::<Vec<_>>());
    assert_eq!(tail("1h").expect(1).stdout.lines().count(), COUNT);
    // None but what is no trade is as young.
    assert_eq!(tail("1m").expect(1).stdout, "");
}
