//! What is written by hand, read by apache-avro: it decodes to what went in and encodes to the same bytes.

use std::str::FromStr;
use std::sync::LazyLock;

use apache_avro::schema::Schema;
use apache_avro::types::Value;
use apache_avro::{from_avro_datum, to_avro_datum};
use bigdecimal::BigDecimal;
use proptest::prelude::*;

use super::*;
use crate::decimal::MAX_PRODUCT_LEN;
use crate::trade::Side;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::parse_str(NORMALIZED_TRADE).unwrap());

/// A trade and its surroundings, owned.
#[derive(Debug, Clone)]
struct Sample {
    schema_id: u32,
    symbol: String,
    canonical: String,
    /// A number, or a text.
    id: Result<u64, String>,
    price: String,
    quantity: String,
    side: Side,
    exchange_time_ns: i64,
    sequence: Option<i64>,
    is_buyer_maker: Option<bool>,
    orders: (Option<i64>, Option<i64>),
    connection: String,
    received_ns: i64,
    normalized_ms: i64,
}

fn sample() -> Sample {
    Sample {
        schema_id: 7,
        symbol: "BTCUSDT".into(),
        canonical: "BTC/USDT".into(),
        id: Ok(5141),
        price: "64123.10".into(),
        quantity: "0.00020".into(),
        side: Side::Sell,
        exchange_time_ns: 1_763_720_000_123_456_789,
        sequence: Some(5141),
        is_buyer_maker: Some(true),
        orders: (Some(88), None),
        connection: "binance-0.1".into(),
        received_ns: 1_763_720_000_124_000_000,
        normalized_ms: 1_763_720_000_125,
    }
}

impl Sample {
    /// The record, written into exactly as many bytes as [`max_len`] asks for.
    fn write(&self) -> Vec<u8> {
        let id = match &self.id {
            Ok(number) => TradeId::Number(*number),
            Err(text) => TradeId::Text(text),
        };
        let trade = Trade {
            instrument: 0,
            id,
            price: Decimal::parse(&self.price).unwrap(),
            quantity: Decimal::parse(&self.quantity).unwrap(),
            side: self.side,
            exchange_time_ns: self.exchange_time_ns,
            sequence: self.sequence,
            is_buyer_maker: self.is_buyer_maker,
            buyer_order_id: self.orders.0,
            seller_order_id: self.orders.1,
        };
        let prefix = SymbolPrefix::new(self.schema_id, "binance", &self.symbol, &self.canonical);
        let context = Context {
            prefix: &prefix,
            connection: &self.connection,
            received_ns: self.received_ns,
            normalized_ms: self.normalized_ms,
        };
        let mut out = vec![0xAA; max_len(&trade, &context)];
        let len = write(&trade, &context, &mut out);
        // The bound that the ring is asked for before a frame is decoded: its own texts, and what is added to them.
        let of_frame = self.price.len() + self.quantity.len() + self.id.as_ref().err().map_or(0, String::len);
        assert!(out.len() <= of_frame + max_overhead(&prefix, &self.connection));
        out.truncate(len);
        out
    }

    /// What a reader must see. The product is another library's.
    fn expected(&self) -> Value {
        let text = |text: &str| Value::String(text.to_string());
        let some = |value| Value::Union(1, Box::new(value));
        let long = |value: Option<i64>| value.map_or(null(), |value| some(Value::Long(value)));
        let metadata = [
            ("sequence_number", long(self.sequence)),
            ("is_buyer_maker", self.is_buyer_maker.map_or(null(), |value| some(Value::Boolean(value)))),
            ("buyer_order_id", long(self.orders.0)),
            ("seller_order_id", long(self.orders.1)),
        ];
        let is_known = metadata.iter().any(|(_, value)| *value != null());
        let metadata = Value::Record(metadata.map(|(name, value)| (name.to_string(), value)).into());
        let fields = [
            ("schema_version", text("1.0.0")),
            ("exchange", text("binance")),
            ("symbol", text(&self.symbol)),
            ("canonical_symbol", text(&self.canonical)),
            ("trade_id", text(&self.id.as_ref().map_or_else(String::clone, u64::to_string))),
            ("price", text(&self.price)),
            ("quantity", text(&self.quantity)),
            ("quote_volume", text(&quote_volume(&self.price, &self.quantity))),
            (
                "side",
                match self.side {
                    Side::Buy => Value::Enum(0, "BUY".into()),
                    Side::Sell => Value::Enum(1, "SELL".into()),
                },
            ),
            ("timestamp", Value::Long(self.normalized_ms)),
            ("exchange_timestamp", Value::Long(self.exchange_time_ns.div_euclid(1_000_000))),
            ("metadata", if is_known { some(metadata) } else { null() }),
            ("exchange_timestamp_ns", long(Some(self.exchange_time_ns))),
            ("received_timestamp_ns", long(Some(self.received_ns))),
            ("connection", some(text(&self.connection))),
        ];
        Value::Record(fields.map(|(name, value)| (name.to_string(), value)).into())
    }

    fn check(&self) {
        let record = self.write();
        assert_eq!(record[0], 0, "Confluent's magic byte");
        assert_eq!(record[1..5], self.schema_id.to_be_bytes());
        let mut datum = &record[5..];
        let read = plain_longs(from_avro_datum(&SCHEMA, &mut datum, None).unwrap());
        assert_eq!(datum, b"", "nothing is left over");
        assert_eq!(read, self.expected());
        assert_eq!(to_avro_datum(&SCHEMA, read).unwrap(), record[5..]);
    }
}

