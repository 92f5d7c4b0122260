//! An exchange that sends what the test wants, byte for byte.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, WebSocket};

/// No wait of these tests takes longer unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Exchange(TcpListener);

impl Exchange {
    pub(crate) fn start() -> Self {
        Exchange(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.0.local_addr().unwrap())
    }

    /// The engine's next connection, upgraded.
    pub(crate) fn accept(&self) -> Peer {
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let ready = loop {
            match poll(&mut polled, PollTimeout::try_from(PATIENCE).unwrap()) {
                Err(Errno::EINTR) => {}
                outcome => break outcome.unwrap(),
            }
        };
        assert_eq!(ready, 1, "the engine does not connect");
        let (socket, _) = self.0.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Peer(tungstenite::accept(Patient(socket)).unwrap())
    }

    /// The engine's next connection, its subscription acknowledged.
    pub(crate) fn subscribed(&self) -> Peer {
        let mut peer = self.accept();
        let id = peer.subscription();
        peer.text(&format!(r#"{{"result":null,"id":{id}}}"#));
        peer
    }
}

/// A socket whose reads go on after a signal: with a timeout the kernel does not see to that.
struct Patient(TcpStream);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The exchange's end of a connection.
pub(crate) struct Peer(WebSocket<Patient>);

impl Peer {
    /// Reads the subscription, which names both symbols. Returns its id.
    pub(crate) fn subscription(&mut self) -> u64 {
        self.subscription_to(&["btcusdt@trade", "ethusdt@trade"])
    }

    /// Reads the subscription, which names these streams. Returns its id.
    pub(crate) fn subscription_to(&mut self, streams: &[&str]) -> u64 {
        let Message::Text(text) = self.read() else { panic!("a subscription is expected") };
        let request: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(request["method"], "SUBSCRIBE");
        assert_eq!(request["params"], serde_json::json!(streams));
        request["id"].as_u64().unwrap()
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.raw(&data(Data::Text, true, text.as_bytes()));
    }

    pub(crate) fn read(&mut self) -> Message {
        self.0.read().unwrap()
    }

    /// A ping, and the answer to it: all that was sent before it has been processed.
    pub(crate) fn expect_pong(&mut self, payload: &[u8]) {
        self.raw(&wire(Frame::ping(payload.to_vec())));
        assert_eq!(self.read(), Message::Pong(payload.to_vec().into()));
    }

    /// The code with which the engine closes.
    pub(crate) fn expect_close(&mut self) -> u16 {
        match self.read() {
            Message::Close(Some(close)) => close.code.into(),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn wire(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

pub(crate) fn data(kind: Data, is_final: bool, payload: &[u8]) -> Vec<u8> {
    wire(Frame::message(payload.to_vec(), OpCode::Data(kind), is_final))
}

/// A trade of BTCUSDT.
pub(crate) fn trade(id: u64) -> String {
    format!(
        r#"{{"e":"trade","E":1763720000124,"s":"BTCUSDT","t":{id},"p":"64123.10","q":"0.00020","T":1763720000123,"m":false,"M":true}}"#
    )
}
