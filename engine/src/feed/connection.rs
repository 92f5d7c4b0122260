//! One connection, for as long as the engine runs: connect, subscribe, read, and again after every end.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::wait::{Wait, Waiter};
use super::{FeedCore, Instrument, Line, Outcome};
use crate::avro::SymbolPrefix;
use crate::clock::Nanos;
use crate::cores::CpuSet;
use crate::net::dial::{DialError, Dialed, dial};
use crate::net::stream::Stream;
use crate::session::{Backoff, Session, Step};
use crate::venue::{Control, Exchange, Subscription, Venue};
use crate::ws::buffer::ReceiveBuffer;
use crate::ws::deframe::{Deframer, Message, Violation};
use crate::ws::frame;

/// Bytes of a connection's receive buffer at first; it grows for a frame that needs more.
const BUFFER_INITIAL: usize = 64 * 1024;
/// How long a connection rests when the ring has no room, before it looks again.
const RING_FULL_REST: Duration = Duration::from_micros(100);
/// How often the arrival of a new connection is looked for.
const DIAL_POLL: Duration = Duration::from_millis(1);
/// Closing because the process stops, or to go elsewhere.
const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_NORMAL: u16 = 1000;

/// What a feed core is told about one of its connections.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The feed, an index into the plan's feeds.
    pub feed: u16,
    /// The exchange.
    pub exchange: Exchange,
    /// The connection's number among those of its exchange.
    pub number: usize,
    /// Where to connect and what to ask for.
    pub subscription: Subscription,
    /// The symbols with what their records begin with.
    pub instruments: Vec<(String, SymbolPrefix)>,
}

/// What connections need of the engine.
#[derive(Clone)]
pub struct Surroundings {
    /// Trusted roots.
    pub tls: Arc<ClientConfig>,
    /// CPUs on which connections are made.
    pub housekeeping: CpuSet,
    /// How to wait for bytes.
    pub wait: Wait,
    /// Longest message, in bytes.
    pub max_frame_bytes: usize,
    /// Whether a connection that finds the ring full is not read (else its trades are dropped).
    pub stop_reading: bool,
}

/// A connection that is up, shared by its reader and the core's ticker.
pub struct Live {
    stream: Stream,
    session: Session,
    gone: Option<Ended>,
}

/// The place of a connection: empty while it is being made.
pub type Slot = Rc<RefCell<Option<Live>>>;

/// Why a connection came to its end.
#[derive(Debug)]
enum Ended {
    Closed(Option<u16>, String),
    Io(io::Error),
    Violation(Violation),
    GaveUp(&'static str),
    Announced,
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
                    let request = frame::text(text);
                    if let Err(error) = self.stream.send(&request) {
                        return self.end(Ended::Io(error));
                    }
                }
                Step::GiveUp(why) => return self.end(Ended::GaveUp(why)),
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
            let _ = self.stream.socket().shutdown(std::net::Shutdown::Both);
            self.gone = Some(why);
        }
    }

    fn say_goodbye(&mut self, why: &Ended) {
        let goodbye = match why {
            Ended::Closed(code, _) => frame::close(code.unwrap_or(CLOSE_NORMAL), ""),
            Ended::Violation(violation) => frame::close(violation.close_code(), ""),
            Ended::Stopping | Ended::GaveUp(_) | Ended::Announced => frame::close(CLOSE_GOING_AWAY, ""),
            Ended::Io(_) => return,
        };
        // The connection ends whether or not the other side hears why.
        let _ = self.stream.send(&goodbye);
    }
}

/// The task of one connection.
pub struct Connection<V> {
    core: Rc<RefCell<FeedCore>>,
    slot: Slot,
    stopping: Rc<Cell<bool>>,
    surroundings: Surroundings,
    exchange: Exchange,
    number: usize,
    subscription: Subscription,
    line: Line<V>,
    buffer: ReceiveBuffer,
    backoff: Backoff,
}

