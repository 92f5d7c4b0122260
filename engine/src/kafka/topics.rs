//! The topics: whether they are there, and making those that are not.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_lite::future::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigEntry, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode;

use super::Kafka;
use super::reach::reach;
use crate::broker::CLUSTER_ID_PREFIX;
use crate::record::Kind;

/// What topics of trades begin with, before the exchange's name, unless it is said otherwise.
pub const TRADES: &str = "market.crypto.trades.";
/// How topics of frames end, behind the name of that of their trades.
pub const RAW: &str = ".raw";
/// How topics of dead letters end.
pub const DLQ: &str = ".dlq";

/// Longest wait for a broker's answer at start.
pub(super) const BROKER_TIMEOUT: Duration = Duration::from_secs(10);
/// The replication factor of a new topic: the broker's default.
const BROKER_DEFAULT: i32 = -1;
/// Kafka's topic settings that are looked at.
const RETENTION: &str = "retention.ms";
const CLEANUP: &str = "cleanup.policy";
const COMPRESSION: &str = "compression.type";
pub(super) const MAX_BYTES: &str = "max.message.bytes";
/// librdkafka's setting of how large a request to a partition is at most, except one of a single record.
pub const BATCH_SIZE: &str = "batch.size";
/// Its default.
const BATCH_BYTES: u64 = 1_000_000;

/// A topic that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// What is on it.
    pub kind: Kind,
    /// Partitions, if it has to be made.
    pub partitions: i32,
    /// How long it keeps records, if it has to be made.
    pub retention: Duration,
}

impl TopicSpec {
    /// The settings with which it is made.
    fn settings(&self) -> [(&'static str, String); 3] {
        [
            (RETENTION, self.retention.as_millis().to_string()),
            (CLEANUP, "delete".to_string()),
            (COMPRESSION, "producer".to_string()),
        ]
    }
}

/// Sees to it that all topics are there. Those that differ from what would be made are warned of, and left as they are.
/// Returns the most bytes of a request that all of them take, if `config` lets requests be larger: what follows one that
/// is refused may be written before it is sent again in parts.
///
/// # Errors
/// A sentence that names the broker or the topics, and the way out.
pub fn ensure(kafka: &Kafka, config: &ClientConfig, specs: &[TopicSpec], create: bool) -> Result<Option<u64>, String> {
    let servers = config.get("bootstrap.servers").unwrap_or_default();
    let existing = existing(&reach(kafka, servers, BROKER_TIMEOUT)?);
    let is_embedded =
        kafka.client().fetch_cluster_id(BROKER_TIMEOUT).is_some_and(|id| id.starts_with(CLUSTER_ID_PREFIX));
    let mut seen = HashSet::new();
    let each = specs.iter().filter(|spec| seen.insert(&spec.name));
    let (present, missing): (Vec<_>, Vec<_>) = each.partition(|spec| existing.contains_key(&spec.name));
    if !create && !missing.is_empty() {
        return Err(not_there(&missing));
    }
    for spec in missing {
        if is_embedded { auto_create(kafka, spec)? } else { create_topic(config, spec)? }
    }
    // The embedded broker has no request to describe topics.
    let settings = if is_embedded || present.is_empty() { HashMap::new() } else { settings(config, &present) };
    for (topic, why) in settings.iter().filter_map(|(topic, settings)| Some((topic, settings.as_ref().err()?))) {
        tracing::warn!(topic, "the settings cannot be read, so nobody knows whether they fit: {why}");
    }
    let mut most = None;
    for spec in present {
        let settings = settings.get(&spec.name).and_then(|settings| settings.as_ref().ok());
        let found = differences(spec, existing[&spec.name], settings);
        if !found.is_empty() {
            let topic = &spec.name;
            tracing::warn!(
                topic,
                "the topic is left as it is, though it differs from what is made: {}",
                found.join(", ")
            );
        }
        if let Some(its) = settings.and_then(|settings| too_small(config, settings)) {
            let topic = &spec.name;
            tracing::warn!(topic, "{MAX_BYTES} = {its}: larger records become dead letters");
            most = Some(most.map_or(its, |most: u64| most.min(its)));
        }
    }
    Ok(most)
}

/// The most bytes that a topic takes at a time, if a request may have more.
pub(super) fn too_small(config: &ClientConfig, settings: &HashMap<String, String>) -> Option<u64> {
    let batch = config.get(BATCH_SIZE).and_then(|given| given.parse().ok()).unwrap_or(BATCH_BYTES);
    settings.get(MAX_BYTES)?.parse().ok().filter(|most| *most < batch)
}

pub(super) fn not_there(missing: &[&TopicSpec]) -> String {
    let names: Vec<_> = missing.iter().map(|spec| format!("{:?}", spec.name)).collect();
    match names.as_slice() {
        [name] => format!("topic {name} is not there: create it, or set kafka.create_topics = true"),
        names => format!("topics {} are not there: create them, or set kafka.create_topics = true", names.join(", ")),
    }
}

/// In what a topic that is there differs from what would be made.
pub(super) fn differences(
    spec: &TopicSpec,
    partitions: usize,
    settings: Option<&HashMap<String, String>>,
) -> Vec<String> {
    let mut found = Vec::new();
    if partitions != spec.partitions as usize {
        found.push(format!("partitions = {partitions} instead of {}", spec.partitions));
    }
    for (key, want) in spec.settings() {
        let Some(have) = settings.and_then(|settings| settings.get(key)).filter(|have| **have != want) else {
            continue;
        };
        let hint = match key == CLEANUP && have.contains("compact") {
            true => compaction(spec.kind),
            false => "",
        };
        found.push(format!("{key} = {have} instead of {want}{hint}"));
    }
    found
}

/// What it means that a topic is compacted: records are keyed by symbol.
fn compaction(kind: Kind) -> &'static str {
    match kind {
        Kind::Raw => " (compaction keeps the last frame of each symbol only: no topic of raw frames should have it)",
        Kind::Normalized => " (compaction keeps the last trade of each symbol only)",
        Kind::Dlq => " (a compacted topic takes no records without a key, as dead letters are: they will fail)",
    }
}

