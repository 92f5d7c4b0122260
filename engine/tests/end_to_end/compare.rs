//! `compare` finds what was planted: trades that only one side has, fields that differ, records that come again.

use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

use crate::child::{Child, Ended, PATIENCE, k2_feed};
use crate::reader::{Reader, TOPIC, TOPIC_RAW};
use crate::world::{Broker, Exchange, Run, alone, variables};

const COUNT: usize = 2_000;
const OLD: &str = "trades.old";
const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";

/// An engine's trades on both topics of a broker, and the records of the normalized one.
fn world() -> (Broker, Vec<OwnedMessage>) {
    let broker = Broker::start();
    let exchange = Exchange::start(&["--rate", "4000", "--count", "2000"]);
    let run = Run::start(&broker, &exchange.url, SYMBOLS).subscribed();
    Reader::start(&broker).until(COUNT);
    run.stop();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &broker.servers).set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut all = TopicPartitionList::new();
    (0..3).for_each(|partition| all.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap());
    consumer.assign(&all).unwrap();
    let records = (0..COUNT).map(|_| consumer.poll(PATIENCE).expect("a record").unwrap().detach()).collect();
    (broker, records)
}

/// Writes these values as the handler before would have, each so much later than its record of the new topic.
fn write_old(broker: &Broker, records: &[(Vec<u8>, &OwnedMessage, i64)]) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &broker.servers).create().unwrap();
    for (value, of, later_ms) in records {
        let time_ms = of.timestamp().to_millis().unwrap() + later_ms;
        let record = BaseRecord::<[u8], [u8]>::to(OLD).payload(value).key(of.key().unwrap()).timestamp(time_ms);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn compare(broker: &Broker, arguments: &[&str]) -> (Ended, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut command =
        k2_feed(&[&["compare", "--from", "-1h", "--settle", "0s", "--report", "report"], arguments].concat());
    command.current_dir(folder.path()).envs(variables(broker, "ws://127.0.0.1:1/ws", SYMBOLS));
    (Child::start(command).ended(), folder)
}

fn report(folder: &TempDir) -> Value {
    serde_json::from_slice(&std::fs::read(folder.path().join("report/report.json")).unwrap()).unwrap()
}

fn rows(folder: &TempDir, file: &str) -> Vec<Vec<String>> {
    let path: &Path = &folder.path().join("report").join(file);
    let rows = csv::Reader::from_path(path).unwrap().into_records();
    rows.map(|row| row.unwrap().iter().map(str::to_string).collect()).collect()
}

/// The value with a piece of it changed, which must be there and as long.
fn changed(value: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = value.windows(from.len()).position(|piece| piece == from).expect("what is changed");
    [&value[..at], to, &value[at + from.len()..]].concat()
}

/// A field's value, as the test's own reader has it.
fn price_of(value: &[u8]) -> String {
    let schema = apache_avro::Schema::parse_str(k2_feed::avro::NORMALIZED_TRADE).unwrap();
    let apache_avro::types::Value::Record(fields) =
        apache_avro::from_avro_datum(&schema, &mut &value[5..], None).unwrap()
    else {
        panic!("no record")
    };
    crate::oracle::text(crate::oracle::field(&fields, "price")).to_string()
}

#[test]
fn what_was_planted_is_found_and_nothing_else() {
    let _alone = alone();
    let (broker, records) = world();
    // The old handler is 7 ms later. It lacks the first 3, has 2 twice, and another price of 1.
    let mut old: Vec<_> = records[3..].iter().map(|record| (record.payload().unwrap().to_vec(), record, 7)).collect();
    old.push(old[10].clone());
    old.push(old[11].clone());
    let price = price_of(&old[20].0);
    let other = format!("9{}", &price[1..]);
    old[20].0 = changed(&old[20].0, price.as_bytes(), other.as_bytes());
    write_old(&broker, &old);

    let topics = ["--old-topic", OLD, "--new-topic", TOPIC];
    let (ended, folder) = compare(&broker, &topics);
    let ended = ended.expect(1);
    assert!(ended.stdout.contains("NO  trades that differ"), "{}", ended.stdout);
    let found = report(&folder);
    let trades = |name: &str| found["trades"][name].as_u64().unwrap() as usize;
    let counts = ["old", "new", "both", "only_old", "only_new", "differing"].map(trades);
    assert_eq!(counts, [COUNT - 3, COUNT, COUNT - 3, 0, 3, 1], "{found:#}");
    assert_eq!((&found["old"]["again"], &found["new"]["again"]), (&2.into(), &0.into()));
    assert_eq!(found["fields"]["price"]["differing"], 1);
    assert_eq!(found["new_is_earlier_by_ms"]["p50"], 7);
    assert_eq!(found["new_is"]["earlier"], COUNT - 3);
    assert_eq!(found["holds"], false);

    assert_eq!(rows(&folder, "only-new.csv").len(), 3);
    assert_eq!(rows(&folder, "only-old.csv").len(), 0);
    let differing = rows(&folder, "differing.csv");
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0][4..7], ["price".to_string(), other, price]);
    let minutes: u64 = rows(&folder, "minutes.csv").iter().map(|row| row[4].parse::<u64>().unwrap()).sum();
    assert_eq!(minutes as usize, COUNT - 3);
    #[cfg(feature = "report")]
    assert!(std::fs::read_to_string(folder.path().join("report/report.html")).unwrap().contains("Not all is within"));

    // Each of these is enough of an excuse, or not.
    for (allowed, code) in [
        (&["--ignore", "price"][..], 0),
        (&["--max-differing", "1"], 0),
        (&["--max-differing", "0.1%"], 0),
        (&["--max-differing", "1", "--max-only-new", "2"], 1),
        (&["--max-differing", "1", "--max-later-p99", "1ms"], 0),
        // By content, what comes again and what costs more are other trades.
        (&["--join", "content"], 1),
        (&["--join", "content", "--max-only-old", "3"], 0),
    ] {
        compare(&broker, &[&topics, allowed].concat()).0.expect(code);
    }
    // The other way round, the switch would lose three trades and be 7 ms later.
    let (ended, folder) = compare(&broker, &["--old-topic", TOPIC, "--new-topic", OLD, "--max-later-p99", "5ms"]);
    let ended = ended.expect(1);
    assert_eq!(report(&folder)["trades"]["only_old"], 3);
    for part in ["NO  trades only on the old", "NO  new records that came again", "NO  ms by which the new is later"] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
}

