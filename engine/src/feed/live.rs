//! A connection that is up: what its reader and the core's ticker share.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use crate::clock::Nanos;
use crate::net::stream::Stream;
use crate::session::{Session, Step};
use crate::venue::Control;
use crate::ws::deframe::Violation;
use crate::ws::frame;

/// Closing because the engine goes elsewhere, or stops.
const CLOSE_GOING_AWAY: u16 = 1001;
/// Answering a close that gave no code.
const CLOSE_NORMAL: u16 = 1000;

/// A connection that is up, shared by its reader and the core's ticker.
pub struct Live {
    pub(super) stream: Stream,
    pub(super) session: Session,
    /// The connection's name.
    pub(super) name: String,
    /// What it carries.
    pub(super) symbols: Vec<String>,
    /// Why the connection was ended from outside its reader.
    pub(super) gone: Option<Ended>,
}

/// The place of a connection: empty while it is being made.
pub type Slot = Rc<RefCell<Option<Live>>>;

/// Why a connection came to its end.
#[derive(Debug)]
pub(super) enum Ended {
    Closed(Option<u16>, String),
    Io(io::Error),
    Violation(Violation),
    GaveUp(&'static str),
    Announced,
    Aged,
    Stopping,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Closed(Some(code), words) => write!(f, "the exchange closed it with code {code} {words:?}"),
            Ended::Closed(None, _) => f.write_str("the exchange closed it"),
            Ended::Io(error) => write!(f, "it broke: {error}"),
            Ended::Violation(violation) => violation.fmt(f),
            Ended::GaveUp(why) => f.write_str(why),
            Ended::Announced => f.write_str("the exchange announced its shutdown"),
            Ended::Aged => f.write_str("it is as old as the exchange lets it become"),
            Ended::Stopping => f.write_str("the engine stops"),
        }
    }
}

impl Live {
    /// What time brings: requests that are due, patience that is over.
    pub fn tick(&mut self, now: Nanos) {
        loop {
            match self.session.step(now) {
                Step::Send(text) => {
                    let request = frame::text(&text);
                    if let Err(error) = self.stream.send(&request) {
                        return self.end(Ended::Io(error));
                    }
                }
                Step::Unanswered(places) => {
                    let symbols = self.named(&places);
                    tracing::error!(connection = self.name, %symbols, "the exchange did not acknowledge a subscription, it is asked for again later");
                }
                Step::GiveUp(why) => return self.end(Ended::GaveUp(why)),
                Step::Renew => return self.end(Ended::Aged),
                Step::Wait => break,
            }
        }
        if let Err(error) = self.stream.flush() {
            self.end(Ended::Io(error));
        }
    }

    /// The engine stops: no more is read.
    pub fn stop(&mut self) {
        self.end(Ended::Stopping);
    }

    /// Ends the connection from outside its reader, which a shut socket wakes.
    fn end(&mut self, why: Ended) {
        if self.gone.is_none() {
            self.say_goodbye(&why);
            let _ = self.stream.socket().shutdown(Shutdown::Both);
            self.gone = Some(why);
        }
    }

    /// Tells the other side why.
    pub(super) fn say_goodbye(&mut self, why: &Ended) {
        let goodbye = match why {
            Ended::Closed(code, _) => frame::close(code.unwrap_or(CLOSE_NORMAL), ""),
            Ended::Violation(violation) => frame::close(violation.close_code(), ""),
            Ended::Stopping | Ended::GaveUp(_) | Ended::Announced | Ended::Aged => frame::close(CLOSE_GOING_AWAY, ""),
            Ended::Io(_) => return,
        };
        // The connection ends whether or not the other side hears why.
        let _ = self.stream.send(&goodbye);
    }

    /// The symbols at these places.
    fn named(&self, places: &[usize]) -> String {
        places.iter().map(|place| self.symbols[*place].as_str()).collect::<Vec<_>>().join(",")
    }

    /// A frame about the session. Returns why the connection is to end, if it is.
    #[cold]
    pub(super) fn control(&mut self, control: Control<'_>) -> Option<Ended> {
        let now = Nanos::now();
        match control {
            Control::Acknowledged(about) => self.session.subscriptions().acknowledged(about, now),
            Control::Unsubscribed(about) => self.session.subscriptions().unsubscribed(about, now),
            Control::Standing(places) => self.session.subscriptions().standing(places, now),
            Control::Refused { about, code, words } => {
                let refused = self.session.refused(about, now);
                if refused.is_empty() {
                    tracing::warn!(connection = self.name, %code, "the exchange refused a request, its symbols are asked for in parts: {words}");
                } else {
                    let symbols = self.named(&refused);
                    tracing::error!(connection = self.name, %code, %symbols, "the exchange refused a subscription, it is asked for again later: {words}");
                }
            }
            Control::Heartbeat => {}
            Control::ShuttingDown => return Some(Ended::Announced),
        }
        if self.session.subscriptions().take_settled() {
            tracing::info!(connection = self.name, symbols = self.session.subscriptions().count(), "subscribed");
        }
        None
    }
}
