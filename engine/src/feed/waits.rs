//! What the tasks of a core wait for: the bytes of connections, and times. One task waits in place of all.
//!
//! With `park` it sleeps in `epoll_wait` once no other task has anything to do; with `spin` it only looks at the clock, and
//! connections look for their bytes themselves. glommio's own reactor is left out: to sleep in it and to be woken by a
//! socket takes some 19 system calls a frame that comes alone, this takes two. At 5,000 trades/s that came one by one the
//! feed core took 28 % of a CPU with it and takes 12 %, `recv` went from 40 to 27 us at p50 (2 CPUs, `run` beside `simulate`
//! and `broker`); and now and then glommio slept on although a socket was readable.
//!
//! It does not spin before it sleeps: 20 us of that changed nothing, 100 us took 15 us off `recv` for twice the CPU.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_lite::future::yield_now;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::clock::Nanos;
use crate::cores::Wait;

/// How long a connection that always has more may go on before the others get their turn.
const LONGEST_TURN: Duration = Duration::from_millis(1);
/// Longest sleep; there is always a task with a shorter one.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Most sockets that are heard of at a time; the others are next.
const MAX_EVENTS: usize = 64;

/// The waits of one core.
pub struct Waits {
    wait: Wait,
    epoll: Epoll,
    sockets: RefCell<Sockets>,
    timers: RefCell<BinaryHeap<Reverse<Timer>>>,
    /// When the others had their last turn.
    turn_began: Cell<Nanos>,
    /// Times that a task gave its turn away although it had more to do, and tasks that were started.
    unfinished: Cell<u64>,
    is_over: Cell<bool>,
}

/// Sockets by their numbers, and numbers that are free.
#[derive(Default)]
struct Sockets {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Slot {
    is_ready: bool,
    /// Nothing more will be heard of it.
    has_ended: bool,
    waker: Option<Waker>,
}

struct Timer {
    at: Nanos,
    waker: Waker,
}

impl Waits {
    /// Those of a core that has nothing to wait for yet.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new(wait: Wait) -> io::Result<Self> {
        Ok(Waits {
            wait,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            sockets: RefCell::default(),
            timers: RefCell::default(),
            turn_began: Cell::new(Nanos::now()),
            unfinished: Cell::new(0),
            is_over: Cell::new(false),
        })
    }

    /// Waits until [`Self::end`]; to be run as a task of its own.
    pub async fn keep(&self) {
        loop {
            let before = self.unfinished.get();
            yield_now().await;
            if self.is_over.get() {
                return;
            }
            let now = Nanos::now();
            self.turn_began.set(now);
            let longest = self.wake_due(now, before);
            if self.wait == Wait::Park {
                self.wake_ready(longest);
            }
        }
    }

    /// [`Self::keep`] returns when it has its turn.
    pub fn end(&self) {
        self.is_over.set(true);
    }

    /// Returns after so long; where cores sleep, up to a millisecond later.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + '_ {
        let at = Nanos::now().plus(time);
        let mut is_new = true;
        poll_fn(move |context| {
            if Nanos::now() >= at {
                return Poll::Ready(());
            }
            if std::mem::take(&mut is_new) {
                self.timers.borrow_mut().push(Reverse(Timer { at, waker: context.waker().clone() }));
            }
            Poll::Pending
        })
    }

    /// Gives the others their turn if they have waited for long enough.
    #[inline]
    pub async fn yield_if_needed(&self) {
        if Nanos::now().time_since(self.turn_began.get()) > LONGEST_TURN {
            self.give_turn().await;
        }
    }

    /// Gives the others their turn.
    async fn give_turn(&self) {
        self.has_more();
        yield_now().await;
    }

    /// Notes that something is to be done that nothing here would wake: a task has just been started, say.
    pub fn has_more(&self) {
        self.unfinished.set(self.unfinished.get() + 1);
    }

    /// Wakes the tasks whose time has come. Returns how long nothing is to be done: no time if one is woken, or if one has
    /// more to do than it had when [`Self::unfinished`] was `before`.
    fn wake_due(&self, now: Nanos, before: u64) -> Duration {
        let mut timers = self.timers.borrow_mut();
        let mut has_work = self.unfinished.get() != before;
        while let Some(Reverse(timer)) = timers.peek()
            && timer.at <= now
        {
            if let Some(Reverse(timer)) = timers.pop() {
                timer.waker.wake();
                has_work = true;
            }
        }
        if has_work {
            return Duration::ZERO;
        }
        timers.peek().map_or(LONGEST_SLEEP, |Reverse(next)| next.at.time_since(now).min(LONGEST_SLEEP))
    }

    /// Sleeps until a socket is ready, but no longer than this, and wakes the tasks that wait for it.
    fn wake_ready(&self, longest: Duration) {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        // To sleep for less than is left would be to look again and again.
        let millis = longest.as_micros().div_ceil(1_000) as u16;
        let count = match self.epoll.wait(&mut events, EpollTimeout::from(millis)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => panic!("epoll_wait of sockets of our own: {error}"),
        };
        let ends = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let mut sockets = self.sockets.borrow_mut();
        for event in &events[..count] {
            let slot = &mut sockets.slots[event.data() as usize];
            slot.is_ready = true;
            slot.has_ended |= event.events().intersects(ends);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// A connection's wait for bytes.
pub struct Waiter {
    waits: Rc<Waits>,
    /// A second handle of the socket, and its number; none where connections look themselves.
    watched: Option<(TcpStream, usize)>,
}

impl Waiter {
    /// One for `socket`.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new(waits: &Rc<Waits>, socket: &TcpStream) -> io::Result<Self> {
        let watched = match waits.wait {
            Wait::Spin => None,
            Wait::Park => Some(waits.watch(socket.try_clone()?)?),
        };
        Ok(Waiter { waits: waits.clone(), watched })
    }

    /// Returns once the connection may have bytes, or has ended.
    #[inline]
    pub async fn readable(&mut self) {
        let Some((_, number)) = &self.watched else { return self.waits.give_turn().await };
        poll_fn(|context| {
            let slot = &mut self.waits.sockets.borrow_mut().slots[*number];
            if slot.has_ended || std::mem::take(&mut slot.is_ready) {
                return Poll::Ready(());
            }
            slot.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Waits {
    /// Each arrival of bytes makes the socket ready once: who is woken reads until nothing is left.
    fn watch(&self, socket: TcpStream) -> io::Result<(TcpStream, usize)> {
        let sockets = &mut *self.sockets.borrow_mut();
        let number = sockets.free.pop().unwrap_or(sockets.slots.len());
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        if let Err(error) = self.epoll.add(&socket, EpollEvent::new(flags, number as u64)) {
            if number < sockets.slots.len() {
                sockets.free.push(number);
            }
            return Err(error.into());
        }
        if number == sockets.slots.len() {
            sockets.slots.push(Slot::default());
        }
        sockets.slots[number] = Slot::default();
        Ok((socket, number))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some((socket, number)) = &self.watched {
            // Of a handle that was added, this does not fail.
            let _ = self.waits.epoll.delete(socket);
            self.waits.sockets.borrow_mut().free.push(*number);
        }
    }
}

#[cfg(test)]
mod tests;
