//! The seat of a connection: makes it, makes it anew after every end, and has another take its place before it must go.
//!
//! A connection that is to go (it is old, the exchange has announced its end, a subscription stays silent, the
//! configuration has changed) goes on until its successor is level with it in every symbol: no trade is missing, none comes
//! twice, order is kept.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::assignment::{Assignment, Limits};
use super::hand_over::hand_over;
use super::leg::{Ended, Leaving, Leg};
use super::outside::{ByteStream, Outside};
use super::reader::Reader;
use super::{FeedCore, Line};
use crate::board::{ConnectionSign, Standing};
use crate::clock::Nanos;
use crate::config::shown;
use crate::net::dial::Dialed;
use crate::session::breaker::{Addresses, Choice};
use crate::session::{Backoff, Session};
use crate::venue::{Requests, Subscription, Venue};

/// How often one that waits looks whether the engine stops.
const LONGEST_REST: Duration = Duration::from_millis(50);
/// A server that asks us to stay away is left alone for so long at the most.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

type Shared<V, O> = Rc<RefCell<Leg<V, <O as Outside>::Stream>>>;

/// The seat of a connection.
pub struct Seat<V, O: Outside> {
    core: Rc<RefCell<FeedCore>>,
    outside: O,
    limits: Limits,
    assignment: RefCell<Assignment>,
    /// The connection, and before it those whose place it takes.
    legs: RefCell<Vec<Shared<V, O>>>,
    /// Lines of connections that have ended, of which frames still wait.
    left: RefCell<Vec<Line<V>>>,
    backoff: RefCell<Backoff>,
    /// How many connections were made.
    attempts: Cell<u64>,
    /// Before then, none is made.
    rests_until: Cell<Nanos>,
    is_connecting: Cell<bool>,
    is_stopping: Cell<bool>,
    sign: Arc<ConnectionSign>,
}

/// A seat, whatever the protocol.
pub trait Seated {
    /// What time brings.
    fn tick(self: Rc<Self>, now: Nanos);

    /// The connection is to carry something else from now on: without touching what stays, where the exchange lets
    /// instruments come and go. Those in `moved` are left only once another connection has them.
    fn change(self: Rc<Self>, assignment: Assignment, moved: &[String]);

    /// Nothing is wanted of the seat any more, and its connection has ended.
    fn is_over(&self) -> bool;

    /// No more is read, and no connection is made.
    fn stop(&self);

    /// Whether there is a connection.
    fn is_taken(&self) -> bool;
}

impl<V: Venue, O: Outside> Seat<V, O> {
    /// A seat for the connection that `assignment` describes.
    pub fn new(assignment: Assignment, limits: Limits, core: Rc<RefCell<FeedCore>>, outside: O) -> Rc<Self> {
        let seed = (outside.random() * u64::MAX as f64) as u64;
        let sign = core.borrow().sign(V::FACTS.exchange, assignment.number);
        Rc::new(Seat {
            core,
            limits,
            backoff: RefCell::new(Backoff::new(assignment.backoff, seed)),
            assignment: RefCell::new(assignment),
            legs: RefCell::new(Vec::new()),
            left: RefCell::new(Vec::new()),
            attempts: Cell::new(0),
            rests_until: Cell::new(Nanos(0)),
            is_connecting: Cell::new(false),
            is_stopping: Cell::new(false),
            sign,
            outside,
        })
    }

    fn wants_nothing(&self) -> bool {
        self.assignment.borrow().prefixes.is_empty()
    }

    /// Has a connection made, if none is being made already and something is wanted of it.
    pub fn connect(self: &Rc<Self>) {
        if !self.is_stopping.get() && !self.wants_nothing() && !self.is_connecting.replace(true) {
            self.outside.spawn(self.clone().attempt());
        }
    }

