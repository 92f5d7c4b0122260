//! Whether the two topics tell the same trades, by the promises made for records and by nothing of the engine's code.

use std::collections::{BTreeMap, HashMap};

use apache_avro::types::Value;
use serde_json::Value as Json;

use crate::reader::{Found, Normalized, Raw};

pub(crate) const MILLISECOND: i64 = 1_000_000;
pub(crate) const MICROSECOND: i64 = 1_000;

const FIELDS: [&str; 15] = [
    "schema_version",
    "exchange",
    "symbol",
    "canonical_symbol",
    "trade_id",
    "price",
    "quantity",
    "quote_volume",
    "side",
    "timestamp",
    "exchange_timestamp",
    "metadata",
    "exchange_timestamp_ns",
    "received_timestamp_ns",
    "connection",
];

/// The ids of each symbol, in their order. Fails the test unless every trade is on both topics, once, and right in
/// every field. `unit_ns` is the length of the unit in which the exchange tells its times.
pub(crate) fn same_trades(found: &Found, unit_ns: i64) -> BTreeMap<String, Vec<u64>> {
    assert_eq!(found.raw.len(), found.normalized.len(), "records on the two topics");
    let mut by_id = HashMap::new();
    let mut raw_ids: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for raw in &found.raw {
        let trade = trade_of(raw);
        let (symbol, id) = (trade["s"].as_str().expect("a symbol").to_string(), trade["t"].as_u64().expect("an id"));
        assert_eq!((raw.key.as_str(), raw.exchange.as_str()), (symbol.as_str(), "binance"));
        raw_ids.entry(symbol.clone()).or_default().push(id);
        assert!(by_id.insert((symbol, id), (raw, trade)).is_none(), "twice on the raw topic: {}", raw.frame);
    }
    let mut ids: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for normalized in &found.normalized {
        let id: u64 = text(field(&normalized.fields, "trade_id")).parse().expect("a number");
        let (raw, trade) = by_id.get(&(normalized.key.clone(), id)).expect("a trade of the raw topic");
        same_trade(normalized, raw, trade, unit_ns);
        ids.entry(normalized.key.clone()).or_default().push(id);
    }
    for (symbol, raw) in &raw_ids {
        let normalized = ids.get(symbol).map_or(&[][..], |ids| ids);
        let differs = raw.iter().zip(normalized).position(|(one, other)| one != other);
        let around = |ids: &[u64]| differs.map(|at| ids[at.saturating_sub(3)..ids.len().min(at + 12)].to_vec());
        assert_eq!(around(raw), around(normalized), "the order of {symbol} on the raw and the normalized topic");
    }
    ids
}

/// Fails the test unless each symbol's ids rise by one.
pub(crate) fn contiguous(ids: &BTreeMap<String, Vec<u64>>) {
    for (symbol, ids) in ids {
        let broken = ids.windows(2).find(|pair| pair[1] != pair[0] + 1);
        assert_eq!(broken, None, "ids of {symbol}");
    }
}

/// The trade in a frame, taken out of its envelope if it has one.
pub(crate) fn trade_of(raw: &Raw) -> Json {
    let frame: Json = serde_json::from_str(&raw.frame).expect("JSON");
    if frame["data"].is_object() { frame["data"].clone() } else { frame }
}

fn same_trade(normalized: &Normalized, raw: &Raw, trade: &Json, unit_ns: i64) {
    let fields = &normalized.fields;
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, FIELDS);
    let sent = |name: &str| trade[name].as_str().expect("text");
    let is_text = |name: &str, expected: &str| assert_eq!(text(field(fields, name)), expected, "{name}: {}", raw.frame);
    let is_maker = trade["m"].as_bool().expect("m");
    is_text("schema_version", "1.0.0");
    is_text("exchange", "binance");
    is_text("symbol", sent("s"));
    is_text("canonical_symbol", &format!("{}/USDT", sent("s").strip_suffix("USDT").expect("a pair with USDT")));
    is_text("price", sent("p"));
    is_text("quantity", sent("q"));
    is_text("quote_volume", &product(sent("p"), sent("q")));
    is_text("side", if is_maker { "SELL" } else { "BUY" });
    is_text("connection", &raw.connection);

    let traded_ns = trade["T"].as_i64().expect("T") * unit_ns;
    assert_eq!(long(field(fields, "exchange_timestamp")), traded_ns / MILLISECOND);
    assert_eq!(long(field(fields, "exchange_timestamp_ns")), traded_ns);
    assert_eq!(long(field(fields, "received_timestamp_ns")), raw.received_ns);
    // Normalized within a frame's processing; the clock may be set meanwhile, but hardly by a minute.
    let later_ms = long(field(fields, "timestamp")) - raw.received_ns / MILLISECOND;
    assert!((0..60_000).contains(&later_ms), "normalized {later_ms} ms after it was received");

    let Value::Record(metadata) = plain(field(fields, "metadata")) else { panic!("metadata is null") };
    let names: Vec<_> = metadata.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sequence_number", "is_buyer_maker", "buyer_order_id", "seller_order_id"]);
    let of = |name: &str| plain(field(metadata, name));
    let number = |name: &str| trade[name].as_i64().map_or(Value::Null, Value::Long);
    assert_eq!(*of("sequence_number"), number("t"));
    assert_eq!(*of("is_buyer_maker"), Value::Boolean(is_maker));
    assert_eq!(*of("buyer_order_id"), number("b"));
    assert_eq!(*of("seller_order_id"), number("a"));
}

pub(crate) fn field<'a>(fields: &'a [(String, Value)], name: &str) -> &'a Value {
    &fields.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no field {name}")).1
}

/// The value without its union.
fn plain(value: &Value) -> &Value {
    match value {
        Value::Union(_, inner) => inner,
        other => other,
    }
}

pub(crate) fn text(value: &Value) -> &str {
    match plain(value) {
        Value::String(text) | Value::Enum(_, text) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// apache-avro reads the annotation that stands beside the type, where the specification ignores it.
pub(crate) fn long(value: &Value) -> i64 {
    match plain(value) {
        Value::Long(number) | Value::TimestampMillis(number) => *number,
        other => panic!("no long: {other:?}"),
    }
}

/// The exact product of two decimals, its scale the sum of theirs.
pub(crate) fn product(price: &str, quantity: &str) -> String {
    let scale = |text: &str| text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let digits = |text: &str| text.replace('.', "").parse::<u128>().expect("digits");
    let scale = scale(price) + scale(quantity);
    let product = format!("{:0width$}", digits(price) * digits(quantity), width = scale + 1);
    let (whole, decimals) = product.split_at(product.len() - scale);
    if scale == 0 { whole.to_string() } else { format!("{whole}.{decimals}") }
}
