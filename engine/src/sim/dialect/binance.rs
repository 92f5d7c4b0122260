//! Binance spot market streams.
//!
//! Source: binance-spot-api-docs, web-socket-streams.md (July 2026). What that page leaves open is
//! marked: "reported" by users of the live server in public issues, or "assumed" here.

mod requests;

use std::time::Duration;

use super::{Dialect, Recorded, Refusal, Request, Rules, Session, Shape, Symbol, is_name};
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::venue::protocol::Protocol;

/// "WebSocket connections have a limit of 5 incoming messages per second": ping, pong and JSON frames.
const INBOUND_PER_SECOND: usize = 5;
/// "The WebSocket server will send a `ping frame` every 20 seconds."
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Whoever has not answered within a minute is disconnected (same place).
const PONG_TIMEOUT: Duration = Duration::from_secs(60);

/// Frames are wrapped as `{"stream":…,"data":…}`.
pub(super) const COMBINED: u8 = 1;
/// Times are in microseconds.
const MICROSECONDS: u8 = 2;

/// Binance spot.
#[derive(Debug)]
pub(super) struct Binance;

impl Dialect for Binance {
    fn rules(&self) -> Rules {
        Rules {
            inbound_per_second: Some(INBOUND_PER_SECOND),
            ping_interval: Some(PING_INTERVAL),
            pong_timeout: PONG_TIMEOUT,
            ..Rules::NONE
        }
    }

