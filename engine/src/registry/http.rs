//! One HTTP exchange with a registry: the URL with its path kept, the credentials hidden, and what
//! each answer, or none, means.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::tls::TlsConfig;
use url::Url;

use super::Access;
use super::error::{RegistryError, excerpt};
use crate::net::{http, is_loopback};
use crate::secret::Secret;

/// Longest answer that is read; schemas are kilobytes, so what is longer does not come from a
/// registry.
const ANSWER_LIMIT_BYTES: u64 = 4 * 1024 * 1024;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Where the registry is and how to talk to it.
pub(super) struct Transport {
    base: Url,
    agent: ureq::Agent,
    /// The header `Authorization`, unless the URL says who asks.
    authorization: Option<Secret>,
    answer_timeout: Duration,
}

impl Transport {
    /// Checks the URL; connects to nothing.
    pub(super) fn new(
        base_url: &str,
        access: &Access,
        connect: Duration,
        answer: Duration,
    ) -> Result<Self, RegistryError> {
        let base = parse_base(base_url)?;
        // A redirected POST would become a GET: where it points is said instead.
        let mut config = http::config().timeout_connect(Some(connect)).timeout_global(Some(answer));
        if is_loopback(&base) {
            config = config.proxy(None);
        }
        if base.scheme() == "https" {
            config = config.tls_config(TlsConfig::builder().root_certs(access.roots()?).build());
        }
        let authorization = access.authorization();
        Ok(Self { base, agent: config.build().into(), authorization, answer_timeout: answer })
    }

    /// The registry's URL, without credentials.
    pub(super) fn shown(&self) -> String {
        without_secret(&self.base).trim_end_matches('/').to_owned()
    }

    /// One request: POST with a body, GET without. Any HTTP status is an answer; an error means
    /// that there was none.
    pub(super) fn call(
        &self,
        path: &[&str],
        query: Option<&str>,
        body: Option<Value>,
    ) -> Result<Answer, RegistryError> {
        let mut target = self.base.clone();
        if let Ok(mut segments) = target.path_segments_mut() {
            segments.pop_if_empty().extend(path); // percent-encodes each one
        }
        target.set_query(query);
        let shown = without_secret(&target);
        let authorization = self.authorization.as_ref().map(|value| ("authorization", value.reveal()));
        let headers = [("accept", CONTENT_TYPE)].into_iter().chain(authorization);
        let sent = match body {
            Some(body) => {
                let request = self.agent.post(target.as_str()).header("content-type", CONTENT_TYPE);
                headers.fold(request, |request, (name, value)| request.header(name, value)).send(body.to_string())
            }
            None => {
                let request = self.agent.get(target.as_str());
                headers.fold(request, |request, (name, value)| request.header(name, value)).call()
            }
        };
        let mut response = sent.map_err(|error| self.no_answer(&shown, error))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (retry_after, location) = (header("retry-after"), header("location"));
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_LIMIT_BYTES)
            .lossy_utf8(true)
            .read_to_string()
            .map_err(|error| self.no_answer(&shown, error))?;
        Ok(Answer { url: shown, status, body, retry_after, location })
    }

    /// What it means that the HTTP client came back without an answer.
    fn no_answer(&self, url: &str, error: ureq::Error) -> RegistryError {
        let url = url.to_owned();
        match error {
            ureq::Error::Timeout(_) => {
                RegistryError::Slow { url, phase: error.to_string(), limit_ms: self.answer_timeout.as_millis() }
            }
            ureq::Error::Protocol(_) | ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                RegistryError::Garbage { url, status: None, reason: error.to_string(), body: String::new() }
            }
            error => RegistryError::Unreachable { url, reason: error.to_string() },
        }
    }
}

/// What a registry says when it refuses.
#[derive(Deserialize)]
struct Refusal {
    error_code: i64,
    #[serde(default)]
    message: String,
}

/// An HTTP answer of whatever status.
pub(super) struct Answer {
    pub(super) url: String,
    pub(super) status: u16,
    body: String,
    retry_after: Option<String>,
    location: Option<String>,
}

impl Answer {
    /// Reads the body as `T`.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, RegistryError> {
        // By way of a map, since serde would take an array for a struct too.
        let object = serde_json::from_str(&self.body).map(Value::Object);
        let read = object.and_then(|object| serde_json::from_value(object));
        read.map_err(|error| RegistryError::Garbage {
            url: self.url.clone(),
            status: Some(self.status),
            reason: error.to_string(),
            body: excerpt(&self.body),
        })
    }

    /// Whether a registry wrote this with one of these codes. A 404 of a web server or of a wrong
    /// base path has none of them, and must not pass for "no such subject yet".
    pub(super) fn is_about(&self, codes: &[i64]) -> bool {
        serde_json::from_str::<Refusal>(&self.body).is_ok_and(|refusal| codes.contains(&refusal.error_code))
    }

    /// The error that this status means for the request about `subject`.
    pub(super) fn into_error(self, subject: &str) -> RegistryError {
        let message = match serde_json::from_str::<Refusal>(&self.body) {
            Ok(refusal) => format!("{} (error_code {})", excerpt(&refusal.message), refusal.error_code),
            Err(_) => excerpt(&self.body),
        };
        let subject = subject.to_owned();
        let (url, status) = (self.url, self.status);
        match status {
            401 => RegistryError::Unauthorized { url, status, message },
            403 => RegistryError::Forbidden { url, status, subject, message },
            404 => RegistryError::NotFound { url, status, subject, message },
            409 => RegistryError::Incompatible { url, status, subject, message, differences: String::new() },
            422 => RegistryError::InvalidSchema { url, status, subject, message },
            429 => RegistryError::TooManyRequests {
                url,
                status,
                message,
                retry_after: self.retry_after.unwrap_or_else(|| "some seconds".to_owned()),
            },
            500.. => RegistryError::Server { url, status, message, retry_after: self.retry_after },
            _ => RegistryError::Unexpected {
                url,
                status,
                message: match self.location {
                    Some(location) => format!("redirects to {location}"),
                    None => message,
                },
            },
        }
    }
}

fn parse_base(text: &str) -> Result<Url, RegistryError> {
    let bad = |reason: String| RegistryError::BadUrl {
        // What does not parse cannot be stripped of a password with certainty, so all before the @
        // goes.
        url: text.rsplit_once('@').map_or(text.to_owned(), |(_, rest)| format!("***@{rest}")),
        reason,
    };
    let mut base = Url::parse(text.trim()).map_err(|error| bad(error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(bad(format!("scheme {:?} is neither http nor https", base.scheme())));
    }
    if base.host_str().is_none_or(str::is_empty) {
        return Err(bad("no host".to_owned()));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(bad("a query or a fragment has no meaning here".to_owned()));
    }
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    Ok(base)
}

fn without_secret(url: &Url) -> String {
    let mut shown = url.clone();
    if !shown.username().is_empty() || shown.password().is_some() {
        // Both fail only for URLs without a host, which were refused.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
    }
    shown.into()
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("base", &without_secret(&self.base))
            .field("answer_timeout", &self.answer_timeout)
            .finish_non_exhaustive()
    }
}
