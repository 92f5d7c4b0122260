//! One connection, for as long as the engine runs: connect, subscribe, read, and again after every end.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::live::{Ended, Live, Slot};
use super::wait::Waiter;
use super::{FeedCore, Line, Outcome};
use crate::avro::SymbolPrefix;
use crate::clock::Nanos;
use crate::config::shown;
use crate::cores::{CpuSet, Wait};
use crate::net::dial::{DialError, Dialed, dial};
use crate::pace::Pace;
use crate::session::backoff::Bounds;
use crate::session::{Backoff, Session};
use crate::throttle::Throttle;
use crate::venue::{Protocol, Reject, Requests, Subscription, Venue};
use crate::ws::buffer::ReceiveBuffer;
use crate::ws::deframe::{Deframer, Message, Violation};
use crate::ws::frame;

/// Bytes of a connection's receive buffer at first; it grows for a frame that needs more.
const BUFFER_INITIAL: usize = 64 * 1024;
/// How long a connection rests when the ring has no room, before it looks again.
const RING_FULL_REST: Duration = Duration::from_micros(100);
/// How often the arrival of a new connection is looked for.
const DIAL_POLL: Duration = Duration::from_millis(1);
/// How often a connection that waits for its turn looks whether the engine stops.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// Rejected frames are logged no more often than this, the first of them with its reason.
const REJECT_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// What a feed core is told about one of its connections.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The feed, an index into the plan's feeds.
    pub feed: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The connection's number among those of its exchange.
    pub number: usize,
    /// Where to connect and what to ask for.
    pub subscription: Subscription,
    /// What the records of each instrument begin with.
    pub prefixes: Vec<SymbolPrefix>,
    /// Whether other connections carry the same.
    pub has_twins: bool,
    /// When connections to the exchange may be made.
    pub pace: Pace,
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

