//! A connection that is up: what its reader, its seat and the core's ticker share.

use std::fmt;
use std::io;
use std::time::Duration;

use super::FeedCore;
use super::book::Books;
use super::line::Line;
use super::outside::ByteStream;
use crate::avro::SymbolPrefix;
use crate::board::{Standing, State};
use crate::clock::Nanos;
use crate::session::{Session, Step};
use crate::venue::{Control, Instrument, Venue};
use crate::ws::deframe::Violation;
use crate::ws::frame;

/// Closing because the engine goes elsewhere, or stops.
const CLOSE_GOING_AWAY: u16 = 1001;
/// Answering a close that gave no code.
const CLOSE_NORMAL: u16 = 1000;
/// An instrument that moves to another connection and has not traded for so long is not waited for.
const QUIET_MOVE: Duration = Duration::from_secs(5);
/// How often subscriptions are looked at for silence.
const SILENCE_CHECK: Duration = Duration::from_secs(1);

/// A connection that is up.
pub(super) struct Leg<V, S> {
    pub(super) stream: S,
    pub(super) session: Session,
    pub(super) line: Line<V>,
    /// The symbols that it carries, by their places.
    pub(super) symbols: Vec<String>,
    /// Why the connection was ended from outside its reader.
    pub(super) gone: Option<Ended>,
    /// Whether the other side was told goodbye, and the connection shut.
    is_shut: bool,
    /// Why another connection is to take its place.
    pub(super) leaving: Option<Leaving>,
    /// Which of the feed's addresses it goes to.
    pub(super) address: usize,
    /// Whether market data has come.
    pub(super) is_proven: bool,
    /// Whether the address and the seat have been told of that.
    pub(super) is_credited: bool,
    /// When the connection was upgraded.
    pub(super) began: Nanos,
    /// When subscriptions were last looked at for silence.
    checked_at: Nanos,
    /// The subscriptions that were made anew for their silence, and when.
    woken: Vec<(usize, Nanos)>,
    /// Instruments that go to another connection, once that is level in them; and since when.
    moving: Vec<(usize, Nanos)>,
}

/// Why a connection came to its end.
#[derive(Debug)]
pub(super) enum Ended {
    Closed(Option<u16>, String),
    Io(io::Error),
    Violation(Violation),
    GaveUp(&'static str),
    Replaced(Leaving),
    Useless,
    Dissolved,
    Stopping,
}

/// Why another connection is to take a connection's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    Announced,
    Aged,
    Silent,
    Changed,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Closed(Some(code), words) => write!(f, "the exchange closed it with code {code} {words:?}"),
            Ended::Closed(None, _) => f.write_str("the exchange closed it"),
            Ended::Io(error) => write!(f, "it broke: {error}"),
            Ended::Violation(violation) => violation.fmt(f),
            Ended::GaveUp(why) => f.write_str(why),
            Ended::Replaced(why) => write!(f, "another has taken its place: {why}"),
            Ended::Useless => f.write_str("it does not get what the one before it gets"),
            Ended::Dissolved => f.write_str("the configuration wants nothing by it any more"),
            Ended::Stopping => f.write_str("the engine stops"),
        }
    }
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Leaving::Announced => "the exchange announced its shutdown",
            Leaving::Aged => "it is as old as it may become",
            Leaving::Silent => "a subscription stayed silent",
            Leaving::Changed => "its address has changed",
        })
    }
}

impl<V: Venue, S: ByteStream> Leg<V, S> {
    /// A connection for the instruments of these symbols that has just been upgraded.
    pub(super) fn new(
        stream: S,
        session: Session,
        line: Line<V>,
        symbols: Vec<String>,
        address: usize,
        now: Nanos,
    ) -> Self {
        Leg {
            stream,
            session,
            line,
            symbols,
            gone: None,
            is_shut: false,
            leaving: None,
            address,
            is_proven: false,
            is_credited: false,
            began: now,
            checked_at: now,
            woken: Vec::new(),
            moving: Vec::new(),
        }
    }

