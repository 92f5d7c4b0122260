//! Where trades are read: Kafka, its registry, and topics.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};

use super::decode::Decoder;
use super::stream::{self, Client, Stream, streams};
use super::window::{ANSWER_TIMEOUT, Partition, spans};
use crate::config::{self, Kafka};
use crate::kafka::settings;
use crate::kafka::topics::{DLQ, RAW, TRADES};
use crate::nearest::nearest;
use crate::registry::{RegistryClient, RegistryError};
use crate::run;

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
        let given = [
            (config::BOOTSTRAP_SERVERS, &self.bootstrap_servers),
            (config::SCHEMA_REGISTRY_URL, &self.schema_registry_url),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name.to_string(), value.clone()?)));
        let variables = config::environment_variables().chain(given);
        Kafka::load(run::file(self.config.as_deref()), variables).map(|kafka| Source { kafka })
    }
}

/// Kafka and its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    kafka: Kafka,
}

impl Source {
    /// Begins to read the partitions that are `wanted` of what is there, from one moment up to another or up to now; with
    /// `goes_on`, more may be read behind that. Gives what decodes their records, too: the schema that most of them will have
    /// is asked for while the brokers are.
    ///
    /// # Errors
    /// If the brokers do not answer, or what is wanted is not there.
    pub fn open(
        &self,
        wanted: impl FnOnce(&Catalog) -> anyhow::Result<Vec<Partition>>,
        from_ms: i64,
        until_ms: Option<i64>,
        goes_on: bool,
    ) -> anyhow::Result<(Vec<Stream>, Decoder)> {
        let client = stream::client(&self.client_config())?;
        let partitions = wanted(&self.catalog(&client)?)?;
        let decoder = self.decoder(&partitions);
        let spans = spans(&client, partitions, from_ms, until_ms)?;
        let streams = streams(&client, spans, goes_on)?;
        let decoder = decoder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((streams, decoder))
    }

    fn decoder(&self, partitions: &[Partition]) -> JoinHandle<Result<Decoder, RegistryError>> {
        let Kafka { schema_registry_url, registry_access, subject_name_strategy, .. } = self.kafka.clone();
        let subject = partitions.first().map(|(topic, _)| subject_name_strategy.subject(topic));
        thread::spawn(move || {
            let registry = RegistryClient::with_access(schema_registry_url.as_str(), &registry_access)?;
            let mut decoder = Decoder::new(registry);
            subject.iter().for_each(|subject| decoder.expect(subject));
            Ok(decoder)
        })
    }

    fn catalog(&self, client: &Client) -> anyhow::Result<Catalog> {
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

/// What topics there are.
pub struct Catalog {
    servers: String,
    topics: BTreeMap<String, Vec<i32>>,
}

impl Catalog {
    /// All partitions of these topics.
    ///
    /// # Errors
    /// If one is not there.
    pub fn topics(&self, names: &[impl AsRef<str>]) -> anyhow::Result<Vec<Partition>> {
        let mut all = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            let Some(partitions) = self.topics.get(name) else {
                let meant = nearest(name, self.topics.keys().map(String::as_str));
                let meant = meant.map(|meant| format!(": is it {meant}?")).unwrap_or_default();
                anyhow::bail!("{} has no topic {name} that this user may read{meant}", self.servers);
            };
            all.extend(partitions.iter().map(|partition| (name.to_string(), *partition)));
        }
        Ok(all)
    }

    /// All partitions of topics of trades, by the usual name; those of these exchanges, if any are named.
    ///
    /// # Errors
    /// If there is none.
    pub fn trades(&self, exchanges: &[String]) -> anyhow::Result<Vec<Partition>> {
        let names = self.topics.keys().map(String::as_str).filter(|topic| !topic.ends_with(RAW));
        let mut there: Vec<(&str, &str)> = names.filter_map(|topic| Some((exchange_of(topic)?, topic))).collect();
        if there.is_empty() {
            anyhow::bail!("{} has no topic {TRADES}…: name another by --topic", self.servers);
        }
        if let Some(missing) = exchanges.iter().find(|named| there.iter().all(|(exchange, _)| exchange != named)) {
            let known: Vec<_> = there.iter().map(|(exchange, _)| *exchange).collect();
            anyhow::bail!("--exchange {missing}: {} has {}", self.servers, known.join(", "));
        }
        there.retain(|(exchange, _)| exchanges.is_empty() || exchanges.iter().any(|named| named == exchange));
        self.topics(&there.iter().map(|(_, topic)| *topic).collect::<Vec<_>>())
    }
}

/// The exchange whose trades, or frames, a topic has, by its name.
pub fn exchange_of(topic: &str) -> Option<&str> {
    let name = topic.strip_prefix(TRADES)?;
    let name = name.strip_suffix(RAW).unwrap_or(name);
    (!name.is_empty() && !name.ends_with(DLQ)).then_some(name)
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
