//! An independent client: tungstenite's, with a bound on every read.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use k2_feed::sim::{Rate, Simulator, SimulatorConfig, Stop, start};
use k2_feed::venue::protocol::Protocol;
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// No read of these tests takes longer unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client(pub(crate) WebSocket<TcpStream>);

impl Client {
    pub(crate) fn connect(simulator: &Simulator, target: &str) -> Self {
        Self::try_connect(simulator, target).expect("a handshake")
    }

    pub(crate) fn try_connect(simulator: &Simulator, target: &str) -> Result<Self, String> {
        let socket = TcpStream::connect(simulator.addr()).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let url = format!("ws://{}{target}", simulator.addr());
        let (web_socket, _) = tungstenite::client(url, socket).map_err(|error| error.to_string())?;
        Ok(Self(web_socket))
    }

    pub(crate) fn subscribed(simulator: &Simulator, target: &str, streams: &[&str]) -> Self {
        let mut client = Self::connect(simulator, target);
        let ack = client.ask(&json!({"method": "SUBSCRIBE", "params": streams, "id": 1}).to_string());
        assert_eq!(ack, r#"{"result":null,"id":1}"#);
        client
    }

    /// Sends a request and returns the first text frame after it.
    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.0.send(Message::text(request)).expect("a request sent");
        self.text()
    }

    pub(crate) fn text(&mut self) -> String {
        loop {
            match self.0.read().expect("a frame") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub(crate) fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// Everything until the connection ends, and how it ended.
    pub(crate) fn rest(&mut self) -> (Vec<String>, Option<(CloseCode, String)>) {
        let mut texts = Vec::new();
        let mut close = None;
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => texts.push(text.as_str().to_owned()),
                Ok(Message::Close(frame)) => {
                    close = frame.map(|frame| (frame.code, frame.reason.as_str().to_owned()));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came for {PATIENCE:?}")
                }
                Err(_) => return (texts, close),
            }
        }
    }
}

pub(crate) fn config(symbols: &[&str]) -> SimulatorConfig {
    SimulatorConfig {
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        // Many of these clients are not reading when the simulator stops.
        close_timeout: Duration::from_millis(100),
        ..SimulatorConfig::new(Protocol::BinanceSpot)
    }
}

/// A market that makes `count` trades as fast as they are taken.
pub(crate) fn counted(symbols: &[&str], count: u64) -> SimulatorConfig {
    SimulatorConfig { rate: Rate::Max, stop: Stop::Count(count), ..config(symbols) }
}

/// A market that never makes a trade while a test runs, but for the one that is due at once.
pub(crate) fn quiet() -> Simulator {
    start(SimulatorConfig { rate: Rate::PerSecond(0.001), ..config(&["BTCUSDT"]) }).expect("a simulator")
}

pub(crate) fn until_done(simulator: &Simulator) {
    let begun = Instant::now();
    while !simulator.is_done() {
        assert!(begun.elapsed() < PATIENCE, "not done: {:?}", simulator.progress());
        std::thread::yield_now();
    }
}

pub(crate) fn id(trade: &Value) -> u64 {
    trade["t"].as_u64().expect("a trade id")
}

pub(crate) fn assert_contiguous(ids: &[u64]) {
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap in {ids:?}");
}