/// A topic's settings, or why they cannot be had.
pub(super) type Settings = Result<HashMap<String, String>, String>;

/// The settings of topics, by name.
pub(super) fn settings(config: &ClientConfig, specs: &[&TopicSpec]) -> HashMap<String, Settings> {
    let named: Vec<_> = specs.iter().map(|spec| ResourceSpecifier::Topic(&spec.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(BROKER_TIMEOUT));
    let admin: Result<AdminClient<DefaultClientContext>, _> = config.create();
    let described = admin.and_then(|admin| block_on(admin.describe_configs(&named, &options)));
    let (mut all, mut refused) = (HashMap::new(), "the broker does not tell".to_string());
    match described {
        Err(error) => refused = error.to_string(),
        Ok(described) => described.into_iter().for_each(|described| match described {
            Ok(ConfigResource { specifier: OwnedResourceSpecifier::Topic(name), entries }) => {
                let entry = |entry: ConfigEntry| Some((entry.name, entry.value?));
                all.insert(name, Ok(entries.into_iter().filter_map(entry).collect()));
            }
            Ok(_) => {}
            Err(code) => refused = code.to_string(),
        }),
    }
    for spec in specs {
        all.entry(spec.name.clone()).or_insert_with(|| Err(refused.clone()));
    }
    all
}

/// The broker's topics with their numbers of partitions.
fn existing(metadata: &Metadata) -> HashMap<String, usize> {
    metadata.topics().iter().map(|topic| (topic.name().to_string(), topic.partitions().len())).collect()
}

fn create_topic(config: &ClientConfig, spec: &TopicSpec) -> Result<(), String> {
    match request_topic(config, spec, Creation::Real)? {
        Some(code) if code != RDKafkaErrorCode::TopicAlreadyExists => {
            Err(format!("topic {:?} cannot be created: {code}", spec.name))
        }
        _ => {
            let retention_ms = spec.retention.as_millis() as u64;
            tracing::info!(topic = spec.name, partitions = spec.partitions, retention_ms, "topic created");
            Ok(())
        }
    }
}

/// Whether a topic is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Creation {
    /// It is.
    Real,
    /// The broker only says whether it would make it.
    Tried,
}

