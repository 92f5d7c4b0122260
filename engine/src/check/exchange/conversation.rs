//! What is said on a connection until a symbol is acknowledged, and a moment longer: for a first trade.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use bumpalo::Bump;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::{Nanos, unix_now_ns};
use crate::net::dial::Dialed;
use crate::net::stream::Stream;
use crate::session::{Session, Step};
use crate::venue::json::Json;
use crate::venue::{Control, Frame, Requests, Subscription, Symbols, Venue, Visit};
use crate::ws::buffer::ReceiveBuffer;
use crate::ws::deframe::{Deframer, Message};
use crate::ws::frame;

/// How long a trade is waited for once the symbol is acknowledged.
const TRADE_PATIENCE: Duration = Duration::from_secs(3);
/// The same where the address subscribes, and a trade is the only answer.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(10);
/// How often the session's clocks are looked at.
const TICK_MS: u16 = 50;
/// Bytes of the receive buffer at first.
const BUFFER_INITIAL: usize = 64 * 1024;
/// We have what we came for.
const CLOSE_NORMAL: u16 = 1000;

/// A conversation about the one symbol of `way`.
pub(super) struct Ask<'a> {
    pub(super) way: &'a Subscription,
    pub(super) dialed: Dialed,
    /// Longest message, in bytes.
    pub(super) max_frame_bytes: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How long the exchange took to acknowledge the symbol; not if the address subscribes.
    pub(super) acknowledged: Option<Duration>,
    /// The first trade, if one came.
    pub(super) trade: Option<Traded>,
}

/// A trade that came.
#[derive(Debug)]
pub(super) struct Traded {
    /// After the upgrade.
    pub(super) after: Duration,
    /// How long ago it took place, by our clock and the exchange's; less than nothing if ours is behind.
    pub(super) age_ns: i64,
}

impl Visit for Ask<'_> {
    type Output = Result<Heard, String>;

    fn visit<V: Venue>(self) -> Self::Output {
        let Ask { way, dialed, max_frame_bytes } = self;
        let began = Nanos::now();
        let names = way.instruments.iter().map(|instrument| instrument.requested.clone());
        let requests = Requests::of::<V>(way.endpoint.clone());
        let session = Session::new(V::FACTS.limits, requests, names, way.by_address, 1.0, began);
        let mut buffer = ReceiveBuffer::new(BUFFER_INITIAL, Deframer::buffer_needed(max_frame_bytes));
        buffer.extend(&dialed.leftover);
        let mut conversation = Conversation {
            venue: V::new(way),
            symbol: way.instruments[0].symbol.clone(),
            symbols: Symbols::new(&way.instruments),
            by_address: way.by_address,
            session,
            stream: dialed.stream,
            buffer,
            deframer: Deframer::new(max_frame_bytes),
            json: Json::default(),
            arena: Bump::new(),
            began,
            heard: Heard::default(),
        };
        let outcome = conversation.hold();
        // It ends whether or not the other side hears it.
        let _ = conversation.stream.send(&frame::close(CLOSE_NORMAL, ""));
        conversation.stream.shut();
        outcome.map(|()| conversation.heard)
    }
}

struct Conversation<V> {
    venue: V,
    symbol: String,
    symbols: Symbols,
    by_address: bool,
    session: Session,
    stream: Stream,
    buffer: ReceiveBuffer,
    deframer: Deframer,
    json: Json,
    arena: Bump,
    began: Nanos,
    heard: Heard,
}

impl<V: Venue> Conversation<V> {
    /// Goes on until a trade came, or none did in time.
    fn hold(&mut self) -> Result<(), String> {
        loop {
            let now = Nanos::now();
            self.listen(now)?;
            if self.is_over(now) {
                return Ok(());
            }
            match self.session.step(now) {
                Step::Send(text) => self.send(&frame::text(&text))?,
                Step::GiveUp(why) => return Err(format!("{}: {why}", self.symbol)),
                Step::Unanswered(_) => return Err(format!("{} was not acknowledged in time", self.symbol)),
                Step::Renew | Step::Wait => self.receive(now)?,
            }
        }
    }

    fn is_over(&self, now: Nanos) -> bool {
        let since = now.time_since(self.began);
        let is_late = match self.heard.acknowledged {
            Some(after) => since > after + TRADE_PATIENCE,
            None => self.by_address && since > ADDRESS_PATIENCE,
        };
        self.heard.trade.is_some() && (self.by_address || self.heard.acknowledged.is_some()) || is_late
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.send(bytes).map_err(broke)
    }

    /// Receives what is there, or waits a moment for it.
    fn receive(&mut self, now: Nanos) -> Result<(), String> {
        self.stream.flush().map_err(broke)?;
        match self.stream.receive(&mut self.buffer) {
            Ok(received) if received.bytes == 0 => Err("the exchange closed the connection".into()),
            Ok(_) => {
                self.session.heard(now);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut sockets = [PollFd::new(self.stream.socket().as_fd(), PollFlags::POLLIN)];
                // Whatever it says, the next reading knows better.
                let _ = poll(&mut sockets, PollTimeout::from(TICK_MS));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(broke(error)),
        }
    }

    /// Takes all whole messages out of what was received.
    fn listen(&mut self, now: Nanos) -> Result<(), String> {
        let Conversation { venue, symbol, symbols, session, stream, buffer, deframer, json, arena, heard, .. } = self;
        let after = now.time_since(self.began);
        while let Some(message) = deframer.next(buffer).map_err(|violation| violation.to_string())? {
            match message {
                Message::Text(payload) => {
                    arena.reset();
                    match venue.decode(payload, symbols, json, &*arena) {
                        Ok(Frame::Trades(trades)) => {
                            let last = trades.last().filter(|_| heard.trade.is_none());
                            let traded = last.map(|last| unix_now_ns() - last.exchange_time_ns);
                            heard.trade = heard.trade.take().or(traded.map(|age_ns| Traded { after, age_ns }));
                        }
                        Ok(Frame::NoTrade { .. }) => {}
                        Ok(Frame::Control(control)) => answered(control, session, symbol, now)?,
                        Err(reject) => return Err(format!("a frame cannot be decoded: {reject}")),
                    }
                }
                Message::Ping(payload) => stream.send(&frame::pong(payload)).map_err(broke)?,
                Message::Binary(_) | Message::Pong(_) => {}
                Message::Close(code, words) => {
                    let code = code.map_or(String::new(), |code| format!(" with code {code}"));
                    return Err(format!("the exchange closed the connection{code} {words:?}"));
                }
            }
        }
        let stands = !self.by_address && session.subscriptions().count() > 0;
        heard.acknowledged = heard.acknowledged.or(stands.then_some(after));
        Ok(())
    }
}

/// Tells the session what the exchange says about it.
fn answered(control: Control<'_>, session: &mut Session, symbol: &str, now: Nanos) -> Result<(), String> {
    let subscriptions = session.subscriptions_mut();
    match control {
        Control::Acknowledged(about) => subscriptions.acknowledged(about, now),
        Control::Standing(places) => subscriptions.standing(places, now),
        Control::Refused { code, words, .. } => {
            let code = if code.is_empty() { String::new() } else { format!(" (code {code})") };
            return Err(format!("the exchange refuses {symbol}{code}: {words}: see whether it has that symbol"));
        }
        Control::ShuttingDown => return Err("the exchange announces its shutdown: connect later".into()),
        Control::Unsubscribed(_) | Control::Heartbeat => {}
    }
    Ok(())
}

fn broke(error: io::Error) -> String {
    format!("the connection broke: {error}")
}
