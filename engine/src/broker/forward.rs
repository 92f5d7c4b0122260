//! A TCP forwarder: one chosen port in front of one that could not be chosen.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Pause after the kernel refused a connection (no file handles left), so as not to spin on it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Forwards every connection to one target until it is dropped; then all of them are closed.
pub(super) struct Forwarder {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

/// One forwarded connection, held by the thread that copies and by the acceptor that closes it.
struct Pair {
    client: TcpStream,
    target: TcpStream,
}

impl Forwarder {
    /// Accepts on `listener` and forwards to `target`, `host:port`.
    pub(super) fn start(listener: TcpListener, target: String) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let acceptor = named().spawn(move || accept(&listener, &target, &seen))?;
        Ok(Self { addr, stop, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A connection is what wakes the acceptor.
        let _ = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn named() -> thread::Builder {
    thread::Builder::new().name("k2-forward".to_owned())
}

fn accept(listener: &TcpListener, target: &str, stop: &AtomicBool) {
    let mut forwards: Vec<(Arc<Pair>, JoinHandle<()>)> = Vec::new();
    loop {
        let accepted = listener.accept();
        if stop.load(Ordering::Acquire) {
            break;
        }
        forwards.retain(|(_, forward)| !forward.is_finished());
        match accepted.and_then(|(client, _)| forward(client, target)) {
            Ok(forward) => forwards.push(forward),
            Err(error) => {
                tracing::warn!(%error, target, "a connection was not forwarded");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
    for (pair, forward) in forwards {
        pair.close();
        let _ = forward.join();
    }
}

/// Connects to the target and starts a thread that copies both ways until both ends are closed.
fn forward(client: TcpStream, target: &str) -> io::Result<(Arc<Pair>, JoinHandle<()>)> {
    let target = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    target.set_nodelay(true)?;
    let pair = Arc::new(Pair { client, target });
    let copied = Arc::clone(&pair);
    let thread = named().spawn(move || {
        thread::scope(|scope| {
            let there = || copy(&copied.client, &copied.target);
            match named().spawn_scoped(scope, there) {
                Ok(_) => copy(&copied.target, &copied.client),
                Err(_) => copied.close(), // one direction alone is of no use
            }
        });
    })?;
    Ok((pair, thread))
}

/// Copies until the sender closes, and passes that on. A broken connection ends the same way: the
/// other end sees its stream end, which is all that it can be told.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

impl Pair {
    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.target.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn copies_both_ways_passes_on_the_end_and_closes_on_drop() {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = target.local_addr().unwrap().to_string();
        let forwarder = Forwarder::start(listener, to).unwrap();

        let mut client = TcpStream::connect(forwarder.addr()).unwrap();
        let (mut server, _) = target.accept().unwrap();
        client.write_all(b"there").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "there");
        server.write_all(b"back").unwrap();
        drop(server);
        heard.clear();
        client.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "back");

        let mut open = TcpStream::connect(forwarder.addr()).unwrap();
        let _held = target.accept().unwrap();
        let addr = forwarder.addr();
        drop(forwarder);
        assert!(matches!(open.read(&mut [0]), Ok(0) | Err(_)));
        TcpListener::bind(addr).unwrap();
    }
}
