//! The ids that the registry gave, kept for a start without it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::fnv1a::Fnv1a;
use crate::state::{self, Whole};

/// The file in the state folder.
const FILE: &str = "schema-ids.json";

/// The ids in a state folder.
#[derive(Debug)]
pub struct IdCache {
    path: PathBuf,
    kept: Kept,
}

/// A schema's id as the registry gave it, at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The id.
    pub id: u32,
    /// How long ago the registry said so.
    pub age: Duration,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    schemas: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The registry's URL, without credentials.
    registry: String,
    subject: String,
    /// [`digest`] of the schema's text.
    schema: String,
    id: u32,
    /// When the registry said so last, in seconds since 1970.
    confirmed: u64,
}

impl Entry {
    fn is_of(&self, registry: &str, subject: &str, schema: &str) -> bool {
        self.registry == registry && self.subject == subject && self.schema == digest(schema)
    }
}

impl IdCache {
    /// Reads what is kept in the state folder `dir`. A file that makes no sense is as good as none, and is warned of.
    pub fn open(dir: &Path) -> Self {
        let path = dir.join(FILE);
        let kept = state::read(&path).unwrap_or_else(|error| {
            tracing::warn!(file = %path.display(), "the schema ids that were kept cannot be read, and are asked for anew: {error}");
            Kept::default()
        });
        IdCache { path, kept }
    }

    /// The id of `schema` under `subject` of `registry` (a URL without credentials), if it is known.
    pub fn get(&self, registry: &str, subject: &str, schema: &str) -> Option<Remembered> {
        let entry = self.kept.schemas.iter().find(|entry| entry.is_of(registry, subject, schema))?;
        let age = Duration::from_secs(now().saturating_sub(entry.confirmed));
        Some(Remembered { id: entry.id, age })
    }

    /// Keeps an id that the registry has just given.
    ///
    /// # Errors
    /// A sentence that names the file, if it cannot be written; what was kept before is still there.
    pub fn keep(&mut self, registry: &str, subject: &str, schema: &str, id: u32) -> Result<(), String> {
        self.kept.schemas.retain(|entry| !entry.is_of(registry, subject, schema));
        let (registry, subject) = (registry.to_owned(), subject.to_owned());
        self.kept.schemas.push(Entry { registry, subject, schema: digest(schema), id, confirmed: now() });
        self.write().map_err(|error| format!("{}: the schema's id cannot be kept: {error}", self.path.display()))
    }

    fn write(&self) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(&self.kept)?;
        text.push(b'\n');
        state::replace(&self.path, &text, Whole::AfterPowerCut)
    }
}

/// Tells the schema from those that engines before or after this one have: FNV-1a of its text, 64 bits.
fn digest(schema: &str) -> String {
    let mut hash = Fnv1a::default();
    hash.text(schema);
    format!("{:016x}", hash.finish())
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const REGISTRY: &str = "http://registry:8081";

    #[test]
    fn an_id_is_known_for_its_registry_subject_and_schema_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = IdCache::open(dir.path());
        cache.keep(REGISTRY, "trades-value", "one", 7).unwrap();
        cache.keep(REGISTRY, "trades-value", "two", 8).unwrap();
        cache.keep(REGISTRY, "trades-value", "one", 9).unwrap();
        let again = IdCache::open(dir.path());
        let id = |registry, subject, schema| again.get(registry, subject, schema).map(|known| known.id);
        assert_eq!(id(REGISTRY, "trades-value", "one"), Some(9));
        assert_eq!(id(REGISTRY, "trades-value", "two"), Some(8));
        assert_eq!(id("http://another:8081", "trades-value", "one"), None);
        assert_eq!(id(REGISTRY, "other-value", "one"), None);
        assert_eq!(id(REGISTRY, "trades-value", "three"), None);
        assert!(again.get(REGISTRY, "trades-value", "one").unwrap().age < Duration::from_secs(60));
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [FILE]);
    }

    #[test]
    fn its_age_is_that_of_the_last_answer() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = IdCache::open(dir.path());
        cache.keep(REGISTRY, "s", "schema", 7).unwrap();
        cache.kept.schemas[0].confirmed -= 3_600;
        cache.write().unwrap();
        let mut cache = IdCache::open(dir.path());
        let age = cache.get(REGISTRY, "s", "schema").unwrap().age.as_secs();
        assert!((3_600..3_660).contains(&age), "{age}");
        cache.keep(REGISTRY, "s", "schema", 7).unwrap();
        assert!(cache.get(REGISTRY, "s", "schema").unwrap().age < Duration::from_secs(60));
    }

    #[test]
    fn what_cannot_be_read_is_as_good_as_none_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "{\"schemas\": [{\"id\":", "[1]", "\u{0}"] {
            fs::write(dir.path().join(FILE), text).unwrap();
            let mut cache = IdCache::open(dir.path());
            assert_eq!(cache.get(REGISTRY, "s", "schema"), None, "{text:?}");
            cache.keep(REGISTRY, "s", "schema", 7).unwrap();
            assert_eq!(IdCache::open(dir.path()).get(REGISTRY, "s", "schema").unwrap().id, 7);
        }
    }

    #[test]
    fn a_folder_that_has_gone_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = IdCache::open(&dir.path().join("gone"));
        let error = cache.keep(REGISTRY, "s", "schema", 7).unwrap_err();
        assert!(error.contains("gone/schema-ids.json: the schema's id cannot be kept"), "{error}");
    }
}
