//! The upgrade of an HTTP connection to WebSocket (RFC 6455, section 4), without IO.

use std::fmt;

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Response, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use url::Url;

/// Most bytes of the answer's head.
pub const MAX_RESPONSE_LEN: usize = 16 * 1024;

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
    Status(u16),
    /// The answer is no valid upgrade.
    Invalid(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Status(code) => write!(f, "the server answered the upgrade with HTTP status {code}"),
            Refused::Invalid(what) => write!(f, "the server's answer to the upgrade is not valid: {what}"),
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
        if response.status().as_u16() != 101 {
            return Err(Refused::Status(response.status().as_u16()));
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
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
