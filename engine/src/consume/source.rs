//! Where trades are read: Kafka, its registry, and topics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};

use super::decode::Decoder;
use super::stream::{self, Client};
use super::window::{ANSWER_TIMEOUT, Partition};
use crate::config::{self, Kafka};
use crate::kafka::settings;
use crate::nearest::nearest;
use crate::registry::{RegistryClient, RegistryError};
use crate::run;

/// What topics of trades begin with, before the exchange's name.
pub const TOPIC_PREFIX: &str = "market.crypto.trades.";
/// What topics of frames end with.
pub const RAW_SUFFIX: &str = ".raw";
const DLQ_SUFFIX: &str = ".dlq";

/// Which Kafka, as all commands that read are told.
#[derive(Debug, Clone, Default, Args)]
pub struct SourceArgs {
    /// Its `[kafka]` says where Kafka and the registry are, and how they are secured [default: feed.toml, if it is there;
    /// variables go before it, as for `run`].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Comma-separated host:port; goes before the configuration.
    #[arg(long, value_name = "SERVERS")]
    pub bootstrap_servers: Option<String>,
    /// Goes before the configuration.
    #[arg(long, value_name = "URL")]
    pub schema_registry_url: Option<String>,
}

impl SourceArgs {
    /// What was said, with what is there by default.
    ///
    /// # Errors
    /// All that is wrong with the configuration.
    pub fn resolve(&self) -> Result<Source, config::ConfigErrors> {
        source(run::file(self.config.as_deref()), &self.bootstrap_servers, &self.schema_registry_url)
    }
}

/// From a file, the environment, and what goes before both.
///
/// # Errors
/// All that is wrong with the configuration.
pub fn source(
    file: Option<&Path>,
    servers: &Option<String>,
    registry: &Option<String>,
) -> Result<Source, config::ConfigErrors> {
    let given = [(config::BOOTSTRAP_SERVERS, servers), (config::SCHEMA_REGISTRY_URL, registry)];
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_string(), value.clone()?)));
    Kafka::load(file, config::environment_variables().chain(given)).map(|kafka| Source { kafka })
}

/// Kafka and its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    kafka: Kafka,
}

impl Source {
    /// A client that reads. It is connected when it is asked something.
    ///
    /// # Errors
    /// The setting that librdkafka does not take.
    pub fn client(&self) -> anyhow::Result<Arc<Client>> {
        stream::client(&self.client_config())
    }

    /// What reads the records of these partitions. The schema that most of them will have is asked for meanwhile.
    pub fn decoder(&self, partitions: &[Partition]) -> Asking {
        let Kafka { schema_registry_url, registry_access, subject_name_strategy, .. } = self.kafka.clone();
        let subject = partitions.first().map(|(topic, _)| subject_name_strategy.subject(topic));
        Asking(thread::spawn(move || {
            let registry = RegistryClient::with_access(schema_registry_url.as_str(), &registry_access)?;
            let mut decoder = Decoder::new(registry);
            subject.iter().for_each(|subject| decoder.expect(subject));
            Ok(decoder)
        }))
    }

    /// What topics there are, with their partitions.
    ///
    /// # Errors
    /// If the brokers do not answer.
    pub fn catalog(&self, client: &Client) -> anyhow::Result<Catalog> {
        let servers = self.kafka.bootstrap_servers.clone();
        let told = client.fetch_metadata(None, ANSWER_TIMEOUT).map_err(|error| {
            anyhow::anyhow!("{servers} does not answer: {error}: check --bootstrap-servers, and that Kafka runs")
        })?;
        let partitions = |topic: &MetadataTopic| topic.partitions().iter().map(MetadataPartition::id).collect();
        let usable = told.topics().iter().filter(|topic| topic.error().is_none());
        let topics = usable.map(|topic| (topic.name().to_string(), partitions(topic))).collect();
        Ok(Catalog { servers, topics })
    }

