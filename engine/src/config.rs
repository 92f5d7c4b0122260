//! The configuration: defaults, then `feed.toml`, then the `K2_*` environment, resolved and checked before the first
//! connection. All that is wrong is found at once.

mod environment;
mod error;
mod explain;
mod feed;
mod file;
mod here;
mod instruments;
mod resolve;
mod source;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use url::Url;

use crate::cores::{Choice, Wait, Wish};
use crate::kafka::security::Security;
use crate::kafka::settings::{Compression, ProducerSettings, is_secret};
use crate::registry::{Access, SubjectNameStrategy};
use crate::secret::HIDDEN;
use crate::session::backoff::Bounds;
use crate::session::breaker::Patience;
pub use environment::{BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL};
pub use error::{ConfigErrors, Misconfigured};
pub use explain::Explained;
pub use feed::{Feed, Raw};
pub(crate) use here::unusable;

/// Everything that a run is told, resolved and valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Kafka and its registry.
    pub kafka: Kafka,
    /// What is fed.
    #[serde(rename = "feed")]
    pub feeds: Vec<Feed>,
    /// Which CPU runs what.
    pub cores: Cores,
    /// Bounds of memory.
    pub limits: Limits,
    /// What is done about gaps.
    pub repair: Repair,
    /// When connections are made anew.
    pub session: Session,
    /// What survives the engine.
    pub state: State,
    /// What waits on disk while Kafka does not take it.
    pub spill: Spill,
    /// Where it is looked at while it runs.
    pub http: Http,
    /// A PEM file with root certificates to trust besides the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_ca: Option<PathBuf>,
}

/// `[kafka]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kafka {
    /// Comma-separated `host:port`.
    pub bootstrap_servers: String,
    /// Where schemas are registered.
    #[serde(serialize_with = "without_password")]
    pub schema_registry_url: Url,
    /// How it is asked.
    pub registry_access: Access,
    /// Under which subjects.
    pub subject_name_strategy: SubjectNameStrategy,
    /// Whether a schema that is not registered is.
    pub register_schemas: bool,
    /// How long a registry that does not answer is waited for at start, in seconds.
    pub registry_wait_s: u64,
    /// Whether topics that are missing are made.
    pub create_topics: bool,
    /// Partitions of a topic that is made.
    pub partitions: i32,
    /// How batches of records are compressed.
    pub compression: Compression,
    /// How long a record may wait for others to share its request, in microseconds.
    pub linger_us: u64,
    /// Most records with librdkafka at a time.
    pub queue_records: usize,
    /// Most bytes with librdkafka at a time.
    pub queue_bytes: usize,
    /// How long librdkafka may try to deliver a record, in milliseconds; then it gives it back, and is offered it again. As
    /// long as it takes if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_timeout_ms: Option<u64>,
    /// How long to wait for the broker at the end, in seconds.
    pub shutdown_timeout_s: u64,
    /// How connections are secured.
    pub security: Security,
    /// Passed through to librdkafka.
    #[serde(serialize_with = "without_secrets")]
    pub librdkafka: BTreeMap<String, String>,
}

/// `[cores]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cores {
    /// Feed cores: how many, or which CPUs.
    pub feed: Choice,
    /// Producer cores: how many, or which CPUs.
    pub producer: Choice,
    /// CPUs of everything else; what is left over if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub housekeeping: Option<Vec<usize>>,
    /// What a core does while there is nothing to do.
    pub wait: Wait,
}

/// What happens when a ring has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingFull {
    /// The connection is not read until there is room, which lets TCP push back.
    #[default]
    StopReading,
    /// The newest records are dropped, counted and logged.
    DropNewest,
    /// The oldest records on disk are dropped, counted and logged, some of them at a time.
    DropOldest,
}

/// When what is on disk is forced there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fsync {
    /// When the kernel likes.
    Never,
    /// Each `fsync_interval_ms`, by another thread.
    #[default]
    Interval,
    /// Before the next record is looked at.
    Always,
}

/// `[spill]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spill {
    /// Whether records that find librdkafka's queue full wait on disk, where `state.dir` is given.
    pub enabled: bool,
    /// Most bytes on disk, of all topics.
    pub max_bytes: u64,
    /// When they are forced to the disk.
    pub fsync: Fsync,
    /// How often, where that is "interval", in milliseconds.
    pub fsync_interval_ms: u64,
    /// Most records that are read back in a second, by each producer core.
    pub replay_per_s: u32,
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Where metrics, health and status are served, if they are.
    pub listen: Option<SocketAddr>,
}

impl Http {
    /// Where that is unless it is said. Who finds it taken goes without, as it may be another engine's.
    pub const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

    /// The way out where the address cannot be had.
    pub const WAY_OUT: &str = "name another address, or \"off\" (K2_HTTP_LISTEN)";

    /// Whether a run goes without, as this address cannot be had.
    pub fn goes_without(address: SocketAddr, error: &io::Error) -> bool {
        address == Http::USUAL && error.kind() == io::ErrorKind::AddrInUse
    }

    /// Where an engine with the same environment is asked from its own machine: at its address of `K2_HTTP_LISTEN`, else at
    /// the usual one.
    pub fn here() -> Url {
        Http::asked_at(std::env::var(environment::HTTP_LISTEN).ok().as_deref())
    }

    fn asked_at(listen: Option<&str>) -> Url {
        let mut at = listen.and_then(|listen| listen.trim().parse().ok()).unwrap_or(Http::USUAL);
        match at.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => at.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => at.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Url::parse(&format!("http://{at}")).expect("an address with its port is part of a URL")
    }
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Bytes of the ring of each feed core.
    pub ring_bytes: usize,
    /// Longest message of an exchange, in bytes.
    pub max_frame_bytes: usize,
    /// What happens when a ring has no room.
    pub ring_full: RingFull,
}