    /// Attempts to make a connection until there is one.
    async fn attempt(self: Rc<Self>) {
        while !self.is_stopping.get() && !self.wants_nothing() {
            self.rest_until(self.rests_until.get()).await;
            let choice = self.addresses(|addresses, now| addresses.choose(now));
            let address = match choice {
                Choice::Attempt(address) => address,
                Choice::WaitUntil(at) => {
                    self.rest_until(at).await;
                    continue;
                }
            };
            let turn = self.assignment.borrow().pace.take_turn(self.outside.now(), V::FACTS.limits.connects);
            self.rest_until(turn).await;
            let Some(way) = self.way(address) else { continue };
            if self.addresses(|addresses, _| addresses.is_probed(address)) {
                let url = shown(&way.endpoint.url).to_string();
                tracing::info!(exchange = V::FACTS.exchange, url, "the address that was left alone is tried");
            }
            match self.outside.dial(&way.endpoint.url).await {
                Ok(mut dialed) => match self.wanted_way(address, &way) {
                    Some(way) => {
                        self.is_connecting.set(false);
                        return self.begin(dialed, way, address).await;
                    }
                    None => {
                        dialed.stream.shut();
                        self.addresses(|addresses, now| addresses.give_back(address, now));
                    }
                },
                Err(error) => {
                    if let Some(after) = error.retry_after() {
                        let after = after.min(LONGEST_RETRY_AFTER);
                        self.addresses(|addresses, now| addresses.rest(address, now.plus(after)));
                    }
                    let retry_in_ms = self.failed(address).as_millis() as u64;
                    let url = shown(&way.endpoint.url).to_string();
                    tracing::warn!(exchange = V::FACTS.exchange, url, retry_in_ms, "no connection: {error}");
                }
            }
        }
        self.is_connecting.set(false);
    }

    fn way(&self, address: usize) -> Option<Subscription> {
        self.assignment.borrow().ways.get(address).cloned()
    }

    /// What is wanted by now of the address that was dialed; nothing if the engine stops, or if it is another address.
    fn wanted_way(&self, address: usize, dialed: &Subscription) -> Option<Subscription> {
        let is_wanted = !self.is_stopping.get() && !self.wants_nothing();
        self.way(address).filter(|way| is_wanted && way.endpoint == dialed.endpoint)
    }

    /// Notes a failure. Returns the wait before the next attempt.
    fn failed(&self, address: usize) -> Duration {
        self.core.borrow_mut().tally().sessions.failed += 1;
        if let Some(wait) = self.addresses(|addresses, now| addresses.failed(address, now)) {
            self.core.borrow_mut().tally().sessions.breakers_opened += 1;
            let url = self.way(address).map(|way| shown(&way.endpoint.url).to_string());
            let (exchange, url) = (V::FACTS.exchange, url.unwrap_or_default());
            let probe_in_s = wait.as_secs();
            tracing::error!(
                exchange,
                url,
                probe_in_s,
                "the address has failed for long: it is left alone, and tried now and then"
            );
        }
        let wait = self.backoff.borrow_mut().next_wait();
        self.rests_until.set(self.outside.now().plus(wait));
        // Addresses may have asked for more.
        wait.max(self.addresses(|addresses, now| addresses.next(now).1.time_since(now)))
    }

    fn addresses<T>(&self, with: impl FnOnce(&mut Addresses, Nanos) -> T) -> T {
        let addresses = self.assignment.borrow().addresses.clone();
        // Whoever has panicked with it has left it whole.
        let mut addresses = addresses.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        with(&mut addresses, self.outside.now())
    }

    async fn rest_until(&self, at: Nanos) {
        while !self.is_stopping.get() && self.outside.now() < at {
            self.outside.sleep(at.time_since(self.outside.now()).min(LONGEST_REST)).await;
        }
    }

