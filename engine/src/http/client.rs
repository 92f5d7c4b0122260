//! Asks a running engine.

use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::net::{http, is_loopback};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest answer that is read: the status of an engine with 2,500 symbols has half a MiB.
const LIMIT_BYTES: u64 = 16 << 20;

/// Asks one engine.
pub struct Client {
    agent: ureq::Agent,
    base: Url,
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// An engine's URL: `http://127.0.0.1:9090`, or where a proxy has it.
///
/// # Errors
/// What is wrong with it.
pub fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}: write a URL such as http://127.0.0.1:9090"))?;
    match url.scheme() {
        "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(url),
        "http" | "https" => Err("a query or a fragment has no meaning here: leave it out".into()),
        scheme => {
            Err(format!("scheme {scheme:?} is neither http nor https: write a URL such as http://127.0.0.1:9090"))
        }
    }
}

impl Client {
    /// Of the engine at `base`. Connects to nothing.
    pub fn new(base: &Url) -> Self {
        let mut config = http::config().timeout_global(Some(PATIENCE));
        if is_loopback(base) {
            config = config.proxy(None);
        }
        Client { agent: config.build().into(), base: base.clone() }
    }

    /// Where a page of the engine's is.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(path.trim_start_matches('/'));
        }
        url
    }

    /// The status code and the text of a page.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self, path: &str) -> Result<(u16, String), NoAnswer> {
        let silent = |error: ureq::Error| match error {
            ureq::Error::Io(error) => NoAnswer(error.to_string()),
            ureq::Error::Timeout(_) => NoAnswer(format!("no answer within {} s", PATIENCE.as_secs())),
            error => NoAnswer(error.to_string()),
        };
        let mut response = self.agent.get(self.url(path).as_str()).call().map_err(silent)?;
        let code = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LIMIT_BYTES).lossy_utf8(true).read_to_string();
        Ok((code, body.map_err(silent)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_none_are_refused() {
        for wrong in ["127.0.0.1:9090", "localhost:9090", "ws://localhost", "", "http://", "http://localhost/?a=b"] {
            assert!(parse_url(wrong).is_err(), "{wrong}");
        }
        assert!(parse_url("https://feed.example/tokyo").is_ok());
    }
}
