//! `feed.toml` as it is written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_aux::serde_introspection::serde_introspect;

use super::error::Errors;
use super::source::{Enclosing, Lines, Origins, Source, WHOLE, enclosing, line_at};
use super::{Fsync, Raw, RingFull};
use crate::cores::{Choice, Wait};
use crate::kafka::security::{Mechanism, Protocol};
use crate::kafka::settings::Compression;
use crate::nearest::nearest;
use crate::registry::SubjectNameStrategy;
use crate::secret::Secret;
use crate::venue::TimeUnit;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) kafka: Kafka,
    pub(super) feed: Vec<Feed>,
    pub(super) cores: Cores,
    pub(super) limits: Limits,
    pub(super) repair: Repair,
    pub(super) session: Session,
    pub(super) state: State,
    pub(super) spill: Spill,
    pub(super) http: Http,
    pub(super) tls: Tls,
    /// Where each key comes from, those of feeds left out.
    #[serde(skip)]
    pub(super) origins: Origins,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Kafka {
    pub(super) bootstrap_servers: Option<String>,
    pub(super) schema_registry_url: Option<String>,
    pub(super) subject_name_strategy: Option<SubjectNameStrategy>,
    pub(super) register_schemas: Option<bool>,
    pub(super) registry_wait_s: Option<u64>,
    pub(super) registry_username: Option<String>,
    pub(super) registry_password_file: Option<PathBuf>,
    pub(super) registry_ca: Option<PathBuf>,
    /// Only from the environment.
    #[serde(skip)]
    pub(super) registry_password: Option<Secret>,
    pub(super) create_topics: Option<bool>,
    pub(super) partitions: Option<i32>,
    pub(super) compression: Option<Compression>,
    pub(super) linger_us: Option<u64>,
    pub(super) queue_records: Option<usize>,
    pub(super) queue_bytes: Option<usize>,
    pub(super) message_timeout_ms: Option<u64>,
    pub(super) shutdown_timeout_s: Option<u64>,
    pub(super) librdkafka: BTreeMap<String, toml::Value>,
    pub(super) security: Security,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Security {
    pub(super) protocol: Option<Protocol>,
    pub(super) mechanism: Option<Mechanism>,
    pub(super) username: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    /// Only from the environment.
    #[serde(skip)]
    pub(super) password: Option<Secret>,
}

impl Kafka {
    /// The files that it names.
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let security = &mut self.security;
        let secured = [&mut security.password_file, &mut security.ca, &mut security.certificate, &mut security.key];
        let registry = [&mut self.registry_password_file, &mut self.registry_ca];
        secured.into_iter().chain(registry).flatten()
    }
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Feed {
    pub(super) exchange: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) symbols: Vec<String>,
    pub(super) instruments: Option<PathBuf>,
    pub(super) canonical: BTreeMap<String, String>,
    pub(super) url: Option<String>,
    pub(super) alternatives: Option<Vec<String>>,
    pub(super) rest_url: Option<String>,
    pub(super) rest_interval_ms: Option<u64>,
    pub(super) connections: Option<usize>,
    pub(super) core: Option<usize>,
    pub(super) time_unit: Option<TimeUnit>,
    pub(super) raw: Option<Raw>,
    pub(super) topic: Option<String>,
    pub(super) topic_raw: Option<String>,
    pub(super) topic_dlq: Option<String>,
    /// Where each key comes from.
    #[serde(skip)]
    pub(super) origins: Origins,
}

impl Feed {
    /// What errors call it.
    fn title(&self) -> String {
        format!("feed {}", self.exchange.as_deref().unwrap_or("without an exchange"))
    }

    /// What errors about another feed call it: with its place.
    pub(super) fn name(&self) -> String {
        match self.origins.of(WHOLE) {
            Source::Default => self.title(),
            place => format!("{} ({place})", self.title()),
        }
    }