    fn default_path(&self) -> &'static str {
        "/ws"
    }

    fn separator(&self) -> Option<char> {
        None
    }

    /// `/ws`, `/ws/<stream>`, `/stream`, `/stream?streams=<a>/<b>`; `timeUnit=MICROSECOND` with any of them.
    fn open(&self, path: &str, query: Option<&str>) -> Result<Session, Refusal> {
        let mut session = open(Session::new(Protocol::BinanceSpot), path, query)?;
        for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (key.as_ref(), value.as_ref()) {
                ("timeUnit", "MICROSECOND" | "microsecond") => session.shape.0 |= MICROSECONDS,
                ("timeUnit", "MILLISECOND" | "millisecond") => {}
                ("timeUnit", other) => {
                    return Err(Refusal::new(400, format!("unknown timeUnit: {other}")));
                }
                _ => {}
            }
        }
        Ok(session)
    }

    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        vec![answer(session, request)]
    }

    fn answers_as_a_whole(&self) -> bool {
        true
    }

    fn traded_symbol(&self, stream: &str, _shape: Shape) -> Option<String> {
        traded_symbol(stream)
    }

    /// "Trade Streams" on the page, without `b` and `a`, which went in June 2024.
    fn template(&self, symbol: &Symbol<'_>, shape: Shape) -> Template {
        let (event, trade) =
            if shape.0 & MICROSECONDS != 0 { ("event_us", "trade_us") } else { ("event_ms", "trade_ms") };
        let name = symbol.name;
        let bare = format!(
            r#"{{"e":"trade","E":<{event}>,"s":"{name}","t":<id>,"p":"<price>","q":"<quantity>","T":<{trade}>,"m":<maker true|false>,"M":true}}"#
        );
        Template::new(&wrapped(bare, &trade_stream(name), shape), Spelling::Fixed(8), Spelling::Fixed(8))
    }

    fn time_unit_ns(&self, shape: Shape) -> i64 {
        if shape.0 & MICROSECONDS != 0 { 1_000 } else { 1_000_000 }
    }

    fn shutdown_notice(&self, shape: Shape, unix_ns: i64) -> Option<String> {
        let time = unix_ns / self.time_unit_ns(shape);
        Some(wrapped(format!(r#"{{"e":"serverShutdown","E":{time}}}"#), "!serverShutdown", shape))
    }

    fn recorded(&self, frame: &str) -> Option<Recorded> {
        recorded(frame)
    }

    fn is_bare(&self, shape: Shape) -> bool {
        shape.0 & COMBINED == 0
    }
}

/// Adds to a session what path and query say: whether frames are wrapped, and streams.
pub(super) fn open(mut session: Session, path: &str, query: Option<&str>) -> Result<Session, Refusal> {
    let mut names = match path.strip_suffix('/').unwrap_or(path) {
        "/stream" => {
            session.shape.0 |= COMBINED;
            Vec::new()
        }
        "/ws" => Vec::new(),
        path => split_streams(path.strip_prefix("/ws/").ok_or_else(|| Refusal::no_such_path(path))?),
    };
    for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if key == "streams" && session.shape.0 & COMBINED != 0 {
            names.extend(split_streams(&value));
        }
    }
    requests::subscribe(&mut session, &names).map_err(|error| Refusal::new(400, error.message))?;
    Ok(session)
}

/// Takes a client's message and returns the reply.
pub(super) fn answer(session: &mut Session, request: &Request<'_>) -> String {
    requests::answer(session, request.text, request.rejected)
}

/// Stream names are lowercase; one in capitals is accepted and stays silent (assumed).
pub(super) fn traded_symbol(stream: &str) -> Option<String> {
    let symbol = stream.strip_suffix("@trade")?;
    let upper = symbol.to_uppercase();
    (symbol.to_lowercase() == symbol && is_name(&upper)).then_some(upper)
}

pub(super) fn trade_stream(symbol: &str) -> String {
    format!("{}@trade", symbol.to_lowercase())
}

/// The payload in the envelope that the connection's frames have.
pub(super) fn wrapped(bare: String, stream: &str, shape: Shape) -> String {
    if shape.0 & COMBINED != 0 { format!(r#"{{"stream":"{stream}","data":{bare}}}"#) } else { bare }
}

/// Takes a frame of a combined stream apart.
pub(super) fn recorded(frame: &str) -> Option<Recorded> {
    const STREAM: &str = r#"{"stream":""#;
    const DATA: &str = r#"","data":"#;
    let rest = frame.strip_prefix(STREAM)?;
    let stream = &rest[..rest.find(DATA)?];
    let data = STREAM.len() + stream.len() + DATA.len()..frame.len() - 1;
    (frame.ends_with('}') && data.start < data.end).then(|| Recorded { stream: stream.to_owned(), data })
}

fn split_streams(text: &str) -> Vec<String> {
    text.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(path: &str, query: Option<&str>) -> Session {
        Binance.open(path, query).unwrap()
    }

    #[test]
    fn paths_decide_shape_and_streams() {
        assert_eq!(opened("/ws", None), Session::new(Protocol::BinanceSpot));
        assert_eq!(opened("/ws/btcusdt@trade", None).streams, ["btcusdt@trade"]);
        let both = opened("/stream", Some("streams=a@trade/b@trade&timeUnit=MICROSECOND"));
        assert_eq!(both.streams, ["a@trade", "b@trade"]);
        assert_eq!(both.shape, Shape(COMBINED | MICROSECONDS));
        assert_eq!(Binance.open("/wss", None).unwrap_err().status, 404);
        assert_eq!(Binance.open("/", None).unwrap_err().status, 404);
        assert_eq!(Binance.open("/ws", Some("timeUnit=NANOSECOND")).unwrap_err().status, 400);
    }

    #[test]
    fn only_lowercase_trade_streams_carry_trades() {
        assert_eq!(traded_symbol("btcusdt@trade").as_deref(), Some("BTCUSDT"));
        assert_eq!(traded_symbol("BTCUSDT@trade"), None);
        assert_eq!(traded_symbol("btcusdt@depth"), None);
    }

    #[test]
    fn recorded_frames_are_taken_apart_without_a_change() {
        let frame = r#"{"stream":"btcusdt@trade","data":{"e":"trade","t":1}}"#;
        let found = recorded(frame).unwrap();
        assert_eq!(found.stream, "btcusdt@trade");
        assert_eq!(&frame[found.data], r#"{"e":"trade","t":1}"#);
        assert_eq!(recorded(r#"{"lastUpdateId":1}"#), None);
    }
}
