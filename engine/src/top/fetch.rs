//! Asks a running engine how it is: one GET at a time, on a thread of its own, so that no key waits for an answer.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use thiserror::Error;
use url::Url;

use super::answer::Answer;
use crate::http::STATUS;
use crate::http::client::{Client, NoAnswer};
use crate::net::http::excerpt;

/// So much of an answer that is none is told.
const EXCERPT_CHARS: usize = 100;

/// Where the engine answers.
pub(super) struct Source(Client);

/// Why there is no status.
#[derive(Debug, Error)]
pub(super) enum NoStatus {
    /// Nothing answers.
    #[error(transparent)]
    Silent(#[from] NoAnswer),
    /// It is not there.
    #[error("{path} is answered by {code}: {body}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The HTTP status.
        code: u16,
        /// How the answer begins.
        body: String,
    },
    /// Something else answers.
    #[error("the answer is no engine's: {0}")]
    Foreign(String),
}

impl Source {
    /// Of the engine at `base`. Connects to nothing.
    pub(super) fn new(base: &Url) -> Self {
        Source(Client::new(base))
    }

    /// The engine's status now.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn look(&self) -> Result<Answer, NoStatus> {
        let (code, body) = self.0.get(STATUS)?;
        if code != 200 {
            let (path, body) = (self.0.url(STATUS).path().into(), excerpt(&body, EXCERPT_CHARS));
            return Err(NoStatus::Refused { path, code, body });
        }
        Answer::read(&body).map_err(|error| NoStatus::Foreign(format!("{error}, in {}", excerpt(&body, EXCERPT_CHARS))))
    }

    /// Looks now and then once every `every`, on a thread of its own, until `tell` wants no more.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(super) fn keep_looking(
        self,
        every: Duration,
        tell: impl Fn(Result<Answer, NoStatus>) -> bool + Send + 'static,
    ) -> anyhow::Result<()> {
        let look = move || {
            let mut next = Instant::now();
            while tell(self.look()) {
                // A slow answer is not made up for by two fast ones.
                next = (next + every).max(Instant::now());
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        };
        thread::Builder::new().name("k2-top-look".into()).spawn(look).context("no thread to look with")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::http::client::parse_url;

    /// What is said of a server that answers so.
    fn told(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = parse_url(&format!("http://{}/behind/a/proxy/", listener.local_addr().unwrap())).unwrap();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            client.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let outcome = Source::new(&url).look();
        assert!(server.join().unwrap().starts_with("GET /behind/a/proxy/status HTTP/1.1\r\n"));
        outcome.map_or_else(|error| error.to_string(), |answer| format!("version {}", answer.status.version))
    }

    #[test]
    fn what_is_no_status_is_told() {
        let engine = concat!(
            "HTTP/1.1 200 OK\r\ncontent-length: 59\r\n\r\n",
            r#"{"version":"7","uptime_s":1.5,"live":true,"ready":false}   "#
        );
        assert_eq!(told(engine), "version 7");
        let other = told("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"status\":\"UP\"}");
        assert!(other.starts_with("the answer is no engine's: missing field `version`"), "{other}");
        assert!(other.ends_with("in {\"status\":\"UP\"}"), "{other}");
        let missing = told("HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot\nhere\n");
        assert_eq!(missing, "/behind/a/proxy/status is answered by 404: not here");
        let cut = told("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{");
        assert!(!cut.starts_with("version"), "{cut}");
    }

    #[test]
    fn nothing_there_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = parse_url(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let told = Source::new(&url).look().unwrap_err().to_string();
        assert!(told.contains("refused"), "{told}");
    }
}
