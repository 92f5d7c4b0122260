//! Whose turn it is: those whose time has come in the order in which they did, each exchange no more often than it
//! allows.

use std::collections::HashMap;
use std::time::Duration;

use super::Source;
use super::job::Job;
use crate::clock::Nanos;

/// Gaps under way, and when each host may be asked next.
#[derive(Default)]
pub(super) struct Queue {
    jobs: Vec<Job>,
    next: HashMap<String, Nanos>,
}

/// Whose turn it is.
pub(super) enum Turn {
    /// This one's, which leaves the queue.
    Now(Job),
    /// Nobody's before long: this one's exchange wants to be left alone for longer than one waits. It leaves the queue.
    Hopeless(Job),
    /// Somebody's at this time.
    At(Nanos),
    /// Nobody waits.
    Nobodys,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Puts a job behind the others.
    pub(super) fn push(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// Puts a job before the others: what it has found takes memory until it is done.
    pub(super) fn push_first(&mut self, job: Job) {
        self.jobs.insert(0, job);
    }

    /// Leaves an exchange alone until then.
    pub(super) fn pause(&mut self, source: &Source, until: Nanos) {
        let next = self.next.entry(source.host()).or_default();
        *next = (*next).max(until);
    }

    /// Whose turn it is at `now`. Of several the one that has waited longest. No exchange is waited for longer than
    /// `longest_pause`.
    pub(super) fn next(&mut self, now: Nanos, longest_pause: Duration) -> Turn {
        let too_late = now.plus(longest_pause);
        let is_hopeless = |job: &Job| self.next.get(&job.source().host()).is_some_and(|next| *next > too_late);
        if let Some(place) = self.jobs.iter().position(is_hopeless) {
            return Turn::Hopeless(self.jobs.remove(place));
        }
        let due = |job: &Job| {
            let host = self.next.get(&job.source().host()).copied().unwrap_or_default();
            host.max(job.not_before)
        };
        let first = self.jobs.iter().map(due).enumerate().min_by_key(|(place, due)| (*due.max(&now), *place));
        match first {
            Some((place, due)) if due <= now => Turn::Now(self.jobs.remove(place)),
            Some((_, due)) => Turn::At(due),
            None => Turn::Nobodys,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::job::testing::{job_of, source};
    use super::*;

    const LONGEST_PAUSE: Duration = Duration::from_secs(60);

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// The first numbers of the gaps whose turn it is at `now`, each of which pauses its host for 100 ms.
    fn turns(queue: &mut Queue, now: Nanos) -> Vec<i64> {
        let mut turns = Vec::new();
        while let Turn::Now(job) = queue.next(now, LONGEST_PAUSE) {
            turns.push(job.missing().first);
            queue.pause(&job.source().clone(), now.plus(Duration::from_millis(100)));
        }
        turns
    }

    #[test]
    fn each_host_is_asked_at_its_own_rate_and_the_longest_waiting_goes_first() {
        let (one, other) = (Arc::new(source("http://one.example:1")), Arc::new(source("http://other.example:1")));
        let mut queue = Queue::default();
        for (source, first) in [(&one, 1), (&one, 2), (&other, 3), (&one, 4)] {
            queue.push(job_of(source.clone(), first..=first));
        }
        assert_eq!(turns(&mut queue, at(1)), [1, 3]);
        assert!(matches!(queue.next(at(50), LONGEST_PAUSE), Turn::At(due) if due == at(101)));
        queue.push_first(job_of(one, 5..=5));
        assert_eq!(turns(&mut queue, at(101)), [5]);
        assert_eq!(turns(&mut queue, at(202)), [2]);
        assert_eq!(turns(&mut queue, at(303)), [4]);
        assert!(matches!(queue.next(at(303), LONGEST_PAUSE), Turn::Nobodys));
    }

    #[test]
    fn an_exchange_that_wants_to_be_left_alone_for_long_is() {
        let source = Arc::new(source("http://one.example:1"));
        let mut queue = Queue::default();
        queue.push(job_of(source.clone(), 1..=1));
        queue.pause(&source, at(60_001));
        assert!(matches!(queue.next(at(0), LONGEST_PAUSE), Turn::Hopeless(job) if job.missing().first == 1));
        queue.push(job_of(source, 2..=2));
        assert!(matches!(queue.next(at(1), LONGEST_PAUSE), Turn::At(due) if due == at(60_001)));
    }

    #[test]
    fn who_waits_keeps_nobody_else_waiting() {
        let (one, other) = (Arc::new(source("http://one.example:1")), Arc::new(source("http://one.example:2")));
        let mut queue = Queue::default();
        queue.pause(&one, at(1_000));
        queue.push(job_of(one, 1..=1));
        let mut later = job_of(other.clone(), 2..=2);
        later.not_before = at(70);
        queue.push(later);
        queue.push(job_of(other, 3..=3));
        assert_eq!(turns(&mut queue, at(1)), [3]);
        assert!(matches!(queue.next(at(1), LONGEST_PAUSE), Turn::At(due) if due == at(101)));
        assert_eq!(turns(&mut queue, at(101)), [2]);
        // An earlier end does not shorten a pause.
        assert_eq!(turns(&mut queue, at(999)), Vec::<i64>::new());
        assert_eq!(turns(&mut queue, at(1_000)), [1]);
    }
}
