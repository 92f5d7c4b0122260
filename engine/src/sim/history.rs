//! Trades of the past by plain HTTP, on the port of the WebSocket: `GET` of the exchange's own paths.
//!
//! What a client asks is put to the market's thread, which alone knows its trades, and answered between two batches. The
//! exchanges' paths, parameters and texts are in a file each, written from their documents.

mod archive;
mod binance;
mod coinbase_advanced;
mod coinbase_exchange;
mod desk;
mod kraken;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use archive::Past;
use archive::{Archive, Asked, Reply};
pub(crate) use desk::{Desk, Found, Question};

use super::connection::Hub;
use super::dialect;
use crate::venue::protocol::Protocol;

/// Longest wait for a request, and for the market's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between looks at a request that has not come whole.
const LOOK: Duration = Duration::from_millis(1);
/// Longest first line of a request, in bytes, that is taken for one of these.
const LONGEST_LINE: usize = 2 * 1024;
/// Longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// Who a client turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// It asked for trades of the past, and was answered.
    Reader,
    /// It said nothing.
    Silent,
    /// Anybody else.
    Other,
}

/// The archives of what is served at a protocol's address.
fn archives(protocol: Protocol) -> impl Iterator<Item = &'static dyn Archive> {
    let of = |protocol: &Protocol| -> Option<&'static dyn Archive> {
        match protocol {
            Protocol::BinanceSpot => Some(&binance::Binance),
            Protocol::KrakenV2 => Some(&kraken::Kraken),
            Protocol::CoinbaseAdvanced => Some(&coinbase_advanced::CoinbaseAdvanced),
            Protocol::CoinbaseExchange => Some(&coinbase_exchange::CoinbaseExchange),
            Protocol::BinanceUsdm | Protocol::KrakenV1 | Protocol::Bybit | Protocol::Okx => None,
        }
    };
    dialect::served_with(protocol).iter().filter_map(of)
}

/// Answers a client that asks for trades of the past; leaves what another sent where it is.
pub(crate) fn receive(mut socket: &TcpStream, hub: &Hub) -> io::Result<Visitor> {
    let Some(line) = first_line(socket)? else { return Ok(Visitor::Silent) };
    let target = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let Some(archive) = archives(hub.config.protocol).find(|archive| archive.owns(path)) else {
        return Ok(Visitor::Other);
    };
    let head = read_head(socket)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let reply = match hub.config.history_status {
        Some(status) => Reply::refusal(status, "{\"message\":\"as it was asked for\"}"),
        None => reply(archive, &Asked::new(target, &head), hub),
    };
    tracing::debug!(target, status = reply.status, "trades of the past");
    socket.write_all(reply.to_http().as_bytes())?;
    Ok(Visitor::Reader)
}

fn reply(archive: &'static dyn Archive, asked: &Asked<'_>, hub: &Hub) -> Reply {
    let question = match archive.question(asked) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    let answer = hub.desk.ask(question);
    hub.wake_market();
    match answer.recv_timeout(PATIENCE) {
        Ok(Some(found)) => archive.reply(asked, &found),
        Ok(None) => archive.no_such_symbol(),
        Err(_) => Reply::refusal(503, "{\"message\":\"the market does not answer\"}"),
    }
}

/// The first line of what a client sends, which stays there to be read; none if it does not come.
fn first_line(socket: &TcpStream) -> io::Result<Option<String>> {
    let deadline = Instant::now() + PATIENCE;
    let mut bytes = [0; LONGEST_LINE];
    loop {
        let count = match socket.peek(&mut bytes) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
            Err(error) => return Err(error),
        };
        let end = bytes[..count].iter().position(|byte| *byte == b'\r');
        if end.is_some() || count == 0 || count == bytes.len() {
            return Ok(Some(String::from_utf8_lossy(&bytes[..end.unwrap_or(count)]).into_owned()));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// A request up to its empty line.
fn read_head(mut socket: &TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
