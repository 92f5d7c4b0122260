//! Start, watch, stop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::config::{SimError, SimulatorConfig};
use super::connection::Hub;
use super::dialect;
use super::driver::{Driver, Source};
use super::generator::Generator;
use super::lock::lock;
use super::meter::{Progress, Summary};
use super::outbound::write_text_frame;
use super::replay::Replayer;
use super::schedule::unix_ns;
use super::server;
use super::wire::Wire;

/// RFC 6455, 7.4.1: the endpoint is going away.
const GOING_AWAY: u16 = 1001;
/// To reach our own listening thread.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);
/// Between looks whether clients have gone.
const LOOK: Duration = Duration::from_millis(1);

/// A running exchange. Dropping it without [`stop`](Self::stop) leaves it running until the process ends.
pub struct Simulator {
    hub: Arc<Hub>,
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

/// Listens, and starts the threads `sim-accept` and `sim-market`; each client gets a thread `sim-client`.
///
/// # Errors
/// If the configuration cannot be carried out, the recording cannot be used, or the address is not to be had.
pub fn start(config: SimulatorConfig) -> Result<Simulator, SimError> {
    config.check()?;
    let replayer = config.replay.as_ref().map(|replay| Replayer::new(replay, config.protocol)).transpose()?;
    let generator = Generator::new(&config);
    let listening = |cause| SimError::Listen { address: config.listen, cause };
    let listener = TcpListener::bind(config.listen).map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;

    let hub = Arc::new(Hub::new(config));
    let mut simulator = Simulator { hub: Arc::clone(&hub), address, threads: Vec::new() };
    match replayer {
        Some(replayer) => simulator.run_market(replayer)?,
        None => simulator.run_market(generator)?,
    }
    simulator.spawn("sim-accept", move || server::listen(&listener, &hub))?;
    Ok(simulator)
}

impl Simulator {
    /// Where it listens, with the port that the system chose.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where clients of the configured protocol connect, e.g. `ws://127.0.0.1:40001/ws`.
    pub fn url(&self) -> String {
        format!("ws://{}{}", self.address, dialect::of(self.hub.config.protocol).default_path())
    }

    /// The symbols that exist so far, in the order of the ledger's indexes.
    pub fn symbols(&self) -> Vec<String> {
        lock(&self.hub.symbols).clone()
    }

    /// What has happened so far.
    pub fn progress(&self) -> Progress {
        let (open, unwritten) = self.hub.standing();
        self.hub.meter.progress(open, unwritten, self.hub.recoveries.so_far())
    }

    /// Whether the count or the time is reached (or the recording over), every byte is written to its socket, and everybody
    /// who has subscribed was shown what the exchange shows first.
    pub fn is_done(&self) -> bool {
        self.hub.meter.done.load(Ordering::Acquire) && self.hub.is_attended()
    }

    /// Drops every TCP connection, as a failing network would: no close frame, nothing unsent is sent. It happens within
    /// moments, between two batches: where readers keep up, every frame of the ledger has been sent whole. The market
    /// goes on, so whoever reconnects finds a gap in the trade ids.
    pub fn cut_all(&self) {
        self.hub.ask_for_cut();
    }

    /// Has the market make no more trades, as if its count were reached: connections stay open, and trades of the past are
    /// told.
    pub fn end_market(&self) {
        self.hub.end_market();
    }

    /// Ends the market, tells clients as the exchange does, closes with code 1001, and waits for
    /// them to answer, up to the configured `close_timeout`.
    pub fn stop(mut self) -> Summary {
        self.hub.stop();
        let accept = self.threads.pop();
        for market in self.threads.drain(..) {
            // A panic there has been reported on stderr already; the rest is still to be ended in order.
            let _ = market.join();
        }
        self.say_goodbye();
        let unwritten = self.wait_for_clients();
        self.hub.cut_all();
        wake_accept(self.address);
        if let Some(accept) = accept {
            let _ = accept.join();
        }
        self.hub.meter.summary(unwritten, self.hub.recoveries.so_far())
    }

    fn say_goodbye(&self) {
        for connection in self.hub.connections() {
            let spoken = lock(&connection.session).as_ref().map(|session| (session.protocol, session.shape));
            let mut outbound = lock(&connection.outbound);
            if let Some((protocol, shape)) = spoken {
                if let Some(notice) = dialect::of(protocol).shutdown_notice(shape, unix_ns()) {
                    let mut frame = Vec::new();
                    write_text_frame(notice.as_bytes(), &mut frame);
                    outbound.append(&frame, &[]);
                }
                outbound.close(GOING_AWAY, "");
            } else {
                outbound.cut();
            }
        }
    }

    /// Returns the bytes that clients have not taken at the end.
    fn wait_for_clients(&self) -> usize {
        let begun = Instant::now();
        loop {
            let connections = self.hub.connections();
            let mut unwritten = 0;
            for connection in &connections {
                match self.hub.flush(connection) {
                    0 => lock(&connection.outbound).finish(),
                    bytes => unwritten += bytes,
                }
            }
            if connections.is_empty() || begun.elapsed() > self.hub.config.close_timeout {
                return unwritten;
            }
            thread::sleep(LOOK);
        }
    }

    fn run_market(&mut self, source: impl Source + Send + 'static) -> Result<(), SimError> {
        let driver = Driver::new(source, Wire::new(Arc::clone(&self.hub)));
        self.spawn("sim-market", move || driver.run())?;
        if let Some(market) = self.threads.last() {
            self.hub.is_market(market.thread().clone());
        }
        Ok(())
    }

    fn spawn(&mut self, name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<(), SimError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|cause| {
            self.hub.stop();
            SimError::Thread { name, cause }
        })?;
        self.threads.push(thread);
        Ok(())
    }
}

/// `accept` waits for a connection and for nothing else: give it one.
fn wake_accept(mut address: SocketAddr) {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    if let Err(error) = TcpStream::connect_timeout(&address, WAKE_TIMEOUT) {
        tracing::warn!(%address, %error, "could not wake the listening thread");
    }
}
