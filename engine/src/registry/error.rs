//! What can go wrong between the engine and its schema registry. Each text names the URL, the
//! status, the registry's own words and the way out, since whoever reads it has an engine that did
//! not start.

use std::time::Duration;

use crate::net::http;

/// Longest part of a foreign answer that is repeated in an error, in characters.
const EXCERPT_CHARS: usize = 400;

/// Why the registry did not give an id. `url` is the requested URL without credentials; `message`
/// is the registry's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The configured URL cannot be used.
    #[error(
        "schema registry URL {url:?} cannot be used: {reason}; write it as http://HOST:PORT or https://HOST:PORT/BASE/PATH \
         (schema_registry_url, K2_KAFKA_SCHEMA_REGISTRY_URL)"
    )]
    BadUrl {
        /// The URL as given, anything before an `@` left out.
        url: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The file with its root certificates cannot be used.
    #[error("{reason}")]
    BadCa {
        /// Key, file, and what is wrong with it.
        reason: String,
    },

    /// No connection, no name, no TLS, or a connection that broke: nothing was answered.
    #[error(
        "schema registry does not answer at {url}: {reason}; check that it runs and that schema_registry_url names its host, port \
         and scheme"
    )]
    Unreachable {
        /// The requested URL.
        url: String,
        /// What the network said.
        reason: String,
    },

    /// No complete answer in time.
    #[error(
        "schema registry at {url} took too long ({phase}; the limit for a whole answer is {limit_ms} ms); check its load and the \
         network, then start again"
    )]
    Slow {
        /// The requested URL.
        url: String,
        /// Which wait ran out.
        phase: String,
        /// The limit of one whole answer, in milliseconds.
        limit_ms: u128,
    },

    /// The answer is not what a registry says.
    #[error(
        "answer of {url} is not a schema registry's ({status}): {reason}, body {body:?}; check that schema_registry_url points to a registry with \
         Confluent's API, base path included",
        status = status.map_or("no HTTP".to_owned(), |status| format!("HTTP {status}"))
    )]
    Garbage {
        /// The requested URL.
        url: String,
        /// The HTTP status, when there was one.
        status: Option<u16>,
        /// What cannot be read.
        reason: String,
        /// The beginning of the body.
        body: String,
    },

    /// 401: the registry wants to know who asks.
    #[error(
        "schema registry wants other credentials for {url} (HTTP {status}): {message}; set kafka.registry_username and \
         kafka.registry_password_file, or K2_KAFKA_SCHEMA_REGISTRY_USERNAME and K2_KAFKA_SCHEMA_REGISTRY_PASSWORD"
    )]
    Unauthorized {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The registry's words.
        message: String,
    },

    /// 403: it knows who asks and says no.
    #[error(
        "schema registry forbids {url} (HTTP {status}): {message}; give this user the right to read and write {subject:?}, or register \
         the schema with another user first: then reading is enough"
    )]
    Forbidden {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The subject or id asked for.
        subject: String,
        /// The registry's words.
        message: String,
    },

    /// 404 that does not mean "no version yet": a wrong path, or an id that is not there.
    #[error(
        "nothing found for {subject:?} at {url} (HTTP {status}): {message}; check the base path of schema_registry_url (Apicurio's is \
         /apis/ccompat/v7, Confluent's is empty) and that it is the registry in which the id was given"
    )]
    NotFound {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The subject or id asked for.
        subject: String,
        /// The registry's words.
        message: String,
    },

    /// 409, or a negative verdict of the compatibility check.
    #[error(
        "schema for {subject:?} is incompatible with the registered one, says {url} (HTTP {status}): {message}; differences: \
         {differences}; run an engine whose schema fits, or produce to another topic, or have the subject's owner change its compatibility level or versions"
    )]
    Incompatible {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The subject.
        subject: String,
        /// The registry's reason.
        message: String,
        /// The fields that differ from the latest version, in words.
        differences: String,
    },

    /// It could be registered, but the engine must not do that.
    #[error(
        "schema for {subject:?} is not registered at {url}, and kafka.register_schemas is false: set it to true, or have the schema \
         registered: jq -Rs '{{schema: .}}' schemas/normalized-trade.avsc | curl -H 'Content-Type: \
         application/vnd.schemaregistry.v1+json' -d @- {url}/subjects/{subject}/versions"
    )]
    NotRegistered {
        /// The registry's URL.
        url: String,
        /// The subject.
        subject: String,
    },

    /// 422: the registry cannot read the schema.
    #[error(
        "schema for {subject:?} is not accepted by {url} (HTTP {status}): {message}; check that the registry takes Avro and that no \
         rule of the subject forbids it"
    )]
    InvalidSchema {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The subject.
        subject: String,
        /// The registry's words.
        message: String,
    },

    /// 429: too many questions.
    #[error("schema registry limits requests to {url} (HTTP {status}): {message}; start again after {retry_after}")]
    TooManyRequests {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The registry's words.
        message: String,
        /// Its `Retry-After` header: seconds or a date.
        retry_after: String,
    },

    /// 5xx: the registry is in trouble itself.
    #[error("schema registry failed at {url} (HTTP {status}): {message}; see the registry's own log, then start again")]
    Server {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The registry's words.
        message: String,
        /// Its `Retry-After` header, if there is one: seconds or a date.
        retry_after: Option<String>,
    },

    /// Any other status, redirects among them.
    #[error(
        "schema registry answered {url} with HTTP {status}: {message}; check that schema_registry_url is the registry's own address, \
         scheme and base path included"
    )]
    Unexpected {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The registry's words, or where it redirects to.
        message: String,
    },
}

impl RegistryError {
    /// Whether it may be over by itself: the registry did not answer, or was not able to.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            RegistryError::Unreachable { .. }
                | RegistryError::Slow { .. }
                | RegistryError::TooManyRequests { .. }
                | RegistryError::Server { .. }
        )
    }

    /// How long the registry wants to be left alone, where it says so in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        let said = match self {
            RegistryError::TooManyRequests { retry_after, .. } => retry_after,
            RegistryError::Server { retry_after, .. } => retry_after.as_ref()?,
            _ => return None,
        };
        said.trim().parse().ok().map(Duration::from_secs)
    }
}

/// The beginning of a foreign text on one line.
pub(super) fn excerpt(text: &str) -> String {
    http::excerpt(text, EXCERPT_CHARS)
}
