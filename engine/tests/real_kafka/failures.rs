//! What a real Kafka refuses, forgets, or moves elsewhere while trades come: all of them arrive, in order, or say why not.

use std::collections::BTreeMap;

use crate::oracle::{MILLISECOND, contiguous, field, same_trades, text, trade_of};
use crate::reader::{Reader, TOPIC, TOPIC_DLQ, TOPIC_RAW, dead_letters};
use crate::real::{Real, Settings, free_port};
use crate::report;
use crate::world::{Broker, Exchange, Run, Stopped, alone};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";
/// Half a minute of trades: Kafka's tools take seconds to start where the machine is busy.
const RATE: &str = "700";
const COUNT: usize = 20_000;
/// Soon after a topic is missed, rather than in 30 s.
const IMPATIENT: &str = "librdkafka = { \"topic.metadata.propagation.max.ms\" = 1000 }\n";

/// Three symbols' trades at this rate, and a run with these lines in `[kafka]`.
fn start(broker: &Broker, servers: &str, (rate, count): (&str, usize), kafka: &str) -> (Exchange, Run) {
    let exchange = Exchange::start(&["--rate", rate, "--count", &count.to_string()]);
    let file = format!(
        "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\n{kafka}\n\
         [[feed]]\nexchange = \"binance\"\nsymbols = {:?}\nurl = {:?}\n",
        servers,
        broker.registry,
        SYMBOLS.split(',').collect::<Vec<_>>(),
        exchange.url
    );
    let run = Run::with(&[], Some(&file), &[]).subscribed();
    (exchange, run)
}

/// A topic that keeps what it is told to, unlike one that the engine makes.
fn create(real: &Real, topic: &str, more: &[&str]) {
    real.tool("TopicCommand", &[&["--create", "--topic", topic], more].concat());
}

/// All trades have come to both topics, each once and in order, and nothing was given up.
fn all_is_there(reader: Reader, stopped: &Stopped, count: usize) {
    let found = reader.into_all();
    assert_eq!(found.raw.len(), count);
    contiguous(&same_trades(&found, MILLISECOND));
    report::flawless(&stopped.report, count);
}

#[test]
fn a_topic_that_is_deleted_gets_all_that_follows_once_it_is_there_again() {
    let _alone = alone();
    // Else Kafka makes it anew by itself as soon as somebody asks for it.
    let settings = Settings { properties: "auto.create.topics.enable=false\n".into(), ..Settings::default() };
    let Some(real) = Real::with(settings) else { return };
    let (_exchange, mut run) = start(&real.broker, &real.broker.servers, (RATE, COUNT), IMPATIENT);
    let mut reader = Reader::start(&real.broker);
    reader.until(1_000);
    drop(reader);
    real.tool("TopicCommand", &["--delete", "--topic", TOPIC_RAW]);
    run.child.log_line("records came back and are offered again, in order");
    create(&real, TOPIC_RAW, &["--partitions", "7"]);
    let mut reader = Reader::start(&real.broker);
    reader.until_that(|found| found.normalized.len() == COUNT);
    let stopped = run.stop();
    report::check(&stopped, "run");
    report::flawless(&stopped.report, COUNT);
    let found = reader.into_all();
    assert_eq!(found.normalized.len(), COUNT);
    // Of the frames those that were not in the topic when it was deleted.
    let mut ids = BTreeMap::<_, Vec<u64>>::new();
    for raw in &found.raw {
        ids.entry(raw.key.clone()).or_default().push(trade_of(raw)["t"].as_u64().expect("t"));
    }
    assert_eq!(ids.len(), 3, "every symbol goes on");
    contiguous(&ids);
    let last = |symbol: &str| {
        let mut ids =
            found.normalized.iter().filter(|trade| trade.key == symbol).map(|trade| field(&trade.fields, "trade_id"));
        ids.next_back().map(|id| text(id).parse().expect("a number"))
    };
    for (symbol, ids) in &ids {
        assert_eq!(ids.last().copied(), last(symbol), "{symbol} ends early");
    }
}