impl<V: Venue> Connection<V> {
    /// The connection that `assignment` describes.
    pub fn new(
        assignment: Assignment,
        surroundings: Surroundings,
        core: Rc<RefCell<FeedCore>>,
        slot: Slot,
        stopping: Rc<Cell<bool>>,
    ) -> Self {
        let Assignment { feed, exchange, number, subscription, instruments } = assignment;
        let instruments = instruments.into_iter().map(|(symbol, prefix)| Instrument::new(symbol, prefix)).collect();
        let line = Line::new(V::new(&subscription), feed, name(exchange, number, 0), instruments);
        let buffer = ReceiveBuffer::new(BUFFER_INITIAL, Deframer::buffer_needed(surroundings.max_frame_bytes));
        let backoff = Backoff::new(fastrand::u64(..));
        Connection { core, slot, stopping, surroundings, exchange, number, subscription, line, buffer, backoff }
    }

    /// Connects, reads, and connects again, until the engine stops.
    pub async fn attend(mut self) {
        let mut connected = 0u64;
        while !self.stopping.get() {
            match self.dial().await {
                Ok(dialed) => {
                    connected += 1;
                    self.core.borrow_mut().tally().reconnects += u64::from(connected > 1);
                    let ended = self.serve(dialed, connected).await;
                    self.report_end(&ended).await;
                }
                Err(error) => {
                    let wait = self.backoff.next_wait();
                    let retry_in_ms = wait.as_millis() as u64;
                    tracing::warn!(exchange = %self.exchange, url = %self.subscription.url, retry_in_ms, "no connection: {error}");
                    glommio::timer::sleep(wait).await;
                }
            }
        }
    }

    /// Makes the connection on a thread of its own, off this core.
    async fn dial(&self) -> Result<Dialed, DialError> {
        let (url, tls, cpus) =
            (self.subscription.url.clone(), self.surroundings.tls.clone(), self.surroundings.housekeeping.clone());
        let (sender, receiver) = crossbeam::channel::bounded(1);
        let dialer = std::thread::Builder::new().name("k2-dial".into()).spawn(move || {
            cpus.apply();
            // Nobody listens any more if the engine has stopped meanwhile.
            let _ = sender.send(dial(&url, &tls));
        });
        dialer.map_err(DialError::Io)?;
        loop {
            match receiver.try_recv() {
                Ok(outcome) => return outcome,
                Err(_) => glommio::timer::sleep(DIAL_POLL).await,
            }
        }
    }

    /// Attends to a connection from its upgrade to its end.
    async fn serve(&mut self, dialed: Dialed, attempt: u64) -> Ended {
        let name = name(self.exchange, self.number, attempt);
        tracing::info!(connection = name, url = %self.subscription.url, peer = %dialed.peer, kernel_timestamps = dialed.timestamps, "connected");
        self.line.rename(name);
        self.buffer.clear();
        self.buffer.extend(&dialed.leftover);
        let waiter = match Waiter::new(self.surroundings.wait, &dialed.stream) {
            Ok(waiter) => waiter,
            Err(error) => return Ended::Io(error),
        };
        let session = Session::new(self.subscription.requests.clone(), V::LIMITS, Nanos::now());
        let mut live = Live { stream: dialed.stream, session, gone: None };
        live.tick(Nanos::now());
        *self.slot.borrow_mut() = Some(live);
        let ended = self.read(waiter).await;
        let live = self.slot.borrow_mut().take();
        if let Some(mut live) = live {
            let ended = live.gone.take().unwrap_or_else(|| {
                live.say_goodbye(&ended);
                ended
            });
            live.stream.close();
            return ended;
        }
        ended
    }

    /// Reads until the connection ends. This is the loop that everything else serves.
    async fn read(&mut self, mut waiter: Waiter) -> Ended {
        let mut deframer = Deframer::new(self.surroundings.max_frame_bytes);
        let mut received_at = Nanos::now();
        loop {
            match self.process(&mut deframer, received_at) {
                Ok(Progress::Drained) => {}
                Ok(Progress::RingFull) => {
                    glommio::timer::sleep(RING_FULL_REST).await;
                    continue;
                }
                Err(ended) => return ended,
            }
            match self.receive() {
                Ok(Some(at)) => received_at = at,
                Ok(None) => waiter.readable().await,
                Err(ended) => return ended,
            }
        }
    }

