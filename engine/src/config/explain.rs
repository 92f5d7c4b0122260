//! The configuration that holds, written as TOML, with where each value comes from and what it comes to.

mod security;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::error::{Errors, Misconfigured, placed};
use super::file::File;
use super::source::{Origins, Source};
use super::{Config, ConfigErrors, Feed, Kafka, Raw, Session, environment, file, instruments, resolve, shown};
use crate::cores::CpuSet;
use crate::kafka::settings::is_secret;
use crate::secret::HIDDEN;
use crate::venue::Protocol;

/// Comments stand in this column where lines leave room.
const COMMENT_COLUMN: usize = 56;

/// A configuration, and where its values come from. Shown, it is TOML that resolves to the same again, but for its
/// secrets, which are not shown.
#[derive(Debug)]
pub struct Explained {
    /// What holds.
    pub config: Config,
    given: file::File,
}

impl Explained {
    /// See [`Config::load`].
    ///
    /// # Errors
    /// All that is wrong.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let (given, errors) = read(file);
        Explained::resolve(given, variables, None, errors)
    }

    /// As [`Explained::load`], for this machine: CPUs, certificates and folders are looked at, too. `available` are the
    /// CPUs that the process may use.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn load_here(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        available: &CpuSet,
    ) -> Result<Self, ConfigErrors> {
        let (given, errors) = read(file);
        Explained::resolve(given, variables, Some(available), errors)
    }

    /// What the start of the engine finds wrong, with the place where it is written.
    pub fn placed(&self, error: &Misconfigured) -> ConfigErrors {
        ConfigErrors(vec![placed(self.given.origins.of(error.key), &error.what)])
    }

    /// From what was read from the file, if it could be, with the `errors` of that.
    pub(super) fn resolve(
        given: Option<file::File>,
        variables: impl IntoIterator<Item = (String, String)>,
        available: Option<&CpuSet>,
        mut errors: Errors,
    ) -> Result<Self, ConfigErrors> {
        let Some(mut given) = given else { return Err(errors.into_shown()) };
        environment::apply(&mut given, variables, &mut errors);
        instruments::take_all(&mut given, &mut errors);
        match resolve::resolve(&given, available, &mut errors) {
            Some(config) if errors.is_empty() => Ok(Explained { config, given }),
            _ => Err(errors.into_shown()),
        }
    }
}

/// `[kafka]` alone; what else is in the file is not looked at.
///
/// # Errors
/// All that is wrong.
pub(super) fn kafka(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Kafka, ConfigErrors> {
    let (given, mut errors) = read(file);
    let Some(mut given) = given else { return Err(errors.into_shown()) };
    // What it says of feeds has no bearing here.
    let variables = variables.into_iter().filter(|(name, _)| !environment::OF_FEEDS.contains(&name.as_str()));
    environment::apply(&mut given, variables, &mut errors);
    match resolve::kafka(&given, &mut errors) {
        Some(kafka) if errors.is_empty() => Ok(kafka),
        _ => Err(errors.into_shown()),
    }
}

/// The file, if there is one and it can be read, and what is wrong with it.
fn read(file: Option<&Path>) -> (Option<file::File>, Errors) {
    let mut errors = Errors::default();
    let given = match file {
        Some(path) => file::read(path, &mut errors),
        None => Some(file::File::default()),
    };
    (given, errors)
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { config, given } = self;
        show_kafka(f, &config.kafka, given)?;
        for (feed, given) in config.feeds.iter().zip(&given.feed) {
            show_feed(f, feed, given, config.repair.enabled)?;
        }

        let cores = Table { prefix: "cores.", origins: &given.origins };
        writeln!(f, "\n[cores]")?;
        cores.line(f, "feed", &config.cores.feed)?;
        cores.line(f, "producer", &config.cores.producer)?;
        match &config.cores.housekeeping {
            Some(cpus) => cores.line(f, "housekeeping", cpus)?,
            None => without(f, "housekeeping", "default: the CPUs that the others leave")?,
        }
        cores.line(f, "wait", config.cores.wait)?;

        let limits = Table { prefix: "limits.", origins: &given.origins };
        writeln!(f, "\n[limits]")?;
        limits.line(f, "ring_bytes", config.limits.ring_bytes)?;
        limits.line(f, "max_frame_bytes", config.limits.max_frame_bytes)?;
        limits.line(f, "ring_full", config.limits.ring_full)?;

        let repair = Table { prefix: "repair.", origins: &given.origins };
        writeln!(f, "\n[repair]")?;
        repair.line(f, "enabled", config.repair.enabled)?;
        repair.line(f, "max_trades", config.repair.max_trades)?;

        show_session(f, &config.session, &given.origins)?;

        writeln!(f, "\n[state]")?;
        match &config.state.dir {
            Some(dir) => Table { prefix: "state.", origins: &given.origins }.path(f, "dir", dir)?,
            None => without(f, "dir", "default: nothing survives the engine")?,
        }

        let spill = Table { prefix: "spill.", origins: &given.origins };
        writeln!(f, "\n[spill]")?;
        spill.line(f, "enabled", config.spill.enabled)?;
        spill.line(f, "max_bytes", config.spill.max_bytes)?;
        spill.line(f, "fsync", config.spill.fsync)?;
        spill.line(f, "fsync_interval_ms", config.spill.fsync_interval_ms)?;
        spill.line(f, "replay_per_s", config.spill.replay_per_s)?;

        let http = Table { prefix: "http.", origins: &given.origins };
        writeln!(f, "\n[http]")?;
        match config.http.listen {
            Some(address) => http.line(f, "listen", address)?,
            None => http.line(f, "listen", "off")?,
        }

        writeln!(f, "\n[tls]")?;
        match &config.extra_ca {
            Some(path) => Table { prefix: "tls.", origins: &given.origins }.path(f, "extra_ca", path),
            None => without(f, "extra_ca", "default: the system's roots alone"),
        }
    }
}

