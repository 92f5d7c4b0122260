//! How far each instrument's subscription is, and which request comes next.
//!
//! Requests carry as many instruments as the exchange takes. If it refuses one as a whole, its halves are asked for by
//! themselves, and so on, until only those are left that it refuses alone: one symbol does not take the others down.
//! What was refused is asked for again, ever more slowly.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Nanos;
use crate::venue::{About, Requests, Verb};

/// Longest wait for the answer to a request.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// What was refused is asked for again after this time, then after twice as long, and so on.
const RETRY_MIN: Duration = Duration::from_secs(30);
/// The longest time until what was refused is asked for again.
const RETRY_MAX: Duration = Duration::from_mins(15);

/// How far an instrument's subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be asked for, together with no more than so many in all.
    Unsent {
        at_most: usize,
    },
    Asked,
    Standing,
    Refused {
        again_at: Nanos,
    },
    /// To be unsubscribed, and then to be asked for again or not.
    Leaving {
        again: bool,
    },
    LeaveAsked {
        again: bool,
    },
    Gone,
}

impl State {
    fn is_pending(self) -> bool {
        matches!(
            self,
            State::Unsent { .. } | State::Asked | State::Leaving { again: true } | State::LeaveAsked { again: true }
        )
    }
}

#[derive(Debug)]
struct Place {
    /// As requests name it.
    name: String,
    state: State,
    /// How often it was refused by itself.
    refusals: u32,
    /// Since when the subscription stands.
    standing_since: Nanos,
}

/// A request without an answer.
#[derive(Debug)]
struct Asked {
    id: u64,
    verb: Verb,
    places: Vec<usize>,
    at: Nanos,
}

/// The subscriptions of one connection.
#[derive(Debug)]
pub struct Subscriptions {
    requests: Requests,
    places: Vec<Place>,
    asked: VecDeque<Asked>,
    last_id: u64,
    settled: bool,
    /// Whether a request had no answer in time while nothing stood.
    in_vain: bool,
    by_address: bool,
}

impl Subscriptions {
    /// For instruments that requests call by these names; they stand already if the address subscribes.
    pub fn new(requests: Requests, names: impl IntoIterator<Item = String>, by_address: bool, now: Nanos) -> Self {
        let mut subscriptions = Subscriptions {
            requests,
            places: Vec::new(),
            asked: VecDeque::new(),
            last_id: 0,
            settled: by_address,
            in_vain: false,
            by_address,
        };
        for name in names {
            let place = subscriptions.add(name);
            if by_address {
                subscriptions.stand(place, now);
            }
        }
        subscriptions
    }

    /// One more instrument. Returns its place.
    pub fn add(&mut self, name: String) -> usize {
        let at_most = self.requests.symbols_per_request;
        self.places.push(Place { name, state: State::Unsent { at_most }, refusals: 0, standing_since: Nanos(0) });
        self.settled = false;
        self.places.len() - 1
    }

    /// The instrument is no longer wanted.
    pub fn leave(&mut self, place: usize) {
        self.places[place].state = match self.places[place].state {
            State::Standing | State::Asked | State::Leaving { .. } => State::Leaving { again: false },
            State::LeaveAsked { .. } => State::LeaveAsked { again: false },
            State::Unsent { .. } | State::Refused { .. } | State::Gone => State::Gone,
        };
    }

    /// The instrument is wanted after all, if it was not.
    pub fn want_again(&mut self, place: usize) {
        self.places[place].state = match self.places[place].state {
            State::Leaving { .. } => State::Leaving { again: true },
            State::LeaveAsked { .. } => State::LeaveAsked { again: true },
            State::Gone => State::Unsent { at_most: 1 },
            wanted => wanted,
        };
    }

    /// The instrument is to be unsubscribed and subscribed again. Returns whether that can be: not if the address
    /// subscribes, nor if the subscription does not stand.
    pub fn renew(&mut self, place: usize) -> bool {
        let can_be = !self.by_address && self.places[place].state == State::Standing;
        if can_be {
            self.places[place].state = State::Leaving { again: true };
        }
        can_be
    }

    /// The next request that is due.
    pub fn next_request(&mut self, now: Nanos) -> Option<String> {
        let retries = self.places.iter_mut().filter(|place| is_due(place.state, now));
        retries.for_each(|place| place.state = State::Unsent { at_most: 1 });
        self.unsubscribe(now).or_else(|| self.subscribe(now))
    }

    fn unsubscribe(&mut self, now: Nanos) -> Option<String> {
        let leaves = |place: &usize| matches!(self.places[*place].state, State::Leaving { .. });
        let places: Vec<_> = (0..self.places.len()).filter(leaves).take(self.requests.symbols_per_request).collect();
        for place in &places {
            if let State::Leaving { again } = self.places[*place].state {
                self.places[*place].state = State::LeaveAsked { again };
            }
        }
        self.ask(Verb::Unsubscribe, places, now)
    }