    /// What time brings: requests that are due, patience that is over.
    pub(super) fn tick(&mut self, now: Nanos) {
        loop {
            match self.session.step(now) {
                Step::Send(text) => {
                    if let Err(error) = self.stream.send(&frame::text(&text)) {
                        return self.end(Ended::Io(error));
                    }
                }
                Step::Unanswered(places) => {
                    let (connection, symbols) = (self.line.name(), self.named(&places));
                    tracing::error!(connection, %symbols, "the exchange did not acknowledge a subscription, it is asked for again later");
                }
                Step::GiveUp(why) => return self.end(Ended::GaveUp(why)),
                Step::Renew => self.leave(Leaving::Aged),
                Step::Wait => break,
            }
        }
        if let Err(error) = self.stream.flush() {
            self.end(Ended::Io(error));
        }
    }

    /// Subscriptions that stand but have fallen silent are made anew, and if that does not help, the connection is.
    /// Returns how many are made anew.
    pub(super) fn wake_silent(&mut self, books: &mut Books, now: Nanos) -> u64 {
        if now.time_since(self.checked_at) < SILENCE_CHECK {
            return 0;
        }
        self.checked_at = now;
        let mut made_anew = 0;
        let Leg { line, woken, .. } = self;
        woken.retain(|(place, at)| line.places[*place].traded_at.is_none_or(|last| last <= *at));
        for place in 0..self.line.places.len() {
            let Some(standing_since) = self.session.subscriptions().standing_since(place) else { continue };
            let since = self.line.places[place].traded_at.map_or(standing_since, |at| at.max(standing_since));
            let is_silent = books.activity(&self.line, place).is_silent(since, now);
            if !is_silent || self.leaving.is_some() {
                continue;
            }
            books.is_silent(&mut self.line, place);
            let (connection, symbol) = (self.line.name(), &self.symbols[place]);
            let silent_s = now.since(since) / 1_000_000_000;
            let has_been_woken = self.woken.iter().any(|(other, _)| *other == place);
            if has_been_woken || !self.session.subscriptions_mut().renew(place) {
                books.activity(&self.line, place).be_patient();
                tracing::warn!(
                    connection,
                    symbol,
                    silent_s,
                    "the subscription stays silent: another connection is made"
                );
                self.leave(Leaving::Silent);
            } else {
                tracing::warn!(connection, symbol, silent_s, "the subscription has fallen silent: it is made anew");
                self.woken.push((place, now));
                made_anew += 1;
            }
        }
        made_anew
    }

    /// The connection carries one more instrument.
    pub(super) fn want(&mut self, core: &mut FeedCore, instrument: &Instrument, prefix: &SymbolPrefix) {
        core.add(&mut self.line, instrument, prefix);
        self.session.subscriptions_mut().add(instrument.requested.clone());
        self.symbols.push(instrument.symbol.clone());
    }

    /// The connection is to carry an instrument no longer: at once, or, if it `moves` to another, once that has it.
    pub(super) fn unwant(&mut self, place: usize, moves: bool, now: Nanos) {
        match moves {
            true => self.moving.push((place, now)),
            false => self.session.subscriptions_mut().leave(place),
        }
    }

    /// The place of a symbol that the connection carries. If it was to go, it stays.
    pub(super) fn take_back(&mut self, symbol: &str) -> Option<usize> {
        let carries = |place: &usize| self.symbols[*place] == symbol && !self.line.places[*place].is_dropped;
        let place = (0..self.symbols.len()).find(carries)?;
        self.moving.retain(|(moving, _)| *moving != place);
        self.session.subscriptions_mut().want_again(place);
        Some(place)
    }

