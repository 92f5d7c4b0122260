//! The first word with a broker, and an early end where waiting for it is of no use.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::metadata::Metadata;

use super::Kafka;
use super::probe::{self, Spoken};
use super::said::Said;
use super::trouble::{Cause, Trouble};

/// The first wait for an answer; it doubles with each that follows, so that slow ones come through, too. In between is
/// heard what librdkafka says.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait between hearing twice.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Once one broker has refused for good, the others have so long to answer.
const OTHERS: Duration = Duration::from_secs(1);

/// What the brokers say of themselves and their topics. A broker that is not there yet is waited for, one that will not
/// talk to us, however long we wait, is not.
///
/// # Errors
/// A sentence with what was in the way, as far as it is known, and the way out.
pub(super) fn reach(kafka: &Kafka, servers: &str, limit: Duration) -> Result<Metadata, String> {
    let begun = Instant::now();
    let (mut deadline, mut wait) = (begun + limit, FIRST_WAIT);
    let mut listener = Listener { servers, logged: HashSet::new(), trouble: None };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let outcome = kafka.client().fetch_metadata(None, wait.min(left).max(Duration::from_millis(1)));
        let had = listener.is_certain();
        while let Some(said) = kafka.said() {
            listener.hear(said);
        }
        let error = match outcome {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        if listener.is_certain() && !had {
            let others = if servers.contains(',') { OTHERS } else { Duration::ZERO };
            deadline = deadline.min(Instant::now() + others);
        }
        if Instant::now() >= deadline {
            let why = match &listener.trouble {
                Some(trouble) if trouble.is_certain() => trouble.to_string(),
                Some(trouble) => format!("no broker answered within {} s: {trouble}", limit.as_secs()),
                None => format!(
                    "no broker answered within {} s ({error}): start it, or name another (K2_KAFKA_BOOTSTRAP_SERVERS)",
                    limit.as_secs()
                ),
            };
            return Err(format!("kafka.bootstrap_servers = {servers:?}: {why}"));
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Makes sense of what librdkafka says.
struct Listener<'a> {
    servers: &'a str,
    /// What was passed on to our log.
    logged: HashSet<String>,
    /// What is in the way; once it is certain, that.
    trouble: Option<Trouble>,
}

impl Listener<'_> {
    fn is_certain(&self) -> bool {
        self.trouble.as_ref().is_some_and(Trouble::is_certain)
    }

    fn hear(&mut self, said: Said) {
        let trouble = Trouble::of(&said);
        // It says the same many times a second, but for how long it took, and each failure as an error and in its log.
        let words = trouble.as_ref().map_or(&said.words, |trouble| &trouble.words);
        let is_repeated = said.error.is_none() && said.words.starts_with("FAIL: ");
        if !is_repeated && self.logged.insert(words.clone()) {
            said.log();
        }
        let Some(trouble) = trouble.filter(|_| !self.is_certain()) else { return };
        self.trouble = Some(match trouble.cause {
            Cause::Cut => self.probed(trouble),
            _ => trouble,
        });
    }

    /// A connection that ends may be a broker that is not there yet, behind something that is: asked is what speaks there.
    fn probed(&self, trouble: Trouble) -> Trouble {
        match self.servers.split(',').find_map(|server| probe::ask(server.trim())) {
            Some(Spoken::Tls) if !trouble.is_encrypted => Trouble { cause: Cause::SpeaksTls, ..trouble },
            Some(Spoken::Plain) if trouble.is_encrypted => Trouble { cause: Cause::SpeaksPlain, ..trouble },
            Some(_) => Trouble { cause: Cause::NoLogin, ..trouble },
            None => trouble,
        }
    }
}
