//! The life of a connection, as a state machine without IO: what to send when, and what to give up on.
//!
//! The feed core tells it what happened and what time it is; it answers with what to do.

use std::time::Duration;

use crate::clock::Nanos;
use crate::venue::{About, Limits, Request};

/// Longest wait for the answer to a request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Where everything was refused, others may yet be acknowledged so long.
const REFUSAL_GRACE: Duration = Duration::from_millis(500);
/// A connection is made anew before the exchange's own end of it: at the earliest so much of its life before, at a time
/// that is drawn for each, so that not all of them go together.
const RENEWAL: f64 = 0.1;

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Send this text.
    Send(&'a str),
    /// The exchange has not answered for these instruments, by their places: they are given up, the others go on.
    Unanswered(Vec<usize>),
    /// Close the connection and make it anew, for this reason.
    GiveUp(&'static str),
    /// Make the connection anew: it is as old as the exchange lets it become.
    Renew,
    /// Nothing.
    Wait,
}

/// How far an instrument's subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsent,
    Waiting,
    Acknowledged,
    Refused,
}

/// One connection from its upgrade to its end.
#[derive(Debug)]
pub struct Session {
    requests: Vec<Request>,
    limits: Limits,
    /// How many requests were sent.
    sent: usize,
    /// When the last message was.
    sent_at: Nanos,
    /// The state of each instrument.
    states: Vec<State>,
    /// When the exchange last refused one.
    answered_at: Nanos,
    /// When the last byte came.
    heard_at: Nanos,
    /// From when on the connection is too old.
    renew_at: Option<Nanos>,
    live: bool,
}

impl Session {
    /// A connection for so many instruments that has just been upgraded, with the requests it is to send. `drawn` is a
    /// number from 0 to 1 that decides when it is made anew.
    pub fn new(requests: Vec<Request>, instruments: usize, limits: Limits, drawn: f64, now: Nanos) -> Self {
        let by_address = requests.is_empty();
        let state = if by_address { State::Acknowledged } else { State::Unsent };
        let renewed_after = |age: Duration| age.mul_f64(1.0 - RENEWAL * drawn.clamp(0.01, 1.0));
        Session {
            requests,
            limits,
            sent: 0,
            sent_at: now,
            states: vec![state; instruments],
            answered_at: now,
            heard_at: now,
            renew_at: limits.max_age.map(|age| Nanos(now.0 + renewed_after(age).as_nanos() as u64)),
            live: by_address,
        }
    }

