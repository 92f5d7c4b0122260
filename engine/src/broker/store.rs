//! What the embedded registry knows: schemas, subjects and compatibility, without any HTTP.

use std::collections::BTreeMap;

use apache_avro::schema::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde_json::{Map, Value};

/// Longest reason of one incompatibility, in characters; apache-avro's can hold whole schemas.
const REASON_LIMIT_CHARS: usize = 600;

/// How a new version of a subject must relate to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// Confluent's name for it.
    pub(super) name: &'static str,
    /// New readers read old records.
    backward: bool,
    /// Old readers read new records.
    forward: bool,
    /// Against all versions rather than the latest.
    transitive: bool,
}

const fn level(name: &'static str, backward: bool, forward: bool, transitive: bool) -> Level {
    Level { name, backward, forward, transitive }
}

const LEVELS: [Level; 7] = [
    level("BACKWARD", true, false, false),
    level("BACKWARD_TRANSITIVE", true, false, true),
    level("FORWARD", false, true, false),
    level("FORWARD_TRANSITIVE", false, true, true),
    level("FULL", true, true, false),
    level("FULL_TRANSITIVE", true, true, true),
    level("NONE", false, false, false),
];

impl Level {
    /// The level of this name, in whatever case.
    pub(super) fn named(name: &str) -> Option<Self> {
        LEVELS.into_iter().find(|level| level.name.eq_ignore_ascii_case(name))
    }
}

/// Why the store does not do as asked. The codes are Confluent's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// 40401
    NoSubject(String),
    /// 40402
    NoVersion(String),
    /// 40403
    NoSchema(String),
    /// 409
    Incompatible(String, Vec<String>),
    /// 42201
    Invalid(String),
}

/// A schema with its id, as it was first registered.
pub(super) struct Stored {
    pub(super) id: usize,
    pub(super) text: String,
    canonical: String,
    parsed: Schema,
}

/// A version of a subject.
pub(super) struct Version<'a> {
    pub(super) number: usize,
    pub(super) schema: &'a Stored,
}

/// All schemas, by id and by subject.
pub(super) struct Store {
    /// Id 1 first.
    schemas: Vec<Stored>,
    /// For each subject the ids of its versions, version 1 first.
    subjects: BTreeMap<String, Vec<usize>>,
    /// The level of subjects without their own.
    pub(super) global: Level,
    /// Levels of single subjects.
    pub(super) levels: BTreeMap<String, Level>,
}

impl Store {
    /// An empty store with Confluent's default level, BACKWARD.
    pub(super) fn new() -> Self {
        Self { schemas: Vec::new(), subjects: BTreeMap::new(), global: LEVELS[0], levels: BTreeMap::new() }
    }

    /// All subjects, in order of their names.
    pub(super) fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    /// The numbers of a subject's versions.
    pub(super) fn versions(&self, subject: &str) -> Result<Vec<usize>, Refused> {
        Ok((1..=self.ids(subject)?.len()).collect())
    }

