//! One connection's way out: whole frames in, one after the other, and never a wait.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// A frame that has a due time, and where it ends in what is appended with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) end: usize,
    pub(crate) due_ns: i64,
}

#[derive(Debug)]
struct Pending {
    /// In bytes since the connection began.
    end: u64,
    due_ns: i64,
}

/// Bytes on their way out. Everything that goes to the client, market frames as well as replies, goes through here
/// in whole frames, so that none is ever put inside another.
#[derive(Debug)]
pub(crate) struct Outbound {
    socket: TcpStream,
    /// What the system has not taken yet, from `taken` on.
    backlog: Vec<u8>,
    taken: usize,
    appended_total: u64,
    written_total: u64,
    pending: VecDeque<Pending>,
    state: State,
    /// When we queued a close frame.
    closing_since: Option<Instant>,
    /// A fault: nothing is sent for now.
    held: bool,
    /// Most bytes given to the system at once.
    piece_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The close frame is queued: nothing may follow it.
    Closing,
    Closed,
}

impl Outbound {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            backlog: Vec::new(),
            taken: 0,
            appended_total: 0,
            written_total: 0,
            pending: VecDeque::new(),
            state: State::Open,
            closing_since: None,
            held: false,
            piece_bytes: usize::MAX,
        }
    }

    /// Sends whole frames, or keeps what the system does not take now. Marks ascend. Once closing, drops them.
    pub(crate) fn append(&mut self, frames: &[u8], marks: &[Mark]) {
        if self.state != State::Open {
            return;
        }
        let base = self.appended_total;
        self.pending.extend(marks.iter().map(|mark| Pending { end: base + mark.end as u64, due_ns: mark.due_ns }));
        self.appended_total += frames.len() as u64;
        self.flush();
        let sent = if self.unwritten() == 0 { self.send(frames) } else { 0 };
        if self.state != State::Closed {
            self.backlog.extend_from_slice(&frames[sent..]);
        }
    }

    /// Sends what is left, as far as the system takes it now.
    pub(crate) fn flush(&mut self) {
        if self.unwritten() == 0 || self.state == State::Closed {
            return;
        }
        let backlog = std::mem::take(&mut self.backlog);
        let sent = self.send(&backlog[self.taken..]);
        if self.state == State::Closed {
            return;
        }
        self.backlog = backlog;
        self.taken += sent;
        if self.taken == self.backlog.len() {
            self.backlog.clear();
            self.taken = 0;
        } else if self.taken > self.backlog.len() / 2 {
            self.backlog.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// Queues a close frame, after which nothing goes out.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        let mut frame = Vec::new();
        write_frame(OpCode::Control(Control::Close), &payload, &mut frame);
        self.append(&frame, &[]);
        if self.state == State::Open {
            self.closing_since = Some(Instant::now());
        }
        self.no_more();
    }

    /// When we queued a close frame, if we did.
    pub(crate) fn closing_since(&self) -> Option<Instant> {
        self.closing_since
    }

    /// Sends nothing until it is [released](Self::release).
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Goes on where it was held.
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// From now on gives the system at most so many bytes at once.
    pub(crate) fn in_pieces(&mut self, piece_bytes: usize) {
        self.piece_bytes = piece_bytes;
    }

    /// Drops whatever would be appended from now on: a close frame stands at the end.
    pub(crate) fn no_more(&mut self) {
        if self.state == State::Open {
            self.state = State::Closing;
        }
    }

    /// Drops the TCP connection and what it has not taken.
    pub(crate) fn cut(&mut self) {
        self.state = State::Closed;
        self.backlog = Vec::new();
        self.taken = 0;
        self.pending.clear();
        // Fails only where the connection is gone already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Tells the client that nothing follows, once everything is written.
    pub(crate) fn finish(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Bytes taken in since the connection began.
    pub(crate) fn appended(&self) -> u64 {
        self.appended_total
    }

    pub(crate) fn unwritten(&self) -> usize {
        self.backlog.len() - self.taken
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether frames that are appended go out.
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The due times of frames that the system took since the last call.
    pub(crate) fn written_dues(&mut self) -> impl Iterator<Item = i64> + '_ {
        let written = self.written_total;
        let count = self.pending.partition_point(|pending| pending.end <= written);
        self.pending.drain(..count).map(|pending| pending.due_ns)
    }

    pub(crate) fn has_written_dues(&self) -> bool {
        self.pending.front().is_some_and(|pending| pending.end <= self.written_total)
    }

    /// Sends without waiting; returns how much the system took. The flag rather than a non-blocking socket, because
    /// the reader's side of the same socket waits.
    fn send(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while sent < bytes.len() && !self.held {
            let piece = &bytes[sent..bytes.len().min(sent.saturating_add(self.piece_bytes))];
            match send(self.socket.as_raw_fd(), piece, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(error) => {
                    tracing::debug!(%error, "connection lost while sending");
                    self.cut();
                    return sent;
                }
            }
        }
        self.written_total += sent as u64;
        sent
    }
}

/// Appends a final, unmasked text frame.
pub(crate) fn write_text_frame(payload: &[u8], out: &mut Vec<u8>) {
    write_frame(OpCode::Data(Data::Text), payload, out);
}

/// Appends a ping frame.
pub(crate) fn write_ping_frame(payload: &[u8], out: &mut Vec<u8>) {
    write_frame(OpCode::Control(Control::Ping), payload, out);
}

fn write_frame(opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(payload.len() as u64, out).expect("writing to memory does not fail");
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    fn pair() -> (Outbound, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Outbound::new(listener.accept().unwrap().0), client)
    }

    #[test]
    fn what_the_system_does_not_take_follows_in_order_and_is_late_when_it_goes() {
        let (mut outbound, mut client) = pair();
        let block: Vec<u8> = (0..1 << 20).map(|n| (n % 251) as u8).collect();
        let mut appended = Vec::new();
        while outbound.unwritten() == 0 {
            outbound.append(&block, &[Mark { end: block.len(), due_ns: appended.len() as i64 }]);
            appended.extend_from_slice(&block);
        }
        outbound.append(b"the end", &[]);
        appended.extend_from_slice(b"the end");
        let before: Vec<i64> = outbound.written_dues().collect();
        assert_eq!(before.len(), appended.len() / block.len() - 1, "all blocks but the last");

        let total = appended.len();
        let reader = std::thread::spawn(move || {
            let mut read = vec![0; total];
            client.read_exact(&mut read).unwrap();
            read
        });
        while outbound.unwritten() > 0 {
            outbound.flush();
            std::thread::yield_now();
        }
        assert_eq!(outbound.written_dues().count(), 1);
        assert!(reader.join().unwrap() == appended);
    }

    #[test]
    fn the_system_gets_pieces_no_longer_than_asked() {
        let no_flags = SockFlag::empty();
        // It keeps the borders of what is sent.
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, no_flags).unwrap();
        let (mut outbound, mut client) = (Outbound::new(ours.into()), TcpStream::from(theirs));
        let mut pieces = |outbound: &mut Outbound, bytes: &[u8]| {
            outbound.append(bytes, &[]);
            let mut found = Vec::new();
            while found.iter().map(Vec::len).sum::<usize>() < bytes.len() {
                let mut piece = [0; 64];
                let len = client.read(&mut piece).unwrap();
                found.push(piece[..len].to_vec());
            }
            found
        };
        assert_eq!(pieces(&mut outbound, b"whole frames"), [b"whole frames"]);
        outbound.in_pieces(5);
        assert_eq!(pieces(&mut outbound, b"whole frames"), [&b"whole"[..], b" fram", b"es"]);
    }

    #[test]
    fn what_is_held_follows_in_order_once_it_is_released() {
        let (mut outbound, mut client) = pair();
        outbound.append(b"a", &[]);
        outbound.hold();
        outbound.append(b"b", &[]);
        outbound.flush();
        assert_eq!(outbound.unwritten(), 1);
        outbound.append(b"c", &[]);
        outbound.release();
        outbound.append(b"d", &[]);
        let mut read = [0; 4];
        client.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"abcd");
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let (mut outbound, mut client) = pair();
        outbound.close(1001, "bye");
        outbound.append(b"more", &[]);
        outbound.finish();
        let mut read = Vec::new();
        client.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"\x88\x05\x03\xe9bye");
    }
}
