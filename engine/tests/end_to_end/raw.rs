//! A feed whose frames are not published as received.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::reader::{TOPIC, TOPIC_DLQ, TOPIC_RAW};
use crate::world::{Broker, Exchange, Run, alone, variables};

/// The broker's topics.
fn topics(broker: &Broker) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &broker.servers).create().unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).unwrap();
    let mut topics: Vec<_> = metadata.topics().iter().map(|topic| topic.name().to_string()).collect();
    topics.sort();
    topics
}

#[test]
fn trades_and_dead_letters_come_without_raw_frames_and_their_topic() {
    let _alone = alone();
    for connections in [1, 2] {
        let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "2000", "--fault", "garbage@1s"]));
        let file = format!(
            "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\nraw = \"off\"\nconnections = {connections}\n"
        );
        let variables = &variables(&broker, &exchange.url, "BTCUSDT,ETHUSDT");
        let stopped = Run::with(variables, Some(&file), &["--for", "3s"]).ended();
        let accounting = &stopped.report["accounting"];
        let count = |record: &str, what: &str| accounting["records"][record][what].as_u64().unwrap();
        let told = format!("{connections} connections: {accounting:#}");
        assert_eq!(count("raw", "committed") + count("raw", "acked") + count("raw", "dropped"), 0, "{told}");
        assert!(count("normalized", "acked") > 1_000, "{told}");
        assert_eq!(count("dlq", "acked"), connections, "{told}");
        let found = topics(&broker);
        assert!(!found.contains(&TOPIC_RAW.to_string()), "{found:?}");
        assert!([TOPIC, TOPIC_DLQ].iter().all(|topic| found.contains(&topic.to_string())), "{found:?}");
    }
}
