//! librdkafka's settings: what the engine promises, what it chooses, and what the user may add.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use serde::{Deserialize, Serialize};

use super::security::Security;
use super::statistics;
use crate::secret::HIDDEN;

/// Settings that the engine's promises rest on; to pass them through is an error.
const PROMISED: [(&str, &str, &str); 4] = [
    ("enable.idempotence", "true", "no duplicates, and order kept"),
    ("acks", "all", "an acknowledged record is on all in-sync replicas"),
    ("delivery.report.only.error", "false", "each record's acknowledgement is counted"),
    ("partitioner", "murmur2_random", "Java's: a key stays on the partition that the handler before this one used"),
];

/// What an idempotent producer, and with it order, needs of a setting: its name, whether a value will do, and the words.
type Needed = (&'static str, fn(&str) -> bool, &'static str);
const NEEDED: [Needed; 4] = [
    (
        "max.in.flight.requests.per.connection",
        |value| number(value).is_some_and(|most| (1..=5).contains(&most)),
        "1 to 5",
    ),
    ("message.send.max.retries", |value| number(value).is_some_and(|most| most > 0), "1 or more"),
    ("queuing.strategy", |value| value == "fifo", "\"fifo\""),
    // Until then the engine asks for what must not overtake.
    ("retry.backoff.ms", |value| number(value).is_some_and(|least| least >= 100), "100 or more"),
];

fn number(value: &str) -> Option<u64> {
    value.parse().ok()
}

/// Settings that have a key of their own in `feed.toml`, or are the engine's business.
const OURS: [(&str, &str); 17] = [
    ("bootstrap.servers", "set kafka.bootstrap_servers"),
    ("compression.type", "set kafka.compression"),
    ("linger.ms", "set kafka.linger_us"),
    ("queue.buffering.max.messages", "set kafka.queue_records"),
    ("queue.buffering.max.kbytes", "set kafka.queue_bytes"),
    ("message.timeout.ms", "set kafka.message_timeout_ms"),
    ("transactional.id", "the engine uses no transactions"),
    ("message.max.bytes", "it follows from max_frame_bytes"),
    ("security.protocol", "set kafka.security.protocol"),
    ("sasl.mechanism", "set kafka.security.mechanism"),
    ("sasl.username", "set kafka.security.username"),
    ("sasl.password", "set kafka.security.password_file, or the variable K2_KAFKA_PASSWORD"),
    ("ssl.ca.location", "set kafka.security.ca"),
    ("ssl.certificate.location", "set kafka.security.certificate"),
    ("ssl.key.location", "set kafka.security.key"),
    ("enable.ssl.certificate.verification", VERIFIED),
    ("ssl.endpoint.identification.algorithm", VERIFIED),
];

const VERIFIED: &str = "certificates are always verified; to trust a root of your own, set kafka.security.ca";

/// Other names of the same settings.
const ALIASES: [(&str, &str); 8] = [
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("retries", "message.send.max.retries"),
    ("request.required.acks", "acks"),
    ("compression.codec", "compression.type"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("sasl.mechanisms", "sasl.mechanism"),
];

/// How batches of records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Small and slow.
    Gzip,
    /// Fast.
    Snappy,
    /// Fast, and smaller: what the figures are of.
    #[default]
    Lz4,
    /// Smallest, where librdkafka is built with it.
    Zstd,
}

impl Compression {
    /// As Kafka calls it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// Why this build cannot do it, if it cannot: what librdkafka has depends on how it was built.
    pub fn unavailable(self) -> Option<String> {
        let outcome = ClientConfig::new().set("compression.type", self.name()).create_native_config();
        outcome.err().map(|_| {
            let all = [Compression::Lz4, Compression::Snappy, Compression::Gzip, Compression::None];
            let others = all.into_iter().filter(|other| *other != self).map(|other| format!("{:?}", other.name()));
            format!("librdkafka is built without it here: write {}", others.collect::<Vec<_>>().join(", "))
        })
    }
}

