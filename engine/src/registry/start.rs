//! The ids of all subjects at start: the registry is waited for, and done without where its answer is remembered.
//!
//! | the registry's answer | what becomes of the start |
//! |-|-|
//! | an id | it is used, and kept in the state folder |
//! | none (no connection, too slow), 429, 5xx | the id that was kept is used; without one, asked again until the wait is over |
//! | 401, 403, 404, 409, 422, any other, or no registry's | refused at once: what was kept may no longer hold |

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded, select};

use super::cache::{IdCache, Remembered};
use super::{Missing, RegistryClient, RegistryError};
use crate::session::backoff::{Backoff, Bounds};

/// The bounds of the waits between rounds of questions.
const WAITS: Bounds = Bounds { min: Duration::from_millis(100), max: Duration::from_secs(5) };

/// How the ids of a start are come by.
#[derive(Debug)]
pub struct Start<'a> {
    /// The registry.
    pub client: Arc<RegistryClient>,
    /// What is done about a schema that is not registered.
    pub missing: Missing,
    /// How long a registry that does not answer is asked again; zero to ask once.
    pub wait: Duration,
    /// What was kept of earlier answers, if there is a state folder.
    pub cache: Option<IdCache>,
    /// Brings a word when the engine is to stop.
    pub stop: &'a Receiver<()>,
}

/// Why there are no ids.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine was told to stop while it waited.
    #[error("stopped while the schema registry was waited for")]
    Stopped,
    /// The registry refused, or did not answer.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// The registry did not answer in all the time that it was given.
    #[error(
        "{error} (asked {rounds} times in {waited:.1?}; kafka.registry_wait_s says how long, and state.dir keeps ids for a start without it)"
    )]
    GivenUp {
        /// The last failure.
        error: Box<RegistryError>,
        /// How often it was asked.
        rounds: u32,
        /// For how long.
        waited: Duration,
    },
}

impl Start<'_> {
    /// The ids of `schema` under all `subjects`, in their order.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn ids(&mut self, subjects: &[String], schema: &'static str) -> Result<Vec<u32>, StartError> {
        let began = Instant::now();
        let mut backoff = Backoff::new(WAITS, fastrand::u64(..));
        let mut ids = vec![None; subjects.len()];
        let mut rounds = 0;
        loop {
            rounds += 1;
            let Err(error) = self.round(subjects, schema, &mut ids)? else { break };
            if self.take_remembered(subjects, schema, &mut ids, &error) {
                break;
            }
            let left = self.wait.saturating_sub(began.elapsed());
            let wait = backoff.next_wait().max(error.retry_after().unwrap_or_default());
            if left.is_zero() || error.retry_after().is_some_and(|pause| pause > left) {
                return Err(match rounds {
                    1 => StartError::Registry(Box::new(error)),
                    _ => StartError::GivenUp { error: Box::new(error), rounds, waited: began.elapsed() },
                });
            }
            let wait = wait.min(left);
            let (retry_in_ms, left_s) = (wait.as_millis() as u64, left.as_secs());
            tracing::warn!(retry_in_ms, left_s, "the schema registry is asked again: {error}");
            if self.stop.recv_timeout(wait).is_ok() {
                return Err(StartError::Stopped);
            }
        }
        Ok(ids.into_iter().flatten().collect())
    }

    /// Asks for each id that is not known yet, up to the first failure that may pass.
    fn round(
        &mut self,
        subjects: &[String],
        schema: &'static str,
        ids: &mut [Option<u32>],
    ) -> Result<Result<(), RegistryError>, StartError> {
        for place in 0..subjects.len() {
            if ids[place].is_some() {
                continue;
            }
            let subject = &subjects[place];
            match self.ask(subject, schema)? {
                Ok(id) => {
                    tracing::info!(subject, id, "schema");
                    self.keep(subject, schema, id);
                    let same = subjects.iter().zip(&mut *ids).filter(|(other, _)| *other == subject);
                    same.for_each(|(_, known)| *known = Some(id));
                }
                Err(error) if error.may_pass() => return Ok(Err(error)),
                Err(error) => return Err(StartError::Registry(Box::new(error))),
            }
        }
        Ok(Ok(()))
    }

    /// Asks on a thread of its own, so that the wish to stop is heard while the registry is silent.
    fn ask(&self, subject: &str, schema: &'static str) -> Result<Result<u32, RegistryError>, StartError> {
        let (tell, told) = bounded(1);
        let (client, subject, missing) = (self.client.clone(), subject.to_owned(), self.missing);
        let unasked = |reason: String| RegistryError::Unreachable { url: self.client.url(), reason };
        let asking = std::thread::Builder::new().name("k2-registry".into()).spawn(move || {
            // Nobody listens any more once the engine stops.
            let _ = tell.send(client.id(&subject, schema, missing));
        });
        if let Err(error) = asking {
            return Ok(Err(unasked(error.to_string())));
        }
        select! {
            recv(told) -> answer => Ok(answer.unwrap_or_else(|error| Err(unasked(error.to_string())))),
            recv(self.stop) -> _ => Err(StartError::Stopped),
        }
    }

    /// A start does not fail because its id cannot be kept: the next one may.
    fn keep(&mut self, subject: &str, schema: &str, id: u32) {
        let registry = self.client.url();
        if let Some(Err(error)) = self.cache.as_mut().map(|cache| cache.keep(&registry, subject, schema, id)) {
            tracing::warn!("{error}: the next start needs the registry");
        }
    }

    /// Whether all ids that the registry did not give are known from before; they are then taken.
    fn take_remembered(
        &self,
        subjects: &[String],
        schema: &str,
        ids: &mut [Option<u32>],
        error: &RegistryError,
    ) -> bool {
        let Some(cache) = &self.cache else { return false };
        let registry = self.client.url();
        let known = |subject: &String| cache.get(&registry, subject, schema);
        let open: Vec<_> = (0..ids.len()).filter(|place| ids[*place].is_none()).collect();
        let remembered: Option<Vec<Remembered>> = open.iter().map(|place| known(&subjects[*place])).collect();
        let Some(remembered) = remembered else { return false };
        for (place, Remembered { id, age }) in open.into_iter().zip(remembered) {
            let (subject, age) = (&subjects[place], humantime::format_duration(age).to_string());
            tracing::warn!(subject, id, age, "started with the schema's id as it was kept: {error}");
            ids[place] = Some(id);
        }
        true
    }
}

#[cfg(test)]
mod tests;
