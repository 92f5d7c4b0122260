//! The schema of the normalized topic: fixed where consumers rely on it, readable both ways.

use apache_avro::schema::{RecordSchema, Schema};
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::types::Value;
use apache_avro::{from_avro_datum, to_avro_datum};

use super::NORMALIZED_TRADE;

/// What the consumers of the topic have today: their copy, which must go on working with ours.
const CONSUMERS_SCHEMA: &str = r#"{
  "type": "record", "name": "NormalizedTrade", "namespace": "com.k2.marketdata.crypto",
  "fields": [
    {"name": "schema_version", "type": "string", "default": "1.0.0"},
    {"name": "exchange", "type": "string"},
    {"name": "symbol", "type": "string"},
    {"name": "canonical_symbol", "type": "string"},
    {"name": "trade_id", "type": "string"},
    {"name": "price", "type": "string"},
    {"name": "quantity", "type": "string"},
    {"name": "quote_volume", "type": "string"},
    {"name": "side", "type": {"type": "enum", "name": "TradeSide", "symbols": ["BUY", "SELL"]}},
    {"name": "timestamp", "type": "long", "logicalType": "timestamp-millis"},
    {"name": "exchange_timestamp", "type": "long", "logicalType": "timestamp-millis"},
    {"name": "metadata", "default": null, "type": ["null", {
      "type": "record", "name": "TradeMetadata", "fields": [
        {"name": "sequence_number", "type": ["null", "long"], "default": null},
        {"name": "is_buyer_maker", "type": ["null", "boolean"], "default": null},
        {"name": "buyer_order_id", "type": ["null", "long"], "default": null},
        {"name": "seller_order_id", "type": ["null", "long"], "default": null}]}]}
  ]}"#;

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

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn some(value: Value) -> Value {
    Value::Union(1, Box::new(value))
}

/// A trade as a field list in the schema's order, of which consumers have the first twelve.
fn trade() -> Vec<(String, Value)> {
    let null = || Value::Union(0, Box::new(Value::Null));
    let metadata = Value::Record(vec![
        ("sequence_number".to_owned(), null()),
        ("is_buyer_maker".to_owned(), some(Value::Boolean(true))),
        ("buyer_order_id".to_owned(), some(Value::Long(88))),
        ("seller_order_id".to_owned(), null()),
    ]);
    let values = [
        text("1.0.0"),
        text("binance"),
        text("BTCUSDT"),
        text("BTC/USDT"),
        text("5141"),
        text("64123.10"),
        text("0.00020"),
        text("12.8246200"),
        Value::Enum(1, "SELL".to_owned()),
        Value::TimestampMillis(1_763_720_000_123),
        Value::TimestampMillis(1_763_720_000_100),
        some(metadata),
        some(Value::Long(1_763_720_000_100_000_000)),
        some(Value::Long(1_763_720_000_122_999_999)),
        some(text("binance-0")),
    ];
    FIELDS.iter().map(|name| (*name).to_owned()).zip(values).collect()
}

fn record(schema: &Schema) -> &RecordSchema {
    match schema {
        Schema::Record(record) => record,
        other => panic!("not a record: {other:?}"),
    }
}

#[test]
fn names_order_and_defaults_are_fixed() {
    let ours = Schema::parse_str(NORMALIZED_TRADE).unwrap();
    let record = record(&ours);
    assert_eq!(record.name.fullname(None), "com.k2.marketdata.crypto.NormalizedTrade");
    let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, FIELDS);
    let with_default: Vec<&str> =
        record.fields.iter().filter(|field| field.default.is_some()).map(|field| field.name.as_str()).collect();
    assert_eq!(
        with_default,
        ["schema_version", "metadata", "exchange_timestamp_ns", "received_timestamp_ns", "connection"]
    );
    assert!(record.fields.iter().all(|field| field.doc.is_some()));
}

/// Field by field the JSON is the consumers' own, documentation aside: what a reader sees of a
/// field (a plain long above all) hangs on where its attributes stand.
#[test]
fn the_first_twelve_fields_are_the_consumers_own() {
    fn bare(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.remove("doc");
                map.values_mut().for_each(bare);
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(bare),
            _ => {}
        }
    }
    let fields = |schema: &str| {
        let mut schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        bare(&mut schema);
        schema["fields"].as_array().unwrap().clone()
    };
    let (ours, theirs) = (fields(NORMALIZED_TRADE), fields(CONSUMERS_SCHEMA));
    assert_eq!(ours[..theirs.len()], theirs);
}

#[test]
fn todays_readers_read_our_records() {
    let ours = Schema::parse_str(NORMALIZED_TRADE).unwrap();
    let theirs = Schema::parse_str(CONSUMERS_SCHEMA).unwrap();
    let bytes = to_avro_datum(&ours, Value::Record(trade())).unwrap();
    let read = from_avro_datum(&ours, &mut bytes.as_slice(), Some(&theirs)).unwrap();
    assert_eq!(read, Value::Record(trade().into_iter().take(12).collect()));
}

#[test]
fn our_readers_read_todays_records() {
    let ours = Schema::parse_str(NORMALIZED_TRADE).unwrap();
    let theirs = Schema::parse_str(CONSUMERS_SCHEMA).unwrap();
    let old: Vec<_> = trade().into_iter().take(12).collect();
    let bytes = to_avro_datum(&theirs, Value::Record(old.clone())).unwrap();
    let read = from_avro_datum(&theirs, &mut bytes.as_slice(), Some(&ours)).unwrap();
    let null = || Value::Union(0, Box::new(Value::Null));
    let new = FIELDS[12..].iter().map(|name| ((*name).to_owned(), null()));
    assert_eq!(read, Value::Record(old.into_iter().chain(new).collect()));
}

#[test]
fn the_change_is_compatible_both_ways() {
    let ours = Schema::parse_str(NORMALIZED_TRADE).unwrap();
    let theirs = Schema::parse_str(CONSUMERS_SCHEMA).unwrap();
    SchemaCompatibility::mutual_read(&theirs, &ours).unwrap();
}
