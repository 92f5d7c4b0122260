//! `k2-feed check` against a real Kafka and registry: what it finds there, and that it makes nothing.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

use crate::child::{Child, PATIENCE, k2_feed};
use crate::reader::{TOPIC, TOPIC_DLQ, TOPIC_RAW};
use crate::real::{Real, Settings};
use crate::world::{Exchange, Run, alone, variables};

/// What is found of a topic or subject, by its name: the verdict, and the words.
fn checked(real: &Real, url: &str, code: i32) -> impl Fn(&str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = k2_feed(&["check", "--json"]);
    command.current_dir(folder.path()).envs(variables(&real.broker, url, "BTCUSDT"));
    let ended = Child::start(command).ended().expect(code);
    let points: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    move |name| {
        let point = points.iter().find(|point| point["point"] == name).unwrap_or_else(|| panic!("{points:#?}"));
        let text = |key: &str| point[key].as_str().unwrap().to_string();
        (text("verdict"), text("found"))
    }
}

/// The broker makes topics by itself as soon as a producer asks for one: the check must not.
#[test]
fn a_real_broker_is_looked_at_before_and_after_the_first_run() {
    let _alone = alone();
    let settings = Settings { properties: "auto.create.topics.enable=true\n".into(), ..Settings::default() };
    let Some(real) = Real::with(settings) else { return };
    let exchange = Exchange::start(&["--rate", "200"]);
    let before = checked(&real, &exchange.url, 0);
    let (verdict, found) = before("brokers");
    assert!(verdict == "fine" && found.contains(&real.broker.servers), "{found}");
    for topic in [TOPIC, TOPIC_RAW, TOPIC_DLQ] {
        let (verdict, found) = before(topic);
        assert!(verdict == "fine" && found.starts_with("is not there, and would be made with 3 partitions"), "{found}");
    }
    let (verdict, found) = before(&format!("{TOPIC}-value"));
    assert!(verdict == "fine" && found.contains("is not registered"), "{found}");
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &real.broker.servers).create().unwrap();
    assert_eq!(consumer.fetch_metadata(None, PATIENCE).unwrap().topics().len(), 0, "nothing was made");

    let create = |topic: &str, settings: &[&str]| {
        let settings: Vec<_> = settings.iter().flat_map(|setting| ["--config", setting]).collect();
        real.tool("TopicCommand", &[&["--create", "--topic", topic, "--partitions", "3"], &settings[..]].concat());
    };
    create(TOPIC_RAW, &["retention.ms=60000", "compression.type=producer", "max.message.bytes=100000"]);
    create(TOPIC_DLQ, &["min.insync.replicas=2"]);
    Run::start(&real.broker, &exchange.url, "BTCUSDT").subscribed().stop();
    let after = checked(&real, &exchange.url, 1);
    assert_eq!(after(TOPIC), ("fine".into(), "3 partitions, set as it would be made".into()));
    let (verdict, found) = after(TOPIC_RAW);
    assert_eq!(verdict, "doubtful");
    for part in ["retention.ms = 60000 instead of 604800000", "max.message.bytes = 100000 is less than"] {
        assert!(found.contains(part), "{found}");
    }
    let (verdict, found) = after(TOPIC_DLQ);
    assert!(verdict == "wrong" && found.contains("1 replicas in sync, and min.insync.replicas is 2"), "{found}");
    let (verdict, found) = after(&format!("{TOPIC}-value"));
    assert!(verdict == "fine" && found.contains("is registered"), "{found}");
}

#[test]
fn a_real_broker_tells_where_our_user_may_not_write() {
    let _alone = alone();
    let Some(real) = Real::with(Settings::with_rights()) else { return };
    let exchange = Exchange::start(&["--rate", "200"]);
    Run::start(&real.broker, &exchange.url, "BTCUSDT").subscribed().stop();
    let (verdict, found) = checked(&real, &exchange.url, 0)("rights");
    assert_eq!((verdict.as_str(), found.as_str()), ("fine", "our user may write to all topics that are there"));

    real.deny_writing(TOPIC);
    let told = checked(&real, &exchange.url, 1);
    assert_eq!(told(TOPIC), ("wrong".into(), "our user may not write to it".into()));
    assert_eq!(told(TOPIC_RAW).0, "fine");
    assert_eq!(told("rights"), ("wrong".into(), "our user may not write to 1 of 3 topics".into()));
}
