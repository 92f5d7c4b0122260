//! Kraken's WebSocket API v1, "frozen" since v2 came.
//!
//! Source: docs.kraken.com and a recording of April 2021. Assumed: the words of errors, and that the trades sent on
//! subscribing go from the oldest to the newest. Left out: `Exceeded msg rate`, which
//! answers bursts of requests (reported, at no stated rate).

use serde_json::{Value, json};

use super::request::{object, repeated, texts};
use super::{Dialect, Recorded, Refusal, Request, Rules, Session, Shape, Snapshot, Symbol, symbol_of};
use crate::sim::market::name_number;
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::venue::protocol::Protocol;

const CHANNEL: &str = "trade";
/// "last 50 trades"
const SNAPSHOT_TRADES: usize = 50;
/// Prices have so many decimals at least.
const PRICE_DECIMALS: u8 = 5;

/// Kraken's WebSocket API v1.
#[derive(Debug)]
pub(super) struct KrakenV1;

impl Dialect for KrakenV1 {
    fn rules(&self) -> Rules {
        Rules::NONE
    }

    fn default_path(&self) -> &'static str {
        "/"
    }

    fn separator(&self) -> Option<char> {
        Some('/')
    }

    /// Bitcoin is `XBT` here, Dogecoin `XDG`.
    fn symbol(&self, base: &str, quote: &str) -> String {
        let kraken = |name: &str| match name {
            "BTC" => "XBT".to_owned(),
            "DOGE" => "XDG".to_owned(),
            other => other.to_owned(),
        };
        format!("{}/{}", kraken(base), kraken(quote))
    }

    fn open(&self, path: &str, _query: Option<&str>) -> Result<Session, Refusal> {
        match path {
            "/" | "" => Ok(Session::new(Protocol::KrakenV1)),
            _ => Err(Refusal::no_such_path(path)),
        }
    }

    fn greeting(&self, connection: u64) -> Option<String> {
        Some(format!(r#"{{"connectionID":{connection},"event":"systemStatus","status":"online","version":"1.9.6"}}"#))
    }

    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        let Ok(asked) = serde_json::from_str::<Value>(request.text) else {
            return vec![error("Malformed request", &Value::Null)];
        };
        match asked.get("event").and_then(Value::as_str) {
            Some("ping") => vec![object([("event", json!("pong")), ("reqid", repeated(&asked, "reqid"))])],
            Some(event @ ("subscribe" | "unsubscribe")) => {
                let name = asked.get("subscription").and_then(|subscription| subscription.get("name"));
                if name.and_then(Value::as_str) != Some(CHANNEL) {
                    return vec![error("Subscription name invalid", &asked)];
                }
                let pairs = texts(asked.get("pair"));
                pairs.into_iter().map(|pair| of_pair(session, request, &asked, event, pair)).collect()
            }
            _ => vec![error("Unsupported event", &asked)],
        }
    }

    fn heartbeats(&self, session: &Session, _now_ns: i64, _last_id: &dyn Fn(&str) -> Option<u64>) -> Vec<String> {
        if session.streams.is_empty() { Vec::new() } else { vec![r#"{"event":"heartbeat"}"#.to_owned()] }
    }

    fn traded_symbol(&self, stream: &str, _shape: Shape) -> Option<String> {
        symbol_of(stream, CHANNEL).map(str::to_owned)
    }

    fn template(&self, symbol: &Symbol<'_>, _shape: Shape) -> Template {
        let (name, channel) = (symbol.name, channel_id(symbol.name));
        Template::new(
            &format!(
                r#"[{channel},[<each>["<price>","<quantity>","<trade_s>","<taker b|s>","<order l|m>",""]</each>],"trade","{name}"]"#
            ),
            Spelling::Fixed(symbol.price_decimals.max(PRICE_DECIMALS)),
            Spelling::Fixed(8),
        )
    }

    fn snapshot(&self, symbol: &Symbol<'_>, shape: Shape) -> Option<Snapshot> {
        Some(Snapshot { template: self.template(symbol, shape), trades: SNAPSHOT_TRADES, newest_first: false })
    }

    fn trades_per_frame(&self) -> u64 {
        10
    }

    fn has_ids(&self) -> bool {
        false
    }

    fn time_unit_ns(&self, _shape: Shape) -> i64 {
        1_000
    }

    fn recorded(&self, frame: &str) -> Option<Recorded> {
        let Value::Array(parts) = serde_json::from_str(frame).ok()? else { return None };
        let [.., channel, pair] = &parts[..] else { return None };
        Some(Recorded::whole(format!("{}:{}", channel.as_str()?, pair.as_str()?), frame))
    }
}

/// A number that the page calls deprecated: the same for the same pair.
fn channel_id(pair: &str) -> u64 {
    name_number(pair) % 5_000
}

/// One pair's part of a request, which is acknowledged or refused by itself.
fn of_pair(session: &mut Session, request: &Request<'_>, asked: &Value, event: &str, pair: &str) -> String {
    let stream = format!("{CHANNEL}:{pair}");
    let refused = |words: String| {
        object([
            ("errorMessage", json!(words)),
            ("event", json!("subscriptionStatus")),
            ("pair", json!(pair)),
            ("reqid", repeated(asked, "reqid")),
            ("status", json!("error")),
            ("subscription", json!({ "name": CHANNEL })),
        ])
    };
    let status = if event == "unsubscribe" {
        if !session.remove(&stream) {
            return refused("Subscription Not Found".to_owned());
        }
        "unsubscribed"
    } else {
        if !KrakenV1.is_symbol(pair) {
            return refused(format!("Currency pair not in ISO 4217-A3 format {pair}"));
        }
        if !request.exists(pair) {
            return refused(format!("Currency pair not supported {pair}"));
        }
        if session.add(stream) {
            session.owed.push(pair.to_owned());
        }
        "subscribed"
    };
    object([
        ("channelID", json!(channel_id(pair))),
        ("channelName", json!(CHANNEL)),
        ("event", json!("subscriptionStatus")),
        ("pair", json!(pair)),
        ("reqid", repeated(asked, "reqid")),
        ("status", json!(status)),
        ("subscription", json!({ "name": CHANNEL })),
    ])
}

fn error(words: &str, asked: &Value) -> String {
    object([
        ("errorMessage", json!(words)),
        ("event", json!("error")),
        ("reqid", repeated(asked, "reqid")),
        ("status", json!("error")),
    ])
}
