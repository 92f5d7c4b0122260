//! Binance spot market streams.
//!
//! Source: binance-spot-api-docs, web-socket-streams.md (July 2026). What that page leaves open is
//! marked: "reported" by users of the live server in public issues, or "assumed" here.

mod requests;

use super::config::is_symbol;
use super::protocol::{Protocol, Recorded, Refusal, Session, Shape};
use super::template::Template;

/// "WebSocket connections have a limit of 5 incoming messages per second": ping, pong and JSON frames.
const INBOUND_PER_SECOND: usize = 5;

/// Frames are wrapped as `{"stream":…,"data":…}`.
const COMBINED: u8 = 1;
/// Times are in microseconds.
const MICROSECONDS: u8 = 2;

/// Binance spot.
#[derive(Debug)]
pub(crate) struct Binance;

impl Protocol for Binance {
    /// `/ws`, `/ws/<stream>`, `/stream`, `/stream?streams=<a>/<b>`; `timeUnit=MICROSECOND` with any of them.
    fn open(&self, path: &str, query: Option<&str>) -> Result<Session, Refusal> {
        let mut session = Session::default();
        let named = match path.strip_suffix('/').unwrap_or(path) {
            "/stream" => {
                session.shape.0 |= COMBINED;
                None
            }
            "/ws" => None,
            path => match path.strip_prefix("/ws/") {
                Some(streams) => Some(streams.to_owned()),
                None => {
                    return Err(Refusal { status: 404, reason: format!("no such path: {path}") });
                }
            },
        };
        let mut names: Vec<String> = split_streams(&named.unwrap_or_default());
        for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (key.as_ref(), value.as_ref()) {
                ("timeUnit", "MICROSECOND" | "microsecond") => session.shape.0 |= MICROSECONDS,
                ("timeUnit", "MILLISECOND" | "millisecond") => {}
                ("timeUnit", other) => {
                    return Err(Refusal { status: 400, reason: format!("unknown timeUnit: {other}") });
                }
                ("streams", streams) if session.shape.0 & COMBINED != 0 => names.extend(split_streams(streams)),
                _ => {}
            }
        }
        requests::subscribe(&mut session, &names).map_err(|error| Refusal { status: 400, reason: error.message })?;
        Ok(session)
    }

    fn answer(&self, session: &mut Session, text: &str) -> String {
        requests::answer(session, text)
    }

    /// Stream names are lowercase; one in capitals is accepted and stays silent (assumed).
    fn traded_symbol(&self, stream: &str) -> Option<String> {
        let symbol = stream.strip_suffix("@trade")?;
        let upper = symbol.to_uppercase();
        (symbol.to_lowercase() == symbol && is_symbol(&upper)).then_some(upper)
    }

    /// "Trade Streams" on the page, without `b` and `a`, which went in June 2024.
    fn template(&self, symbol: &str, shape: Shape) -> Template {
        let (event, trade) =
            if shape.0 & MICROSECONDS != 0 { ("event_us", "trade_us") } else { ("event_ms", "trade_ms") };
        let bare = format!(
            r#"{{"e":"trade","E":<{event}>,"s":"{symbol}","t":<id>,"p":"<price>","q":"<quantity>","T":<{trade}>,"m":<buyer_is_maker>,"M":true}}"#
        );
        if shape.0 & COMBINED != 0 {
            let stream = symbol.to_lowercase();
            Template::new(&format!(r#"{{"stream":"{stream}@trade","data":{bare}}}"#))
        } else {
            Template::new(&bare)
        }
    }

    fn shutdown_notice(&self, shape: Shape, unix_ns: i64) -> String {
        let time = unix_ns / if shape.0 & MICROSECONDS != 0 { 1_000 } else { 1_000_000 };
        let bare = format!(r#"{{"e":"serverShutdown","E":{time}}}"#);
        if shape.0 & COMBINED != 0 { format!(r#"{{"stream":"!serverShutdown","data":{bare}}}"#) } else { bare }
    }

    fn recorded(&self, frame: &str) -> Option<Recorded> {
        const STREAM: &str = r#"{"stream":""#;
        const DATA: &str = r#"","data":"#;
        let length = frame.strip_prefix(STREAM)?.find(DATA)?;
        let stream = STREAM.len()..STREAM.len() + length;
        let data = stream.end + DATA.len()..frame.len() - 1;
        (frame.ends_with('}') && data.start < data.end).then_some(Recorded { stream, data })
    }

    fn is_bare(&self, shape: Shape) -> bool {
        shape.0 & COMBINED == 0
    }

    fn inbound_per_second(&self) -> usize {
        INBOUND_PER_SECOND
    }

    fn default_path(&self) -> &'static str {
        "/ws"
    }
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
        assert_eq!(opened("/ws", None), Session::default());
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
        assert_eq!(Binance.traded_symbol("btcusdt@trade").as_deref(), Some("BTCUSDT"));
        assert_eq!(Binance.traded_symbol("BTCUSDT@trade"), None);
        assert_eq!(Binance.traded_symbol("btcusdt@depth"), None);
    }

    #[test]
    fn recorded_frames_are_taken_apart_without_a_change() {
        let frame = r#"{"stream":"btcusdt@trade","data":{"e":"trade","t":1}}"#;
        let recorded = Binance.recorded(frame).unwrap();
        assert_eq!(&frame[recorded.stream], "btcusdt@trade");
        assert_eq!(&frame[recorded.data], r#"{"e":"trade","t":1}"#);
        assert_eq!(Binance.recorded(r#"{"lastUpdateId":1}"#), None);
    }
}