/// The task of one connection.
pub struct Connection<V> {
    core: Rc<RefCell<FeedCore>>,
    slot: Slot,
    stopping: Rc<Cell<bool>>,
    surroundings: Surroundings,
    number: usize,
    subscription: Subscription,
    pace: Pace,
    line: Line<V>,
    buffer: ReceiveBuffer,
    backoff: Backoff,
    /// Whether market data has come on this connection.
    proven: bool,
    throttle: Throttle,
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
        let Assignment { feed, protocol: _, number, subscription, prefixes, has_twins, pace } = assignment;
        let line = core.borrow_mut().line(&subscription, feed, name::<V>(number, 0), prefixes, has_twins);
        let buffer = ReceiveBuffer::new(BUFFER_INITIAL, Deframer::buffer_needed(surroundings.max_frame_bytes));
        let backoff = Backoff::new(Bounds::default(), fastrand::u64(..));
        let throttle = Throttle::new(REJECT_LOG_INTERVAL);
        Connection {
            core,
            slot,
            stopping,
            surroundings,
            number,
            subscription,
            pace,
            line,
            buffer,
            backoff,
            proven: false,
            throttle,
        }
    }

    /// Connects, reads, and connects again, until the engine stops.
    pub async fn attend(mut self) {
        let mut connected = 0u64;
        while !self.stopping.get() {
            self.wait_for_turn().await;
            match self.dial().await {
                // It came too late: nobody would tell it to end.
                Ok(_) if self.stopping.get() => {}
                Ok(dialed) => {
                    connected += 1;
                    self.core.borrow_mut().tally().reconnects += u64::from(connected > 1);
                    let ended = self.serve(dialed, connected).await;
                    self.report_end(&ended).await;
                }
                Err(error) => {
                    let wait = self.backoff.next_wait();
                    let retry_in_ms = wait.as_millis() as u64;
                    tracing::warn!(exchange = V::FACTS.exchange, url = %shown(&self.subscription.endpoint.url), retry_in_ms, "no connection: {error}");
                    glommio::timer::sleep(wait).await;
                }
            }
        }
    }

    /// Waits until the exchange allows one more connection.
    async fn wait_for_turn(&self) {
        let turn = self.pace.take_turn(Nanos::now(), V::FACTS.limits.connects);
        while !self.stopping.get() && Nanos::now().0 < turn.0 {
            let left = Duration::from_nanos(turn.since(Nanos::now()));
            glommio::timer::sleep(left.min(LONGEST_WAIT)).await;
        }
    }

    /// Makes the connection on a thread of its own, off this core.
    async fn dial(&self) -> Result<Dialed, DialError> {
        let (url, tls, cpus) = (
            self.subscription.endpoint.url.clone(),
            self.surroundings.tls.clone(),
            self.surroundings.housekeeping.clone(),
        );
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
        let name = name::<V>(self.number, attempt);
        tracing::info!(connection = name, url = %shown(&self.subscription.endpoint.url), peer = %dialed.peer, kernel_timestamps = dialed.timestamps, "connected");
        self.line.begin(name);
        self.buffer.clear();
        self.buffer.extend(&dialed.leftover);
        let waiter = match Waiter::new(self.surroundings.wait, &dialed.stream) {
            Ok(waiter) => waiter,
            Err(error) => return Ended::Io(error),
        };
        let Subscription { endpoint, instruments, by_address } = &self.subscription;
        let names = instruments.iter().map(|instrument| instrument.requested.clone());
        let requests = Requests::of::<V>(endpoint.clone());
        let session = Session::new(V::FACTS.limits, requests, names, *by_address, fastrand::f64(), Nanos::now());
        let symbols = instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
        let name = self.line.name().to_string();
        let mut live = Live { stream: dialed.stream, session, name, symbols, gone: None };
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
                // Whoever could make room may be gone, so the wish to stop counts here, too.
                Ok(Progress::RingFull) if self.stopping.get() => return Ended::Stopping,
                Ok(Progress::RingFull) => {
                    if let Err(ended) = self.hold() {
                        return ended;
                    }
                    glommio::timer::sleep(RING_FULL_REST).await;
                    continue;
                }
                Err(ended) => return ended,
            }
            match self.receive() {
                Ok(Some(at)) => {
                    received_at = at;
                    // A connection that always has more must not keep the others, and the clock, from their turn.
                    glommio::executor().yield_if_needed().await;
                }
                Ok(None) => waiter.readable().await,
                Err(ended) => return ended,
            }
        }
    }

    /// The ring is full, so the connection is not read: that it is not heard is not the exchange's silence.
    fn hold(&mut self) -> Result<(), Ended> {
        let mut slot = self.slot.borrow_mut();
        let live = slot.as_mut().expect("a connection that is read is up");
        live.session.held(Nanos::now());
        if live.gone.is_some() { Err(Ended::Stopping) } else { Ok(()) }
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

    /// Takes all whole messages out of the receive buffer, and tells the producer core.
    #[inline]
    fn process(&mut self, deframer: &mut Deframer, received: Nanos) -> Result<Progress, Ended> {
        let progress = self.take_messages(deframer, received);
        self.core.borrow_mut().batch_done();
        progress
    }

    #[inline]
    fn take_messages(&mut self, deframer: &mut Deframer, received: Nanos) -> Result<Progress, Ended> {
        let core = &mut *self.core.borrow_mut();
        let mut slot = self.slot.borrow_mut();
        let live = slot.as_mut().expect("a connection that is read is up");
        // What came with the notice is still taken.
        let mut announced = None;
        while let Some(message) = deframer.next(&mut self.buffer).map_err(Ended::Violation)? {
            if let Message::Text(payload) | Message::Binary(payload) = &message
                && self.surroundings.stop_reading
                && !core.has_room(&self.line, payload)
            {
                deframer.put_back();
                core.tally().ring_full += 1;
                return Ok(Progress::RingFull);
            }
            match message {
                Message::Text(payload) => match core.text(&mut self.line, payload, received) {
                    Outcome::Data => {
                        self.backoff.proven();
                        self.proven = true;
                    }
                    Outcome::Control(control) => announced = live.control(control).or(announced),
                    Outcome::Rejected(reject) => {
                        log_reject(&mut self.throttle, &self.line.name, &reject);
                        if reject.is_not_utf8() {
                            return Err(Ended::Violation(Violation::Utf8));
                        }
                    }
                },
                Message::Binary(payload) => {
                    let reject = core.binary(&self.line, payload, received);
                    log_reject(&mut self.throttle, &self.line.name, &reject);
                }
                Message::Ping(payload) => live.stream.send(&frame::pong(payload)).map_err(Ended::Io)?,
                Message::Pong(_) => {}
                Message::Close(code, words) => return Err(Ended::Closed(code, words.to_string())),
            }
        }
        announced.map_or(Ok(Progress::Drained), Err)
    }

    /// Says what happened and what is done about it, and waits accordingly.
    async fn report_end(&mut self, ended: &Ended) {
        let connection = &self.line.name;
        match ended {
            Ended::Stopping => tracing::info!(connection, "closed: {ended}"),
            // Elsewhere the exchange may be well, unless this one had brought nothing, either.
            Ended::Announced | Ended::Aged if std::mem::take(&mut self.proven) => {
                tracing::info!(connection, retry_in_ms = 0, "connection ended: {ended}");
            }
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

#[cold]
fn log_reject(throttle: &mut Throttle, connection: &str, reject: &Reject) {
    if let Some(held_back) = throttle.pass(Nanos::now()) {
        tracing::warn!(connection, held_back, "frame rejected, see the dead-letter topic: {reject}");
    }
}

/// The name of a connection in records and logs.
fn name<V: Venue>(number: usize, attempt: u64) -> String {
    format!("{}-{number}.{attempt}", V::FACTS.exchange)
}