    /// Receives what is there: when it came, or `None` if nothing was.
    #[inline]
    fn receive(&mut self) -> Result<Option<Nanos>, Ended> {
        let mut slot = self.slot.borrow_mut();
        let live = slot.as_mut().expect("a connection that is read is up");
        if live.gone.is_some() {
            return Err(Ended::Stopping);
        }
        match live.stream.receive(&mut self.buffer) {
            Ok(received) if received.bytes == 0 => Err(Ended::Closed(None, String::new())),
            Ok(received) => {
                let at = self.core.borrow_mut().received(received.kernel_ns);
                live.session.heard(at);
                Ok(Some(at))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(Ended::Io(error)),
        }
    }

    /// Takes all whole messages out of the receive buffer.
    #[inline]
    fn process(&mut self, deframer: &mut Deframer, received: Nanos) -> Result<Progress, Ended> {
        let core = &mut *self.core.borrow_mut();
        let mut slot = self.slot.borrow_mut();
        let live = slot.as_mut().expect("a connection that is read is up");
        while let Some(message) = deframer.next(&mut self.buffer).map_err(Ended::Violation)? {
            match message {
                Message::Text(payload) => {
                    if self.surroundings.stop_reading && !core.has_room(&self.line, payload.len()) {
                        deframer.put_back();
                        core.tally().ring_full += 1;
                        core.batch_done();
                        return Ok(Progress::RingFull);
                    }
                    match core.text(&mut self.line, payload, received) {
                        Outcome::Data => self.backoff.proven(),
                        Outcome::Control(control) => live.control(control, &self.line.name)?,
                        Outcome::Rejected(reject) => {
                            tracing::warn!(
                                connection = self.line.name,
                                "frame rejected, see the dead-letter topic: {reject}"
                            );
                            if reject.is_not_utf8() {
                                return Err(Ended::Violation(Violation::Utf8));
                            }
                        }
                    }
                }
                Message::Binary(payload) => {
                    let reject = core.binary(&self.line, payload, received);
                    tracing::warn!(connection = self.line.name, "frame rejected, see the dead-letter topic: {reject}");
                }
                Message::Ping(payload) => live.stream.send(&frame::pong(payload)).map_err(Ended::Io)?,
                Message::Pong(_) => {}
                Message::Close(code, words) => return Err(Ended::Closed(code, words.to_string())),
            }
        }
        core.batch_done();
        Ok(Progress::Drained)
    }

    /// Says what happened and what is done about it, and waits accordingly.
    async fn report_end(&mut self, ended: &Ended) {
        let connection = &self.line.name;
        match ended {
            Ended::Stopping => tracing::info!(connection, "closed: {ended}"),
            Ended::Announced => tracing::info!(connection, retry_in_ms = 0, "connection ended: {ended}"),
            _ => {
                let wait = self.backoff.next_wait();
                tracing::warn!(connection, retry_in_ms = wait.as_millis() as u64, "connection ended: {ended}");
                glommio::timer::sleep(wait).await;
            }
        }
    }
}

/// How far the receive buffer was processed.
enum Progress {
    Drained,
    RingFull,
}

impl Live {
    #[cold]
    fn control(&mut self, control: Control<'_>, connection: &str) -> Result<(), Ended> {
        match control {
            Control::Acknowledged(id) => {
                if self.session.acknowledged(id) {
                    tracing::info!(connection, "subscribed");
                }
            }
            Control::Refused { id, code, words } => {
                let (request, _) = self.session.refused(id);
                tracing::error!(connection, code, request, "the exchange refused a request: {words}");
            }
            Control::ShuttingDown => return Err(Ended::Announced),
        }
        Ok(())
    }
}

/// The name of a connection in records and logs.
fn name(exchange: Exchange, number: usize, attempt: u64) -> String {
    format!("{exchange}-{number}.{attempt}")
}
