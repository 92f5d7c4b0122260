//! How a connection waits for bytes.
//!
//! `park` sleeps at once. To spin a little before it does not pay: at 5,000 trades/s that come one by one, 20 us of it
//! changed nothing, and 100 us took 15 of the 55 us of `recv`'s median for twice the CPU (70 instead of 37 % of a core),
//! with `total` as before (`run` beside `simulate --rate 5000` and `broker` on 2 CPUs; `spin_before_park` of glommio).

use std::io;
use std::net::TcpStream;
use std::os::fd::{FromRawFd, IntoRawFd};

use futures_lite::AsyncReadExt;

use crate::cores::Wait;
use crate::net::stream::Stream;

/// A connection's way to wait.
pub enum Waiter {
    /// Through glommio's reactor.
    Park(glommio::net::TcpStream),
    /// By giving the other connections their turn.
    Spin,
}

impl Waiter {
    /// A waiter for `stream`.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new(wait: Wait, stream: &Stream) -> io::Result<Self> {
        Ok(match wait {
            Wait::Spin => Waiter::Spin,
            Wait::Park => Waiter::Park(watch(stream.socket())?),
        })
    }

    /// Returns once the connection may have bytes, or has ended.
    #[inline]
    pub async fn readable(&mut self) {
        match self {
            // A read of no bytes waits for readiness and takes nothing: the bytes are then received with their
            // time stamp. An error, too, is found by that receive.
            Waiter::Park(watched) => drop(watched.read(&mut []).await),
            Waiter::Spin => glommio::executor().yield_task_queue_now().await,
        }
    }
}

/// A second handle of the socket, for glommio.
fn watch(socket: &TcpStream) -> io::Result<glommio::net::TcpStream> {
    let fd = socket.try_clone()?.into_raw_fd();
    // SAFETY: the descriptor was just duplicated for this and belongs to nobody else.
    Ok(unsafe { glommio::net::TcpStream::from_raw_fd(fd) })
}
