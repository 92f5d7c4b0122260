//! The upgrade of an HTTP connection to WebSocket (RFC 6455, section 4), without IO.

use std::fmt;
use std::time::Duration;

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Response, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use url::Url;

/// Most bytes of the answer's head.
pub const MAX_RESPONSE_LEN: usize = 16 * 1024;
/// Most characters of `Retry-After` that are repeated: a date has 29.
const MAX_SHOWN: usize = 40;

/// An upgrade under way: what to send, and what the answer must prove.
#[derive(Debug)]
pub struct Handshake {
    request: Vec<u8>,
    accept: String,
}

/// Why a server did not upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The server answered with another status, such as 404, 429 or 503.
    Status {
        /// The status.
        code: u16,
        /// `Retry-After` as it was sent: seconds, or a date (RFC 9110, section 10.2.3).
        retry_after: Option<String>,
    },
    /// The answer is no valid upgrade.
    Invalid(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Status { code, retry_after } => {
                write!(f, "the server answered the upgrade with HTTP status {code}")?;
                if let Some(after) = retry_after {
                    write!(f, " (Retry-After: {after})")?;
                }
                f.write_str(advice(*code))
            }
            Refused::Invalid(what) => write!(f, "the server's answer to the upgrade is not valid: {what}"),
        }
    }
}

/// What to look at.
fn advice(code: u16) -> &'static str {
    match code {
        200 => ": no WebSocket is there: look at the address's path",
        300..400 => ": it sends us elsewhere, which is not followed: look at the address",
        401 | 403 | 451 => ": it does not serve us: look whether the exchange serves this country and IP address",
        400 | 404 | 410 => ": look at the address's path",
        // Binance bans by 418 whoever goes on after 429.
        418 | 429 => ": too many connections or requests come from this IP address: look who else uses it",
        500..600 => ": the exchange is in trouble: look at its status page",
        _ => "",
    }
}

impl Refused {
    /// How long the server asks us to stay away, where it says that in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Refused::Status { retry_after: Some(after), .. } => after.parse().ok().map(Duration::from_secs),
            _ => None,
        }
    }
}

impl Handshake {
    /// Begins an upgrade to `url`, with a key of its own.
    ///
    /// # Errors
    /// A sentence, if no request can be made of `url`.
    pub fn new(url: &Url) -> Result<Self, String> {
        let request = url.as_str().into_client_request().map_err(|error| error.to_string())?;
        let (request, key) = generate_request(request).map_err(|error| error.to_string())?;
        Ok(Handshake { request, accept: derive_accept_key(key.as_bytes()) })
    }

    /// The request to send.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Judges what was received so far: the length of the answer's head once it is whole and right. What follows
    /// it is the first frame.
    ///
    /// # Errors
    /// [`Refused`] if the server did not upgrade.
    pub fn response(&self, received: &[u8]) -> Result<Option<usize>, Refused> {
        let parsed = Response::try_parse(received).map_err(|error| Refused::Invalid(error.to_string()))?;
        let Some((len, response)) = parsed else {
            let too_long = received.len() > MAX_RESPONSE_LEN;
            return if too_long { Err(Refused::Invalid("it has no end".into())) } else { Ok(None) };
        };
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if response.status().as_u16() != 101 {
            let retry_after = header("Retry-After").map(|after| after.trim().chars().take(MAX_SHOWN).collect());
            return Err(Refused::Status { code: response.status().as_u16(), retry_after });
        }
        if !header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
            return Err(Refused::Invalid("the header Upgrade is not websocket".into()));
        }
        if !header("Connection").is_some_and(|value| value.to_ascii_lowercase().contains("upgrade")) {
            return Err(Refused::Invalid("the header Connection is not Upgrade".into()));
        }
        if header("Sec-WebSocket-Accept") != Some(&self.accept) {
            return Err(Refused::Invalid("Sec-WebSocket-Accept does not match the key".into()));
        }
        if response.headers().contains_key("Sec-WebSocket-Extensions") {
            return Err(Refused::Invalid("an extension was agreed to that we did not offer".into()));
        }
        if response.headers().contains_key("Sec-WebSocket-Protocol") {
            return Err(Refused::Invalid("a subprotocol was agreed to that we did not offer".into()));
        }
        Ok(Some(len))
    }
}

#[cfg(test)]
mod tests;