/// Asks for a topic. Returns the broker's refusal, if it refuses.
pub(super) fn request_topic(
    config: &ClientConfig,
    spec: &TopicSpec,
    creation: Creation,
) -> Result<Option<RDKafkaErrorCode>, String> {
    let wrong = |error: KafkaError| format!("topic {:?} cannot be created: {error}", spec.name);
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(wrong)?;
    let settings = spec.settings();
    let topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(BROKER_DEFAULT));
    let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let options = AdminOptions::new()
        .operation_timeout(Some(BROKER_TIMEOUT))
        .request_timeout(Some(BROKER_TIMEOUT))
        .validate_only(creation == Creation::Tried);
    let results = block_on(admin.create_topics([&topic], &options)).map_err(wrong)?;
    Ok(results.into_iter().find_map(Result::err).map(|(_, code)| code))
}

/// The embedded broker has no request to create topics: it makes those that a producer asks about.
fn auto_create(kafka: &Kafka, spec: &TopicSpec) -> Result<(), String> {
    let wrong = |what: String| format!("topic {:?} cannot be created: {what}", spec.name);
    let metadata =
        kafka.client().fetch_metadata(Some(&spec.name), BROKER_TIMEOUT).map_err(|error| wrong(error.to_string()))?;
    match metadata.topics().first() {
        Some(topic) if topic.error().is_none() => {
            tracing::info!(
                topic = spec.name,
                partitions = topic.partitions().len(),
                "topic created by the embedded broker"
            );
            Ok(())
        }
        _ => Err(wrong("the broker does not make it".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, kind: Kind) -> TopicSpec {
        TopicSpec { name: name.into(), kind, partitions: 3, retention: Duration::from_secs(60) }
    }

    fn found(kind: Kind, partitions: usize, settings: &[(&str, &str)]) -> Vec<String> {
        let settings = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        differences(&spec("t", kind), partitions, Some(&settings))
    }

    #[test]
    fn each_setting_that_differs_is_named_with_both_values() {
        let fits = [(RETENTION, "60000"), (CLEANUP, "delete"), (COMPRESSION, "producer"), ("segment.ms", "1")];
        assert!(found(Kind::Raw, 3, &fits).is_empty());
        assert_eq!(
            found(Kind::Normalized, 20, &[(RETENTION, "-1"), (CLEANUP, "compact,delete"), (COMPRESSION, "zstd")]),
            [
                "partitions = 20 instead of 3",
                "retention.ms = -1 instead of 60000",
                "cleanup.policy = compact,delete instead of delete (compaction keeps the last trade of each symbol only)",
                "compression.type = zstd instead of producer",
            ]
        );
        let compacted = |kind| found(kind, 3, &[(CLEANUP, "compact")]).concat();
        assert!(compacted(Kind::Raw).contains("last frame of each symbol only: no topic of raw frames"));
        assert!(compacted(Kind::Dlq).contains("they will fail"));
        // Where the settings cannot be had, there are still partitions.
        assert_eq!(differences(&spec("t", Kind::Raw), 1, None), ["partitions = 1 instead of 3"]);
    }

    #[test]
    fn a_topic_is_too_small_for_larger_requests() {
        let settings = |bytes: &str| HashMap::from([(MAX_BYTES.to_string(), bytes.to_string())]);
        let mut config = ClientConfig::new();
        assert_eq!(too_small(&config, &settings("1048588")), None);
        assert_eq!(too_small(&config, &settings("999999")), Some(999_999));
        config.set(BATCH_SIZE, "999999");
        assert_eq!(too_small(&config, &settings("999999")), None);
        assert_eq!(too_small(&config, &HashMap::new()), None);
    }

    #[test]
    fn all_topics_that_are_missed_are_named_at_once() {
        let (one, other) = (spec("a", Kind::Raw), spec("b", Kind::Dlq));
        let missing = not_there(&[&one, &other]);
        assert_eq!(missing, "topics \"a\", \"b\" are not there: create them, or set kafka.create_topics = true");
        assert!(not_there(&[&one]).starts_with("topic \"a\" is not there: create it, "));
    }
}
