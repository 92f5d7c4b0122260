//! The life of a connection, as a state machine without IO: what to send when, and what to give up on.
//!
//! The feed core tells it what happened and what time it is; it answers with what to do.

use std::time::Duration;

use crate::clock::Nanos;
use crate::venue::{Limits, Request};

/// Longest wait for the answer to a request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Send this text.
    Send(&'a str),
    /// Close the connection and make it anew, for this reason.
    GiveUp(&'static str),
    /// Nothing.
    Wait,
}

/// One connection from its upgrade to its end.
#[derive(Debug)]
pub struct Session {
    requests: Vec<Request>,
    limits: Limits,
    /// How many requests were sent.
    sent: usize,
    /// When the last one was.
    sent_at: Nanos,
    /// Those sent and not answered.
    unanswered: Vec<u64>,
    acknowledged: usize,
    /// When the last byte came.
    heard_at: Nanos,
    live: bool,
}

impl Session {
    /// A connection that has just been upgraded, with the requests it is to send.
    pub fn new(requests: Vec<Request>, limits: Limits, now: Nanos) -> Self {
        let live = requests.is_empty();
        Session {
            requests,
            limits,
            sent: 0,
            sent_at: now,
            unanswered: Vec::new(),
            acknowledged: 0,
            heard_at: now,
            live,
        }
    }

    /// What to do at `now`; to be asked until it says [`Step::Wait`], and again a moment later.
    pub fn step(&mut self, now: Nanos) -> Step<'_> {
        if now.since(self.heard_at) > self.limits.max_silence.as_nanos() as u64 {
            return Step::GiveUp("the exchange has fallen silent");
        }
        if !self.unanswered.is_empty() && now.since(self.sent_at) > ANSWER_TIMEOUT.as_nanos() as u64 {
            return Step::GiveUp("a subscription was not acknowledged in time");
        }
        if self.sent == self.requests.len() {
            return match self.unanswered.is_empty() && !self.live {
                true => Step::GiveUp("all subscriptions were refused"),
                false => Step::Wait,
            };
        }
        let due = self.sent == 0 || now.since(self.sent_at) >= self.limits.message_interval.as_nanos() as u64;
        if !due {
            return Step::Wait;
        }
        let request = &self.requests[self.sent];
        self.sent += 1;
        self.sent_at = now;
        self.unanswered.push(request.id);
        Step::Send(&request.text)
    }

    /// Bytes have come.
    #[inline]
    pub fn heard(&mut self, now: Nanos) {
        self.heard_at = now;
    }

    /// The exchange said yes to the request `id`. Returns whether the session is live from now on.
    pub fn acknowledged(&mut self, id: u64) -> bool {
        self.acknowledged += usize::from(self.answered(id));
        self.settle()
    }

    /// The exchange said no to the request `id`, or to the oldest one if it did not say to which. Returns the
    /// request's text, and whether the session is live from now on.
    pub fn refused(&mut self, id: Option<u64>) -> (Option<&str>, bool) {
        let id = id.or_else(|| self.unanswered.first().copied());
        let known = id.filter(|id| self.answered(*id));
        let live = self.settle();
        let text = known.and_then(|id| self.requests.iter().find(|request| request.id == id));
        (text.map(|request| request.text.as_str()), live)
    }

    fn answered(&mut self, id: u64) -> bool {
        let found = self.unanswered.iter().position(|unanswered| *unanswered == id);
        found.map(|at| self.unanswered.remove(at)).is_some()
    }

    fn settle(&mut self) -> bool {
        let was_live = self.live;
        let all_answered = self.sent == self.requests.len() && self.unanswered.is_empty();
        self.live |= all_answered && self.acknowledged > 0;
        self.live && !was_live
    }
}

/// Shortest upper bound of a wait before the next attempt.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest wait before the next attempt.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt: exponential, with full jitter (each wait is drawn from zero to its
/// bound, so that many clients that were cut together do not come back together).
/// Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    proven: bool,
    random: fastrand::Rng,
}

impl Backoff {
    /// Draws its jitter from `seed`.
    pub fn new(seed: u64) -> Self {
        Backoff { failures: 0, proven: false, random: fastrand::Rng::with_seed(seed) }
    }

    /// The connection has proven itself: market data came, not merely a handshake.
    pub fn proven(&mut self) {
        self.failures = 0;
        self.proven = true;
    }

    /// Whether the connection has proven itself; asked once, it must do so again.
    pub fn take_proof(&mut self) -> bool {
        std::mem::take(&mut self.proven)
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let bound = BACKOFF_MIN.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures += 1;
        Duration::from_nanos(self.random.u64(0..=bound.as_nanos() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::Venue;
    use crate::venue::binance::Binance;

    fn requests(count: u64) -> Vec<Request> {
        (1..=count).map(|id| Request { id, text: format!("request {id}") }).collect()
    }

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    #[test]
    fn requests_are_paced_and_acknowledged_one_by_one() {
        let mut session = Session::new(requests(2), Binance::LIMITS, at(0));
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.step(at(1)), Step::Wait);
        assert!(!session.acknowledged(1));
        assert_eq!(session.step(at(349)), Step::Wait);
        assert_eq!(session.step(at(350)), Step::Send("request 2"));
        assert!(!session.acknowledged(1), "an answer counts once");
        assert!(session.acknowledged(2));
        assert!(session.live);
        assert_eq!(session.step(at(400)), Step::Wait);
    }

    #[test]
    fn a_missing_acknowledgement_gives_up() {
        let mut session = Session::new(requests(1), Binance::LIMITS, at(0));
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.step(at(10_000)), Step::Wait);
        assert_eq!(session.step(at(10_001)), Step::GiveUp("a subscription was not acknowledged in time"));
    }

    #[test]
    fn one_refusal_does_not_take_the_others_down() {
        let mut session = Session::new(requests(2), Binance::LIMITS, at(0));
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.refused(Some(1)), (Some("request 1"), false));
        assert_eq!(session.step(at(400)), Step::Send("request 2"));
        assert!(session.acknowledged(2));

        let mut session = Session::new(requests(1), Binance::LIMITS, at(0));
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.refused(None), (Some("request 1"), false));
        assert_eq!(session.step(at(1)), Step::GiveUp("all subscriptions were refused"));
    }

    #[test]
    fn silence_gives_up() {
        let mut session = Session::new(Vec::new(), Binance::LIMITS, at(0));
        assert!(session.live);
        session.heard(at(5_000));
        assert_eq!(session.step(at(75_000)), Step::Wait);
        assert_eq!(session.step(at(75_001)), Step::GiveUp("the exchange has fallen silent"));
    }

    #[test]
    fn waits_grow_to_a_bound_and_start_over_once_proven() {
        let mut backoff = Backoff::new(1);
        let longest = |backoff: &mut Backoff, failures: u32| {
            (0..200)
                .map(|_| {
                    backoff.failures = failures;
                    backoff.next_wait()
                })
                .max()
                .unwrap()
        };
        assert!(longest(&mut backoff, 0) <= BACKOFF_MIN);
        let later = longest(&mut backoff, 4);
        assert!(later > BACKOFF_MIN * 8 && later <= BACKOFF_MIN * 16, "{later:?}");
        assert!(longest(&mut backoff, u32::MAX - 1) <= BACKOFF_MAX);
        backoff.proven();
        assert!(backoff.next_wait() <= BACKOFF_MIN);
    }
}
