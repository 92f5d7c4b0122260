//! The requests: one at a time, each with a deadline, and what each answer, or none, means.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;

use super::Reason;
use super::job::Failure;
use crate::net::{http, is_loopback};
use crate::venue::Query;

/// Longest answer that is read, in bytes: a page of a thousand trades is 200 KiB.
const LONGEST_BODY: u64 = 4 * 1024 * 1024;
/// Longest part of an exchange's words that is repeated, in characters.
const LONGEST_WORDS: usize = 200;

/// An HTTP client.
pub(super) struct Client {
    /// By the environment's proxy, if it names one.
    agent: ureq::Agent,
    /// For this machine.
    direct: ureq::Agent,
}

impl Client {
    /// Trusts `roots`. An answer may take as long as `timeout`, all in all.
    pub(super) fn new(roots: &[CertificateDer<'static>], timeout: Duration) -> Self {
        let owned = |root: &CertificateDer<'static>| Certificate::from_der(root).to_owned();
        let roots = RootCerts::from(roots.iter().map(owned));
        let tls = TlsConfig::builder().root_certs(roots).build();
        let config = || http::config().timeout_global(Some(timeout)).tls_config(tls.clone());
        Client { agent: config().build().into(), direct: config().proxy(None).build().into() }
    }

    /// The body that answers `query`.
    pub(super) fn get(&self, base: &Url, query: &Query) -> Result<Vec<u8>, Failure> {
        let agent = if is_loopback(base) { &self.direct } else { &self.agent };
        let mut request = agent.get(format!("{}{}", base.as_str().trim_end_matches('/'), query.path));
        if let Some((name, value)) = query.header {
            request = request.header(name, value);
        }
        let unreachable = |error: ureq::Error| failure(Reason::Unreachable, error.to_string(), true);
        let mut response = request.header("accept", "application/json").call().map_err(unreachable)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let body = response.body_mut().with_config().limit(LONGEST_BODY).read_to_vec().map_err(unreachable)?;
        let words = || format!("HTTP {status}: {}", http::excerpt(&String::from_utf8_lossy(&body), LONGEST_WORDS));
        match status {
            200 => Ok(body),
            // 418: Binance's to those who went on after 429.
            408 | 418 | 425 | 429 => Err(Failure { retry_after, ..failure(Reason::Refused, words(), true) }),
            500.. => Err(Failure { retry_after, ..failure(Reason::Unreachable, words(), true) }),
            _ => Err(failure(Reason::Refused, words(), false)),
        }
    }
}

fn failure(reason: Reason, words: String, may_pass: bool) -> Failure {
    Failure { reason, words, may_pass, retry_after: None }
}
