//! The network between the engine and the broker, which can be cut, slowed down, or swallow everything.
//!
//! Plain threads, two for each direction of a connection: there are a handful of connections, and to wait is most of what
//! is done here, which is plainest in a thread of its own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

/// Bytes that are forwarded together.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks of one direction of a connection that are under way.
const CHUNKS: usize = 64;
/// Longest wait for the broker to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How it goes from one side to the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// How long bytes take.
    pub(crate) delay: Duration,
    /// How many of them go in a second, of one direction of a connection.
    pub(crate) bytes_per_s: Option<u64>,
    /// Whether nothing goes at all, and nobody is connected.
    pub(crate) is_black_hole: bool,
}

/// Forwards connections until the process ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: SocketAddr,
    weather: Mutex<Weather>,
    changed: Condvar,
    /// Both ends of each connection, in the order in which they were made.
    connections: Mutex<BTreeMap<u64, [TcpStream; 2]>>,
    numbered: AtomicU64,
}

impl Proxy {
    /// Listens on a port that the system chooses, and forwards to `upstream`, whether or not somebody is there.
    pub(crate) fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("the proxy has no port")?;
        let address = listener.local_addr().context("the proxy has no address")?;
        let shared = Arc::new(Shared {
            upstream,
            weather: Mutex::default(),
            changed: Condvar::new(),
            connections: Mutex::default(),
            numbered: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new()
            .name("proxy".into())
            .spawn(move || {
                for client in listener.incoming().filter_map(Result::ok) {
                    let shared = Arc::clone(&accepting);
                    // A connection for which there is no thread is dropped, as by a proxy that is overrun.
                    let _ = thread::Builder::new().name("proxy-connect".into()).spawn(move || shared.connect(client));
                }
            })
            .context("the proxy has no thread")?;
        Ok(Proxy { address, shared })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how it goes from now on, of all connections.
    pub(crate) fn set(&self, weather: Weather) {
        *lock(&self.shared.weather) = weather;
        self.shared.changed.notify_all();
    }

    /// Cuts all connections. Returns how many.
    pub(crate) fn cut_all(&self) -> usize {
        let connections = std::mem::take(&mut *lock(&self.shared.connections));
        connections.values().for_each(cut);
        connections.len()
    }

    /// Cuts the connection at this place, counted over and over. Returns how many were cut.
    pub(crate) fn cut_one(&self, place: usize) -> usize {
        let mut connections = lock(&self.shared.connections);
        let number = connections.keys().nth(place % connections.len().max(1)).copied();
        let connection = number.and_then(|number| connections.remove(&number));
        connection.iter().for_each(cut);
        usize::from(connection.is_some())
    }
}

impl Shared {
    /// Connects a client with the broker; without one the client is dropped.
    fn connect(self: Arc<Self>, client: TcpStream) {
        drop(self.when_clear());
        let Ok(broker) = TcpStream::connect_timeout(&self.upstream, CONNECT_TIMEOUT) else { return };
        let number = self.numbered.fetch_add(1, Ordering::Relaxed);
        // What fails here fails for want of file descriptors: the connection is dropped.
        let _ = self.forward(number, &client, &broker);
    }

    fn forward(self: &Arc<Self>, number: u64, client: &TcpStream, broker: &TcpStream) -> std::io::Result<()> {
        for socket in [client, broker] {
            socket.set_nodelay(true)?;
        }
        lock(&self.connections).insert(number, [client.try_clone()?, broker.try_clone()?]);
        for (from, to) in [(client, broker), (broker, client)] {
            let (sender, receiver) = sync_channel(CHUNKS);
            let (mut from, mut to, shared) = (from.try_clone()?, to.try_clone()?, Arc::clone(self));
            thread::Builder::new().name("proxy-read".into()).spawn(move || read(&mut from, &sender))?;
            thread::Builder::new().name("proxy-write".into()).spawn(move || {
                shared.write(&mut to, &receiver);
                if let Some(connection) = lock(&shared.connections).remove(&number) {
                    cut(&connection);
                }
            })?;
        }
        Ok(())
    }

    /// The weather, once it is no black hole.
    fn when_clear(&self) -> MutexGuard<'_, Weather> {
        let weather = lock(&self.weather);
        self.changed.wait_while(weather, |weather| weather.is_black_hole).unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was read once its time has come, until one side ends.
    fn write(&self, to: &mut TcpStream, chunks: &Receiver<(Instant, Vec<u8>)>) {
        while let Ok((read_at, chunk)) = chunks.recv() {
            let weather = *self.when_clear();
            thread::sleep((read_at + weather.delay).saturating_duration_since(Instant::now()));
            // The sky may have changed meanwhile.
            drop(self.when_clear());
            if to.write_all(&chunk).is_err() {
                return;
            }
            if let Some(bytes_per_s) = weather.bytes_per_s {
                thread::sleep(Duration::from_secs_f64(chunk.len() as f64 / bytes_per_s as f64));
            }
        }
    }
}

/// Reads until one side ends.
fn read(from: &mut TcpStream, chunks: &SyncSender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if chunks.send((Instant::now(), buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn cut(connection: &[TcpStream; 2]) {
    // One that has ended by itself cannot be shut again.
    connection.iter().for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
}

/// A thread that panicked while it held one of these locks left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A proxy before a server that sends back what it gets.
    fn echoing() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
        thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || std::io::copy(&mut socket.try_clone().unwrap(), &mut socket));
            }
        });
        proxy
    }

    fn client(proxy: &Proxy) -> TcpStream {
        let socket = TcpStream::connect(proxy.address()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// How long bytes take there and back.
    fn round_trip(mut socket: &TcpStream, bytes: usize) -> Duration {
        let (sent, begun) = (vec![7; bytes], Instant::now());
        let mut writing = socket.try_clone().unwrap();
        let there = sent.clone();
        let writer = thread::spawn(move || writing.write_all(&there));
        let mut back = vec![0; bytes];
        socket.read_exact(&mut back).unwrap();
        writer.join().unwrap().unwrap();
        assert!(back == sent, "other bytes came back");
        begun.elapsed()
    }

    #[test]
    fn bytes_come_back_as_late_as_was_asked_for() {
        let proxy = echoing();
        let socket = client(&proxy);
        round_trip(&socket, 3_000_000);
        proxy.set(Weather { delay: Duration::from_millis(50), ..Weather::default() });
        assert!(round_trip(&socket, 10) >= Duration::from_millis(100), "both ways");
        proxy.set(Weather { bytes_per_s: Some(1_000_000), ..Weather::default() });
        // The last chunk does not wait behind itself.
        assert!(round_trip(&socket, 200_000) >= Duration::from_millis(180));
    }

    #[test]
    fn a_black_hole_holds_back_and_lets_go() {
        let proxy = echoing();
        let standing = client(&proxy);
        round_trip(&standing, 10);
        proxy.set(Weather { is_black_hole: true, ..Weather::default() });
        let sockets = [standing, client(&proxy)];
        for mut socket in &sockets {
            socket.write_all(b"held").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            assert!(socket.read(&mut [0; 4]).is_err(), "nothing comes back");
        }
        proxy.set(Weather::default());
        for mut socket in &sockets {
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut back = [0; 4];
            socket.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"held");
        }
    }

    #[test]
    fn cut_connections_end_and_others_stand() {
        let proxy = echoing();
        let sockets = [client(&proxy), client(&proxy)];
        for socket in &sockets {
            round_trip(socket, 10);
        }
        assert_eq!(proxy.cut_one(2), 1);
        let ended = |mut socket: &TcpStream| matches!(socket.read(&mut [0]), Ok(0) | Err(_));
        let (first, second) = (&sockets[0], &sockets[1]);
        // The one that was made first here need not be the one that the proxy made first.
        second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let second_is_cut = matches!((&mut &*second).read(&mut [0]), Ok(0));
        let (cut, stands) = if second_is_cut { (second, first) } else { (first, second) };
        assert!(ended(cut));
        stands.set_read_timeout(Some(PATIENCE)).unwrap();
        round_trip(stands, 10);
        assert_eq!(proxy.cut_all(), 1);
        assert!(ended(stands));
        round_trip(&client(&proxy), 10);
    }

    #[test]
    fn without_a_broker_clients_are_dropped() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let proxy = Proxy::start(nobody).unwrap();
        assert!(matches!(client(&proxy).read(&mut [0]), Ok(0) | Err(_)));
        assert_eq!(proxy.cut_one(0) + proxy.cut_all(), 0);
    }
}
