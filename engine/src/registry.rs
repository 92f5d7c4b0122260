//! The schema registry, as the engine needs it at start: is our schema there, may it go there,
//! under which id.
//!
//! [`RegistryClient`] speaks Confluent's REST API, so Confluent's own registry, Apicurio, Karapace,
//! Redpanda and the embedded one all answer it. It blocks and allocates as it likes: it runs before
//! the first socket is opened, never on the hot path.

mod access;
pub mod cache;
mod difference;
mod error;
mod http;
pub mod start;
mod subject;

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

pub use access::{Access, Login};
pub use error::RegistryError;
use http::Transport;
pub use subject::{SubjectNameStrategy, value_subject};

/// Longest wait for a connection to the registry, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest wait for one answer of the registry, from the look-up of its name to the last byte of
/// the body.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

const SUBJECT_NOT_FOUND: i64 = 40401;
const VERSION_NOT_FOUND: i64 = 40402;
const SCHEMA_NOT_FOUND: i64 = 40403;

/// What is done about a schema that is not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is registered, if it is compatible.
    Register,
    /// It is an error, since somebody else registers schemas.
    Refuse,
}

/// A blocking client for one registry. Makes no connection until it is asked something, and keeps
/// none afterwards.
#[derive(Debug)]
pub struct RegistryClient {
    transport: Transport,
}

impl RegistryClient {
    /// A client for the registry at `base_url`, with [`CONNECT_TIMEOUT`] and [`ANSWER_TIMEOUT`].
    ///
    /// The URL's path is kept in front of every request (`http://host:8080/apis/ccompat/v7`), with
    /// or without a slash at its end. A user and password in it (`https://user:secret@host`) are
    /// sent as basic authentication and never printed. A proxy named by the environment is used,
    /// except for a registry on this machine.
    ///
    /// # Errors
    /// [`RegistryError::BadUrl`] when it is not an http or https URL with a host.
    pub fn new(base_url: &str) -> Result<Self, RegistryError> {
        Self::with_access(base_url, &Access::default())
    }

    /// As [`RegistryClient::new`], for a registry that wants more than its URL.
    ///
    /// # Errors
    /// As [`RegistryClient::new`], and [`RegistryError::BadCa`].
    pub fn with_access(base_url: &str, access: &Access) -> Result<Self, RegistryError> {
        Ok(Self { transport: Transport::new(base_url, access, CONNECT_TIMEOUT, ANSWER_TIMEOUT)? })
    }

    /// As [`RegistryClient::new`], with own limits for connecting and for one whole answer.
    ///
    /// # Errors
    /// As [`RegistryClient::new`].
    pub fn with_timeouts(base_url: &str, connect: Duration, answer: Duration) -> Result<Self, RegistryError> {
        Ok(Self { transport: Transport::new(base_url, &Access::default(), connect, answer)? })
    }

    /// Makes sure that `schema` is registered under `subject` and returns its id, the one that goes
    /// into every message.
    ///
    /// Looks it up first, so that an engine without the right to write can start once somebody else
    /// has registered it. When it is not there it is checked against the latest version, and
    /// registered when that is compatible.
    ///
    /// # Errors
    /// [`RegistryError::Incompatible`] with the registry's reason when the registry refuses it;
    /// otherwise what went wrong on the way.
    pub fn ensure(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        self.id(subject, schema, Missing::Register)
    }

    /// As [`RegistryClient::ensure`], with a choice of what is done if the schema is `missing`. An incompatible one is
    /// refused with the fields that differ from the latest version.
    ///
    /// # Errors
    /// As [`RegistryClient::ensure`]; [`RegistryError::NotRegistered`] if it is missing and must not be registered.
    pub fn id(&self, subject: &str, schema: &str, missing: Missing) -> Result<u32, RegistryError> {
        let outcome = self.look_or_register(subject, schema, missing);
        outcome.map_err(|error| match error {
            RegistryError::Incompatible { url, status, subject, message, .. } => {
                let differences = self.differences(&subject, schema);
                RegistryError::Incompatible { url, status, subject, message, differences }
            }
            error => error,
        })
    }

    fn look_or_register(&self, subject: &str, schema: &str, missing: Missing) -> Result<u32, RegistryError> {
        if let Some(id) = self.lookup(subject, schema)? {
            return Ok(id);
        }
        match (self.check(subject, schema)?, missing) {
            (Verdict::Incompatible(refused), _) | (Verdict::Unexplained(refused), Missing::Refuse) => Err(refused),
            (Verdict::Compatible, Missing::Register) => self.register(subject, schema),
            (Verdict::Compatible, Missing::Refuse) => {
                Err(RegistryError::NotRegistered { url: self.url(), subject: subject.to_owned() })
            }
            // Apicurio says why only when it refuses to register.
            (Verdict::Unexplained(refused), Missing::Register) => match self.register(subject, schema) {
                Ok(id) => Ok(id),
                Err(explained @ RegistryError::Incompatible { .. }) => Err(explained),
                Err(_) => Err(refused),
            },
        }
    }