/// What the producer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSettings {
    /// Comma-separated `host:port`.
    pub bootstrap_servers: String,
    /// How batches are compressed.
    pub compression: Compression,
    /// How long a record may wait for others to share its request.
    pub linger: Duration,
    /// Most records with librdkafka at a time.
    pub queue_records: usize,
    /// Most bytes with librdkafka at a time.
    pub queue_bytes: usize,
    /// How long a record may take from hand-over to acknowledgement, retries included, before it is given back.
    pub message_timeout: Option<Duration>,
    /// Longest record, in bytes.
    pub message_max_bytes: usize,
    /// How connections are secured.
    pub security: Security,
    /// Passed through as they are.
    pub librdkafka: BTreeMap<String, String>,
}

/// librdkafka's bounds get this much more than ours, so that ours are reached first.
const QUEUE_MARGIN_RECORDS: usize = 1_000;
const QUEUE_MARGIN_KBYTES: usize = 4_096;
/// Bytes of a record's envelope that count against `message.max.bytes`.
const ENVELOPE: usize = 4_096;

/// How often librdkafka gives its statistics.
const STATISTICS_INTERVAL: &str = "statistics.interval.ms";

/// Refuses what would break a promise or hide a setting.
///
/// # Errors
/// Each such key with a sentence.
pub fn check_passed_through(librdkafka: &BTreeMap<String, String>) -> Vec<(String, String)> {
    librdkafka.iter().filter_map(|(key, value)| Some((key.clone(), check_one(key, value)?))).collect()
}

fn check_one(key: &str, value: &str) -> Option<String> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == key).map_or(key, |(_, name)| name);
    if let Some((_, promised, why)) = PROMISED.iter().find(|(promised, ..)| *promised == name) {
        return Some(format!(
            "kafka.librdkafka: {key} = {value:?} would break a promise: it is always {promised:?} ({why}). Remove the line"
        ));
    }
    if let Some((_, instead)) = OURS.iter().find(|(ours, _)| *ours == name) {
        let value = if is_secret(key) { HIDDEN } else { value };
        return Some(format!("kafka.librdkafka: {key} = {value:?} is not passed through: {instead}"));
    }
    if let Some((.., needed)) = NEEDED.iter().find(|(needed, will_do, _)| *needed == name && !will_do(value)) {
        return Some(format!("kafka.librdkafka: {key} = {value:?} would break order: it must be {needed}"));
    }
    // Whether librdkafka knows the key and takes the value, only librdkafka can say.
    let mut config = ClientConfig::new();
    config.set(key, value);
    let outcome = config.create_native_config();
    // The value may be a secret: librdkafka's words name it only where it is none.
    outcome.err().map(|error| match is_secret(key) {
        true => format!("kafka.librdkafka: {key} is not a value that librdkafka takes"),
        false => format!("kafka.librdkafka: {key} = {value:?}: {error}: see librdkafka's CONFIGURATION.md"),
    })
}

/// Whether a setting's value must not be shown.
pub fn is_secret(key: &str) -> bool {
    ["password", "secret", "token", "key.pem", "jaas", "oauthbearer.config"].iter().any(|word| key.contains(word))
}

impl ProducerSettings {
    /// The configuration of a client that reads what was produced, as part of no group.
    pub fn consumer_config(&self) -> ClientConfig {
        let mut config = self.any_client_config();
        config.log_level = RDKafkaLogLevel::Warning;
        config.set("group.id", "k2-feed-resume").set("enable.auto.commit", "false").set("auto.offset.reset", "error");
        // What it reads ahead stays with the process: by librdkafka's own limit of 64 MiB, 123,000 records took 66 MiB.
        config.set("queued.max.messages.kbytes", "2048").set("fetch.max.bytes", "2097152");
        config.set("fetch.message.max.bytes", "524288");
        config
    }