#[test]
fn what_the_engine_may_no_longer_write_waits_until_it_may() {
    let _alone = alone();
    let Some(real) = Real::with(Settings::with_rights()) else { return };
    let (_exchange, mut run) = start(&real.broker, &real.broker.servers, (RATE, COUNT), "");
    let mut reader = Reader::start(&real.broker);
    reader.until(1_000);
    real.deny_writing(TOPIC);
    let line = run.child.log_line("records came back and are offered again, in order");
    assert!(line.contains("authoriz"), "{line}");
    real.allow_writing(TOPIC);
    reader.until(COUNT);
    let stopped = run.stop();
    all_is_there(reader, &stopped, COUNT);
}

/// Several records in one request would be too large together, each by itself is not.
#[test]
fn a_topic_that_takes_less_than_a_request_may_have_gets_smaller_ones() {
    let _alone = alone();
    let Some(real) = Real::start() else { return };
    create(&real, TOPIC_RAW, &["--partitions", "5", "--config", "max.message.bytes=1000"]);
    let (_exchange, mut run) = start(&real.broker, &real.broker.servers, ("3000", COUNT), "");
    run.child.log_line("the topic is left as it is, though it differs from what is made: partitions = 5 instead of 3");
    run.child.log_line("max.message.bytes = 1000: larger records become dead letters");
    run.child.log_line("requests have at most 1000 bytes (batch.size)");
    let mut reader = Reader::start(&real.broker);
    reader.until(COUNT);
    let stopped = run.stop();
    all_is_there(reader, &stopped, COUNT);
    let delivery = &stopped.report["accounting"]["delivery"];
    assert_eq!(delivery["returned"], 0, "{delivery:#}");
}

#[test]
fn a_record_that_is_too_large_for_its_topic_is_a_dead_letter() {
    const COUNT: usize = 300;
    let _alone = alone();
    let Some(real) = Real::start() else { return };
    create(&real, TOPIC_RAW, &["--partitions", "3", "--config", "max.message.bytes=100"]);
    let (_exchange, run) = start(&real.broker, &real.broker.servers, (RATE, COUNT), "");
    let letters = dead_letters(&real.broker, COUNT);
    let mut reader = Reader::start(&real.broker);
    reader.until_that(|found| found.normalized.len() == COUNT);
    run.child.terminate();
    let stopped = run.ended_with(1);
    assert!(stopped.ended.stderr.contains("all of them are in the dead-letter topic"), "{}", stopped.ended.stderr);
    for (frame, reason) in &letters {
        assert!(frame.contains("\"e\":\"trade\""), "{frame}");
        assert!(reason.contains(TOPIC_RAW) && reason.contains("too large"), "{reason}");
    }
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    assert_eq!(accounting["records"]["raw"]["failed"], COUNT, "{accounting:#}");
    assert_eq!(accounting["records"]["dlq"]["acked"], COUNT, "{accounting:#}");
    assert_eq!(accounting["records"]["normalized"]["acked"], COUNT, "{accounting:#}");
}

/// Of two brokers one hands its partitions over as it stops, gets them back, and dies with them.
#[test]
fn partitions_whose_leader_changes_miss_nothing() {
    let _alone = alone();
    let properties = "broker.session.timeout.ms=2000\nmin.insync.replicas=1\n";
    let Some(real) = Real::with(Settings { properties: properties.into(), ..Settings::default() }) else { return };
    let port = free_port();
    let second = real.start_second(port);
    for topic in [TOPIC, TOPIC_RAW, TOPIC_DLQ] {
        create(&real, topic, &["--partitions", "4", "--replication-factor", "2"]);
    }
    let both = format!("{},127.0.0.1:{port}", real.broker.servers);
    let (_exchange, run) = start(&real.broker, &both, (RATE, COUNT), "");
    let mut reader = Reader::start(&real.broker);
    reader.until(1_000);
    real.stop_second(second);
    let before = reader.found.raw.len();
    reader.until(before + 2_000);
    let mut second = real.start_second(port);
    let elect = ["--election-type", "preferred", "--all-topic-partitions"];
    real.tool("LeaderElectionCommand", &elect);
    let before = reader.found.raw.len();
    reader.until(before + 2_000);
    second.kill();
    reader.until(COUNT);
    let stopped = run.stop();
    all_is_there(reader, &stopped, COUNT);
}
