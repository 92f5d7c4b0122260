//! Coinbase Exchange.
//!
//! Source: docs.cdp.coinbase.com and a recording of April 2021, in which the `side` of all matches is the maker's.
//! Assumed: the words of errors, the heartbeat's fields, that a refused product leaves the others of its request.

use std::time::Duration;

use serde_json::{Value, json};

use super::request::texts;
use super::{Dialect, Recorded, Refusal, Request, Rules, Session, Shape, Snapshot, Symbol, symbol_of};
use crate::sim::number::Spelling;
use crate::sim::template::Template;
use crate::sim::timestamp::iso_micros;
use crate::venue::protocol::Protocol;

/// In the order in which they are listed.
const CHANNELS: [&str; 2] = [MATCHES, HEARTBEAT];
const MATCHES: &str = "matches";
const HEARTBEAT: &str = "heartbeat";
/// "you must send a subscribe message within 5 seconds or you are disconnected"
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// Coinbase Exchange.
#[derive(Debug)]
pub(super) struct CoinbaseExchange;

impl Dialect for CoinbaseExchange {
    fn rules(&self) -> Rules {
        Rules { subscribe_within: Some(SUBSCRIBE_WITHIN), ..Rules::NONE }
    }

    fn default_path(&self) -> &'static str {
        "/"
    }

    fn separator(&self) -> Option<char> {
        Some('-')
    }

    fn open(&self, path: &str, _query: Option<&str>) -> Result<Session, Refusal> {
        match path {
            "/" | "" => Ok(Session::new(Protocol::CoinbaseExchange)),
            _ => Err(Refusal::no_such_path(path)),
        }
    }

    fn answer(&self, session: &mut Session, request: &Request<'_>) -> Vec<String> {
        let Ok(asked) = serde_json::from_str::<Value>(request.text) else {
            return vec![error("Failed to parse JSON", None)];
        };
        let is_new = match asked.get("type").and_then(Value::as_str) {
            Some("subscribe") => true,
            Some("unsubscribe") => false,
            Some(other) => return vec![error("Invalid message type", Some(&format!("{other} is not a valid type")))],
            None => return vec![error("Malformed message", Some("type is missing"))],
        };
        let mut replies = Vec::new();
        for (channel, products) in channels(&asked) {
            if !CHANNELS.contains(&channel) {
                replies.push(error("Failed to subscribe", Some(&format!("{channel} is not a valid channel"))));
                continue;
            }
            for product in products {
                let refused = is_new && !(self.is_symbol(product) && request.exists(product));
                if refused {
                    replies.push(error("Failed to subscribe", Some(&format!("{product} is not a valid product"))));
                } else if is_new {
                    if session.add(format!("{channel}:{product}")) && channel == MATCHES {
                        session.owed.push(product.to_owned());
                    }
                } else {
                    session.remove(&format!("{channel}:{product}"));
                }
            }
        }
        // A product that is refused on each channel is named once.
        replies.dedup();
        replies.push(subscriptions(session));
        replies
    }

    fn heartbeats(&self, session: &Session, now_ns: i64, last_id: &dyn Fn(&str) -> Option<u64>) -> Vec<String> {
        let time = iso_micros(now_ns);
        let heartbeat = |product: &str| {
            let id = last_id(product).unwrap_or(0);
            let sequence = id * 7 + 4;
            format!(
                r#"{{"type":"heartbeat","last_trade_id":{id},"product_id":"{product}","sequence":{sequence},"time":"{time}"}}"#
            )
        };
        session.symbols(HEARTBEAT).map(heartbeat).collect()
    }

    /// Heartbeats tell the last trade.
    fn market_speaks(&self) -> bool {
        true
    }

    fn traded_symbol(&self, stream: &str, _shape: Shape) -> Option<String> {
        symbol_of(stream, MATCHES).map(str::to_owned)
    }

    fn template(&self, symbol: &Symbol<'_>, _shape: Shape) -> Template {
        template(symbol, "match")
    }

    fn snapshot(&self, symbol: &Symbol<'_>, _shape: Shape) -> Option<Snapshot> {
        Some(Snapshot { template: template(symbol, "last_match"), trades: 1, newest_first: false })
    }

    fn time_unit_ns(&self, _shape: Shape) -> i64 {
        1_000
    }

    fn recorded(&self, frame: &str) -> Option<Recorded> {
        let parsed: Value = serde_json::from_str(frame).ok()?;
        let channel = match parsed.get("type")?.as_str()? {
            "match" | "last_match" => MATCHES,
            "heartbeat" => HEARTBEAT,
            _ => return None,
        };
        Some(Recorded::whole(format!("{channel}:{}", parsed.get("product_id")?.as_str()?), frame))
    }
}

fn template(symbol: &Symbol<'_>, kind: &str) -> Template {
    let name = symbol.name;
    Template::new(
        &format!(
            r#"{{"type":"{kind}","trade_id":<id>,"maker_order_id":"<maker_uuid>","taker_order_id":"<taker_uuid>","side":"<maker buy|sell>","size":"<quantity>","price":"<price>","product_id":"{name}","sequence":<channel_sequence>,"time":"<trade_iso>"}}"#
        ),
        Spelling::Trimmed,
        Spelling::Trimmed,
    )
}

/// The channels of a request with their products: a channel is a name, for the products named beside the channels, or
/// an object with both.
fn channels(asked: &Value) -> Vec<(&str, Vec<&str>)> {
    let common = texts(asked.get("product_ids"));
    let channels = asked.get("channels").and_then(Value::as_array).into_iter().flatten();
    let with_products = channels.filter_map(|channel| match channel {
        Value::String(name) => Some((name.as_str(), common.clone())),
        channel => {
            let mut products = texts(channel.get("product_ids"));
            products.extend(&common);
            Some((channel.get("name")?.as_str()?, products))
        }
    });
    with_products.collect()
}

/// Everything that is subscribed.
fn subscriptions(session: &Session) -> String {
    let channels: Vec<Value> = CHANNELS
        .iter()
        .map(|channel| (channel, session.symbols(channel).collect::<Vec<_>>()))
        .filter(|(_, products)| !products.is_empty())
        .map(|(channel, products)| json!({ "name": channel, "product_ids": products }))
        .collect();
    json!({ "type": "subscriptions", "channels": channels }).to_string()
}

fn error(message: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => json!({ "type": "error", "message": message, "reason": reason }).to_string(),
        None => json!({ "type": "error", "message": message }).to_string(),
    }
}
