//! `feed.toml` as it is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::RingFull;
use crate::cores::{Choice, Wait};
use crate::nearest::nearest;
use crate::venue::TimeUnit;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) kafka: Kafka,
    pub(super) feed: Vec<Feed>,
    pub(super) cores: Cores,
    pub(super) limits: Limits,
    pub(super) tls: Tls,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Kafka {
    pub(super) bootstrap_servers: Option<String>,
    pub(super) schema_registry_url: Option<String>,
    pub(super) create_topics: Option<bool>,
    pub(super) partitions: Option<i32>,
    pub(super) linger_us: Option<u64>,
    pub(super) queue_records: Option<usize>,
    pub(super) queue_bytes: Option<usize>,
    pub(super) message_timeout_ms: Option<u64>,
    pub(super) librdkafka: BTreeMap<String, toml::Value>,
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
    pub(super) connections: Option<usize>,
    pub(super) core: Option<usize>,
    pub(super) time_unit: Option<TimeUnit>,
    pub(super) topic: Option<String>,
    pub(super) topic_raw: Option<String>,
    pub(super) topic_dlq: Option<String>,
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
pub(super) struct Tls {
    pub(super) extra_ca: Option<PathBuf>,
}

/// The keys of each table, to name the nearest to one that is not known.
const KEYS: [(&str, &[&str]); 6] = [
    ("", &["kafka", "feed", "cores", "limits", "tls"]),
    (
        "kafka",
        &[
            "bootstrap_servers",
            "schema_registry_url",
            "create_topics",
            "partitions",
            "linger_us",
            "queue_records",
            "queue_bytes",
            "message_timeout_ms",
            "librdkafka",
        ],
    ),
    (
        "feed",
        &[
            "exchange",
            "protocol",
            "symbols",
            "instruments",
            "canonical",
            "url",
            "connections",
            "core",
            "time_unit",
            "topic",
            "topic_raw",
            "topic_dlq",
        ],
    ),
    ("cores", &["feed", "producer", "housekeeping", "wait"]),
    ("limits", &["ring_bytes", "max_frame_bytes", "ring_full"]),
    ("tls", &["extra_ca"]),
];

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

/// A setting for librdkafka as the text that it wants.
pub(super) fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads the file. What is wrong with it goes to `errors`.
pub(super) fn read(path: &Path, errors: &mut Vec<String>) -> File {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            errors.push(format!("{}: the file cannot be read: {error}", path.display()));
            return File::default();
        }
    };
    parse(&path.display().to_string(), &text, errors)
}

/// As [`read`], of a file's text.
pub(super) fn parse(name: &str, text: &str, errors: &mut Vec<String>) -> File {
    let mut unknown = Vec::new();
    let parsed = toml::Deserializer::parse(text)
        .and_then(|deserializer| serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string())));
    for path in unknown {
        errors.push(unknown_key(name, text, &path));
    }
    parsed.unwrap_or_else(|error: toml::de::Error| {
        errors.push(format!("{name}: {}", error.to_string().trim_end()));
        File::default()
    })
}

/// `path` is as serde_ignored has it: `kafka.lingr_us`, `feed.0.symbol`.
fn unknown_key(name: &str, text: &str, path: &str) -> String {
    let mut parts: Vec<&str> = path.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
    let key = parts.pop().unwrap_or(path);
    let table = parts.first().copied().unwrap_or("");
    let known = KEYS.iter().find(|(of, _)| *of == table).map_or(&[][..], |(_, keys)| keys);
    let line = text.lines().position(|line| {
        let line = line.trim_start_matches([' ', '\t', '[']);
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    });
    let place = line.map_or_else(|| name.to_string(), |line| format!("{name}:{}", line + 1));
    let full = if table.is_empty() { key.to_string() } else { format!("{table}.{key}") };
    match nearest(key, known.iter().copied()) {
        Some(nearest) => format!("{place}: unknown key {full}, did you mean {nearest}?"),
        None => format!("{place}: unknown key {full}. Known are: {}", known.join(", ")),
    }
}
