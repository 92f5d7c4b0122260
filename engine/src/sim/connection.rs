//! The connections, and what the simulator's threads share.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;

use super::config::SimulatorConfig;
use super::dialect::Session;
use super::fault::{Entrance, Recoveries, Requests};
use super::history::Desk;
use super::lock::lock;
use super::meter::Meter;
use super::outbound::{Mark, Outbound};
use super::schedule::Clock;

/// One client.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) peer: SocketAddr,
    /// `None` until the handshake is over.
    pub(crate) session: Mutex<Option<Session>>,
    pub(crate) outbound: Mutex<Outbound>,
    /// What the market's thread is to say, where it says everything.
    pub(crate) notes: Mutex<Vec<Note>>,
    /// Frames that the market's thread has numbered; no other touches it.
    pub(crate) numbered: AtomicU64,
}

impl Connection {
    /// Whether its handshake is over and it has not ended.
    pub(crate) fn stands(&self) -> bool {
        lock(&self.session).is_some() && lock(&self.outbound).is_open()
    }
}

/// Something to say on a connection besides trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// A reply, yet without its number.
    Reply(String),
    /// It is time for a heartbeat.
    Heartbeat,
}

/// What the simulator's threads share.
pub(crate) struct Hub {
    pub(crate) config: SimulatorConfig,
    pub(crate) meter: Meter,
    /// Where questions about the past wait for the market's thread.
    pub(crate) desk: Desk,
    /// Set when the market opens.
    pub(crate) clock: OnceLock<Clock>,
    /// Symbols in the order of their indexes.
    pub(crate) symbols: Mutex<Vec<String>>,
    connections: Mutex<Vec<Arc<Connection>>>,
    numbered: AtomicU64,
    /// Changes whenever a connection or a subscription comes or goes.
    version: AtomicU64,
    /// The version that the market's thread has attended to: everybody has been shown what was owed.
    attended: AtomicU64,
    stopping: AtomicBool,
    market_over: AtomicBool,
    cut_asked: AtomicBool,
    market: OnceLock<Thread>,
    /// What newcomers meet.
    pub(crate) entrance: Entrance,
    /// Which subscriptions go wrong.
    pub(crate) requests: Requests,
    pub(crate) recoveries: Recoveries,
}

impl Hub {
    pub(crate) fn new(config: SimulatorConfig) -> Self {
        Self {
            symbols: Mutex::new(config.symbols.clone()),
            entrance: Entrance::new(&config.faults),
            requests: Requests::new(&config.faults),
            recoveries: Recoveries::new(),
            config,
            meter: Meter::new(),
            desk: Desk::default(),
            clock: OnceLock::new(),
            connections: Mutex::new(Vec::new()),
            numbered: AtomicU64::new(0),
            version: AtomicU64::new(1),
            attended: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            market_over: AtomicBool::new(false),
            cut_asked: AtomicBool::new(false),
            market: OnceLock::new(),
        }
    }

    /// Takes a socket in, before its handshake.
    pub(crate) fn admit(&self, socket: TcpStream, peer: SocketAddr) -> Arc<Connection> {
        let number = self.numbered.fetch_add(1, Ordering::Relaxed) + 1;
        let outbound = Mutex::new(Outbound::new(socket));
        let connection = Arc::new(Connection {
            number,
            peer,
            session: Mutex::new(None),
            outbound,
            notes: Mutex::new(Vec::new()),
            numbered: AtomicU64::new(0),
        });
        lock(&self.connections).push(Arc::clone(&connection));
        self.entrance.receive(&connection);
        connection
    }

    /// Forgets a connection and makes sure that its socket is shut.
    pub(crate) fn dismiss(&self, connection: &Arc<Connection>) {
        lock(&connection.outbound).cut();
        lock(&self.connections).retain(|other| !Arc::ptr_eq(other, connection));
        self.changed();
    }

    /// All connections, also those whose handshake is not over.
    pub(crate) fn connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.connections).clone()
    }

    /// Puts whole frames on a connection's wire, and cuts it if its reader has left too much unsent.
    pub(crate) fn send(&self, connection: &Connection, frames: &[u8], marks: &[Mark]) {
        let mut outbound = lock(&connection.outbound);
        outbound.append(frames, marks);
        self.settle(&mut outbound);
        let unwritten = outbound.unwritten();
        if unwritten > self.config.backlog_bytes && !self.config.waits_for_readers() {
            outbound.cut();
            self.meter.slow_readers_cut.fetch_add(1, Ordering::Relaxed);
            let (number, peer) = (connection.number, connection.peer);
            tracing::warn!(connection = number, %peer, unwritten, "slow reader cut");
        }
    }

    /// Writes what a connection has left unsent; returns what is left then.
    pub(crate) fn flush(&self, connection: &Connection) -> usize {
        let mut outbound = lock(&connection.outbound);
        if outbound.unwritten() > 0 {
            outbound.flush();
            self.settle(&mut outbound);
        }
        outbound.unwritten()
    }

    /// Accounts for the frames that were written just now.
    fn settle(&self, outbound: &mut Outbound) {
        if let Some(clock) = self.clock.get()
            && outbound.has_written_dues()
        {
            self.meter.written(clock.now_ns(), outbound.written_dues());
        }
    }

    /// Tells the market's thread that connections or subscriptions changed.
    pub(crate) fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
        self.wake_market();
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The market's thread has attended to this version.
    pub(crate) fn attended(&self, version: u64) {
        self.attended.store(version, Ordering::Release);
    }

    /// Whether it has to everything that has changed.
    pub(crate) fn is_attended(&self) -> bool {
        self.attended.load(Ordering::Acquire) == self.version()
    }

    pub(crate) fn is_market(&self, thread: Thread) {
        // Set once: there is one such thread.
        let _ = self.market.set(thread);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake_market();
    }

    /// Whether the market has been told to make no more trades.
    pub(crate) fn is_market_over(&self) -> bool {
        self.market_over.load(Ordering::Acquire)
    }

    /// Has the market make no more trades.
    pub(crate) fn end_market(&self) {
        self.market_over.store(true, Ordering::Release);
        self.wake_market();
    }

    /// The number of the newest connection.
    pub(crate) fn newest(&self) -> u64 {
        self.numbered.load(Ordering::Relaxed)
    }

    /// Has the market's thread drop every connection between two batches.
    pub(crate) fn ask_for_cut(&self) {
        self.cut_asked.store(true, Ordering::Release);
        self.wake_market();
    }

    /// Drops every connection if that was asked for.
    pub(crate) fn cut_if_asked(&self) {
        if self.cut_asked.load(Ordering::Relaxed) && self.cut_asked.swap(false, Ordering::Acquire) {
            self.drop_connections(|_| true);
        }
    }

    /// Drops every connection.
    pub(crate) fn cut_all(&self) {
        for connection in self.connections() {
            lock(&connection.outbound).cut();
        }
    }

    pub(crate) fn wake_market(&self) {
        if let Some(market) = self.market.get() {
            market.unpark();
        }
    }

    /// Connections whose handshake is over, and bytes unwritten on all of them.
    pub(crate) fn standing(&self) -> (usize, usize) {
        self.connections()
            .iter()
            .filter(|connection| lock(&connection.session).is_some())
            .fold((0, 0), |(open, bytes), connection| (open + 1, bytes + lock(&connection.outbound).unwritten()))
    }
}