fn null() -> Value {
    Value::Union(0, Box::new(Value::Null))
}

/// apache-avro takes `logicalType` beside `type` at its word; what is on the wire is a long either way.
fn plain_longs(value: Value) -> Value {
    match value {
        Value::TimestampMillis(value) => Value::Long(value),
        Value::Record(fields) => {
            Value::Record(fields.into_iter().map(|(name, value)| (name, plain_longs(value))).collect())
        }
        other => other,
    }
}

/// price x quantity in plain notation, the scale the sum of the scales where that is not below zero. (Left to
/// itself the library gives up the scale of a factor that is one.)
fn quote_volume(price: &str, quantity: &str) -> String {
    let [price, quantity] = [price, quantity].map(|text| BigDecimal::from_str(text).unwrap());
    let scale = price.fractional_digit_count() + quantity.fractional_digit_count();
    (price * quantity).with_scale(scale.max(0)).to_plain_string()
}

#[test]
fn a_record_reads_as_it_was_written() {
    sample().check();
    let none = Sample { sequence: None, is_buyer_maker: None, orders: (None, None), ..sample() };
    none.check();
    Sample { sequence: None, is_buyer_maker: None, orders: (None, Some(0)), ..sample() }.check();
    Sample { is_buyer_maker: Some(false), sequence: None, orders: (None, None), ..sample() }.check();
    Sample { id: Err("3fa85f64-5717-4562-b3fc-2c963f66afa6".into()), ..sample() }.check();
    Sample { id: Err(String::new()), ..sample() }.check();
    Sample { symbol: "币安人生USDT".into(), canonical: "币安人生/USDT".into(), ..sample() }.check();
}

#[test]
fn extreme_numbers() {
    for value in [i64::MIN, i64::MIN + 1, -1, 0, 1, 63, 64, -64, -65, 8191, 8192, i64::MAX - 1, i64::MAX] {
        let extreme = Sample {
            exchange_time_ns: value,
            received_ns: value,
            normalized_ms: value,
            sequence: Some(value),
            orders: (Some(value), Some(value)),
            id: Ok(value as u64),
            ..sample()
        };
        extreme.check();
    }
    Sample { id: Ok(u64::MAX), schema_id: u32::MAX, ..sample() }.check();
}

/// A product whose text has `len` bytes.
fn with_product(len: usize) -> Sample {
    let sample = Sample { price: "1".repeat(len.min(64)), quantity: "1".repeat(len + 1 - len.min(64)), ..sample() };
    assert_eq!(quote_volume(&sample.price, &sample.quantity).len(), len);
    sample
}

#[test]
fn the_length_of_a_long_product_takes_two_bytes() {
    for len in [1, 62, 63, 64, 65, 100, 127] {
        with_product(len).check();
    }
}

#[test]
fn the_longest_numbers_keep_to_the_bounds() {
    let nines = "9".repeat(64);
    let fraction = format!("0.{}", "9".repeat(63));
    for price in [&nines, &fraction, &format!("{nines}e64"), &format!("{fraction}e-64"), &format!("{fraction}e64")] {
        for quantity in [&nines, &fraction, &format!("{nines}E+64"), &format!("{fraction}e-64"), &"0".to_string()] {
            let (price, quantity) = (price.clone(), quantity.clone());
            let (a, b) = (Decimal::parse(&price).unwrap(), Decimal::parse(&quantity).unwrap());
            assert!(product_len(&a, &b) <= MAX_PRODUCT_LEN, "{price} x {quantity}");
            Sample { price, quantity, ..sample() }.check();
        }
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[0-9]{1,9}\\.[0-9]{1,8}",
        2 => "[0-9]{1,32}(\\.[0-9]{1,32})?",
        1 => "[0-9]{1,20}(\\.[0-9]{1,20})?[eE]([+-])?[0-5]?[0-9]",
        1 => "[0-9]{64}",
        1 => "0(\\.0{1,10})?",
    ]
}

fn long() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -70i64..70, Just(i64::MIN), Just(i64::MAX), 0..4_000_000_000_000_000_000i64]
}

fn samples() -> impl Strategy<Value = Sample> {
    let ids = prop_oneof![any::<u64>().prop_map(Ok), "\\PC{0,80}".prop_map(Err)];
    let texts = (any::<u32>(), "\\PC{1,20}", "\\PC{1,20}", "[ -~]{0,64}");
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let optional = || prop::option::of(long());
    let metadata = (optional(), prop::option::of(any::<bool>()), optional(), optional());
    (texts, ids, number(), number(), side, (long(), long(), long()), metadata).prop_map(
        |((schema_id, symbol, canonical, connection), id, price, quantity, side, times, metadata)| Sample {
            schema_id,
            symbol,
            canonical,
            id,
            price,
            quantity,
            side,
            exchange_time_ns: times.0,
            sequence: metadata.0,
            is_buyer_maker: metadata.1,
            orders: (metadata.2, metadata.3),
            connection,
            received_ns: times.1,
            normalized_ms: times.2,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_record_reads_as_it_was_written(sample in samples()) {
        sample.check();
    }
}
