//! Coinbase Advanced Trade.
//!
//! Source: CDP's pages and frames that others test with; no recording was to be had. Disputed: whose side `side` is, see
//! [`SIDE`]. Assumed: that `sequence_num` counts all frames of a connection from 0, the words of errors, the fields of
//! `subscriptions` and `heartbeats`, that a refused product leaves the others of its request. Left out: that products
//! with -USDC return their trades as -USD, and that trades are gathered for 250 ms.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::request::texts;
use super::{Dialect, Recorded, Refusal, Request, Rules, SEQUENCE, Session, Shape, Snapshot, Symbol, symbol_of};
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::sim::timestamp::iso_nanos;
use crate::venue::protocol::Protocol;

const TRADES: &str = "market_trades";
/// It has no products.
const HEARTBEATS: &str = "heartbeats";
/// The taker's, as most who read it take it.
const SIDE: &str = "<taker BUY|SELL>";
/// How many trades a snapshot has (assumed).
const SNAPSHOT_TRADES: usize = 50;
const INBOUND_PER_SECOND: usize = 8;
/// "you must send a subscribe message within 5 seconds or you are disconnected"
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);
/// "close within 60-90 seconds if no updates are sent"
const LONGEST_QUIET: Duration = Duration::from_secs(75);

/// Coinbase Advanced Trade.
#[derive(Debug)]
pub(super) struct CoinbaseAdvanced;

impl Dialect for CoinbaseAdvanced {
    fn rules(&self) -> Rules {
        Rules {
            inbound_per_second: Some(INBOUND_PER_SECOND),
            subscribe_within: Some(SUBSCRIBE_WITHIN),
            longest_quiet: Some(LONGEST_QUIET),
            ..Rules::NONE
        }
    }

    fn default_path(&self) -> &'static str {
        "/"
    }

    fn separator(&self) -> Option<char> {
        Some('-')
    }

    fn open(&self, path: &str, _query: Option<&str>) -> Result<Session, Refusal> {
        match path {
            "/" | "" => Ok(Session::new(Protocol::CoinbaseAdvanced)),
            _ => Err(Refusal::no_such_path(path)),
        }
    }

    /// One channel per message.
    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        let Ok(asked) = serde_json::from_str::<Value>(request.text) else {
            return vec![error("failure to parse the message")];
        };
        let is_new = match asked.get("type").and_then(Value::as_str) {
            Some("subscribe") => true,
            Some("unsubscribe") => false,
            _ => return vec![error("unknown message type")],
        };
        let mut replies = Vec::new();
        match asked.get("channel").and_then(Value::as_str) {
            Some(HEARTBEATS) if is_new => {
                session.add(HEARTBEATS.to_owned());
            }
            Some(HEARTBEATS) => {
                session.remove(HEARTBEATS);
            }
            Some(TRADES) => {
                for product in texts(asked.get("product_ids")) {
                    if !is_new {
                        session.remove(&format!("{TRADES}:{product}"));
                    } else if !(self.is_symbol(product) && request.exists(product)) {
                        replies.push(error(&format!("{product} is not a valid product")));
                    } else if session.add(format!("{TRADES}:{product}")) {
                        session.owed.push(product.to_owned());
                    }
                }
            }
            _ => return vec![error("channel is not supported")],
        }
        replies.push(subscriptions(session, request.now_ns));
        replies
    }

    fn heartbeats(&self, session: &Session, now_ns: i64, _last_id: &dyn Fn(&str) -> Option<u64>) -> Vec<String> {
        if !session.streams.iter().any(|stream| stream == HEARTBEATS) {
            return Vec::new();
        }
        let (time, counter) = (iso_nanos(now_ns), now_ns / 1_000_000_000);
        let event = json!({ "current_time": time, "heartbeat_counter": counter });
        vec![message(HEARTBEATS, now_ns, event)]
    }

    /// All frames of a connection are numbered.
    fn market_speaks(&self) -> bool {
        true
    }

    fn traded_symbol(&self, stream: &str, _shape: Shape) -> Option<String> {
        symbol_of(stream, TRADES).map(str::to_owned)
    }

    fn template(&self, symbol: &Symbol<'_>, _shape: Shape) -> Template {
        template(symbol, "update")
    }

    fn snapshot(&self, symbol: &Symbol<'_>, _shape: Shape) -> Option<Snapshot> {
        Some(Snapshot { template: template(symbol, "snapshot"), trades: SNAPSHOT_TRADES, newest_first: true })
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
        if channel == HEARTBEATS {
            return Some(Recorded::whole(HEARTBEATS.to_owned(), frame));
        }
        let trade = parsed.get("events")?.get(0)?.get("trades")?.get(0)?;
        Some(Recorded::whole(format!("{channel}:{}", trade.get("product_id")?.as_str()?), frame))
    }
}

fn template(symbol: &Symbol<'_>, kind: &str) -> Template {
    let name = symbol.name;
    Template::new(
        &format!(
            r#"{{"channel":"{TRADES}","client_id":"","timestamp":"<event_iso>","sequence_num":<sequence>,"events":[{{"type":"{kind}","trades":[<each>{{"trade_id":"<id>","product_id":"{name}","price":"<price>","size":"<quantity>","side":"{SIDE}","time":"<trade_iso>"}}</each>]}}]}}"#
        ),
        Spelling::Trimmed,
        Spelling::Trimmed,
    )
}

/// Everything that is subscribed.
fn subscriptions(session: &Session, now_ns: i64) -> String {
    let mut channels = Map::new();
    let products: Vec<&str> = session.symbols(TRADES).collect();
    if !products.is_empty() {
        channels.insert(TRADES.to_owned(), json!(products));
    }
    if session.streams.iter().any(|stream| stream == HEARTBEATS) {
        channels.insert(HEARTBEATS.to_owned(), json!([HEARTBEATS]));
    }
    message("subscriptions", now_ns, json!({ "subscriptions": channels }))
}

/// A frame of one event, yet without its number.
fn message(channel: &str, now_ns: i64, event: Value) -> String {
    let time = iso_nanos(now_ns);
    format!(
        r#"{{"channel":"{channel}","client_id":"","timestamp":"{time}","sequence_num":{SEQUENCE},"events":[{event}]}}"#
    )
}

fn error(words: &str) -> String {
    json!({ "type": "error", "message": words }).to_string()
}
