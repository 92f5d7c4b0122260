//! An echo client for the Autobahn testsuite's fuzzing server, made of what the engine's connections are made of: its
//! dialing and handshake, its receive buffer and deframer, its frames.
//!
//! ```text
//! wstest --mode fuzzingserver --spec fuzzingserver.json
//! cargo run --release --example autobahn -- ws://127.0.0.1:9001
//! ```
//!
//! It runs every case that the server has, then asks it to write its report; the report is the judge. Exit code 0 says
//! only that all cases ran. Where it goes beyond the engine: it echoes, and it checks the UTF-8 of text, which the
//! engine's JSON parser does.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use k2_feed::net::dial::dial;
use k2_feed::net::stream::Stream;
use k2_feed::net::tls::client_config;
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{Deframer, Message, Violation};
use k2_feed::ws::frame;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::ClientConfig;
use url::Url;

/// What the report calls us.
const AGENT: &str = "k2-feed";
/// Longest message: the suite's are up to 16 MiB.
const MAX_MESSAGE: usize = 16 << 20;
/// Bytes of the receive buffer at first, as in the engine.
const BUFFER_INITIAL: usize = 64 * 1024;
/// Bytes given to the socket at once. The engine sends little and takes a peer for gone that leaves 1 MiB unread.
const CHUNK: usize = 64 * 1024;
/// The longest pause of a case. The suite's own deadline for one is 100 s.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two lines of progress.
const PROGRESS_EVERY: usize = 25;
/// Answering a close that gave no code.
const CLOSE_NORMAL: u16 = 1000;

fn main() -> anyhow::Result<ExitCode> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".into());
    let server: Url =
        server.parse().with_context(|| format!("{server:?} is no address, such as ws://127.0.0.1:9001"))?;
    // Roots matter for wss only, and dialing says which is missing.
    let tls = client_config(None, false).map_err(anyhow::Error::msg)?;
    let cases = case_count(&server, &tls)?;
    println!("{cases} cases at {server}");
    let begun = Instant::now();
    let mut broken = 0;
    for case in 1..=cases {
        let url = address(&server, "runCase", &[("case", &case.to_string()), ("agent", AGENT)])?;
        if let Err(error) = Client::connect(&url, &tls).and_then(Client::echo) {
            eprintln!("case {case} did not run: {error:#}");
            broken += 1;
        }
        if case % PROGRESS_EVERY == 0 {
            println!("{case} of {cases} cases, {:.1} s", begun.elapsed().as_secs_f64());
        }
    }
    Client::connect(&address(&server, "updateReports", &[("agent", AGENT)])?, &tls)?.echo()?;
    println!(
        "{} of {cases} cases ran in {:.1} s; the server has written its report",
        cases - broken,
        begun.elapsed().as_secs_f64()
    );
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the server is asked by a path and a query.
fn address(server: &Url, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Url> {
    let mut url = server.join(path).with_context(|| format!("{server} takes no path"))?;
    url.query_pairs_mut().extend_pairs(query);
    Ok(url)
}

/// How many cases there are: the one message that the server sends.
fn case_count(server: &Url, tls: &Arc<ClientConfig>) -> anyhow::Result<usize> {
    let mut client = Client::connect(&address(server, "getCaseCount", &[])?, tls)?;
    loop {
        if let Some(Message::Text(text)) = client.deframer.next(&mut client.buffer).map_err(violated)? {
            let text = std::str::from_utf8(text).context("the number of cases is not UTF-8")?;
            let count = text.parse().with_context(|| format!("{text:?} is no number of cases"));
            client.stream.shut();
            return count;
        }
        if !receive(&mut client.stream, &mut client.buffer)? {
            bail!("{server} did not say how many cases it has");
        }
    }
}

fn violated(violation: Violation) -> anyhow::Error {
    anyhow::anyhow!("{violation}")
}

/// A connection that is up.
struct Client {
    stream: Stream,
    buffer: ReceiveBuffer,
    deframer: Deframer,
}

impl Client {
    fn connect(url: &Url, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        let dialed = dial(url, tls).map_err(|error| anyhow::anyhow!("{url}: {error}"))?;
        let mut buffer = ReceiveBuffer::new(BUFFER_INITIAL, Deframer::buffer_needed(MAX_MESSAGE));
        buffer.extend(&dialed.leftover);
        Ok(Client { stream: dialed.stream, buffer, deframer: Deframer::new(MAX_MESSAGE) })
    }

    /// Sends every message back until either side ends the connection: that is the case run, whatever it was about.
    fn echo(mut self) -> anyhow::Result<()> {
        loop {
            match self.answer() {
                Ok(Some(code)) => {
                    // Whoever gave cause for it may be gone.
                    let _ = send(&mut self.stream, &frame::close(code, ""));
                    break;
                }
                Ok(None) => {}
                // A case may well end so.
                Err(error) if error.kind() != io::ErrorKind::TimedOut => break,
                Err(error) => return Err(error.into()),
            }
            match receive(&mut self.stream, &mut self.buffer) {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error.into()),
                Ok(false) | Err(_) => break,
            }
        }
        self.stream.shut();
        Ok(())
    }

    /// Answers all whole messages; the code to close with, if it is time to.
    fn answer(&mut self) -> io::Result<Option<u16>> {
        loop {
            let reply = match self.deframer.next(&mut self.buffer) {
                Ok(Some(Message::Text(text))) => match std::str::from_utf8(text) {
                    Ok(text) => frame::text(text),
                    Err(_) => return Ok(Some(Violation::Utf8.close_code())),
                },
                Ok(Some(Message::Binary(payload))) => frame::binary(payload),
                Ok(Some(Message::Ping(payload))) => frame::pong(payload),
                Ok(Some(Message::Pong(_))) => continue,
                Ok(Some(Message::Close(code, _))) => return Ok(Some(code.unwrap_or(CLOSE_NORMAL))),
                Ok(None) => return Ok(None),
                Err(violation) => return Ok(Some(violation.close_code())),
            };
            send(&mut self.stream, &reply)?;
        }
    }
}

/// Waits for bytes and takes them in; false at the end of the stream.
fn receive(stream: &mut Stream, buffer: &mut ReceiveBuffer) -> io::Result<bool> {
    loop {
        match stream.receive(buffer) {
            Ok(received) => return Ok(received.bytes > 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(stream, PollFlags::POLLIN)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Sends all of it.
fn send(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    for chunk in bytes.chunks(CHUNK) {
        stream.send(chunk)?;
        while stream.unsent() > 0 {
            wait(stream, PollFlags::POLLOUT)?;
            stream.flush()?;
        }
    }
    Ok(())
}

fn wait(stream: &Stream, what_for: PollFlags) -> io::Result<()> {
    let timeout = PollTimeout::try_from(PATIENCE).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(stream.socket().as_fd(), what_for)], timeout) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing moved for {PATIENCE:?}"))),
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
