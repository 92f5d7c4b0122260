//! Receiving with the kernel's time stamp.
//!
//! With `SO_TIMESTAMPING` the kernel notes when it received a TCP segment, and `recvmsg` reports, in a control
//! message, the time of the last byte it returns (Documentation/networking/timestamping.rst). This is the start of
//! the `recv` hop. It works on loopback too.

use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use nix::sys::socket::sockopt::Timestamping;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, TimestampingFlag, recvmsg, setsockopt};

/// Room for the one control message that is asked for: three `timespec`s and their header.
const CONTROL_LEN: usize = 128;

/// What one receive brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes written to the buffer; 0 at the end of the stream.
    pub bytes: usize,
    /// When the kernel received the last of them, nanoseconds since the Unix epoch, where it says so.
    pub kernel_ns: Option<i64>,
    /// Whether there was room for more: nothing else is there.
    pub is_all: bool,
}

/// Asks the kernel to stamp what it receives. Returns whether it will.
pub fn enable_timestamps(socket: &TcpStream) -> bool {
    let flags = TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
    setsockopt(socket, Timestamping, &flags).is_ok()
}

/// Receives what is there into `buffer`, without waiting.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when nothing is there; otherwise what `recvmsg(2)` says.
#[inline]
pub fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = [0; CONTROL_LEN];
    let room = buffer.len();
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    Ok(Received { bytes: message.bytes, kernel_ns: kernel_time(&message), is_all: message.bytes < room })
}

/// The software time stamp among the control messages.
#[inline]
fn kernel_time(message: &RecvMsg<'_, '_, ()>) -> Option<i64> {
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampsns(stamps) => {
            let ns = stamps.system.tv_sec() * 1_000_000_000 + stamps.system.tv_nsec();
            (ns != 0).then_some(ns)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn loopback_bytes_carry_the_kernels_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        assert!(enable_timestamps(&receiver));
        let mut buffer = [0; 64];
        assert_eq!(receive(&receiver, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // The kernel turns stamping on by a worker of its own, which a busy machine keeps waiting: the first may lack it.
        let deadline = Instant::now() + Duration::from_secs(60);
        let stamped = std::iter::repeat_with(Instant::now).take_while(|now| *now < deadline).any(|_| {
            sender.write_all(b"frame").unwrap();
            receiver.peek(&mut [0]).unwrap();
            let received = receive(&receiver, &mut buffer).unwrap();
            assert_eq!(&buffer[..received.bytes], b"frame");
            received.kernel_ns.is_some_and(|ns| (crate::clock::unix_now_ns() - ns).abs() < 10_000_000_000)
        });
        assert!(stamped);
        drop(sender);
        receiver.peek(&mut [0]).unwrap();
        assert_eq!(receive(&receiver, &mut buffer).unwrap().bytes, 0);
    }
}