    fn subscribe(&mut self, now: Nanos) -> Option<String> {
        let at_most = |place: &Place| match place.state {
            State::Unsent { at_most } => Some(at_most),
            _ => None,
        };
        let first = self.places.iter().find_map(at_most)?;
        // Those that belong together have the same bound, and are next to each other.
        let alike = (0..self.places.len()).filter(|place| at_most(&self.places[*place]) == Some(first));
        let places: Vec<_> = alike.take(first).collect();
        places.iter().for_each(|place| self.places[*place].state = State::Asked);
        self.ask(Verb::Subscribe, places, now)
    }

    fn ask(&mut self, verb: Verb, places: Vec<usize>, at: Nanos) -> Option<String> {
        if places.is_empty() {
            return None;
        }
        self.last_id += 1;
        let names: Vec<_> = places.iter().map(|place| self.places[*place].name.as_str()).collect();
        let text = (self.requests.write)(&self.requests.endpoint, verb, self.last_id, &names);
        self.asked.push_back(Asked { id: self.last_id, verb, places, at });
        Some(text)
    }

    /// The exchange said yes to what was asked.
    pub fn acknowledged(&mut self, about: About<'_>, now: Nanos) {
        match about {
            // A yes of nobody knows what is not taken for anybody's.
            About::Unknown => {}
            About::Instruments(places) => places.iter().for_each(|place| self.named_yes(*place, now)),
            About::Request(_) | About::Oldest => {
                if let Some(asked) = self.take(about) {
                    asked.places.iter().for_each(|place| self.yes(*place, asked.verb, now));
                }
            }
        }
    }

    /// The exchange said that these are unsubscribed.
    pub fn unsubscribed(&mut self, about: About<'_>, now: Nanos) {
        let About::Instruments(places) = about else { return self.acknowledged(about, now) };
        places.iter().for_each(|place| self.left(*place));
    }

    /// The exchange listed all that stand.
    pub fn standing(&mut self, listed: &[usize], now: Nanos) {
        listed.iter().for_each(|place| self.named_yes(*place, now));
        let leaves = |place: &usize| matches!(self.places[*place].state, State::LeaveAsked { .. });
        let left: Vec<_> = (0..self.places.len()).filter(|place| leaves(place) && !listed.contains(place)).collect();
        left.into_iter().for_each(|place| self.left(place));
    }

    /// The exchange said no. Returns the places of the instruments that it refused by themselves. If it does not say of
    /// which, and several wait, none is refused yet: answers for the others may follow.
    pub fn refused(&mut self, about: About<'_>, now: Nanos) -> Vec<usize> {
        match about {
            About::Instruments(places) => {
                let asked: Vec<_> = places.iter().copied().filter(|place| self.is_asked(*place)).collect();
                asked.iter().for_each(|place| self.no(*place, now));
                asked
            }
            About::Unknown => {
                let asked: Vec<_> = (0..self.places.len()).filter(|place| self.is_asked(*place)).collect();
                match asked[..] {
                    [one] => self.refused(About::Instruments(&[one]), now),
                    _ => Vec::new(),
                }
            }
            About::Request(_) | About::Oldest => match self.take(about) {
                Some(asked) => self.refused_together(asked, now),
                None => Vec::new(),
            },
        }
    }

    /// Requests that have no answer in time are refused. Returns the places of the instruments that were given up.
    pub fn unanswered(&mut self, now: Nanos) -> Vec<usize> {
        let is_over = |asked: &mut Asked| now.time_since(asked.at) > ANSWER_TIMEOUT;
        let Some(asked) = self.asked.pop_front_if(is_over) else { return Vec::new() };
        if asked.verb == Verb::Unsubscribe {
            asked.places.into_iter().for_each(|place| self.unsubscribe_again(place));
            return Vec::new();
        }
        self.in_vain |= self.count() == 0;
        self.refused_together(asked, now)
    }

    /// What is not wanted any more may still come, so that is asked for again; what is to be subscribed again is.
    fn unsubscribe_again(&mut self, place: usize) {
        match self.places[place].state {
            State::LeaveAsked { again: false } => self.places[place].state = State::Leaving { again: false },
            _ => self.left(place),
        }
    }

    /// Whether a request had no answer in time while nothing stood: there is nothing to stay for.
    pub fn has_waited_in_vain(&self) -> bool {
        self.in_vain
    }

    /// The connection was not read: no answer could be heard.
    pub fn held(&mut self, now: Nanos) {
        self.asked.iter_mut().for_each(|asked| asked.at = now);
    }

