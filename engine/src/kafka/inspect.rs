//! What a start would find at the brokers, without making or writing anything.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaErrorCode;

use super::Kafka;
use super::reach::reach;
use super::rights::may_write;
use super::topics::{self, BROKER_TIMEOUT, Creation, MAX_BYTES, TopicSpec, request_topic};
use crate::broker::CLUSTER_ID_PREFIX;

/// How many replicas must have a record before it counts as acknowledged.
const MIN_IN_SYNC: &str = "min.insync.replicas";

/// The brokers, and what they have.
#[derive(Debug)]
pub struct Cluster {
    /// `host:port` of each broker.
    pub brokers: Vec<String>,
    /// How long it took until one had answered.
    pub answered_after: Duration,
    /// Whether it is the embedded broker, which tells less than others.
    pub is_embedded: bool,
    /// Why it is not known which topics our user may write to, if that was asked in vain.
    pub untold_rights: Option<String>,
    /// The topics that were asked for, each once.
    pub topics: Vec<(TopicSpec, Found)>,
}

/// What there is of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    There(There),
    /// It is not, and must not be made: what a start would say.
    Missing(String),
    /// It is not, and would be made.
    ToBeMade,
    /// It is not, and cannot be made: why.
    CannotBeMade(String),
    /// It is not shown to us, but is there.
    Hidden,
}

/// A topic that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct There {
    /// How many partitions it has.
    pub partitions: usize,
    /// Those that nobody takes records for.
    pub leaderless: Vec<i32>,
    /// Replicas that are up to date, of the partition that has fewest.
    pub in_sync: usize,
    /// How many must be for a record to be acknowledged, if that is known.
    pub min_in_sync: Option<usize>,
    /// In what it differs from what would be made, in words.
    pub differences: Vec<String>,
    /// The most bytes that it takes at a time, if that is known.
    pub max_bytes: Option<u64>,
    /// The same, if requests may have more, so that they are made smaller.
    pub smaller_requests: Option<u64>,
    /// Whether our user may write to it, if the brokers tell.
    pub may_write: Option<bool>,
    /// Why its settings are not known, if they are not.
    pub unknown: Option<String>,
}

/// Looks at brokers and topics. `create` is whether a start would make those that are missing.
///
/// # Errors
/// A sentence with what was in the way of the brokers, and the way out.
pub fn inspect(config: &ClientConfig, specs: &[TopicSpec], create: bool) -> Result<Cluster, String> {
    let mut config = config.clone();
    // An idempotent client asks for an identity, which it would use up.
    config.set("enable.idempotence", "false");
    let servers = config.get("bootstrap.servers").unwrap_or_default().to_string();
    let kafka = Kafka::new(&config).map_err(|error| format!("kafka.bootstrap_servers = {servers:?}: {error}"))?;
    let began = Instant::now();
    let metadata = reach(&kafka, &servers, BROKER_TIMEOUT)?;
    let answered_after = began.elapsed();
    let cluster_id = kafka.client().fetch_cluster_id(BROKER_TIMEOUT);
    let is_embedded = cluster_id.is_some_and(|id| id.starts_with(CLUSTER_ID_PREFIX));
    let brokers = metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect();
    let mut seen = HashSet::new();
    let each: Vec<_> = specs.iter().filter(|spec| seen.insert(&spec.name)).collect();
    let present: Vec<_> = each.iter().copied().filter(|spec| topic(&metadata, &spec.name).is_some()).collect();
    let (mut settings, mut rights) = (HashMap::new(), Ok(HashMap::new()));
    if !is_embedded && !present.is_empty() {
        settings = topics::settings(&config, &present);
        let names: Vec<_> = present.iter().map(|spec| spec.name.as_str()).collect();
        rights = may_write(&kafka, &names, BROKER_TIMEOUT);
    }
    let may_write = |name: &str| rights.as_ref().ok()?.get(name).copied();
    let found = |spec: &TopicSpec| match topic(&metadata, &spec.name) {
        Some(topic) => Found::There(there(spec, topic, settings.remove(&spec.name), may_write(&spec.name), &config)),
        None if !create => Found::Missing(topics::not_there(&[spec])),
        None if is_embedded => Found::ToBeMade,
        None => tried(&config, spec),
    };
    let topics: Vec<_> = each.iter().copied().cloned().zip(each.iter().copied().map(found)).collect();
    Ok(Cluster { brokers, answered_after, is_embedded, untold_rights: rights.err(), topics })
}

fn topic<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a MetadataTopic> {
    metadata.topics().iter().find(|topic| topic.name() == name)
}

fn there(
    spec: &TopicSpec,
    topic: &MetadataTopic,
    settings: Option<topics::Settings>,
    may_write: Option<bool>,
    config: &ClientConfig,
) -> There {
    let (settings, unknown) = match settings {
        Some(Ok(settings)) => (Some(settings), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, Some("the embedded broker does not tell them".into())),
    };
    let number = |key: &str| settings.as_ref()?.get(key)?.parse::<u64>().ok();
    let partitions = topic.partitions();
    There {
        partitions: partitions.len(),
        leaderless: partitions.iter().filter(|one| one.leader() < 0).map(|one| one.id()).collect(),
        in_sync: partitions.iter().map(|one| one.isr().len()).min().unwrap_or(0),
        min_in_sync: number(MIN_IN_SYNC).map(|least| least as usize),
        differences: topics::differences(spec, partitions.len(), settings.as_ref()),
        max_bytes: number(MAX_BYTES),
        may_write,
        smaller_requests: settings.as_ref().and_then(|settings| topics::too_small(config, settings)),
        unknown,
    }
}

/// What the broker says to a topic that it is asked to make, but only to try.
fn tried(config: &ClientConfig, spec: &TopicSpec) -> Found {
    match request_topic(config, spec, Creation::Tried) {
        Ok(None) => Found::ToBeMade,
        Ok(Some(RDKafkaErrorCode::TopicAlreadyExists)) => Found::Hidden,
        Ok(Some(code)) => Found::CannotBeMade(code.to_string()),
        Err(error) => Found::CannotBeMade(error),
    }
}
