//! A connection that is up: plain or TLS, never blocking.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::ClientConnection;

use super::socket::{self, Received};
use crate::ws::buffer::ReceiveBuffer;

/// An established connection.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What could not be sent at once.
    unsent: Vec<u8>,
}

/// More unsent bytes than this and the peer is taken to be gone: we send little.
const MAX_UNSENT: usize = 1 << 20;

impl Stream {
    /// Takes over a socket whose handshakes are done, and lets it block no more.
    ///
    /// # Errors
    /// If the socket cannot be set to non-blocking.
    pub fn new(socket: TcpStream, tls: Option<Box<ClientConnection>>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Stream { socket, tls, unsent: Vec::new() })
    }

    /// The socket, to wait on.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Receives what is there into `buffer`, without waiting: 0 bytes at the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; otherwise the socket's or TLS's error.
    #[inline]
    pub fn receive(&mut self, buffer: &mut ReceiveBuffer) -> io::Result<Received> {
        match &mut self.tls {
            None => {
                let received = socket::receive(&self.socket, buffer.unfilled())?;
                buffer.fill(received.bytes);
                Ok(received)
            }
            Some(tls) => {
                let received = receive_tls(&self.socket, tls, buffer)?;
                // A key update asks for an answer.
                while tls.wants_write() {
                    tls.write_tls(&mut self.unsent)?;
                }
                Ok(received)
            }
        }
    }

    /// Sends `bytes`, now as far as the socket takes them and with the next call as for the rest.
    ///
    /// # Errors
    /// The socket's or TLS's error, or that the peer takes nothing any more.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.unsent.extend_from_slice(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                while tls.wants_write() {
                    tls.write_tls(&mut self.unsent)?;
                }
            }
        }
        self.flush()
    }

    /// Sends what earlier calls could not.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.unsent.len() > MAX_UNSENT {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing any more"));
        }
        Ok(())
    }

    /// Bytes that wait until the socket takes them.
    pub fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Ends the connection; errors no longer matter.
    pub fn shut(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls.write_tls(&mut self.unsent);
        }
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Reads records until one brings plaintext, the socket has no more, or the stream ends.
fn receive_tls(socket: &TcpStream, tls: &mut ClientConnection, buffer: &mut ReceiveBuffer) -> io::Result<Received> {
    let mut stamped = StampedReader { socket, kernel_ns: None, is_all: false };
    let mut plaintext = None;
    loop {
        match tls.reader().read(buffer.unfilled()) {
            Ok(bytes) => {
                buffer.fill(bytes);
                let is_all = stamped.is_all && plaintext == Some(bytes);
                return Ok(Received { bytes, kernel_ns: stamped.kernel_ns, is_all });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if tls.read_tls(&mut stamped)? == 0 {
            return Ok(Received { bytes: 0, kernel_ns: None, is_all: true });
        }
        let state = tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        plaintext = Some(state.plaintext_bytes_to_read());
    }
}

/// Reads the socket for rustls and keeps the time stamp.
struct StampedReader<'a> {
    socket: &'a TcpStream,
    kernel_ns: Option<i64>,
    /// As in [`Received`], of the last read.
    is_all: bool,
}

impl Read for StampedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = socket::receive(self.socket, buffer)?;
        self.kernel_ns = received.kernel_ns.or(self.kernel_ns);
        self.is_all = received.is_all;
        Ok(received.bytes)
    }
}
