//! Circuit breakers: an address that has failed for long is left alone, and tried now and then.
//!
//! Short outages are met by backoff alone, which is back within a second. Only what goes on for longer opens the breaker.
//! Source: Michael Nygard, "Release It!", Circuit Breaker.

use std::time::Duration;

use crate::clock::Nanos;

/// When a breaker opens, and how often it lets a probe through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// It opens after failures for so long without a success between them.
    pub opens_after: Duration,
    /// The first wait before a probe; it doubles with each that fails.
    pub probe_min: Duration,
    /// The longest wait before a probe.
    pub probe_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let [opens_after, probe_min, probe_max] = [30, 5, 30].map(Duration::from_secs);
        Patience { opens_after, probe_min, probe_max }
    }
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Attempts go through.
    Closed {
        /// When the failures began that have not ended yet.
        failing_since: Option<Nanos>,
    },
    /// No attempt goes through.
    Open {
        /// Until then.
        until: Nanos,
        /// After how long a wait.
        wait: Duration,
    },
    /// One attempt is under way, no other goes through.
    HalfOpen {
        /// When its outcome is not waited for any longer.
        until: Nanos,
        /// After how long a wait it was made.
        wait: Duration,
    },
}

/// Longest that a probe may take: to connect, to subscribe, and to show market data or fail.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

/// The breaker of one address.
#[derive(Debug)]
struct Breaker(State);

impl Breaker {
    /// When an attempt may be made: `now`, or later.
    fn allows_at(&self, now: Nanos) -> Nanos {
        match self.0 {
            State::Closed { .. } => now,
            State::Open { until, .. } | State::HalfOpen { until, .. } => until.max(now),
        }
    }

    fn attempt(&mut self, now: Nanos) {
        if let State::Open { wait, .. } | State::HalfOpen { wait, .. } = self.0 {
            self.0 = State::HalfOpen { until: now.plus(PROBE_TIMEOUT), wait };
        }
    }

    /// Returns whether the breaker opens, or stays open.
    fn failed(&mut self, patience: Patience, now: Nanos) -> bool {
        let open = |wait| State::Open { until: now.plus(wait), wait };
        self.0 = match self.0 {
            State::Closed { failing_since: None } => State::Closed { failing_since: Some(now) },
            State::Closed { failing_since: Some(since) } if now.time_since(since) < patience.opens_after => {
                return false;
            }
            State::Closed { .. } => open(patience.probe_min),
            State::HalfOpen { wait, .. } => open((wait * 2).min(patience.probe_max)),
            // An attempt that was under way when it opened.
            State::Open { .. } => return false,
        };
        matches!(self.0, State::Open { .. })
    }
}

/// The addresses by which a feed can be had, each with its breaker.
#[derive(Debug)]
pub struct Addresses {
    patience: Patience,
    breakers: Vec<Breaker>,
    /// Until when each has asked to be left alone.
    rests: Vec<Nanos>,
    /// The one to take.
    preferred: usize,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// Connect to this address.
    Attempt(usize),
    /// All are left alone until then.
    WaitUntil(Nanos),
}

impl Addresses {
    /// So many addresses, of which none has failed.
    pub fn new(count: usize, patience: Patience) -> Self {
        let closed = || Breaker(State::Closed { failing_since: None });
        let breakers = (0..count).map(|_| closed()).collect();
        Addresses { patience, breakers, rests: vec![Nanos(0); count], preferred: 0 }
    }

    /// The address to connect to: the preferred one, or the next after it whose breaker lets attempts through.
    pub fn choose(&mut self, now: Nanos) -> Choice {
        let (address, at) = self.next(now);
        if at > now {
            return Choice::WaitUntil(at);
        }
        self.breakers[address].attempt(now);
        Choice::Attempt(address)
    }

    /// The state of an address's breaker.
    pub fn state(&self, address: usize) -> State {
        self.breakers[address].0
    }

    /// Whether the attempt at the address is a probe.
    pub fn is_probed(&self, address: usize) -> bool {
        matches!(self.breakers.get(address), Some(Breaker(State::HalfOpen { .. })))
    }

    /// The address that comes next, and when an attempt may be made: `now`, or later.
    pub fn next(&self, now: Nanos) -> (usize, Nanos) {
        let count = self.breakers.len();
        let in_turn = (0..count).map(|step| (self.preferred + step) % count);
        let allowed = |address: usize| self.breakers[address].allows_at(now).max(self.rests[address]);
        in_turn.map(|address| (address, allowed(address))).min_by_key(|(_, at)| *at).unwrap_or((0, now))
    }

    /// An address has asked to be left alone until then.
    pub fn rest(&mut self, address: usize, until: Nanos) {
        if let Some(rest) = self.rests.get_mut(address) {
            *rest = (*rest).max(until);
        }
    }

