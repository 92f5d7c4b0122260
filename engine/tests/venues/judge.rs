//! The same frames read by serde_json and the standard library, by the exchanges' documents and without the engine's code.

use std::time::SystemTime;

use k2_feed::trade::Side;
use serde_json::Value;

use crate::recording::Told;

/// The trades of a frame, none if it has none.
pub(crate) type Judge = fn(&Value) -> Vec<Told>;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_string()
}

fn nanos_of_millis(millis: u64) -> i64 {
    i64::try_from(millis * 1_000_000).unwrap()
}

fn nanos_of_rfc3339(time: &str) -> i64 {
    let time = humantime::parse_rfc3339(time).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(time.as_nanos()).unwrap()
}

/// Side: `m` says that the buyer was the maker, so that the taker sold.
pub(crate) fn binance(frame: &Value) -> Vec<Told> {
    let trade = &frame["data"];
    if trade["e"] != "trade" {
        return Vec::new();
    }
    vec![Told {
        symbol: text(&trade["s"]),
        id: trade["t"].as_u64().unwrap().to_string(),
        price: text(&trade["p"]),
        quantity: text(&trade["q"]),
        side: if trade["m"].as_bool().unwrap() { Side::Sell } else { Side::Buy },
        time_ns: nanos_of_millis(trade["T"].as_u64().unwrap()),
    }]
}

/// Side: the maker's.
pub(crate) fn coinbase_exchange(frame: &Value) -> Vec<Told> {
    if frame["type"] != "match" && frame["type"] != "last_match" {
        return Vec::new();
    }
    vec![Told {
        symbol: text(&frame["product_id"]),
        id: frame["trade_id"].as_u64().unwrap().to_string(),
        price: text(&frame["price"]),
        quantity: text(&frame["size"]),
        side: match frame["side"].as_str().unwrap() {
            "buy" => Side::Sell,
            "sell" => Side::Buy,
            other => panic!("{other}"),
        },
        time_ns: nanos_of_rfc3339(frame["time"].as_str().unwrap()),
    }]
}

/// Side: the taker's.
pub(crate) fn okx(frame: &Value) -> Vec<Told> {
    if frame["arg"]["channel"] != "trades" || frame.get("data").is_none() {
        return Vec::new();
    }
    let told = |trade: &Value| Told {
        symbol: text(&trade["instId"]),
        id: text(&trade["tradeId"]),
        price: text(&trade["px"]),
        quantity: text(&trade["sz"]),
        side: match trade["side"].as_str().unwrap() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => panic!("{other}"),
        },
        time_ns: nanos_of_millis(text(&trade["ts"]).parse().unwrap()),
    };
    frame["data"].as_array().unwrap().iter().map(told).collect()
}

/// Side: the taker's. There is no id.
pub(crate) fn kraken_v1(frame: &Value) -> Vec<Told> {
    if frame[2] != "trade" {
        return Vec::new();
    }
    let told = |trade: &Value| {
        let time = text(&trade[2]);
        let (seconds, micros) = time.split_once('.').unwrap();
        assert_eq!(micros.len(), 6);
        Told {
            symbol: text(&frame[3]),
            id: String::new(),
            price: text(&trade[0]),
            quantity: text(&trade[1]),
            side: match trade[3].as_str().unwrap() {
                "b" => Side::Buy,
                "s" => Side::Sell,
                other => panic!("{other}"),
            },
            time_ns: format!("{seconds}{micros}000").parse().unwrap(),
        }
    };
    frame[1].as_array().unwrap().iter().map(told).collect()
}