    /// librdkafka's configuration, every limit named.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = self.any_client_config();
        for (key, value, _) in PROMISED {
            config.set(key, value);
        }
        if !self.librdkafka.contains_key(STATISTICS_INTERVAL) {
            config.set(STATISTICS_INTERVAL, statistics::INTERVAL_MS);
        }
        config
            .set("compression.type", self.compression.name())
            .set("linger.ms", format!("{:.3}", self.linger.as_secs_f64() * 1e3))
            .set("queue.buffering.max.messages", (self.queue_records + QUEUE_MARGIN_RECORDS).to_string())
            .set("queue.buffering.max.kbytes", (self.queue_bytes.div_ceil(1024) + QUEUE_MARGIN_KBYTES).to_string())
            // 0 is without end: a record that librdkafka keeps is neither overtaken nor there twice.
            .set("message.timeout.ms", self.message_timeout.unwrap_or_default().as_millis().to_string())
            .set("message.max.bytes", (self.message_max_bytes + ENVELOPE).max(1_000_000).to_string());
        config
    }

    fn any_client_config(&self) -> ClientConfig {
        any_client(&self.bootstrap_servers, &self.security, &self.librdkafka)
    }
}

/// What is the same for clients that produce and those that read.
pub fn any_client(bootstrap_servers: &str, security: &Security, librdkafka: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.log_level = RDKafkaLogLevel::Info;
    config.set("client.id", "k2-feed");
    for (key, value) in librdkafka {
        config.set(key, value);
    }
    config.set("bootstrap.servers", bootstrap_servers);
    security.tell(&mut config);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_cannot_be_passed_away() {
        for (key, value) in
            [("acks", "1"), ("enable.idempotence", "false"), ("request.required.acks", "0"), ("partitioner", "random")]
        {
            let errors = check_passed_through(&BTreeMap::from([(key.into(), value.into())]));
            assert!(errors.len() == 1 && errors[0].0 == key && errors[0].1.contains("promise"), "{errors:?}");
        }
        for (key, value) in
            [("max.in.flight", "10"), ("retries", "0"), ("queuing.strategy", "lifo"), ("retry.backoff.ms", "10")]
        {
            let errors = check_passed_through(&BTreeMap::from([(key.into(), value.into())]));
            assert!(errors.len() == 1 && errors[0].1.contains("order"), "{errors:?}");
        }
        let fine = [("max.in.flight", "3"), ("retry.backoff.ms", "200")].map(|(key, value)| (key.into(), value.into()));
        assert_eq!(check_passed_through(&BTreeMap::from(fine)), []);
        let errors = check_passed_through(&BTreeMap::from([("linger.ms".into(), "5".into())]));
        assert!(errors[0].1.contains("kafka.linger_us"), "{errors:?}");
        let errors = check_passed_through(&BTreeMap::from([("linker.ms".into(), "5".into())]));
        assert!(errors[0].1.contains("linker.ms"), "{errors:?}");
        for (key, instead) in [
            ("sasl.password", "K2_KAFKA_PASSWORD"),
            ("sasl.mechanisms", "kafka.security.mechanism"),
            ("enable.ssl.certificate.verification", "always verified"),
        ] {
            let errors = check_passed_through(&BTreeMap::from([(key.into(), "hunter2".into())]));
            assert!(errors[0].1.contains(instead) && errors[0].1.contains("hunter2") != is_secret(key), "{errors:?}");
        }
        assert!(check_passed_through(&BTreeMap::from([("batch.size".into(), "65536".into())])).is_empty());
    }

    #[test]
    fn what_librdkafka_is_not_built_with_is_told() {
        for compression in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4] {
            assert_eq!(compression.unavailable(), None, "{compression:?}");
        }
        let features = ClientConfig::new().create_native_config().unwrap().get("builtin.features").unwrap();
        let is_built = features.split(',').any(|feature| feature == "zstd");
        let told = Compression::Zstd.unavailable();
        assert_eq!(told.is_none(), is_built, "{told:?} with {features}");
        assert!(is_built || told.unwrap().ends_with("write \"lz4\", \"snappy\", \"gzip\", \"none\""));
        let aliased = check_passed_through(&BTreeMap::from([("compression.codec".into(), "zstd".into())]));
        assert!(aliased[0].1.contains("set kafka.compression"), "{aliased:?}");
    }
}