    /// One version of a subject; `None` is the latest.
    pub(super) fn version(&self, subject: &str, number: Option<usize>) -> Result<Version<'_>, Refused> {
        let ids = self.ids(subject)?;
        let number = number.unwrap_or(ids.len());
        let id = number.checked_sub(1).and_then(|index| ids.get(index));
        let id = *id.ok_or_else(|| Refused::NoVersion(format!("Version {number} not found.")))?;
        Ok(Version { number, schema: self.schema(id)? })
    }

    /// The schema with this id.
    pub(super) fn schema(&self, id: usize) -> Result<&Stored, Refused> {
        let found = id.checked_sub(1).and_then(|index| self.schemas.get(index));
        found.ok_or_else(|| Refused::NoSchema(format!("Schema {id} not found")))
    }

    /// The version of `subject` that has this schema.
    pub(super) fn lookup(&self, subject: &str, text: &str) -> Result<Version<'_>, Refused> {
        let (_, canonical) = parse(text)?;
        let mut versions = self.ids(subject)?.iter().zip(1..);
        let found = versions.find(|(id, _)| self.schemas[**id - 1].canonical == canonical);
        match found {
            Some((id, number)) => Ok(Version { number, schema: self.schema(*id)? }),
            None => Err(Refused::NoSchema("Schema not found".to_owned())),
        }
    }

    /// Registers a schema under `subject` and returns its id. The same schema has the same id
    /// everywhere, and is not a new version where it is one already.
    pub(super) fn register(&mut self, subject: &str, text: &str) -> Result<usize, Refused> {
        match self.lookup(subject, text) {
            Ok(version) => return Ok(version.schema.id),
            Err(Refused::NoSubject(_) | Refused::NoSchema(_)) => {}
            Err(refused) => return Err(refused),
        }
        let (parsed, canonical) = parse(text)?;
        let reasons = self.conflicts(subject, &parsed);
        if !reasons.is_empty() {
            return Err(Refused::Incompatible(subject.to_owned(), reasons));
        }
        let known = self.schemas.iter().find(|known| known.canonical == canonical);
        let id = match known {
            Some(known) => known.id,
            None => {
                let id = self.schemas.len() + 1;
                self.schemas.push(Stored { id, text: text.to_owned(), canonical, parsed });
                id
            }
        };
        self.subjects.entry(subject.to_owned()).or_default().push(id);
        Ok(id)
    }

    /// Why `text` may not follow this version of `subject` (`None` is the latest) at the subject's
    /// level; empty when it may.
    pub(super) fn check(&self, subject: &str, number: Option<usize>, text: &str) -> Result<Vec<String>, Refused> {
        let (parsed, _) = parse(text)?;
        let version = self.version(subject, number)?;
        Ok(conflicts(self.level(subject), &parsed, version))
    }

    /// The level that holds for a subject.
    pub(super) fn level(&self, subject: &str) -> Level {
        self.levels.get(subject).copied().unwrap_or(self.global)
    }

    fn ids(&self, subject: &str) -> Result<&[usize], Refused> {
        let found = self.subjects.get(subject).map(Vec::as_slice);
        found.ok_or_else(|| Refused::NoSubject(format!("Subject '{subject}' not found.")))
    }

    fn conflicts(&self, subject: &str, new: &Schema) -> Vec<String> {
        let level = self.level(subject);
        let newest_first = self.versions(subject).unwrap_or_default().into_iter().rev();
        let compared = if level.transitive { usize::MAX } else { 1 };
        newest_first
            .take(compared)
            .filter_map(|number| self.version(subject, Some(number)).ok())
            .flat_map(|version| conflicts(level, new, version))
            .collect()
    }
}

/// Why `new` may not follow `old`.
fn conflicts(level: Level, new: &Schema, old: Version<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut compare = |asked: bool, what: &str, writer: &Schema, reader: &Schema| {
        if !asked {
            return;
        }
        if let Err(error) = SchemaCompatibility::can_read(writer, reader) {
            let chain = anyhow::Error::new(error);
            let reason = format!("{what} version {} ({}): {chain:#}", old.number, level.name);
            let words: Vec<&str> = reason.split_whitespace().collect();
            reasons.push(words.join(" ").chars().take(REASON_LIMIT_CHARS).collect());
        }
    };
    let before = &old.schema.parsed;
    compare(level.backward, "the new schema cannot read", before, new);
    compare(level.forward, "the new schema cannot be read by", new, before);
    reasons
}

/// The schema and the form by which two of them are the same.
fn parse(text: &str) -> Result<(Schema, String), Refused> {
    let invalid = |reason: String| Refused::Invalid(format!("Invalid Avro schema: {reason}"));
    let parsed = Schema::parse_str(text).map_err(|error| invalid(error.to_string()))?;
    // What apache-avro reads is JSON, or the bare name of a primitive type.
    let json = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    Ok((parsed, canonical(&json).to_string()))
}

/// The schema's JSON without what changes no meaning: spacing, the order of attributes, `doc`, and
/// the long way to write a primitive. Avro's own canonical form leaves out defaults and aliases
/// too, on which readers depend.
fn canonical(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let mut kept: Vec<(&String, &Value)> = map.iter().filter(|(key, _)| *key != "doc").collect();
            if let [(key, Value::String(name))] = kept.as_slice()
                && *key == "type"
            {
                return Value::String(name.clone());
            }
            kept.sort_by_key(|(key, _)| *key);
            let canonical = |(key, value): (&String, &Value)| match key.as_str() {
                "default" => (key.clone(), value.clone()), // data, not schema
                _ => (key.clone(), canonical(value)),
            };
            Value::Object(kept.into_iter().map(canonical).collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
