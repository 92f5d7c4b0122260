//! Kraken's WebSocket API v2.
//!
//! Source: docs.kraken.com (2024 to 2026) as far as the shapes go; no recording was to be had. Assumed: the words of
//! errors, that a snapshot goes from the oldest trade to the newest, that numbers below 0.0001 have an exponent.

use serde_json::{Value, json};

use super::request::{object, repeated, texts};
use super::{Dialect, Recorded, Refusal, Request, Rules, Session, Shape, Snapshot, Symbol, symbol_of};
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::sim::timestamp::iso_micros;
use crate::venue::protocol::Protocol;

const CHANNEL: &str = "trade";
/// "a snapshot of the last 50 trades"
const SNAPSHOT_TRADES: usize = 50;

/// Kraken's WebSocket API v2.
#[derive(Debug)]
pub(super) struct KrakenV2;

impl Dialect for KrakenV2 {
    fn rules(&self) -> Rules {
        Rules::NONE
    }

    fn default_path(&self) -> &'static str {
        "/v2"
    }

    fn separator(&self) -> Option<char> {
        Some('/')
    }

    fn open(&self, path: &str, _query: Option<&str>) -> Result<Session, Refusal> {
        match path {
            "/v2" => Ok(Session::new(Protocol::KrakenV2)),
            _ => Err(Refusal::no_such_path(path)),
        }
    }

    fn greeting(&self, connection: u64) -> Option<String> {
        Some(format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.9","system":"online","api_version":"v2","connection_id":{connection}}}]}}"#
        ))
    }

    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        let time = json!(iso_micros(request.now_ns));
        let Ok(asked) = serde_json::from_str::<Value>(request.text) else {
            return vec![Reply { method: "", asked: &Value::Null, time }.error("Malformed request", None)];
        };
        let method = asked.get("method").and_then(Value::as_str).unwrap_or_default();
        let reply = Reply { method, asked: &asked, time };
        match method {
            "ping" => vec![reply.pong()],
            "subscribe" | "unsubscribe" => {
                let params = asked.get("params").unwrap_or(&Value::Null);
                if params.get("channel").and_then(Value::as_str) != Some(CHANNEL) {
                    return vec![reply.error("Channel not supported", None)];
                }
                let symbols = texts(params.get("symbol"));
                symbols.into_iter().map(|symbol| reply.of_symbol(session, request, params, symbol)).collect()
            }
            _ => vec![reply.error("Unsupported method", None)],
        }
    }

    fn heartbeats(&self, session: &Session, _now_ns: i64, _last_id: &dyn Fn(&str) -> Option<u64>) -> Vec<String> {
        if session.streams.is_empty() { Vec::new() } else { vec![r#"{"channel":"heartbeat"}"#.to_owned()] }
    }

    fn traded_symbol(&self, stream: &str, _shape: Shape) -> Option<String> {
        symbol_of(stream, CHANNEL).map(str::to_owned)
    }

    fn template(&self, symbol: &Symbol<'_>, _shape: Shape) -> Template {
        template(symbol, "update")
    }

    fn snapshot(&self, symbol: &Symbol<'_>, _shape: Shape) -> Option<Snapshot> {
        Some(Snapshot { template: template(symbol, "snapshot"), trades: SNAPSHOT_TRADES, newest_first: false })
    }

    fn trades_per_frame(&self) -> u64 {
        10
    }

    fn time_unit_ns(&self, _shape: Shape) -> i64 {
        1_000
    }

    fn recorded(&self, frame: &str) -> Option<Recorded> {
        let parsed: Value = serde_json::from_str(frame).ok()?;
        let channel = parsed.get("channel")?.as_str()?;
        let symbol = parsed.get("data")?.get(0)?.get("symbol")?.as_str()?;
        Some(Recorded::whole(format!("{channel}:{symbol}"), frame))
    }
}

fn template(symbol: &Symbol<'_>, kind: &str) -> Template {
    let name = symbol.name;
    Template::new(
        &format!(
            r#"{{"channel":"trade","type":"{kind}","data":[<each>{{"symbol":"{name}","side":"<taker buy|sell>","price":<price>,"qty":<quantity>,"ord_type":"<order limit|market>","trade_id":<id>,"timestamp":"<trade_iso>"}}</each>]}}"#
        ),
        Spelling::Json,
        Spelling::Json,
    )
}

/// What all answers to one request share.
struct Reply<'a> {
    method: &'a str,
    asked: &'a Value,
    /// Comes and goes within the same microsecond.
    time: Value,
}

impl Reply<'_> {
    /// One symbol's part of a request, which is acknowledged or refused by itself.
    fn of_symbol(&self, session: &mut Session, request: &Request<'_>, params: &Value, symbol: &str) -> String {
        let stream = format!("{CHANNEL}:{symbol}");
        if !KrakenV2.is_symbol(symbol) {
            return self.error(&format!("Currency pair not in ISO 4217-A3 format {symbol}"), Some(symbol));
        }
        if self.method == "unsubscribe" {
            return match session.remove(&stream) {
                true => self.success(json!({ "channel": CHANNEL, "symbol": symbol })),
                false => self.error("Subscription Not Found", Some(symbol)),
            };
        }
        if !request.exists(symbol) {
            return self.error(&format!("Currency pair not supported {symbol}"), Some(symbol));
        }
        if !session.add(stream) {
            return self.error("Already subscribed", Some(symbol));
        }
        // Two versions of the page contradict each other on the default.
        let snapshot = params.get("snapshot").and_then(Value::as_bool).unwrap_or(true);
        if snapshot {
            session.owed.push(symbol.to_owned());
        }
        self.success(json!({ "channel": CHANNEL, "symbol": symbol, "snapshot": snapshot }))
    }

    fn success(&self, result: Value) -> String {
        object([
            ("method", json!(self.method)),
            ("req_id", repeated(self.asked, "req_id")),
            ("result", result),
            ("success", json!(true)),
            ("time_in", self.time.clone()),
            ("time_out", self.time.clone()),
        ])
    }

    fn error(&self, words: &str, symbol: Option<&str>) -> String {
        object([
            ("error", json!(words)),
            ("method", if self.method.is_empty() { Value::Null } else { json!(self.method) }),
            ("req_id", repeated(self.asked, "req_id")),
            ("success", json!(false)),
            ("symbol", json!(symbol)),
            ("time_in", self.time.clone()),
            ("time_out", self.time.clone()),
        ])
    }

    fn pong(&self) -> String {
        object([
            ("method", json!("pong")),
            ("req_id", repeated(self.asked, "req_id")),
            ("time_in", self.time.clone()),
            ("time_out", self.time.clone()),
        ])
    }
}
