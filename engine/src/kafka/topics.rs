//! The topics: whether they are there, and making those that are not.

use std::collections::HashMap;
use std::time::Duration;

use futures_lite::future::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::Kafka;
use crate::broker::CLUSTER_ID_PREFIX;

/// Longest wait for a broker's answer at start.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);
/// The replication factor of a new topic: the broker's default.
const BROKER_DEFAULT: i32 = -1;

/// A topic that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Partitions, if it has to be made.
    pub partitions: i32,
    /// How long it keeps records, if it has to be made.
    pub retention: Duration,
}

/// Sees to it that all topics are there.
///
/// # Errors
/// A sentence that names the broker or the topic, and the way out.
pub fn ensure(kafka: &Kafka, config: &ClientConfig, specs: &[TopicSpec], create: bool) -> Result<(), String> {
    let servers = config.get("bootstrap.servers").unwrap_or_default();
    let existing = existing(kafka).map_err(|error| {
        format!(
            "kafka.bootstrap_servers = {servers:?}: no broker answered within {} s ({error}): start it, or name \
             another (K2_KAFKA_BOOTSTRAP_SERVERS)",
            BROKER_TIMEOUT.as_secs()
        )
    })?;
    let creates_by_itself =
        kafka.client().fetch_cluster_id(BROKER_TIMEOUT).is_some_and(|id| id.starts_with(CLUSTER_ID_PREFIX));
    for spec in specs {
        match existing.get(&spec.name) {
            Some(partitions) if *partitions != spec.partitions as usize => {
                tracing::info!(topic = spec.name, partitions, wanted = spec.partitions, "the topic is left as it is");
            }
            Some(_) => {}
            None if create && creates_by_itself => auto_create(kafka, spec)?,
            None if create => create_topic(config, spec)?,
            None => {
                return Err(format!(
                    "topic {:?} is not there: create it, or set kafka.create_topics = true",
                    spec.name
                ));
            }
        }
    }
    Ok(())
}

/// The broker's topics with their numbers of partitions.
fn existing(kafka: &Kafka) -> Result<HashMap<String, usize>, KafkaError> {
    let metadata = kafka.client().fetch_metadata(None, BROKER_TIMEOUT)?;
    Ok(metadata.topics().iter().map(|topic| (topic.name().to_string(), topic.partitions().len())).collect())
}

fn create_topic(config: &ClientConfig, spec: &TopicSpec) -> Result<(), String> {
    let wrong = |what: String| format!("topic {:?} cannot be created: {what}", spec.name);
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(|error| wrong(error.to_string()))?;
    let retention_ms = spec.retention.as_millis().to_string();
    let topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(BROKER_DEFAULT))
        .set("retention.ms", &retention_ms)
        .set("compression.type", "producer");
    let options = AdminOptions::new().operation_timeout(Some(BROKER_TIMEOUT)).request_timeout(Some(BROKER_TIMEOUT));
    match block_on(admin.create_topics([&topic], &options)) {
        Ok(results) => match results.into_iter().next() {
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => Err(wrong(code.to_string())),
            _ => {
                tracing::info!(topic = spec.name, partitions = spec.partitions, retention_ms, "topic created");
                Ok(())
            }
        },
        Err(error) => Err(wrong(error.to_string())),
    }
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
