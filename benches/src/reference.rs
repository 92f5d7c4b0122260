//! The same work with the usual crates: serde_json, rust_decimal, apache-avro.
//!
//! As fast as their interfaces allow: text is borrowed where it can be, the output is reused, and symbols are found
//! in the engine's own table. Both ways check what the engine checks and make the same bytes as the engine.

use std::error::Error;

use apache_avro::{Schema, to_avro_datum, to_value, write_avro_datum_ref};
use k2_feed::avro::{NORMALIZED_TRADE, SCHEMA_VERSION};
use k2_feed::venue::binance::Binance;
use k2_feed::venue::{Symbols, Venue};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fixture::{self, CONNECTION, Form, NORMALIZED_MS, RECEIVED_NS, SCHEMA_ID};

/// What any step may fail with.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// A trade, checked: the engine's `Trade` with the usual types.
#[derive(Debug)]
pub struct Trade<'frame> {
    instrument: usize,
    symbol: &'frame str,
    id: i64,
    price_text: &'frame str,
    price: Decimal,
    quantity_text: &'frame str,
    quantity: Decimal,
    time_ms: i64,
    buyer_is_maker: bool,
}

#[derive(Deserialize)]
struct Message<'frame> {
    #[serde(rename = "e")]
    event: &'frame str,
    #[serde(rename = "s")]
    symbol: &'frame str,
    #[serde(rename = "t")]
    id: i64,
    #[serde(rename = "p")]
    price: &'frame str,
    #[serde(rename = "q")]
    quantity: &'frame str,
    #[serde(rename = "T")]
    time: i64,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

#[derive(Deserialize)]
struct Combined<'frame> {
    #[serde(borrow)]
    data: Message<'frame>,
}

impl<'frame> Message<'frame> {
    fn trade(self, symbols: &Symbols) -> Outcome<Trade<'frame>> {
        if self.event != "trade" {
            return Err("not a trade".into());
        }
        if self.id < 0 || self.time < 0 {
            return Err("a number is below zero".into());
        }
        Ok(Trade {
            instrument: symbols.find("s", self.symbol).map_err(|reject| reject.to_string())?,
            symbol: self.symbol,
            id: self.id,
            price_text: self.price,
            price: Decimal::from_str_exact(self.price)?,
            quantity_text: self.quantity,
            quantity: Decimal::from_str_exact(self.quantity)?,
            time_ms: self.time,
            buyer_is_maker: self.buyer_is_maker,
        })
    }
}

/// serde_json into a typed struct that borrows its text.
pub fn decode_typed<'frame>(frame: &'frame [u8], form: Form, symbols: &Symbols) -> Outcome<Trade<'frame>> {
    let message = match form {
        Form::Plain => serde_json::from_slice(frame)?,
        Form::Combined => serde_json::from_slice::<Combined<'_>>(frame)?.data,
    };
    Message::trade(message, symbols)
}

/// serde_json into a [`Value`].
pub fn parse_value(frame: &[u8]) -> Outcome<Value> {
    Ok(serde_json::from_slice(frame)?)
}

/// The trade in a [`Value`].
pub fn decode_value<'value>(value: &'value Value, form: Form, symbols: &Symbols) -> Outcome<Trade<'value>> {
    let value = match form {
        Form::Plain => value,
        Form::Combined => &value["data"],
    };
    let message = Message {
        event: value["e"].as_str().ok_or("e is not text")?,
        symbol: value["s"].as_str().ok_or("s is not text")?,
        id: value["t"].as_i64().ok_or("t is not a number")?,
        price: value["p"].as_str().ok_or("p is not text")?,
        quantity: value["q"].as_str().ok_or("q is not text")?,
        time: value["T"].as_i64().ok_or("T is not a number")?,
        buyer_is_maker: value["m"].as_bool().ok_or("m is not true or false")?,
    };
    message.trade(symbols)
}

#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Side {
    Buy,
    Sell,
}

#[derive(Serialize)]
struct Metadata {
    sequence_number: Option<i64>,
    is_buyer_maker: Option<bool>,
    buyer_order_id: Option<i64>,
    seller_order_id: Option<i64>,
}

#[derive(Serialize)]
struct Record<'a> {
    schema_version: &'a str,
    exchange: &'a str,
    symbol: &'a str,
    canonical_symbol: &'a str,
    trade_id: &'a str,
    price: &'a str,
    quantity: &'a str,
    quote_volume: &'a str,
    side: Side,
    timestamp: i64,
    exchange_timestamp: i64,
    metadata: Option<Metadata>,
    exchange_timestamp_ns: Option<i64>,
    received_timestamp_ns: Option<i64>,
    connection: Option<&'a str>,
}

/// apache-avro, with the Confluent header before the record.
pub struct Encoder {
    schema: Schema,
    canonical_symbols: [String; fixture::SYMBOLS.len()],
    out: Vec<u8>,
}

impl Encoder {
    /// For the schema of the normalized topic.
    pub fn new() -> Outcome<Self> {
        let schema = Schema::parse_str(NORMALIZED_TRADE)?;
        Ok(Encoder { schema, canonical_symbols: fixture::instruments().map(|one| one.canonical), out: Vec::new() })
    }

    /// `write_avro_datum_ref`: serde straight to bytes.
    pub fn write_ref(&mut self, trade: &Trade<'_>) -> Outcome<&[u8]> {
        self.begin();
        let Encoder { schema, canonical_symbols, out } = self;
        with_record(trade, canonical_symbols, |record| write_avro_datum_ref(schema, record, out).map(drop))??;
        Ok(&self.out)
    }

    /// `to_value` and `to_avro_datum`: through a tree.
    pub fn write_value(&mut self, trade: &Trade<'_>) -> Outcome<&[u8]> {
        self.begin();
        let Encoder { schema, canonical_symbols, out } = self;
        let datum = with_record(trade, canonical_symbols, |record| to_avro_datum(schema, to_value(record)?))??;
        out.extend(datum);
        Ok(&self.out)
    }

    fn begin(&mut self) {
        self.out.clear();
        self.out.push(0);
        self.out.extend(SCHEMA_ID.to_be_bytes());
    }
}

fn with_record<R>(trade: &Trade<'_>, canonical_symbols: &[String], write: impl FnOnce(&Record<'_>) -> R) -> Outcome<R> {
    let quote_volume = trade.price.checked_mul(trade.quantity).ok_or("the product is too long")?;
    let exchange_timestamp_ns = trade.time_ms.checked_mul(1_000_000).ok_or("the time is after 2262")?;
    Ok(write(&Record {
        schema_version: SCHEMA_VERSION,
        exchange: Binance::FACTS.exchange,
        symbol: trade.symbol,
        canonical_symbol: &canonical_symbols[trade.instrument],
        trade_id: &trade.id.to_string(),
        price: trade.price_text,
        quantity: trade.quantity_text,
        quote_volume: &quote_volume.to_string(),
        side: if trade.buyer_is_maker { Side::Sell } else { Side::Buy },
        timestamp: NORMALIZED_MS,
        exchange_timestamp: trade.time_ms,
        metadata: Some(Metadata {
            sequence_number: Some(trade.id),
            is_buyer_maker: Some(trade.buyer_is_maker),
            buyer_order_id: None,
            seller_order_id: None,
        }),
        exchange_timestamp_ns: Some(exchange_timestamp_ns),
        received_timestamp_ns: Some(RECEIVED_NS),
        connection: Some(CONNECTION),
    }))
}