#[test]
fn frames_and_trades_are_compared_with_each_other() {
    let _alone = alone();
    let (broker, _) = world();
    let (ended, folder) = compare(&broker, &["--old-topic", TOPIC_RAW, "--new-topic", TOPIC]);
    ended.expect(0);
    let found = report(&folder);
    assert_eq!((&found["trades"]["both"], &found["trades"]["differing"]), (&COUNT.into(), &0.into()), "{found:#}");
    // Trades are no frames.
    let (ended, _) = compare(&broker, &["--old-topic", TOPIC_RAW, "--new-topic", TOPIC_RAW, "--join", "content"]);
    ended.expect(0);
}

#[test]
fn the_old_topics_may_be_on_another_kafka() {
    let _alone = alone();
    let (broker, records) = world();
    let other = Broker::start();
    let old: Vec<_> = records.iter().map(|record| (record.payload().unwrap().to_vec(), record, 3)).collect();
    write_old(&other, &old);
    let topics = ["--old-topic", OLD, "--new-topic", TOPIC, "--old-bootstrap-servers", &*other.servers];
    let (ended, folder) = compare(&broker, &topics);
    ended.expect(0);
    assert_eq!(
        (&report(&folder)["trades"]["both"], &report(&folder)["new_is_earlier_by_ms"]["p50"]),
        (&COUNT.into(), &3.into())
    );
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let _alone = alone();
    let (broker, records) = world();
    write_old(&broker, &[(b"no trade".to_vec(), &records[0], 0)]);
    let (ended, _) = compare(&broker, &["--old-topic", TOPIC, "--new-topic", OLD]);
    let ended = ended.expect(1);
    for part in ["NO  trades on both", "NO  new records that are no trades", "is not Confluent-framed"] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    let refused = |arguments: &[&str], code, says: &[&str]| {
        let topics = ["--old-topic", OLD, "--new-topic", TOPIC];
        compare(&broker, &[&topics, arguments].concat()).0.expect(code).says(says)
    };
    refused(&["--ignore", "time"], 2, &["compared are symbol,"]);
    refused(&["--max-only-old", "some"], 2, &["0.01%, or any"]);
    refused(&["--old-topic", "x.raw"], 1, &["no topic x.raw"]);
    refused(&["--for", "0s"], 1, &["the window is empty"]);
    refused(&["--old-bootstrap-servers", "127.0.0.1:1"], 1, &["127.0.0.1:1 does not answer"]);
}