    /// What to do at `now`; to be asked until it says [`Step::Wait`], and again a moment later.
    pub fn step(&mut self, now: Nanos) -> Step<'_> {
        let passed = |since: Nanos, time: Duration| now.since(since) > time.as_nanos() as u64;
        if passed(self.heard_at, self.limits.max_silence) {
            return Step::GiveUp("the exchange has fallen silent");
        }
        if self.states.contains(&State::Waiting) && passed(self.sent_at, ANSWER_TIMEOUT) {
            return self.give_up_unanswered();
        }
        if self.renew_at.is_some_and(|at| now.0 >= at.0) {
            return Step::Renew;
        }
        if self.sent < self.requests.len() {
            return self.step_request(now);
        }
        if !self.live && !self.states.contains(&State::Waiting) && passed(self.answered_at, REFUSAL_GRACE) {
            return Step::GiveUp("all subscriptions were refused");
        }
        match self.limits.ping.filter(|ping| passed(self.sent_at, ping.interval)) {
            Some(ping) => {
                self.sent_at = now;
                Step::Send(ping.text)
            }
            None => Step::Wait,
        }
    }

    /// Answers that do not come are refusals, as long as there is something to stay for.
    fn give_up_unanswered(&mut self) -> Step<'_> {
        if !self.states.contains(&State::Acknowledged) {
            return Step::GiveUp("no subscription was acknowledged in time");
        }
        let waiting = |place: &usize| self.states[*place] == State::Waiting;
        let unanswered: Vec<usize> = (0..self.states.len()).filter(waiting).collect();
        unanswered.iter().for_each(|place| self.states[*place] = State::Refused);
        self.acknowledged(About::Instruments(&[]));
        Step::Unanswered(unanswered)
    }

    fn step_request(&mut self, now: Nanos) -> Step<'_> {
        let due = self.sent == 0 || now.since(self.sent_at) >= self.limits.message_interval.as_nanos() as u64;
        if !due {
            return Step::Wait;
        }
        let request = &self.requests[self.sent];
        self.sent += 1;
        self.sent_at = now;
        self.states[request.instruments.clone()].fill(State::Waiting);
        Step::Send(&request.text)
    }

    /// Bytes have come.
    #[inline]
    pub fn heard(&mut self, now: Nanos) {
        self.heard_at = now;
    }

    /// The connection is not read for now, so nothing that the exchange says is heard: neither its silence nor a missing
    /// answer counts.
    pub fn held(&mut self, now: Nanos) {
        self.heard_at = now;
        if self.states.contains(&State::Waiting) {
            self.sent_at = now;
        }
    }

    /// The exchange said yes. Returns whether the session is live from now on.
    pub fn acknowledged(&mut self, about: About<'_>) -> bool {
        // A yes of nobody knows what is not taken for anybody's.
        if about != About::Unknown {
            self.settle(about, State::Acknowledged);
        }
        let was_live = self.live;
        let pending = |state: &State| matches!(state, State::Unsent | State::Waiting);
        self.live |= !self.states.iter().any(pending) && self.states.contains(&State::Acknowledged);
        self.live && !was_live
    }

    /// The exchange said no. Returns the places of the instruments that it refused, and whether the session is live from
    /// now on. If it does not say of which, and several wait, none is refused yet: answers for the others may follow.
    pub fn refused(&mut self, about: About<'_>, now: Nanos) -> (Vec<usize>, bool) {
        self.answered_at = now;
        let several = self.states.iter().filter(|state| **state == State::Waiting).count() > 1;
        if about == About::Unknown && several {
            return (Vec::new(), false);
        }
        let refused = self.settle(about, State::Refused);
        (refused, self.acknowledged(About::Instruments(&[])))
    }

    /// Notes an answer for those who waited for it; returns them.
    fn settle(&mut self, about: About<'_>, answer: State) -> Vec<usize> {
        let of = |request: &Request| request.instruments.clone().collect::<Vec<_>>();
        let waits = |request: &&Request| self.states[request.instruments.clone()].contains(&State::Waiting);
        let meant = match about {
            About::Request(id) => self.requests.iter().find(|request| request.id == id).map(of).unwrap_or_default(),
            About::Instruments(places) => places.to_vec(),
            About::Oldest | About::Unknown => self.requests[..self.sent].iter().find(waits).map(of).unwrap_or_default(),
        };
        // A yes that names an instrument holds whatever was said before.
        let yes = answer == State::Acknowledged && matches!(about, About::Instruments(_));
        let waiting = |place: &usize| match self.states.get(*place) {
            Some(State::Waiting) => true,
            Some(State::Refused) => yes,
            _ => false,
        };
        let answered: Vec<usize> = meant.into_iter().filter(waiting).collect();
        answered.iter().for_each(|place| self.states[*place] = answer);
        answered
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
    use crate::venue::binance::Binance;
    use crate::venue::{Ping, Venue};

    const LIMITS: Limits = Binance::FACTS.limits;

    /// A session of so many requests, each for two instruments.
    fn session(requests: usize, limits: Limits) -> Session {
        let request = |index: usize| {
            let id = index as u64 + 1;
            Request { id, text: format!("request {id}"), instruments: 2 * index..2 * index + 2 }
        };
        Session::new((0..requests).map(request).collect(), 2 * requests, limits, 0.5, at(0))
    }

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    #[test]
    fn requests_are_paced_and_acknowledged_one_by_one() {
        let mut session = session(2, LIMITS);
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.step(at(1)), Step::Wait);
        assert!(!session.acknowledged(About::Request(1)));
        assert_eq!(session.step(at(349)), Step::Wait);
        assert_eq!(session.step(at(350)), Step::Send("request 2"));
        assert!(!session.acknowledged(About::Request(1)), "an answer counts once");
        assert!(!session.acknowledged(About::Instruments(&[2])), "half of the second request");
        assert!(session.acknowledged(About::Instruments(&[3, 99])));
        assert_eq!(session.step(at(400)), Step::Wait);
    }

    #[test]
    fn a_request_that_nobody_answers_may_come_last() {
        let mut session = session(1, LIMITS);
        session.requests.push(Request { id: 2, text: "heartbeats".into(), instruments: 0..0 });
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert!(session.acknowledged(About::Request(1)));
        assert_eq!(session.step(at(350)), Step::Send("heartbeats"));
        assert_eq!(session.step(at(351)), Step::Wait);
    }

    #[test]
    fn a_missing_acknowledgement_gives_up() {
        let mut session = session(1, LIMITS);
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert!(!session.acknowledged(About::Instruments(&[0])));
        assert_eq!(session.step(at(10_000)), Step::Wait);
        assert_eq!(session.step(at(10_001)), Step::Unanswered(vec![1]), "the other goes on");
        assert_eq!(session.step(at(10_002)), Step::Wait);
        assert!(session.live);

        let mut session = Session::new(session.requests, 2, LIMITS, 0.5, at(0));
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.step(at(10_001)), Step::GiveUp("no subscription was acknowledged in time"));
    }

    #[test]
    fn one_refusal_does_not_take_the_others_down() {
        let mut session = session(2, LIMITS);
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.refused(About::Request(1), at(1)), (vec![0, 1], false));
        assert_eq!(session.step(at(400)), Step::Send("request 2"));
        assert_eq!(session.refused(About::Instruments(&[2]), at(401)), (vec![2], false));
        assert!(session.acknowledged(About::Oldest));
        assert_eq!(session.states, [State::Refused, State::Refused, State::Refused, State::Acknowledged]);
    }

    #[test]
    fn if_all_are_refused_there_is_nothing_to_stay_for() {
        let mut session = session(1, LIMITS);
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.refused(About::Request(1), at(1)), (vec![0, 1], false));
        assert_eq!(session.step(at(501)), Step::Wait);
        assert_eq!(session.step(at(502)), Step::GiveUp("all subscriptions were refused"));
    }

    #[test]
    fn a_refusal_of_nobody_knows_what_leaves_the_others_their_answer() {
        let mut session = session(1, LIMITS);
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        assert_eq!(session.refused(About::Unknown, at(1)), (vec![], false));
        assert!(!session.acknowledged(About::Instruments(&[1])));
        assert_eq!(session.step(at(10_001)), Step::Unanswered(vec![0]));
        assert_eq!(session.states, [State::Refused, State::Acknowledged]);
        // A yes that names it holds all the same.
        session.acknowledged(About::Instruments(&[0]));
        assert_eq!(session.states, [State::Acknowledged, State::Acknowledged]);
    }

    #[test]
    fn what_is_not_read_is_not_silence() {
        let mut session = session(1, LIMITS);
        assert_eq!(session.step(at(0)), Step::Send("request 1"));
        session.held(at(60_000));
        assert_eq!(session.step(at(69_000)), Step::Wait);
    }

    #[test]
    fn silence_gives_up() {
        let mut session = session(0, LIMITS);
        assert!(session.live);
        session.heard(at(5_000));
        assert_eq!(session.step(at(75_000)), Step::Wait);
        assert_eq!(session.step(at(75_001)), Step::GiveUp("the exchange has fallen silent"));
    }

    #[test]
    fn who_has_said_nothing_for_long_says_that_it_is_there() {
        let ping = Ping { interval: Duration::from_secs(20), text: "ping" };
        let mut session = session(0, Limits { ping: Some(ping), ..LIMITS });
        assert_eq!(session.step(at(20_000)), Step::Wait);
        assert_eq!(session.step(at(20_001)), Step::Send("ping"));
        assert_eq!(session.step(at(20_002)), Step::Wait);
        session.heard(at(20_003));
        assert_eq!(session.step(at(40_002)), Step::Send("ping"));
    }

    #[test]
    fn a_connection_is_renewed_before_the_exchange_ends_it() {
        let hours = |hours: f64| at((hours * 3_600_000.0) as u64);
        for (drawn, from, to) in [(0.0, 23.9, 24.0), (0.5, 22.7, 22.9), (1.0, 21.5, 21.7)] {
            let mut session = Session::new(Vec::new(), 1, LIMITS, drawn, at(0));
            session.heard(hours(from));
            assert_eq!(session.step(hours(from)), Step::Wait, "{drawn}");
            session.heard(hours(to));
            assert_eq!(session.step(hours(to)), Step::Renew, "{drawn}");
        }
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
