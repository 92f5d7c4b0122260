//! Topics and schemas of feeds, seen to before their first record.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Receiver;

use crate::avro;
use crate::config::{Config, Feed};
use crate::kafka::Kafka;
use crate::kafka::topics::{self, TopicSpec};
use crate::record::Kind;
use crate::registry::cache::IdCache;
use crate::registry::start::Start;
use crate::registry::{Missing, RegistryClient};
use crate::state::StateFolder;

/// How long a topic that is made keeps frames as received, and dead letters.
const RAW_RETENTION: Duration = Duration::from_hours(7 * 24);
/// How long a topic that is made keeps normalized trades.
const NORMALIZED_RETENTION: Duration = Duration::from_hours(48);

/// How long the registry is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait<'a> {
    /// Zero to ask once.
    pub(super) longest: Duration,
    /// Ends the wait by a word.
    pub(super) stop: &'a Receiver<()>,
}

/// What topics and registry say of feeds.
pub(super) struct Registered {
    /// The schema's id for each.
    pub(super) schema_ids: Vec<u32>,
    /// See [`topics::ensure`].
    pub(super) most_bytes: Option<u64>,
}

/// Sees to topics and schema of some of the feeds.
pub(super) fn register(
    config: &Config,
    feeds: &[&Feed],
    kafka: &Kafka,
    state: Option<&StateFolder>,
    wait: Wait<'_>,
) -> anyhow::Result<Registered> {
    let client_config = config.producer_settings().client_config();
    let specs: Vec<_> = feeds.iter().flat_map(|feed| topic_specs(feed, config.kafka.partitions)).collect();
    let most_bytes =
        topics::ensure(kafka, &client_config, &specs, config.kafka.create_topics).map_err(anyhow::Error::msg)?;
    let strategy = config.kafka.subject_name_strategy;
    let subjects: Vec<_> = feeds.iter().map(|feed| strategy.subject(&feed.topic)).collect();
    let mut start = Start {
        client: Arc::new(RegistryClient::with_access(
            config.kafka.schema_registry_url.as_str(),
            &config.kafka.registry_access,
        )?),
        missing: if config.kafka.register_schemas { Missing::Register } else { Missing::Refuse },
        wait: wait.longest,
        cache: state.map(|state| IdCache::open(state.dir())),
        stop: wait.stop,
    };
    Ok(Registered { schema_ids: start.ids(&subjects, avro::NORMALIZED_TRADE)?, most_bytes })
}

/// The topics of a feed, as they would be made.
pub(crate) fn topic_specs(feed: &Feed, partitions: i32) -> impl Iterator<Item = TopicSpec> {
    feed.kinds().map(move |kind| {
        let retention = if kind == Kind::Normalized { NORMALIZED_RETENTION } else { RAW_RETENTION };
        TopicSpec { name: feed.topic(kind).to_string(), kind, partitions, retention }
    })
}
