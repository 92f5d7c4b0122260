//! The schema registry, as the engine needs it at start: is our schema there, may it go there,
//! under which id.
//!
//! [`RegistryClient`] speaks Confluent's REST API, so Confluent's own registry, Apicurio, Karapace,
//! Redpanda and the embedded one all answer it. It blocks and allocates as it likes: it runs before
//! the first socket is opened, never on the hot path.

mod error;
mod http;

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

pub use error::RegistryError;
use http::Transport;

/// Longest wait for a connection to the registry, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest wait for one answer of the registry, from the look-up of its name to the last byte of
/// the body.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

const SUBJECT_NOT_FOUND: i64 = 40401;
const VERSION_NOT_FOUND: i64 = 40402;
const SCHEMA_NOT_FOUND: i64 = 40403;

/// The subject of a topic's values by Confluent's default strategy: `<topic>-value`.
pub fn value_subject(topic: &str) -> String {
    format!("{topic}-value")
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
        Self::with_timeouts(base_url, CONNECT_TIMEOUT, ANSWER_TIMEOUT)
    }

    /// As [`RegistryClient::new`], with own limits for connecting and for one whole answer.
    ///
    /// # Errors
    /// As [`RegistryClient::new`].
    pub fn with_timeouts(base_url: &str, connect: Duration, answer: Duration) -> Result<Self, RegistryError> {
        Ok(Self { transport: Transport::new(base_url, connect, answer)? })
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
        if let Some(id) = self.lookup(subject, schema)? {
            return Ok(id);
        }
        match self.check(subject, schema)? {
            Verdict::Compatible => self.register(subject, schema),
            Verdict::Incompatible(refused) => Err(refused),
            // Apicurio says why only when it refuses to register.
            Verdict::Unexplained(refused) => match self.register(subject, schema) {
                Ok(id) => Ok(id),
                Err(explained @ RegistryError::Incompatible { .. }) => Err(explained),
                Err(_) => Err(refused),
            },
        }
    }

    /// The text of the schema with this id, as the registry gives it out.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] when the registry has no such id; otherwise what went wrong on
    /// the way.
    pub fn schema_by_id(&self, id: u32) -> Result<String, RegistryError> {
        #[derive(Deserialize)]
        struct Stored {
            schema: String,
        }
        let answer = self.transport.call(&["schemas", "ids", &id.to_string()], None, None)?;
        match answer.status {
            200 => Ok(answer.read::<Stored>()?.schema),
            _ => Err(answer.into_error(&format!("schema id {id}"))),
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

/// The part of an answer that carries the id, whatever else comes with it.
#[derive(Deserialize)]
struct Id {
    id: u32,
}

#[cfg(test)]
mod tests;