    /// An attempt has come to nothing, for no fault of the address.
    pub fn give_back(&mut self, address: usize, now: Nanos) {
        if let Some(breaker) = self.breakers.get_mut(address)
            && let State::HalfOpen { wait, .. } = breaker.0
        {
            breaker.0 = State::Open { until: now, wait };
        }
    }

    /// An attempt has failed, or its connection has ended without any market data. Returns the wait if its breaker
    /// opens. The next address is preferred from now on. One that is none of these any more is none of ours.
    pub fn failed(&mut self, address: usize, now: Nanos) -> Option<Duration> {
        let breaker = self.breakers.get_mut(address)?;
        let opens = breaker.failed(self.patience, now);
        let state = breaker.0;
        if address == self.preferred {
            self.preferred = (address + 1) % self.breakers.len();
        }
        match state {
            State::Open { wait, .. } if opens => Some(wait),
            _ => None,
        }
    }

    /// Market data has come by the address. Returns whether its breaker was open before.
    pub fn proven(&mut self, address: usize) -> bool {
        let Some(breaker) = self.breakers.get_mut(address) else { return false };
        let was = std::mem::replace(&mut breaker.0, State::Closed { failing_since: None });
        self.preferred = address;
        !matches!(was, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Nanos {
        Nanos(seconds * 1_000_000_000)
    }

    /// Fails so often in so many seconds, once each second.
    fn fail(addresses: &mut Addresses, from: u64, to: u64) -> Vec<(u64, u64)> {
        let mut opened = Vec::new();
        for second in from..=to {
            if let Choice::Attempt(address) = addresses.choose(at(second))
                && let Some(wait) = addresses.failed(address, at(second))
            {
                opened.push((second, wait.as_secs()));
            }
        }
        opened
    }

    #[test]
    fn it_opens_after_long_and_probes_ever_more_rarely() {
        let mut addresses = Addresses::new(1, Patience::default());
        assert_eq!(fail(&mut addresses, 0, 29), []);
        assert_eq!(fail(&mut addresses, 30, 150), [(30, 5), (35, 10), (45, 20), (65, 30), (95, 30), (125, 30)]);
        assert_eq!(addresses.choose(at(154)), Choice::WaitUntil(at(155)));
        assert_eq!(addresses.choose(at(155)), Choice::Attempt(0));
        assert_eq!(addresses.choose(at(156)), Choice::WaitUntil(at(215)), "one probe at a time");
        addresses.give_back(0, at(156));
        assert_eq!(addresses.choose(at(156)), Choice::Attempt(0));
        assert!(addresses.proven(0));
        assert_eq!(addresses.choose(at(157)), Choice::Attempt(0));
        assert!(!addresses.proven(0));
    }

    #[test]
    fn a_success_between_failures_begins_anew() {
        let mut addresses = Addresses::new(1, Patience::default());
        fail(&mut addresses, 0, 29);
        addresses.proven(0);
        assert_eq!(fail(&mut addresses, 30, 59), []);
        assert_eq!(fail(&mut addresses, 60, 60), [(60, 5)]);
    }

    #[test]
    fn addresses_are_tried_in_turn_and_the_one_that_works_is_kept() {
        let mut addresses = Addresses::new(3, Patience::default());
        for expected in [0, 1, 2, 0, 1] {
            assert_eq!(addresses.choose(at(1)), Choice::Attempt(expected));
            addresses.failed(expected, at(1));
        }
        addresses.proven(2);
        assert_eq!(addresses.choose(at(2)), Choice::Attempt(2));
        // What fails on another address that is still in use does not change that.
        addresses.failed(0, at(2));
        assert_eq!(addresses.choose(at(2)), Choice::Attempt(2));
    }

    #[test]
    fn one_that_asks_to_be_left_alone_is_while_others_are_tried() {
        let mut addresses = Addresses::new(2, Patience::default());
        addresses.failed(0, at(1));
        addresses.rest(0, at(20));
        addresses.failed(1, at(2));
        assert_eq!(addresses.choose(at(3)), Choice::Attempt(1));
        addresses.rest(1, at(10));
        addresses.rest(1, at(5));
        assert_eq!(addresses.choose(at(3)), Choice::WaitUntil(at(10)), "what came later asks for less");
        assert_eq!(addresses.next(at(9)), (1, at(10)));
        assert_eq!(addresses.choose(at(10)), Choice::Attempt(1));
        addresses.failed(1, at(10));
        assert_eq!(addresses.choose(at(20)), Choice::Attempt(0));
    }

    #[test]
    fn an_open_one_is_passed_over() {
        let mut addresses = Addresses::new(2, Patience::default());
        addresses.failed(0, at(0));
        assert_eq!(addresses.failed(0, at(30)), Some(Duration::from_secs(5)));
        addresses.failed(1, at(30));
        assert_eq!(addresses.choose(at(31)), Choice::Attempt(1));
    }
}