    /// Something is wrong with it, with the value of `key` if that is given.
    pub(super) fn wrong(&self, key: &str, what: impl std::fmt::Display, errors: &mut Errors) {
        let places = [key, WHOLE, "exchange"].map(|key| self.origins.of(key));
        let place = places.into_iter().find(|place| **place != Source::Default);
        errors.at(place.unwrap_or(&Source::Default), format!("{}: {what}", self.title()));
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cores {
    #[serde(deserialize_with = "choice")]
    pub(super) feed: Option<Choice>,
    #[serde(deserialize_with = "choice")]
    pub(super) producer: Option<Choice>,
    pub(super) housekeeping: Option<Vec<usize>>,
    pub(super) wait: Option<Wait>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Limits {
    pub(super) ring_bytes: Option<usize>,
    pub(super) max_frame_bytes: Option<usize>,
    pub(super) ring_full: Option<RingFull>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Repair {
    pub(super) enabled: Option<bool>,
    pub(super) max_trades: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) backoff_min_ms: Option<u64>,
    pub(super) backoff_max_ms: Option<u64>,
    pub(super) breaker_opens_after_s: Option<u64>,
    pub(super) breaker_probe_min_s: Option<u64>,
    pub(super) breaker_probe_max_s: Option<u64>,
    pub(super) max_age_s: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spill {
    pub(super) enabled: Option<bool>,
    pub(super) max_bytes: Option<u64>,
    pub(super) fsync: Option<Fsync>,
    pub(super) fsync_interval_ms: Option<u64>,
    pub(super) replay_per_s: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Http {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tls {
    pub(super) extra_ca: Option<PathBuf>,
}

/// The keys of a table, to name the nearest to one that is not known.
pub(super) fn keys(table: &str) -> &'static [&'static str] {
    match table {
        "" => serde_introspect::<File>(),
        "kafka" => serde_introspect::<Kafka>(),
        "kafka.security" => serde_introspect::<Security>(),
        "feed" => serde_introspect::<Feed>(),
        "cores" => serde_introspect::<Cores>(),
        "limits" => serde_introspect::<Limits>(),
        "repair" => serde_introspect::<Repair>(),
        "session" => serde_introspect::<Session>(),
        "state" => serde_introspect::<State>(),
        "spill" => serde_introspect::<Spill>(),
        "http" => serde_introspect::<Http>(),
        "tls" => serde_introspect::<Tls>(),
        _ => &[],
    }
}

/// A number of cores, or a list of CPUs.
fn choice<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Choice>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number of cores or a list of CPUs")]
    enum Written {
        Count(usize),
        Cpus(Vec<usize>),
    }
    Ok(Some(match Written::deserialize(deserializer)? {
        Written::Count(count) => Choice::Count(count),
        Written::Cpus(cpus) => Choice::Cpus(cpus),
    }))
}

/// Settings for librdkafka as the texts that it wants. `sasl.password` without quotes is a table in a table to TOML, and
/// the same setting to us.
pub(super) fn passed_through(given: &BTreeMap<String, toml::Value>) -> BTreeMap<String, String> {
    given.iter().flat_map(|(key, value)| flat(key, value)).collect()
}

fn flat(key: &str, value: &toml::Value) -> Vec<(String, String)> {
    match value {
        toml::Value::Table(table) => {
            table.iter().flat_map(|(inner, value)| flat(&format!("{key}.{inner}"), value)).collect()
        }
        toml::Value::String(text) => vec![(key.into(), text.clone())],
        other => vec![(key.into(), other.to_string())],
    }
}

/// Reads the file. What is wrong with it goes to `errors`; without its values nothing more can be said.
pub(super) fn read(path: &Path, errors: &mut Errors) -> Option<File> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            errors.at(&Source::Default, format!("{}: the file cannot be read: {error}", path.display()));
            return None;
        }
    };
    let mut file = parse(&path.display().to_string(), &text, errors)?;
    // Paths are relative to the file that names them.
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = file.feed.iter_mut().filter_map(|feed| feed.instruments.as_mut()).chain(&mut file.tls.extra_ca);
    let named = named.chain(file.state.dir.as_mut().filter(|dir| !dir.as_os_str().is_empty()));
    named.chain(file.kafka.paths()).for_each(|named| *named = folder.join(&*named));
    Some(file)
}

/// As [`read`], of a file's text; paths stay as they are. A value of the wrong type is as good as none, so that all of
/// them are found.
pub(super) fn parse(name: &str, text: &str, errors: &mut Errors) -> Option<File> {
    let (mut unknown, lines) = (Vec::new(), Lines::of(text));
    let mut rest = text.to_string();
    let mut file: File = loop {
        unknown.clear();
        let parsed = toml::Deserializer::parse(&rest)
            .and_then(|deserializer| serde_ignored::deserialize(deserializer, |path| unknown.push(parts(&path))));
        match parsed {
            Ok(file) => break file,
            Err(error) => {
                let (place, what) = no_value(name, &rest, &error);
                errors.at(&place, what);
                match error.span().and_then(|span| without(&rest, span)) {
                    Some(shorter) => rest = shorter,
                    None => {
                        name_unknown(name, &lines, &unknown, errors);
                        return None;
                    }
                }
            }
        }
    };
    name_unknown(name, &lines, &unknown, errors);
    file.origins = lines.origins(name, &[]);
    for (index, feed) in file.feed.iter_mut().enumerate() {
        feed.origins = lines.origins(name, &["feed".into(), index.to_string()]);
    }
    Some(file)
}

/// The text with blanks for the value in which `place` lies, and for its key, if the rest is TOML still.
fn without(text: &str, place: Range<usize>) -> Option<String> {
    let blanked = |key: &Enclosing| {
        let (before, rest) = text.split_at(key.span.start);
        let (value, after) = rest.split_at(key.span.len());
        // What follows stays where it is.
        let blank = |c: char| if c == '\n' { "\n".to_string() } else { " ".repeat(c.len_utf8()) };
        let value: String = value.chars().map(blank).collect();
        let shorter = [before, &value, after].concat();
        shorter.parse::<toml::Table>().ok().map(|_| shorter)
    };
    enclosing(text, &place).iter().rev().find_map(blanked)
}

/// The keys and places that lead to what serde_ignored found.
fn parts(path: &serde_ignored::Path<'_>) -> Vec<String> {
    use serde_ignored::Path::{Map, NewtypeStruct, NewtypeVariant, Root, Seq, Some};
    let (parent, last) = match path {
        Root => return Vec::new(),
        Map { parent, key } => (parent, key.clone()),
        Seq { parent, index } => (parent, index.to_string()),
        Some { parent } | NewtypeStruct { parent } | NewtypeVariant { parent } => return parts(parent),
    };
    let mut parts = parts(parent);
    parts.push(last);
    parts
}

/// What does not fit, without the line itself, which may hold a secret.
fn no_value(name: &str, text: &str, error: &toml::de::Error) -> (Source, String) {
    let mut message = error.message().to_string();
    for (rust, plain) in [("expected usize", "0 or more"), ("expected u64", "0 or more"), ("expected i32", "such as 3")]
    {
        message = message.replace(rust, &format!("expected a whole number, {plain}"));
    }
    let Some(span) = error.span() else { return (Source::Default, format!("{name}: {message}")) };
    let line = line_at(text, span.start);
    let what = match enclosing(text, &span).last() {
        Some(key) => format!("{}: {message}", joined(&key.path)),
        None => message,
    };
    (Source::Line { file: name.into(), line }, what)
}

/// A key with its tables, whichever of an array they are.
fn joined(path: &[String]) -> String {
    let names: Vec<_> = path.iter().map(String::as_str).filter(|name| name.parse::<usize>().is_err()).collect();
    names.join(".")
}

fn name_unknown(name: &str, lines: &Lines, unknown: &[Vec<String>], errors: &mut Errors) {
    for path in unknown {
        let place = lines.get(path).map_or(Source::Default, |line| Source::Line { file: name.into(), line });
        errors.at(&place, unknown_key(path));
    }
}

fn unknown_key(path: &[String]) -> String {
    let (key, tables) = path.split_last().map_or(("", path), |(key, tables)| (key.as_str(), tables));
    let full = joined(path);
    let known = keys(&joined(tables));
    match nearest(key, known.iter().copied()) {
        Some(nearest) => format!("unknown key {full}, did you mean {nearest}?"),
        None => format!("unknown key {full}. Known are: {}", known.join(", ")),
    }
}
