//! OKX v5, the public channel `trades`.
//!
//! Source: okx.com/docs-v5 and a recording of May 2022 (in which prices have no zeros at their end). Assumed: the
//! words of errors but for those on the page, close codes. Left out: 480 requests an hour, 64 KB a request.

use std::time::Duration;

use serde_json::{Value, json};

use super::request::{object, repeated};
use super::{Dialect, Recorded, Refusal, Request, Rules, Session, Shape, Symbol, symbol_of};
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::venue::protocol::Protocol;

const CHANNEL: &str = "trades";
/// "the connection will break automatically if … data has not been pushed for more than 30 seconds"; a client that
/// gets nothing sends `ping` before.
const LONGEST_QUIET: Duration = Duration::from_secs(30);

/// OKX v5.
#[derive(Debug)]
pub(super) struct Okx;

impl Dialect for Okx {
    fn rules(&self) -> Rules {
        Rules { longest_quiet: Some(LONGEST_QUIET), ..Rules::NONE }
    }

    fn default_path(&self) -> &'static str {
        "/ws/v5/public"
    }

    fn separator(&self) -> Option<char> {
        Some('-')
    }

    fn open(&self, path: &str, _query: Option<&str>) -> Result<Session, Refusal> {
        match path {
            "/ws/v5/public" => Ok(Session::new(Protocol::Okx)),
            _ => Err(Refusal::no_such_path(path)),
        }
    }

    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        if request.text == "ping" {
            return vec!["pong".to_owned()];
        }
        let asked: Value = serde_json::from_str(request.text).unwrap_or(Value::Null);
        let op = asked.get("op").and_then(Value::as_str);
        let args = asked.get("args").and_then(Value::as_array);
        let (Some(op @ ("subscribe" | "unsubscribe")), Some(args)) = (op, args) else {
            return vec![error("60012", format!("Invalid request: {}", request.text), &asked)];
        };
        args.iter().map(|arg| of_arg(session, request, &asked, op, arg)).collect()
    }

    fn traded_symbol(&self, stream: &str, _shape: Shape) -> Option<String> {
        symbol_of(stream, CHANNEL).map(str::to_owned)
    }

    fn template(&self, symbol: &Symbol<'_>, _shape: Shape) -> Template {
        let name = symbol.name;
        Template::new(
            &format!(
                r#"{{"arg":{{"channel":"{CHANNEL}","instId":"{name}"}},"data":[<each>{{"instId":"{name}","tradeId":"<id>","px":"<price>","sz":"<quantity>","side":"<taker buy|sell>","ts":"<trade_ms>","count":"<order 1|3>","source":"0","seqId":<channel_sequence>}}</each>]}}"#
            ),
            Spelling::Trimmed,
            Spelling::Trimmed,
        )
    }

    fn trades_per_frame(&self) -> u64 {
        10
    }

    fn time_unit_ns(&self, _shape: Shape) -> i64 {
        1_000_000
    }

    fn recorded(&self, frame: &str) -> Option<Recorded> {
        let parsed: Value = serde_json::from_str(frame).ok()?;
        parsed.get("data")?;
        let arg = parsed.get("arg")?;
        let (channel, symbol) = (arg.get("channel")?.as_str()?, arg.get("instId")?.as_str()?);
        Some(Recorded::whole(format!("{channel}:{symbol}"), frame))
    }
}

/// One argument's part of a request, which is acknowledged or refused by itself.
fn of_arg(session: &mut Session, request: &Request<'_>, asked: &Value, op: &str, arg: &Value) -> String {
    let named = |name: &str| arg.get(name).and_then(Value::as_str).unwrap_or_default();
    let (channel, symbol) = (named("channel"), named("instId"));
    let stream = format!("{channel}:{symbol}");
    if op == "unsubscribe" {
        session.remove(&stream);
    } else if channel == CHANNEL && Okx.is_symbol(symbol) && request.exists(symbol) {
        session.add(stream);
    } else {
        let words = format!(
            "Wrong URL or channel:{channel},instId:{symbol} doesn't exist. Please use the correct URL, channel and \
             parameters referring to API document."
        );
        return error("60018", words, asked);
    }
    object([("id", repeated(asked, "id")), ("event", json!(op)), ("arg", arg.clone())])
}

fn error(code: &str, words: String, asked: &Value) -> String {
    object([("id", repeated(asked, "id")), ("event", json!("error")), ("code", json!(code)), ("msg", json!(words))])
}