    /// The instrument's subscription stands.
    fn stand(&mut self, place: usize, now: Nanos) {
        let place = &mut self.places[place];
        (place.state, place.refusals, place.standing_since) = (State::Standing, 0, now);
    }

    /// How many instruments stand.
    pub fn count(&self) -> usize {
        self.places.iter().filter(|place| matches!(place.state, State::Standing)).count()
    }

    /// Since when an instrument's subscription stands, if it does.
    pub fn standing_since(&self, place: usize) -> Option<Nanos> {
        let place = &self.places[place];
        (place.state == State::Standing).then_some(place.standing_since)
    }

    /// Whether nothing stands, and nothing is to be answered, since the exchange has refused it.
    pub fn are_all_refused(&self) -> bool {
        self.count() == 0 && !self.is_pending() && (0..self.places.len()).any(|place| self.is_refused(place))
    }

    /// Whether the exchange has refused the instrument, by itself.
    pub fn is_refused(&self, place: usize) -> bool {
        matches!(self.places[place].state, State::Refused { .. })
    }

    /// Whether the instrument is neither wanted nor subscribed any more.
    pub fn is_gone(&self, place: usize) -> bool {
        self.places[place].state == State::Gone
    }

    /// Whether something is still to be asked for, or to be answered.
    pub fn is_pending(&self) -> bool {
        self.places.iter().any(|place| place.state.is_pending())
    }

    /// Whether everything was answered just now, and something stands.
    pub fn take_settled(&mut self) -> bool {
        let settled = !self.is_pending() && self.count() > 0;
        settled && !std::mem::replace(&mut self.settled, true)
    }

    fn is_asked(&self, place: usize) -> bool {
        self.places.get(place).is_some_and(|place| place.state == State::Asked)
    }

    /// The request that an answer is about.
    fn take(&mut self, about: About<'_>) -> Option<Asked> {
        match about {
            About::Request(id) => {
                let found = self.asked.iter().position(|asked| asked.id == id)?;
                self.asked.remove(found)
            }
            _ => self.asked.pop_front(),
        }
    }

    /// A yes to all of a request, to those of it that still wait.
    fn yes(&mut self, place: usize, verb: Verb, now: Nanos) {
        match (verb, self.places[place].state) {
            (Verb::Subscribe, State::Asked) => self.stand(place, now),
            (Verb::Unsubscribe, _) => self.left(place),
            (Verb::Subscribe, _) => {}
        }
    }

    /// A yes that names an instrument holds whatever was said before.
    fn named_yes(&mut self, place: usize, now: Nanos) {
        let Some(Place { state: State::Asked | State::Refused { .. }, .. }) = self.places.get(place) else { return };
        self.stand(place, now);
        self.answered(place, Verb::Subscribe);
    }

    fn left(&mut self, place: usize) {
        let Some(State::LeaveAsked { again }) = self.places.get(place).map(|place| place.state) else { return };
        self.places[place].state = if again { State::Unsent { at_most: 1 } } else { State::Gone };
        self.answered(place, Verb::Unsubscribe);
    }

    fn no(&mut self, place: usize, now: Nanos) {
        let wait = RETRY_MIN.saturating_mul(1 << self.places[place].refusals.min(16)).min(RETRY_MAX);
        self.places[place].refusals += 1;
        self.places[place].state = State::Refused { again_at: now.plus(wait) };
        self.answered(place, Verb::Subscribe);
    }

    /// Nothing more is to be answered about the instrument.
    fn answered(&mut self, place: usize, verb: Verb) {
        let of_verb = self.asked.iter_mut().filter(|asked| asked.verb == verb);
        of_verb.for_each(|asked| asked.places.retain(|other| *other != place));
        self.asked.retain(|asked| !asked.places.is_empty());
    }

    /// A no to a whole request: the only one of it is refused, of several each half gets a request of its own.
    fn refused_together(&mut self, asked: Asked, now: Nanos) -> Vec<usize> {
        if asked.verb == Verb::Unsubscribe {
            // What the exchange does not let go, it does not have.
            asked.places.iter().for_each(|place| self.left(*place));
            return Vec::new();
        }
        let waiting: Vec<_> = asked.places.iter().copied().filter(|place| self.is_asked(*place)).collect();
        if let [one] = waiting[..] {
            self.no(one, now);
            return waiting;
        }
        let at_most = waiting.len().div_ceil(2);
        waiting.iter().for_each(|place| self.places[*place].state = State::Unsent { at_most });
        Vec::new()
    }
}

fn is_due(state: State, now: Nanos) -> bool {
    matches!(state, State::Refused { again_at } if now >= again_at)
}

#[cfg(test)]
mod tests;
