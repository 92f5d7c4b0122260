//! The world outside of the engine, simulated: time goes on only when nothing is left to do.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use k2_feed::clock::Nanos;
use k2_feed::feed::outside::{ByteStream, Outside, Readable};
use k2_feed::net::dial::{DialError, Dialed, Step};
use k2_feed::net::socket::Received;
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::handshake::Refused;
use url::Url;

use crate::check::START;
use crate::exchange::{Exchange, Taken};
use crate::fault::Refusal;

pub(crate) const MS: u64 = 1_000_000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The simulated world; a handle to it.
#[derive(Clone)]
pub(crate) struct World(Rc<RefCell<Inner>>);

struct Inner {
    now: u64,
    random: fastrand::Rng,
    exchange: Exchange,
    /// When something is waited for.
    timers: BinaryHeap<Reverse<u64>>,
    spawned: Vec<Task>,
    /// Grows with everything that a task gets done.
    progress: u64,
}

impl World {
    pub(crate) fn new(seed: u64, exchange: Exchange) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        World(Rc::new(RefCell::new(Inner {
            now: START,
            random,
            exchange,
            timers: BinaryHeap::new(),
            spawned: Vec::new(),
            progress: 0,
        })))
    }

    /// Looks at the exchange.
    pub(crate) fn exchange<T>(&self, look: impl FnOnce(&mut Exchange) -> T) -> T {
        look(&mut self.0.borrow_mut().exchange)
    }

    /// Lets all tasks do what they can at this time.
    pub(crate) fn settle(&self, tasks: &mut Vec<Task>) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let before = self.0.borrow().progress;
            tasks.append(&mut self.0.borrow_mut().spawned);
            tasks.retain_mut(|task| {
                let is_done = task.as_mut().poll(&mut context).is_ready();
                self.0.borrow_mut().progress += u64::from(is_done);
                !is_done
            });
            let inner = self.0.borrow();
            if inner.progress == before && inner.spawned.is_empty() {
                return;
            }
        }
    }

    /// Goes on to the next time at which something happens, no later than `limit`.
    pub(crate) fn advance(&self, limit: u64) {
        let inner = &mut *self.0.borrow_mut();
        while inner.timers.peek().is_some_and(|Reverse(at)| *at <= inner.now) {
            inner.timers.pop();
        }
        let timer = inner.timers.peek().map_or(limit, |Reverse(at)| *at);
        inner.now = timer.min(inner.exchange.next_at()).min(limit).max(inner.now + 1);
        if let Some(jump) = inner.exchange.go_on(inner.now) {
            // Nobody was there meanwhile, but the exchange was.
            inner.now += jump;
            inner.exchange.go_on(inner.now);
        }
    }
}

/// Waits until `ready` says so; it is asked whenever time has gone on.
async fn until<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    poll_fn(|_| ready().map_or(Poll::Pending, Poll::Ready)).await
}

impl Outside for World {
    type Stream = Stream;
    type Waiter = Waiter;

    fn now(&self) -> Nanos {
        Nanos(self.0.borrow().now)
    }

    fn random(&self) -> f64 {
        self.0.borrow_mut().random.f64()
    }

    async fn sleep(&self, time: Duration) {
        let at = {
            let inner = &mut *self.0.borrow_mut();
            let at = inner.now + (time.as_nanos() as u64).max(1);
            inner.timers.push(Reverse(at));
            at
        };
        until(|| (self.0.borrow().now >= at).then_some(())).await;
        self.0.borrow_mut().progress += 1;
    }

    async fn yield_if_needed(&self) {}

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().spawned.push(Box::pin(task));
    }

    async fn dial(&self, url: &Url) -> Result<Dialed<Stream>, DialError> {
        assert_eq!(url.as_str(), "wss://x.example/ws");
        let latency = self.0.borrow_mut().random.u64(1..60);
        self.sleep(Duration::from_millis(latency)).await;
        let refusal = self.exchange(|exchange| exchange.refusal());
        let peer = ([127, 0, 0, 1], 443).into();
        match refusal {
            None => {}
            Some(Refusal::Name) => return Err(DialError::Name("x.example: no answer".into())),
            Some(Refusal::Tcp) => return Err(DialError::Tcp(peer, io::ErrorKind::ConnectionRefused.into())),
            Some(Refusal::Tls) => return Err(DialError::Tls(io::Error::other("handshake failure"))),
            Some(Refusal::Status(code)) => {
                return Err(DialError::Upgrade(Refused::Status { code, retry_after: None }));
            }
            Some(Refusal::Timeout) => {
                self.sleep(Duration::from_secs(5)).await;
                return Err(DialError::TimedOut {
                    step: Step::Tcp,
                    whom: peer.to_string(),
                    after: Duration::from_secs(5),
                });
            }
        }
        let number = self.exchange(|exchange| exchange.accept());
        Ok(Dialed { stream: Stream { world: self.clone(), number }, leftover: Vec::new(), peer, timestamps: false })
    }

    fn waiter(&self, stream: &Stream) -> io::Result<Waiter> {
        Ok(Waiter { world: self.clone(), number: stream.number })
    }
}

/// The engine's end of a connection.
pub(crate) struct Stream {
    world: World,
    number: usize,
}

impl ByteStream for Stream {
    fn receive(&mut self, buffer: &mut ReceiveBuffer) -> io::Result<Received> {
        let inner = &mut *self.world.0.borrow_mut();
        let room = buffer.unfilled().len();
        let Taken { bytes, ended } = inner.exchange.take(self.number, inner.now, room);
        if bytes.is_empty() {
            return match ended {
                None => Err(io::ErrorKind::WouldBlock.into()),
                Some(false) => Ok(Received { bytes: 0, kernel_ns: None, is_all: true }),
                Some(true) => Err(io::ErrorKind::ConnectionReset.into()),
            };
        }
        inner.progress += 1;
        buffer.unfilled()[..bytes.len()].copy_from_slice(&bytes);
        buffer.fill(bytes.len());
        Ok(Received { bytes: bytes.len(), kernel_ns: None, is_all: bytes.len() < room })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let inner = &mut *self.world.0.borrow_mut();
        inner.exchange.hear(self.number, inner.now, bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shut(&mut self) {
        self.world.exchange(|exchange| exchange.leave(self.number));
    }
}

/// Waits for the bytes of a connection.
pub(crate) struct Waiter {
    world: World,
    number: usize,
}

impl Readable for Waiter {
    async fn readable(&mut self) {
        until(|| {
            let inner = &mut *self.world.0.borrow_mut();
            match inner.exchange.readable_at(self.number) {
                Some(at) if at <= inner.now => Some(()),
                Some(at) => {
                    inner.timers.push(Reverse(at));
                    None
                }
                None => None,
            }
        })
        .await;
        self.world.0.borrow_mut().progress += 1;
    }
}