    fn client_config(&self) -> ClientConfig {
        let Kafka { bootstrap_servers, security, librdkafka, .. } = &self.kafka;
        let mut config = settings::any_client(bootstrap_servers, security, librdkafka);
        config.log_level = RDKafkaLogLevel::Warning;
        // No group is joined, but rdkafka wants a name for one.
        config.set("group.id", "k2-feed-read").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        config.set("auto.offset.reset", "error");
        // The first row waits for each of these: small answers at once, and no rest after one that brought nothing.
        config.set("socket.nagle.disable", "true").set("fetch.wait.max.ms", "5").set("fetch.error.backoff.ms", "5");
        config.set("topic.metadata.refresh.fast.interval.ms", "10").set("reconnect.backoff.ms", "1");
        config.set("enable.sparse.connections", "false");
        // Little memory, and no rest of a second (librdkafka's own) when it is full: so 600,000 records took 7.6 s of which
        // the processor worked for 1.2 s.
        config.set("fetch.queue.backoff.ms", "2");
        config.set("queued.max.messages.kbytes", "2048").set("fetch.message.max.bytes", "65536");
        config
    }
}

/// A decoder, while the registry is asked.
pub struct Asking(JoinHandle<Result<Decoder, RegistryError>>);

impl Asking {
    /// Waits for the registry's answer.
    ///
    /// # Errors
    /// If its address is none.
    pub fn decoder(self) -> Result<Decoder, RegistryError> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// What topics there are.
pub struct Catalog {
    servers: String,
    topics: BTreeMap<String, Vec<i32>>,
}

impl Catalog {
    /// All partitions of a topic.
    ///
    /// # Errors
    /// If it is not there.
    pub fn topic(&self, name: &str) -> anyhow::Result<Vec<Partition>> {
        let Some(partitions) = self.topics.get(name) else {
            let meant = nearest(name, self.topics.keys().map(String::as_str));
            let meant = meant.map(|meant| format!(": is it {meant}?")).unwrap_or_default();
            anyhow::bail!("{} has no topic {name} that this user may read{meant}", self.servers);
        };
        Ok(partitions.iter().map(|partition| (name.to_string(), *partition)).collect())
    }

    /// All partitions of topics of trades, by the usual name; those of these exchanges, if any are named.
    ///
    /// # Errors
    /// If there is none.
    pub fn trades(&self, exchanges: &[String]) -> anyhow::Result<Vec<Partition>> {
        let there: Vec<(&str, &str)> =
            self.topics.keys().filter_map(|topic| Some((exchange_of(topic)?, topic.as_str()))).collect();
        let there = || there.iter().filter(|(_, topic)| !topic.ends_with(RAW_SUFFIX));
        if there().next().is_none() {
            anyhow::bail!("{} has no topic {TOPIC_PREFIX}…: name another by --topic", self.servers);
        }
        if let Some(missing) = exchanges.iter().find(|named| there().all(|(exchange, _)| exchange != named)) {
            let known: Vec<_> = there().map(|(exchange, _)| *exchange).collect();
            anyhow::bail!("--exchange {missing}: {} has {}", self.servers, known.join(", "));
        }
        let is_wanted = |exchange: &str| exchanges.is_empty() || exchanges.iter().any(|named| named == exchange);
        let mut all = Vec::new();
        for (_, topic) in there().filter(|(exchange, _)| is_wanted(exchange)) {
            all.extend(self.topic(topic)?);
        }
        Ok(all)
    }
}

/// The exchange whose trades, or frames, a topic has, by its name.
pub fn exchange_of(topic: &str) -> Option<&str> {
    let name = topic.strip_prefix(TOPIC_PREFIX)?;
    let name = name.strip_suffix(RAW_SUFFIX).unwrap_or(name);
    (!name.is_empty() && !name.ends_with(DLQ_SUFFIX)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_say_whose_they_are() {
        assert_eq!(exchange_of("market.crypto.trades.binance-usdm"), Some("binance-usdm"));
        assert_eq!(exchange_of("market.crypto.trades.kraken.raw"), Some("kraken"));
        for other in ["market.crypto.trades.kraken.dlq", "market.crypto.trades.", "other"] {
            assert_eq!(exchange_of(other), None, "{other}");
        }
    }
}