fn show_kafka(f: &mut fmt::Formatter<'_>, kafka: &Kafka, given: &File) -> fmt::Result {
    let origins = &given.origins;
    let table = Table { prefix: "kafka.", origins };
    writeln!(f, "[kafka]")?;
    table.line(f, "bootstrap_servers", &kafka.bootstrap_servers)?;
    table.address(f, "schema_registry_url", &kafka.schema_registry_url)?;
    security::show_registry(f, &table, &kafka.registry_access, &given.kafka)?;
    table.line(f, "subject_name_strategy", kafka.subject_name_strategy)?;
    table.line(f, "register_schemas", kafka.register_schemas)?;
    table.line(f, "registry_wait_s", kafka.registry_wait_s)?;
    table.line(f, "create_topics", kafka.create_topics)?;
    table.line(f, "partitions", kafka.partitions)?;
    table.line(f, "compression", kafka.compression)?;
    table.line(f, "linger_us", kafka.linger_us)?;
    table.line(f, "queue_records", kafka.queue_records)?;
    table.line(f, "queue_bytes", kafka.queue_bytes)?;
    match kafka.message_timeout_ms {
        Some(timeout) => table.line(f, "message_timeout_ms", timeout)?,
        None => without(f, "message_timeout_ms", "default: as long as it takes")?,
    }
    table.line(f, "shutdown_timeout_s", kafka.shutdown_timeout_s)?;
    security::show(f, &kafka.security, given)?;
    if !kafka.librdkafka.is_empty() {
        writeln!(f, "\n[kafka.librdkafka]")?;
    }
    let table = Table { prefix: "kafka.librdkafka.", origins };
    kafka.librdkafka.iter().try_for_each(|(key, value)| match is_secret(key) {
        true => commented(f, &pair(key, HIDDEN)?, &hidden(table.source(key))),
        false => table.line(f, key, value),
    })
}

fn show_session(f: &mut fmt::Formatter<'_>, session: &Session, origins: &Origins) -> fmt::Result {
    let table = Table { prefix: "session.", origins };
    writeln!(f, "\n[session]")?;
    table.line(f, "backoff_min_ms", session.backoff_min_ms)?;
    table.line(f, "backoff_max_ms", session.backoff_max_ms)?;
    table.line(f, "breaker_opens_after_s", session.breaker_opens_after_s)?;
    table.line(f, "breaker_probe_min_s", session.breaker_probe_min_s)?;
    table.line(f, "breaker_probe_max_s", session.breaker_probe_max_s)?;
    match session.max_age_s {
        Some(age) => table.line(f, "max_age_s", age),
        None => without(f, "max_age_s", "default: as long as the exchange keeps connections"),
    }
}

