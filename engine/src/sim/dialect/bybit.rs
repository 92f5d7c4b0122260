//! Bybit v5, public streams.
//!
//! Source: bybit-exchange.github.io/docs/v5; the only recording is of what was there before. Assumed: the words of
//! errors, that a request with a topic that does not exist is refused as a whole, ten topics a request on spot.

use std::time::Duration;

use serde_json::{Value, json};

use super::request::{object, repeated, texts};
use super::{Dialect, Recorded, Refusal, Request, Rules, Session, Shape, Symbol};
use crate::sim::market::name_number;
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::venue::protocol::Protocol;

const TOPIC: &str = "publicTrade.";
const SPOT_TOPICS_PER_REQUEST: usize = 10;
/// Idle connections are cut after ten minutes.
const LONGEST_QUIET: Duration = Duration::from_secs(10 * 60);
/// The connection carries the spot market.
const SPOT: u8 = 1;

/// Bybit v5.
#[derive(Debug)]
pub(super) struct Bybit;

impl Dialect for Bybit {
    fn rules(&self) -> Rules {
        Rules { longest_quiet: Some(LONGEST_QUIET), ..Rules::NONE }
    }

    fn default_path(&self) -> &'static str {
        "/v5/public/spot"
    }

    fn separator(&self) -> Option<char> {
        None
    }

    fn open(&self, path: &str, _query: Option<&str>) -> Result<Session, Refusal> {
        let mut session = Session::new(Protocol::Bybit);
        match path {
            "/v5/public/spot" => session.shape.0 |= SPOT,
            "/v5/public/linear" | "/v5/public/inverse" => {}
            _ => return Err(Refusal::no_such_path(path)),
        }
        Ok(session)
    }

    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        let Ok(asked) = serde_json::from_str::<Value>(request.text) else {
            return vec![reply(request, &Value::Null, "", Err("Invalid JSON".to_owned()))];
        };
        let op = asked.get("op").and_then(Value::as_str).unwrap_or_default();
        let outcome = match op {
            "ping" => Ok("pong"),
            "subscribe" => self.subscribe(session, request, &texts(asked.get("args"))).map(|()| ""),
            "unsubscribe" => {
                let topics = texts(asked.get("args"));
                session.streams.retain(|stream| !topics.contains(&stream.as_str()));
                Ok("")
            }
            _ => Err("Invalid op".to_owned()),
        };
        vec![reply(request, &asked, op, outcome)]
    }

    fn answers_as_a_whole(&self) -> bool {
        true
    }

    fn traded_symbol(&self, stream: &str, _shape: Shape) -> Option<String> {
        stream.strip_prefix(TOPIC).map(str::to_owned)
    }

    /// Some symbols' ids are UUIDs, others' are numbers, both as text.
    fn template(&self, symbol: &Symbol<'_>, _shape: Shape) -> Template {
        let name = symbol.name;
        let id = if has_uuids(name) { "uuid" } else { "id" };
        Template::new(
            &format!(
                r#"{{"topic":"{TOPIC}{name}","type":"snapshot","ts":<event_ms>,"data":[<each>{{"T":<trade_ms>,"s":"{name}","S":"<taker Buy|Sell>","v":"<quantity>","p":"<price>","L":"<order PlusTick|ZeroMinusTick>","i":"<{id}>","BT":false,"seq":<channel_sequence>}}</each>]}}"#
            ),
            Spelling::Fixed(symbol.price_decimals),
            Spelling::Fixed(symbol.quantity_decimals),
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
        Some(Recorded::whole(parsed.get("topic")?.as_str()?.to_owned(), frame))
    }
}

impl Bybit {
    /// Adds all topics or none.
    fn subscribe(&self, session: &mut Session, request: &Request<'_>, topics: &[&str]) -> Result<(), String> {
        if session.shape.0 & SPOT != 0 && topics.len() > SPOT_TOPICS_PER_REQUEST {
            return Err(format!("args size >{SPOT_TOPICS_PER_REQUEST}"));
        }
        let exists = |topic: &&str| {
            let symbol = topic.strip_prefix(TOPIC);
            symbol.is_some_and(|symbol| self.is_symbol(symbol) && request.exists(symbol))
        };
        if let Some(unknown) = topics.iter().find(|topic| !exists(topic)) {
            return Err(format!("error:handler not found,topic:{unknown}"));
        }
        if let Some(twice) = topics.iter().find(|topic| session.streams.iter().any(|stream| stream == *topic)) {
            return Err(format!("error:already subscribed,topic:{twice}"));
        }
        session.streams.extend(topics.iter().map(|topic| (*topic).to_owned()));
        Ok(())
    }
}

/// Which kind of id a symbol has; about half of the symbols have either.
fn has_uuids(symbol: &str) -> bool {
    name_number(symbol).is_multiple_of(2)
}

fn reply(request: &Request<'_>, asked: &Value, op: &str, outcome: Result<&str, String>) -> String {
    let is_success = outcome.is_ok();
    let words = outcome.map_or_else(|words| words, str::to_owned);
    object([
        ("success", json!(is_success)),
        ("ret_msg", json!(words)),
        ("conn_id", json!(format!("00000000-0000-4000-8000-{:012x}", request.connection))),
        ("req_id", repeated(asked, "req_id")),
        ("op", json!(op)),
    ])
}