    /// Attends to a connection from its upgrade to its end.
    async fn begin(self: Rc<Self>, dialed: Dialed<O::Stream>, way: Subscription, address: usize) {
        self.attempts.set(self.attempts.get() + 1);
        let name = format!("{}-{}.{}", V::FACTS.exchange, self.assignment.borrow().number, self.attempts.get());
        let (url, kernel_timestamps) = (shown(&way.endpoint.url).to_string(), dialed.timestamps);
        tracing::info!(connection = name, url, peer = %dialed.peer, kernel_timestamps, "connected");
        self.sign.begins(&url);
        let waiter = match self.outside.waiter(&dialed.stream) {
            Ok(waiter) => waiter,
            Err(error) => {
                self.failed(address);
                tracing::error!(connection = name, "connection ended: it cannot be waited for: {error}");
                return self.connect();
            }
        };
        let line = {
            let core = &mut *self.core.borrow_mut();
            core.tally().reconnects += u64::from(self.attempts.get() > 1 && self.legs.borrow().is_empty());
            let assignment = self.assignment.borrow();
            let line = core.line(&way, assignment.feed, assignment.number, name, &assignment.prefixes);
            line.keeping_raw(assignment.keeps_raw)
        };
        let leg = Rc::new(RefCell::new(self.leg(dialed.stream, line, way, address)));
        self.legs.borrow_mut().push(leg.clone());
        leg.borrow_mut().tick(self.outside.now());
        let (core, outside) = (self.core.clone(), self.outside.clone());
        let mut reader = Reader::new(core, outside, leg.clone(), self.limits, &dialed.leftover);
        let ended = reader.read(waiter).await;
        drop(reader);
        self.end(leg, ended);
    }

    fn leg(&self, stream: O::Stream, line: Line<V>, way: Subscription, address: usize) -> Leg<V, O::Stream> {
        let Subscription { endpoint, instruments, by_address } = way;
        let now = self.outside.now();
        let mut limits = V::FACTS.limits;
        limits.max_age = limits.max_age.into_iter().chain(self.assignment.borrow().max_age).min();
        let requests = Requests::of::<V>(endpoint);
        let names = instruments.iter().map(|instrument| instrument.requested.clone());
        let session = Session::new(limits, requests, names, by_address, self.outside.random(), now);
        let symbols = instruments.into_iter().map(|instrument| instrument.symbol).collect();
        Leg::new(stream, session, line, symbols, address, now)
    }

    /// Shows what the connection is at: of several, that which is furthest.
    fn show(&self) {
        let standings = self.legs.borrow().iter().map(|leg| leg.borrow().standing()).max_by_key(|leg| leg.subscribed);
        let none = || Standing { symbols: self.assignment.borrow().prefixes.len(), ..Standing::default() };
        self.sign.show(standings.unwrap_or_else(none));
    }

    /// The first market data of a connection proves its address.
    fn credit(&self, leg: &mut Leg<V, O::Stream>) {
        if leg.is_proven && !std::mem::replace(&mut leg.is_credited, true) {
            self.backoff.borrow_mut().proven();
            if self.addresses(|addresses, _| addresses.proven(leg.address)) {
                tracing::info!(connection = leg.line.name(), "the address works again");
            }
        }
    }

    /// A connection has ended: says why and what is done about it, and sees to the next.
    fn end(self: Rc<Self>, leg: Shared<V, O>, ended: Ended) {
        self.legs.borrow_mut().retain(|other| !Rc::ptr_eq(other, &leg));
        let mut leg = match Rc::try_unwrap(leg) {
            Ok(leg) => leg.into_inner(),
            Err(_) => unreachable!("only the seat and the reader have a connection"),
        };
        leg.shut(&ended);
        self.credit(&mut leg);
        self.report(&leg, &ended);
        self.left.borrow_mut().push(leg.line);
        self.release_left(self.outside.now());
        if self.legs.borrow().is_empty() {
            self.connect();
        }
    }

    /// Takes what waits of connections that have ended.
    fn release_left(&self, now: Nanos) {
        let core = &mut *self.core.borrow_mut();
        self.left.borrow_mut().retain_mut(|line| {
            match self.is_stopping.get() {
                true => core.release_all(line),
                false => core.release(line, now),
            }
            if line.held.is_empty() {
                core.retire(line);
            }
            !line.held.is_empty()
        });
    }

