//! `simulate` and `run` as a user starts them, between them and the topics only what is real.

use std::collections::HashMap;

use futures_lite::future::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::child::PATIENCE;
use crate::oracle::{MILLISECOND, contiguous, same_trades};
use crate::reader::{Reader, TOPIC, TOPIC_DLQ, TOPIC_RAW};
use crate::real::Real;
use crate::report;
use crate::world::{Exchange, Run, Stopped, alone};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";

/// Stops the run once so many trades are on both topics, and reads all.
fn all_arrive(real: &Real, run: Run, count: usize) -> Stopped {
    let mut reader = Reader::start(&real.broker);
    reader.until(count);
    let stopped = run.stop();
    let found = reader.into_all();
    assert_eq!(found.raw.len(), count);
    contiguous(&same_trades(&found, MILLISECOND));
    stopped
}

#[test]
fn every_trade_is_on_both_topics_once_and_in_order() {
    const COUNT: usize = 20_000;
    let _alone = alone();
    let Some(real) = Real::start() else { return };
    let exchange = Exchange::start(&["--rate", "10000", "--count", "20000"]);
    let run = Run::start(&real.broker, &exchange.url, SYMBOLS).subscribed();
    let stopped = all_arrive(&real, run, COUNT);
    report::check(&stopped, "run");
    report::flawless(&stopped.report, COUNT);
    let hours = |hours: u64| (hours * 3_600_000).to_string();
    for (topic, retention_ms) in [(TOPIC, hours(48)), (TOPIC_RAW, hours(7 * 24)), (TOPIC_DLQ, hours(7 * 24))] {
        let (partitions, settings) = as_made(&real, topic);
        assert_eq!(partitions, 3, "{topic}");
        for (key, value) in
            [("retention.ms", &*retention_ms), ("cleanup.policy", "delete"), ("compression.type", "producer")]
        {
            assert_eq!(settings[key], value, "{key} of {topic}");
        }
    }
}

/// The partitions and the settings of a topic.
fn as_made(real: &Real, topic: &str) -> (usize, HashMap<String, String>) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &real.broker.servers);
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let named = ResourceSpecifier::Topic(topic);
    let described = block_on(admin.describe_configs([&named], &AdminOptions::new()));
    let resource = described.unwrap().pop().unwrap().unwrap();
    let settings = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect();
    (metadata.topics()[0].partitions().len(), settings)
}

/// Kafka dies and comes back while trades come: what was not acknowledged is sent again, once and in order.
#[test]
fn a_broker_that_is_killed_and_comes_back_misses_nothing() {
    const COUNT: usize = 20_000;
    let _alone = alone();
    let Some(mut real) = Real::start() else { return };
    let exchange = Exchange::start(&["--rate", "2000", "--count", "20000"]);
    let mut run = Run::start(&real.broker, &exchange.url, SYMBOLS).subscribed();
    Reader::start(&real.broker).until(1_000);
    real.kill_kafka();
    run.child.log_line("AllBrokersDown");
    real.start_kafka_again();
    let stopped = all_arrive(&real, run, COUNT);
    report::flawless(&stopped.report, COUNT);
}