    /// Sees to instruments that go. Returns whether any are left.
    pub(super) fn let_go(&mut self, books: &mut Books, now: Nanos) -> bool {
        let Leg { moving, line, session, .. } = self;
        moving.retain(|(place, since)| {
            let traded_at = line.places[*place].traded_at.map_or(*since, |at| at.max(*since));
            // Another one must carry it at least.
            let is_quiet = now.time_since(traded_at) > QUIET_MOVE && books.of(line, *place).carriers > 1;
            let goes = is_quiet || books.is_elsewhere(line, *place);
            if goes {
                session.subscriptions_mut().leave(*place);
            }
            !goes
        });
        for place in 0..line.places.len() {
            if session.subscriptions().is_gone(place) && !line.places[place].is_dropped && line.places[place].held == 0
            {
                books.leave(line, place);
                line.symbols.remove(place);
            }
        }
        line.places.iter().any(|place| !place.is_dropped)
    }

    /// What the connection is at.
    pub(super) fn standing(&self) -> Standing {
        let symbols = self.line.places.iter().filter(|place| !place.is_dropped).count();
        let subscribed = self.session.subscriptions().count();
        let state = if subscribed > 0 { State::Subscribed } else { State::Connected };
        Standing { state, symbols, subscribed, began: self.began, heard: self.session.heard_at() }
    }

    /// Whether the connection was ended, though its reader may not know yet.
    pub(super) fn is_shut(&self) -> bool {
        self.is_shut
    }

    /// Another connection is to take this one's place.
    pub(super) fn leave(&mut self, why: Leaving) {
        if self.leaving.is_none() {
            tracing::info!(connection = self.line.name(), "another connection is made to take this one's place: {why}");
            self.leaving = Some(why);
        }
    }

    /// Ends the connection from outside its reader, which that wakes.
    pub(super) fn end(&mut self, why: Ended) {
        if !self.is_shut {
            self.shut(&why);
            self.gone = Some(why);
        }
    }

    /// Tells the other side why, and shuts the connection, unless that was done before.
    pub(super) fn shut(&mut self, why: &Ended) {
        if !std::mem::replace(&mut self.is_shut, true) {
            self.say_goodbye(why);
            self.stream.shut();
        }
    }

    fn say_goodbye(&mut self, why: &Ended) {
        let goodbye = match why {
            Ended::Closed(code, _) => frame::close(code.unwrap_or(CLOSE_NORMAL), ""),
            Ended::Violation(violation) => frame::close(violation.close_code(), ""),
            Ended::Io(_) => return,
            _ => frame::close(CLOSE_GOING_AWAY, ""),
        };
        // The connection ends whether or not the other side hears why.
        let _ = self.stream.send(&goodbye);
    }

    /// The symbols at these places.
    fn named(&self, places: &[usize]) -> String {
        places.iter().map(|place| self.symbols[*place].as_str()).collect::<Vec<_>>().join(",")
    }

    /// A frame about the session.
    #[cold]
    pub(super) fn control(&mut self, control: Control<'_>, now: Nanos) {
        match control {
            Control::Acknowledged(about) => self.session.subscriptions_mut().acknowledged(about, now),
            Control::Unsubscribed(about) => self.session.subscriptions_mut().unsubscribed(about, now),
            Control::Standing(places) => self.session.subscriptions_mut().standing(places, now),
            Control::Refused { about, code, words } => {
                let refused = self.session.refused(about, now);
                let (connection, symbols) = (self.line.name(), self.named(&refused));
                if refused.is_empty() {
                    tracing::warn!(connection, %code, "the exchange refused a request, its symbols are asked for in parts: {words}");
                } else {
                    tracing::error!(connection, %code, %symbols, "the exchange refused a subscription, it is asked for again later: {words}");
                }
            }
            Control::Heartbeat => {}
            Control::ShuttingDown => self.leave(Leaving::Announced),
        }
        if self.session.subscriptions_mut().take_settled() {
            let symbols = self.session.subscriptions().count();
            tracing::info!(connection = self.line.name(), symbols, "subscribed");
        }
    }
}