    /// Says why a connection has ended, and what is done about it.
    fn report(&self, leg: &Leg<V, O::Stream>, ended: &Ended) {
        let connection = leg.line.name();
        let others = self.legs.borrow().len();
        if matches!(ended, Ended::Replaced(_)) {
            self.core.borrow_mut().tally().sessions.replaced += 1;
        }
        match ended {
            Ended::Stopping | Ended::Dissolved | Ended::Replaced(_) => {
                tracing::info!(connection, "connection ended: {ended}")
            }
            _ if others > 0 => {
                let retry_in_ms = self.wait_after(leg).as_millis() as u64;
                tracing::warn!(connection, others, retry_in_ms, "connection ended, another carries on: {ended}");
            }
            _ => {
                let retry_in_ms = self.wait_after(leg).as_millis() as u64;
                let is_proven = leg.is_proven;
                tracing::warn!(connection, retry_in_ms, is_proven, "connection ended: {ended}");
            }
        }
    }

    /// How long to wait after the end of a connection before another is made.
    fn wait_after(&self, leg: &Leg<V, O::Stream>) -> Duration {
        if !leg.is_proven {
            return self.failed(leg.address);
        }
        // One that was to go anyway says nothing against the next.
        if leg.leaving.is_some() {
            return Duration::ZERO;
        }
        let wait = self.backoff.borrow_mut().next_wait();
        self.rests_until.set(self.outside.now().plus(wait));
        wait
    }
}

impl<V: Venue, O: Outside> Seated for Seat<V, O> {
    fn tick(self: Rc<Self>, now: Nanos) {
        let legs = self.legs.borrow().clone();
        for leg in &legs {
            let leg = &mut *leg.borrow_mut();
            leg.tick(now);
            self.credit(leg);
            let core = &mut *self.core.borrow_mut();
            let made_anew = leg.wake_silent(&mut core.books, now);
            core.tally().sessions.resubscribed += made_anew;
            if !leg.line.held.is_empty() {
                core.release(&mut leg.line, now);
            }
            if !leg.let_go(&mut core.books, now) {
                leg.end(Ended::Dissolved);
            }
        }
        self.release_left(now);
        match &legs[..] {
            [only] if only.borrow().leaving.is_some() => self.connect(),
            [old, new, ..] => hand_over(&mut old.borrow_mut(), &mut new.borrow_mut(), now),
            _ => {}
        }
        self.show();
    }

    fn change(self: Rc<Self>, assignment: Assignment, moved: &[String]) {
        let before = self.assignment.replace(assignment);
        let now = &*self.assignment.borrow();
        let core = &mut *self.core.borrow_mut();
        for symbol in before.symbols().filter(|symbol| !now.symbols().any(|other| other == *symbol)) {
            core.books.want::<V>(now.feed, symbol, moved.iter().any(|other| other == symbol));
        }
        now.symbols().for_each(|symbol| core.books.want::<V>(now.feed, symbol, true));
        let legs = self.legs.borrow();
        let Some(youngest) = legs.last() else { return };
        let leg = &mut *youngest.borrow_mut();
        let goes_elsewhere = before.addresses_differ(now) || now.ways.iter().any(|way| way.by_address);
        if goes_elsewhere && !now.prefixes.is_empty() {
            return leg.leave(Leaving::Changed);
        }
        let is_gone = |place: &usize| !now.symbols().any(|symbol| leg.symbols[*place] == symbol);
        let gone: Vec<_> = (0..leg.symbols.len()).filter(is_gone).collect();
        let time = self.outside.now();
        gone.into_iter().for_each(|place| leg.unwant(place, moved.contains(&leg.symbols[place]), time));
        for (instrument, prefix) in now.instruments().iter().zip(&now.prefixes) {
            match leg.take_back(&instrument.symbol) {
                Some(place) => core.books.of(&leg.line, place).prefix = prefix.clone(),
                None => leg.want(core, instrument, prefix),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.wants_nothing() && !self.is_taken()
    }

    fn stop(&self) {
        self.is_stopping.set(true);
        self.legs.borrow().iter().for_each(|leg| leg.borrow_mut().end(Ended::Stopping));
        self.release_left(self.outside.now());
    }

    fn is_taken(&self) -> bool {
        !self.legs.borrow().is_empty() || !self.left.borrow().is_empty()
    }
}
