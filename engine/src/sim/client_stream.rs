//! A client's socket as tungstenite sees it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::connection::{Connection, Hub};

/// The socket as tungstenite sees it: it reads for itself, and what it writes (handshake, pongs, the answer to a
/// close) goes the same way as everything else, so that it never ends up inside another frame.
pub(super) struct ClientStream {
    pub(super) socket: TcpStream,
    pub(super) connection: Arc<Connection>,
    pub(super) hub: Arc<Hub>,
}

impl Read for ClientStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for ClientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hub.send(&self.connection, bytes, &[]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
