//! What a feed core needs of the world: time, tasks and the network. The engine has glommio's and the kernel's, tests have
//! ones in which time is simulated, so that the code between is the same.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::TryRecvError;
use rustls::ClientConfig;
use url::Url;

use super::waits::{Waiter, Waits};
use crate::clock::Nanos;
use crate::cores::{CpuSet, Wait};
use crate::net::dial::{DialError, Dialed, dial};
use crate::net::socket::Received;
use crate::net::stream::Stream;
use crate::ws::buffer::ReceiveBuffer;

/// How often the arrival of a new connection is looked for.
const DIAL_POLL: Duration = Duration::from_millis(1);

/// Time, tasks and network.
pub trait Outside: Clone + 'static {
    /// A connection that is upgraded.
    type Stream: ByteStream;
    /// What waits for a connection's bytes.
    type Waiter: Readable;

    /// The time.
    fn now(&self) -> Nanos;

    /// A number from 0 to 1.
    fn random(&self) -> f64;

    /// Returns after so long.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;

    /// Gives the other tasks of the core their turn if they have waited for long enough.
    fn yield_if_needed(&self) -> impl Future<Output = ()>;

    /// Starts a task on this core.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);

    /// Makes a connection to `url`, up to its upgrade.
    fn dial(&self, url: &Url) -> impl Future<Output = Result<Dialed<Self::Stream>, DialError>>;

    /// Something that waits for the bytes of `stream`.
    ///
    /// # Errors
    /// If the system has no means for that left.
    fn waiter(&self, stream: &Self::Stream) -> io::Result<Self::Waiter>;
}

/// A connection that is upgraded. Nothing here blocks.
pub trait ByteStream: 'static {
    /// Receives what is there into `buffer`: 0 bytes at the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; otherwise what ended the connection.
    fn receive(&mut self, buffer: &mut ReceiveBuffer) -> io::Result<Received>;

    /// Sends `bytes`, now or as soon as they can be sent.
    ///
    /// # Errors
    /// What ended the connection.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Sends what earlier calls could not.
    ///
    /// # Errors
    /// What ended the connection.
    fn flush(&mut self) -> io::Result<()>;

    /// Ends the connection; who waits for its bytes is woken.
    fn shut(&mut self);
}

/// Waits for a connection's bytes.
pub trait Readable: 'static {
    /// Returns once the connection may have bytes, or has ended.
    fn readable(&mut self) -> impl Future<Output = ()>;
}

/// This machine.
#[derive(Clone)]
pub struct Machine {
    /// Trusted roots.
    pub tls: Arc<ClientConfig>,
    /// CPUs on which connections are made.
    pub housekeeping: CpuSet,
    /// How to wait for bytes.
    pub wait: Wait,
}

/// This machine, for the tasks of one core.
#[derive(Clone)]
pub struct Here {
    /// What all cores share.
    pub machine: Machine,
    /// What the core's tasks wait for.
    pub waits: Rc<Waits>,
}

impl Outside for Here {
    type Stream = Stream;
    type Waiter = Waiter;

    #[inline]
    fn now(&self) -> Nanos {
        Nanos::now()
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }

    async fn sleep(&self, time: Duration) {
        self.waits.sleep(time).await;
    }

    #[inline]
    async fn yield_if_needed(&self) {
        self.waits.yield_if_needed().await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.waits.has_more();
        glommio::spawn_local(task).detach();
    }

    /// On a thread of its own, off this core.
    async fn dial(&self, url: &Url) -> Result<Dialed<Stream>, DialError> {
        let Machine { tls, housekeeping: cpus, .. } = self.machine.clone();
        let url = url.clone();
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
                Err(TryRecvError::Empty) => self.sleep(DIAL_POLL).await,
                Err(TryRecvError::Disconnected) => {
                    return Err(DialError::Io(io::Error::other(
                        "the thread that connects has ended by a broken invariant",
                    )));
                }
            }
        }
    }

    fn waiter(&self, stream: &Stream) -> io::Result<Waiter> {
        Waiter::new(&self.waits, stream.socket())
    }
}

impl ByteStream for Stream {
    #[inline]
    fn receive(&mut self, buffer: &mut ReceiveBuffer) -> io::Result<Received> {
        Stream::receive(self, buffer)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        Stream::send(self, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Stream::flush(self)
    }

    fn shut(&mut self) {
        Stream::shut(self);
    }
}

impl Readable for Waiter {
    #[inline]
    async fn readable(&mut self) {
        Waiter::readable(self).await;
    }
}