fn show_feed(f: &mut fmt::Formatter<'_>, feed: &Feed, given: &file::Feed, is_repaired: bool) -> fmt::Result {
    writeln!(f, "\n[[feed]]")?;
    let each = feed.connections;
    let count = feed.subscriptions.len() * each;
    for (number, subscription) in feed.subscriptions.iter().enumerate() {
        let symbols = subscription.instruments.len();
        let first = number * each + 1;
        let numbers = if each == 1 {
            format!("connection {first}")
        } else {
            format!("connections {first} to {}", first + each - 1)
        };
        writeln!(f, "# {numbers} of {count}: {symbols} symbol{}", if symbols == 1 { "" } else { "s" })?;
        for instrument in &subscription.instruments {
            writeln!(f, "#   {} is {}", instrument.symbol, instrument.canonical)?;
        }
    }
    let table = Table { prefix: "", origins: &given.origins };
    let symbols: Vec<_> = feed.instruments().map(|instrument| &instrument.symbol).collect();
    table.line(f, "exchange", feed.protocol.exchange())?;
    let has_others = Protocol::ALL.iter().filter(|other| other.exchange() == feed.protocol.exchange()).count() > 1;
    match given.protocol.is_none() && given.url.is_some() && has_others {
        true => commented(f, &pair("protocol", feed.protocol.name())?, "told by url")?,
        false => table.line(f, "protocol", feed.protocol.name())?,
    }
    table.line(f, "symbols", symbols)?;
    for instrument in feed.instruments().filter(|instrument| given.canonical.contains_key(&instrument.symbol)) {
        let source = table.source(&format!("canonical.{}", instrument.symbol));
        let entry = pair(&instrument.symbol, &instrument.canonical)?;
        commented(f, &format!("canonical.{entry}"), &source.to_string())?;
    }
    table.address(f, "url", &feed.endpoint.url)?;
    let has_secret = feed.alternatives.iter().any(|url| url.password().is_some());
    let source = table.source("alternatives");
    let comment = if has_secret { hidden(source) } else { source.to_string() };
    commented(f, &pair("alternatives", feed.alternatives_shown())?, &comment)?;
    match &feed.rest_url {
        Some(url) => {
            table.address(f, "rest_url", url)?;
            table.line(f, "rest_interval_ms", feed.rest_interval.as_millis() as u64)?;
        }
        None => without(f, "rest_url", feed.unrepaired(is_repaired))?,
    }
    if feed.protocol == Protocol::BinanceSpot {
        table.line(f, "time_unit", feed.endpoint.time_unit)?;
    }
    table.line(f, "connections", feed.connections)?;
    match feed.core {
        Some(core) => table.line(f, "core", core)?,
        None => without(f, "core", "default: the feed core that has least to do")?,
    }
    table.line(f, "raw", feed.raw)?;
    table.line(f, "topic", &feed.topic)?;
    match feed.raw {
        Raw::Frame => table.line(f, "topic_raw", &feed.topic_raw)?,
        Raw::Off => without(f, "topic_raw", "raw is off")?,
    }
    table.line(f, "topic_dlq", &feed.topic_dlq)
}

/// A table of the file, for its lines.
struct Table<'a> {
    /// What goes before its keys in `origins`.
    prefix: &'a str,
    origins: &'a Origins,
}

impl Table<'_> {
    fn source(&self, key: &str) -> &Source {
        self.origins.of(&format!("{}{key}", self.prefix))
    }

    /// A key with its value and where that comes from.
    fn line(&self, f: &mut fmt::Formatter<'_>, key: &str, value: impl Serialize) -> fmt::Result {
        commented(f, &pair(key, value)?, &self.source(key).to_string())
    }

    /// As [`Self::line`], of a file, so that what is shown can be kept in another folder.
    fn path(&self, f: &mut fmt::Formatter<'_>, key: &str, path: &Path) -> fmt::Result {
        self.line(f, key, std::path::absolute(path).unwrap_or_else(|_| path.into()))
    }

    /// As [`Self::line`], of an address, whose password is not shown.
    fn address(&self, f: &mut fmt::Formatter<'_>, key: &str, url: &url::Url) -> fmt::Result {
        let source = self.source(key);
        let comment = if url.password().is_some() { hidden(source) } else { source.to_string() };
        commented(f, &pair(key, shown(url).as_str())?, &comment)
    }
}

fn hidden(source: &Source) -> String {
    format!("{source}, secret not shown")
}

/// `key = value`, each quoted where it must be.
fn pair(key: &str, value: impl Serialize) -> Result<String, fmt::Error> {
    let line = toml::to_string(&BTreeMap::from([(key, value)])).map_err(|_| fmt::Error)?;
    Ok(line.trim_end().to_string())
}

fn commented(f: &mut fmt::Formatter<'_>, line: &str, comment: &str) -> fmt::Result {
    writeln!(f, "{line:COMMENT_COLUMN$}  # {comment}")
}

/// A key that has no value.
fn without(f: &mut fmt::Formatter<'_>, key: &str, comment: &str) -> fmt::Result {
    commented(f, &format!("# {key}"), comment)
}
