//! A frame's trade, and its record in Avro.

use std::collections::HashMap;
use std::time::SystemTime;

use anyhow::Context;
use apache_avro::{Schema, write_avro_datum_ref};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

const SCHEMA: &str = include_str!("../../../schemas/normalized-trade.avsc");
/// What the field `connection` says.
pub(crate) const CONNECTION: &str = "binance-0.1";

/// A trade of Binance's.
#[derive(Debug, Deserialize)]
pub(crate) struct Trade<'frame> {
    #[serde(rename = "s")]
    pub(crate) symbol: &'frame str,
    #[serde(rename = "t")]
    id: i64,
    #[serde(rename = "p")]
    price: &'frame str,
    #[serde(rename = "q")]
    quantity: &'frame str,
    /// In the connection's [`Unit`].
    #[serde(rename = "T")]
    time: i64,
    #[serde(rename = "m")]
    is_buyer_maker: bool,
}

/// What a connection gives times in: milliseconds, or what its address asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    ns: i64,
}

impl Unit {
    pub(crate) fn of(url: &str) -> Self {
        Unit { ns: if url.to_lowercase().contains("timeunit=microsecond") { 1_000 } else { 1_000_000 } }
    }
}

#[derive(Deserialize)]
struct Kind<'frame> {
    #[serde(rename = "e")]
    event: Option<&'frame str>,
}

/// The trade in a frame, if it is one.
pub(crate) fn parse(frame: &str) -> anyhow::Result<Option<Trade<'_>>> {
    let kind: Kind<'_> = serde_json::from_str(frame)?;
    Ok(if kind.event == Some("trade") { Some(serde_json::from_str(frame)?) } else { None })
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

/// Writes records, each over the one before.
pub(crate) struct Encoder {
    schema: Schema,
    schema_id: u32,
    /// By symbol.
    canonical: HashMap<String, String>,
    unit: Unit,
    out: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(schema_id: u32, symbols: &[String], unit: Unit) -> anyhow::Result<Self> {
        let canonical = |symbol: &String| {
            let base = symbol.strip_suffix("USDT").with_context(|| format!("{symbol} is not quoted in USDT"))?;
            Ok((symbol.clone(), format!("{base}/USDT")))
        };
        let canonical = symbols.iter().map(canonical).collect::<anyhow::Result<_>>()?;
        Ok(Encoder { schema: Schema::parse_str(SCHEMA)?, schema_id, canonical, unit, out: Vec::new() })
    }

    /// The record, in Confluent's frame.
    pub(crate) fn encode(&mut self, trade: &Trade<'_>, received_ns: i64) -> anyhow::Result<&[u8]> {
        let product = Decimal::from_str_exact(trade.price)? * Decimal::from_str_exact(trade.quantity)?;
        let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as i64;
        let time_ns = trade.time * self.unit.ns;
        let record = Record {
            schema_version: "1.0.0",
            exchange: "binance",
            symbol: trade.symbol,
            canonical_symbol: self.canonical.get(trade.symbol).with_context(|| trade.symbol.to_string())?,
            trade_id: &trade.id.to_string(),
            price: trade.price,
            quantity: trade.quantity,
            quote_volume: &product.to_string(),
            side: if trade.is_buyer_maker { Side::Sell } else { Side::Buy },
            timestamp: now_ms,
            exchange_timestamp: time_ns / 1_000_000,
            metadata: Some(Metadata {
                sequence_number: Some(trade.id),
                is_buyer_maker: Some(trade.is_buyer_maker),
                buyer_order_id: None,
                seller_order_id: None,
            }),
            exchange_timestamp_ns: Some(time_ns),
            received_timestamp_ns: Some(received_ns),
            connection: Some(CONNECTION),
        };
        self.out.clear();
        self.out.push(0);
        self.out.extend(self.schema_id.to_be_bytes());
        write_avro_datum_ref(&self.schema, &record, &mut self.out)?;
        Ok(&self.out)
    }
}

/// Registers the schema, and has its id.
pub(crate) fn register(registry: &str, subject: &str) -> anyhow::Result<u32> {
    let url = format!("{registry}/subjects/{subject}/versions");
    let mut answer = ureq::post(&url).send_json(serde_json::json!({ "schema": SCHEMA })).context(url)?;
    let body: serde_json::Value = answer.body_mut().read_json()?;
    body["id"].as_u64().map(|id| id as u32).context("the registry gives no id")
}
