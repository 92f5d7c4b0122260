//! The life of a connection, as a state machine without IO: what to send when, and what to give up on.
//!
//! The feed core tells it what happened and what time it is; it answers with what to do.

pub mod activity;
pub mod backoff;
pub mod breaker;
pub mod subscriptions;

use std::time::Duration;

use crate::clock::Nanos;
use crate::venue::{About, Limits, Requests};
pub use activity::Activity;
pub use backoff::Backoff;
pub use subscriptions::Subscriptions;

/// Where everything was refused, others may yet be acknowledged so long.
const REFUSAL_GRACE: Duration = Duration::from_millis(500);
/// A connection is made anew before the exchange's own end of it: at the earliest so much of its life before, at a time
/// that is drawn for each, so that not all of them go together.
const RENEWAL: f64 = 0.1;

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this text.
    Send(String),
    /// The exchange has not answered for these instruments, by their places: they are given up for now, the others go on.
    Unanswered(Vec<usize>),
    /// Close the connection and make it anew, for this reason.
    GiveUp(&'static str),
    /// Have another connection take its place: it is as old as it may become.
    Renew,
    /// Nothing.
    Wait,
}

/// One connection from its upgrade to its end.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    subscriptions: Subscriptions,
    /// What the exchange is told once, behind the first request.
    opening: Option<&'static str>,
    /// When the last message was sent.
    sent_at: Nanos,
    sent_any: bool,
    /// When the exchange last refused something.
    refused_at: Nanos,
    /// When the last byte came.
    heard_at: Nanos,
    /// From when on the connection is too old.
    renew_at: Option<Nanos>,
}

impl Session {
    /// A connection that has just been upgraded, for instruments that requests call by these names. `drawn` is a number
    /// from 0 to 1 that decides when it is made anew.
    pub fn new(
        limits: Limits,
        requests: Requests,
        names: impl IntoIterator<Item = String>,
        by_address: bool,
        drawn: f64,
        now: Nanos,
    ) -> Self {
        let renewed_after = |age: Duration| age.mul_f64(1.0 - RENEWAL * drawn.clamp(0.01, 1.0));
        Session {
            limits,
            opening: requests.opening,
            subscriptions: Subscriptions::new(requests, names, by_address, now),
            sent_at: now,
            sent_any: false,
            refused_at: now,
            heard_at: now,
            renew_at: limits.max_age.map(|age| now.plus(renewed_after(age))),
        }
    }

    /// The connection's subscriptions.
    pub fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        &mut self.subscriptions
    }

    /// The connection's subscriptions, to look at.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// What to do at `now`; to be asked until it says [`Step::Wait`], and again a moment later.
    pub fn step(&mut self, now: Nanos) -> Step {
        if now.time_since(self.heard_at) > self.limits.max_silence {
            return Step::GiveUp("the exchange has fallen silent");
        }
        let unanswered = self.subscriptions.unanswered(now);
        if self.subscriptions.has_waited_in_vain() {
            return Step::GiveUp("no subscription was acknowledged in time");
        }
        if !unanswered.is_empty() {
            return Step::Unanswered(unanswered);
        }
        if self.renew_at.is_some_and(|at| now.0 >= at.0) {
            self.renew_at = None;
            return Step::Renew;
        }
        if let Some(text) = self.message(now) {
            (self.sent_at, self.sent_any) = (now, true);
            return Step::Send(text);
        }
        let has_none = self.subscriptions.are_all_refused();
        if has_none && now.time_since(self.refused_at) > REFUSAL_GRACE {
            return Step::GiveUp("all subscriptions were refused");
        }
        Step::Wait
    }

    /// The next message, if there is one and the exchange takes it yet.
    fn message(&mut self, now: Nanos) -> Option<String> {
        let since_sent = now.time_since(self.sent_at);
        if self.sent_any && since_sent < self.limits.message_interval {
            return None;
        }
        if self.sent_any
            && let Some(opening) = self.opening.take()
        {
            return Some(opening.into());
        }
        let ping = || self.limits.ping.filter(|ping| since_sent > ping.interval).map(|ping| ping.text.to_string());
        self.subscriptions.next_request(now).or_else(ping)
    }

    /// Bytes have come.
    #[inline]
    pub fn heard(&mut self, now: Nanos) {
        self.heard_at = now;
    }

    /// When the last byte came.
    pub fn heard_at(&self) -> Nanos {
        self.heard_at
    }

    /// The connection is not read for now, so nothing that the exchange says is heard: neither its silence nor a missing
    /// answer counts.
    pub fn held(&mut self, now: Nanos) {
        self.heard_at = now;
        self.subscriptions.held(now);
    }

    /// The exchange said no. Returns the places of the instruments that it refused by themselves.
    pub fn refused(&mut self, about: About<'_>, now: Nanos) -> Vec<usize> {
        self.refused_at = now;
        self.subscriptions.refused(about, now)
    }
}

#[cfg(test)]
mod tests;
