//! The least that has to be done: a thread receives frames and hands each to librdkafka twice, as a raw record with its
//! headers and as one without, which stands for the normalized one. Nothing is decoded, encoded, counted or kept, and no
//! key is looked for. What the engine adds to this is its own.
//!
//! It takes the engine's configuration, so that librdkafka has the same settings, and of that the first connection of the
//! first feed, without TLS. It ends with its process.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use k2_feed::config::{Config, Feed, environment_variables};
use k2_feed::kafka::{Header, Kafka, Message, Topic};
use k2_feed::record::Kind;
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{self, Deframer};
use k2_feed::ws::frame;
use k2_feed::ws::handshake::Handshake;

/// The engine's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FILE: &str = "feed.toml";
/// The engine's first size of it.
const BUFFER_BYTES: usize = 64 * 1024;
/// Longest wait for bytes: then reports are looked for.
const READ_TIMEOUT: Duration = Duration::from_millis(1);
/// Most events taken from librdkafka after each receipt.
const MAX_EVENTS: usize = 16;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let config = Config::load(Some(Path::new(FILE)), environment_variables())?;
    let feed = config.feeds.first().context("there is no feed")?;
    let mut sink = Sink::new(&config, feed)?;
    let mut deframer = Deframer::new(config.limits.max_frame_bytes);
    let mut buffer = ReceiveBuffer::new(BUFFER_BYTES, Deframer::buffer_needed(config.limits.max_frame_bytes));
    let mut socket = connect(feed, &mut buffer)?;
    loop {
        match socket.read(buffer.unfilled()) {
            Ok(0) => bail!("the exchange closed"),
            Ok(count) => buffer.fill(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(message) = deframer.next(&mut buffer).map_err(|violation| anyhow::anyhow!("{violation}"))? {
            match message {
                deframe::Message::Text(frame) => sink.produce(frame),
                deframe::Message::Ping(payload) => socket.write_all(&frame::pong(payload))?,
                _ => {}
            }
        }
        sink.poll();
    }
}

/// Connects and subscribes to all symbols.
fn connect(feed: &Feed, buffer: &mut ReceiveBuffer) -> anyhow::Result<TcpStream> {
    let url = &feed.endpoint.url;
    let addresses = url.socket_addrs(|| None).with_context(|| url.to_string())?;
    let mut socket = TcpStream::connect(&*addresses).with_context(|| url.to_string())?;
    socket.set_nodelay(true)?;
    let handshake = Handshake::new(url).map_err(anyhow::Error::msg)?;
    socket.write_all(handshake.request())?;
    let head = loop {
        let count = socket.read(buffer.unfilled())?;
        buffer.fill(count);
        match handshake.response(buffer.filled()) {
            Ok(Some(head)) => break head,
            Ok(None) if count > 0 => {}
            Ok(None) => bail!("{url} closed"),
            Err(refused) => bail!("{url}: {refused}"),
        }
    };
    buffer.consume(head);
    let streams: Vec<_> = feed.instruments().map(|one| format!("{}@trade", one.symbol.to_lowercase())).collect();
    let subscribe = serde_json::json!({"method": "SUBSCRIBE", "params": streams, "id": 1});
    socket.write_all(&frame::text(&subscribe.to_string()))?;
    socket.set_read_timeout(Some(READ_TIMEOUT))?;
    Ok(socket)
}

/// Where frames go.
struct Sink {
    client: Kafka,
    normalized: Topic,
    raw: Topic,
    exchange: &'static str,
    /// Keys by turns: the partitions get their share.
    keys: Vec<String>,
    handed_over: usize,
    in_flight: usize,
    max_in_flight: usize,
}

impl Sink {
    fn new(config: &Config, feed: &Feed) -> anyhow::Result<Self> {
        let mut client = Kafka::new(&config.producer_settings().client_config())?;
        let (normalized, raw) = (client.topic(feed.topic(Kind::Normalized))?, client.topic(feed.topic(Kind::Raw))?);
        let keys = feed.instruments().map(|one| one.symbol.to_string()).collect();
        let (exchange, max_in_flight) = (feed.protocol.exchange(), config.kafka.queue_records);
        Ok(Sink { client, normalized, raw, exchange, keys, handed_over: 0, in_flight: 0, max_in_flight })
    }

    /// Hands a frame over, and waits while there is no room for it.
    fn produce(&mut self, frame: &[u8]) {
        while self.in_flight + 2 > self.max_in_flight {
            if self.poll() == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        let key = &self.keys[self.handed_over % self.keys.len()];
        self.handed_over += 1;
        let record = Message { key: key.as_bytes(), value: frame, tag: 0 };
        // As long as the engine's are.
        let headers = [
            Header { name: c"exchange", value: self.exchange.as_bytes() },
            Header { name: c"connection", value: b"binance-0.1" },
            Header { name: c"received_ns", value: b"1763720000123456789" },
        ];
        let taken = self.client.produce(self.raw, record, headers).is_ok();
        let also = self.client.produce_batch(self.normalized, std::iter::once(record), |_, _| ());
        self.in_flight += usize::from(taken) + also;
    }

    fn poll(&mut self) -> usize {
        let reports = self.client.poll(MAX_EVENTS, |_| ());
        self.in_flight -= reports;
        reports
    }
}