    /// The registry's URL, without credentials.
    pub fn url(&self) -> String {
        self.transport.shown()
    }

    /// In which fields `schema` differs from the latest version under `subject`, in words.
    fn differences(&self, subject: &str, schema: &str) -> String {
        let found = self.latest(subject).map_err(|error| error.to_string());
        match found.and_then(|(_, theirs)| difference::differences(schema, &theirs)) {
            Ok(found) if found.is_empty() => "none from the latest version: an earlier one must differ".to_owned(),
            Ok(found) => found.join("; "),
            Err(error) => format!("not known, since the latest version cannot be read: {error}"),
        }
    }

    /// The text of the schema with this id, as the registry gives it out.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] when the registry has no such id; otherwise what went wrong on
    /// the way.
    pub fn schema_by_id(&self, id: u32) -> Result<String, RegistryError> {
        let answer = self.transport.call(&["schemas", "ids", &id.to_string()], None, None)?;
        match answer.status {
            200 => Ok(answer.read::<Stored>()?.schema),
            _ => Err(answer.into_error(&format!("schema id {id}"))),
        }
    }

    /// Id and text of the latest version under `subject`.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] when there is none; otherwise what went wrong on the way.
    pub fn latest(&self, subject: &str) -> Result<(u32, String), RegistryError> {
        let answer = self.transport.call(&["subjects", subject, "versions", "latest"], None, None)?;
        match answer.status {
            200 => Ok((answer.read::<Id>()?.id, answer.read::<Stored>()?.schema)),
            _ => Err(answer.into_error(subject)),
        }
    }

    /// The id of `schema` under `subject`, or `None` when the subject or the schema is not there.
    fn lookup(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryError> {
        let answer = self.transport.call(&["subjects", subject], None, Some(json!({ "schema": schema })))?;
        match answer.status {
            200 => Ok(Some(answer.read::<Id>()?.id)),
            404 if answer.is_about(&[SUBJECT_NOT_FOUND, SCHEMA_NOT_FOUND]) => Ok(None),
            _ => Err(answer.into_error(subject)),
        }
    }

    /// Asks whether `schema` may follow the latest version under `subject`; no version yet is a yes.
    fn check(&self, subject: &str, schema: &str) -> Result<Verdict, RegistryError> {
        #[derive(Deserialize)]
        struct Checked {
            is_compatible: bool,
            #[serde(default)]
            messages: Option<Vec<String>>,
        }
        let path = ["compatibility", "subjects", subject, "versions", "latest"];
        let body = json!({ "schema": schema });
        let answer = self.transport.call(&path, Some("verbose=true"), Some(body))?;
        match answer.status {
            200 => {}
            404 if answer.is_about(&[SUBJECT_NOT_FOUND, VERSION_NOT_FOUND]) => {
                return Ok(Verdict::Compatible);
            }
            _ => return Err(answer.into_error(subject)),
        }
        let checked = answer.read::<Checked>()?;
        if checked.is_compatible {
            return Ok(Verdict::Compatible);
        }
        let refused = |message: String| RegistryError::Incompatible {
            url: answer.url.clone(),
            status: answer.status,
            subject: subject.to_owned(),
            message,
            differences: String::new(),
        };
        let messages = checked.messages.unwrap_or_default();
        if messages.is_empty() {
            let message = "the registry gives no reason".to_owned();
            return Ok(Verdict::Unexplained(refused(message)));
        }
        Ok(Verdict::Incompatible(refused(messages.join("; "))))
    }

    /// Registers `schema` under `subject`. The registry checks it once more, since another engine
    /// may have come between.
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let path = ["subjects", subject, "versions"];
        let answer = self.transport.call(&path, None, Some(json!({ "schema": schema })))?;
        match answer.status {
            200 | 201 => Ok(answer.read::<Id>()?.id),
            _ => Err(answer.into_error(subject)),
        }
    }
}

/// What the compatibility check says.
enum Verdict {
    Compatible,
    Incompatible(RegistryError),
    /// Incompatible, without a reason.
    Unexplained(RegistryError),
}

/// The part of an answer that carries a schema.
#[derive(Deserialize)]
struct Stored {
    schema: String,
}

/// The part of an answer that carries the id, whatever else comes with it.
#[derive(Deserialize)]
struct Id {
    id: u32,
}

#[cfg(test)]
mod tests;