/// `[repair]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// Whether trades that are missing are fetched from the exchange's REST API.
    pub enabled: bool,
    /// The largest gap that is fetched, in trades.
    pub max_trades: u64,
}

/// `[session]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The upper bound of the wait after a first failure, in milliseconds; it doubles with each that follows.
    pub backoff_min_ms: u64,
    /// The upper bound that no wait passes, in milliseconds.
    pub backoff_max_ms: u64,
    /// An address that has failed for so long is left alone, in seconds.
    pub breaker_opens_after_s: u64,
    /// The first wait until it is tried again, in seconds; it doubles with each failure.
    pub breaker_probe_min_s: u64,
    /// The longest wait until it is tried again, in seconds.
    pub breaker_probe_max_s: u64,
    /// Connections are replaced at this age at the latest, in seconds; at the exchange's if not given, or if that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
}

/// `[state]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// The folder in which the engine keeps what must survive it; without one nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

/// A `feed.toml` with every key, what it means, and its default value.
pub const EXAMPLE: &str = include_str!("../feed.example.toml");

/// Of 4 MiB of a ring, 400,000 trades a second fill less than half meanwhile.
const LONGEST_GATHER: Duration = Duration::from_millis(9);

impl Kafka {
    /// Resolves `[kafka]` alone from `file`, if given, and the environment's `variables`: for those who read.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        explain::kafka(file, variables)
    }
}

impl Config {
    /// Resolves the configuration from `file`, if given, and the environment's `variables`.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        Explained::load(file, variables).map(|explained| explained.config)
    }

    /// Resolves the text of a configuration file called `name`, without the environment.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let mut errors = error::Errors::default();
        let given = file::parse(name, text, &mut errors);
        Explained::resolve(given, [], None, errors).map(|explained| explained.config)
    }

    /// The sections besides `[[feed]]` in which another configuration differs: what cannot change at run time.
    pub fn fixed_differences(&self, other: &Config) -> Vec<&'static str> {
        let sections = [
            ("[kafka]", self.kafka != other.kafka),
            ("[cores]", self.cores != other.cores),
            ("[limits]", self.limits != other.limits),
            ("[session]", self.session != other.session),
            ("[repair]", self.repair != other.repair),
            ("[state]", self.state != other.state),
            ("[spill]", self.spill != other.spill),
            ("[http]", self.http != other.http),
            ("[tls]", self.extra_ca != other.extra_ca),
        ];
        sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
    }

    /// How many connections all feeds have.
    pub fn connections(&self) -> usize {
        self.feeds.iter().map(|feed| feed.subscriptions.len() * feed.connections).sum()
    }

    /// What librdkafka is told.
    pub fn producer_settings(&self) -> ProducerSettings {
        ProducerSettings {
            bootstrap_servers: self.kafka.bootstrap_servers.clone(),
            compression: self.kafka.compression,
            linger: Duration::from_micros(self.kafka.linger_us) - self.gather(),
            queue_records: self.kafka.queue_records,
            queue_bytes: self.kafka.queue_bytes,
            message_timeout: self.kafka.message_timeout_ms.map(Duration::from_millis),
            message_max_bytes: self.limits.max_frame_bytes,
            security: self.kafka.security.clone(),
            librdkafka: self.kafka.librdkafka.clone(),
        }
    }

    /// How long records gather in the rings: most of `linger_us`, of which librdkafka then waits for the rest only. Where
    /// records come one by one, two cores that are woken by each take several times the CPU of two that are woken once for
    /// all. Not where cores spin, which are awake anyway, and no longer than a ring has room for at the highest rates.
    pub fn gather(&self) -> Duration {
        match self.cores.wait {
            Wait::Spin => Duration::ZERO,
            Wait::Park => (Duration::from_micros(self.kafka.linger_us) * 9 / 10).min(LONGEST_GATHER),
        }
    }

    /// Which cores are wished for.
    pub fn wish(&self) -> Wish {
        let Cores { feed, producer, housekeeping, .. } = self.cores.clone();
        Wish { feed, producer, housekeeping }
    }
}

/// The process's variables. One that is not UTF-8 is none of ours, unless its name is; its value is then wrong, and is
/// reported as such where it is used.
pub fn environment_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
}

impl Session {
    /// The waits between attempts to connect.
    pub fn backoff(&self) -> Bounds {
        let [min, max] = [self.backoff_min_ms, self.backoff_max_ms].map(Duration::from_millis);
        Bounds { min, max }
    }

    /// When an address is left alone, and how often it is tried then.
    pub fn patience(&self) -> Patience {
        let seconds = [self.breaker_opens_after_s, self.breaker_probe_min_s, self.breaker_probe_max_s];
        let [opens_after, probe_min, probe_max] = seconds.map(Duration::from_secs);
        Patience { opens_after, probe_min, probe_max }
    }

    /// The age at which connections are replaced, where it is less than the exchange's.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age_s.map(Duration::from_secs)
    }
}

/// An address as it may be shown: without its password.
pub fn shown(url: &Url) -> Url {
    let mut url = url.clone();
    if url.password().is_some() {
        // Only fails for addresses that cannot have a password.
        let _ = url.set_password(Some("***"));
    }
    url
}

fn without_password<S: serde::Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&shown(url))
}

fn without_secrets<S: serde::Serializer>(
    settings: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer
        .collect_map(settings.iter().map(|(key, value)| (key, if is_secret(key) { HIDDEN } else { value.as_str() })))
}

#[cfg(test)]
mod tests;
