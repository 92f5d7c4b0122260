//! A trade as Confluent-framed Avro, written by hand into memory that the caller has claimed.
//!
//! The layout is the schema's, field by field, as the Avro specification's binary encoding has it
//! (<https://avro.apache.org/docs/1.12.0/specification/#binary-encoding>): zig-zag varints, length-prefixed
//! text, a branch number before a union's value. All fields up to `canonical_symbol` are the same for every
//! trade of a symbol and are copied in one piece. apache-avro is the judge in the tests, not the writer: writing
//! by hand takes a tenth of its time and does not allocate.

use std::fmt::Display;
use std::io::Write;
use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::types::Value;

use crate::decimal::{Decimal, MAX_PRODUCT_LEN, product, product_len};
use crate::trade::{MAX_MADE_ID, Trade, TradeId};

/// The schema of the normalized topic, the only copy, compiled in.
pub const NORMALIZED_TRADE: &str = include_str!("../../schemas/normalized-trade.avsc");

/// The full name of the schema's record.
pub const RECORD_NAME: &str = "com.k2.marketdata.crypto.NormalizedTrade";

/// `schema_version` of every record, the default of the field.
pub const SCHEMA_VERSION: &str = "1.0.0";

/// Bytes before the datum: a zero and the schema's id.
const CONFLUENT_HEADER: usize = 5;
/// Longest zig-zag varint of a `long`, in bytes.
const MAX_LONG: usize = 10;
/// Most bytes of the fields that are neither text nor part of the prefix: the lengths of five texts, the side,
/// two times, six nullable longs with the branches of `metadata` and of themselves, and a nullable text's branch.
const MAX_FIXED: usize = 5 * MAX_LONG + 1 + 2 * MAX_LONG + 1 + 6 * (1 + MAX_LONG) + 1;

/// What every record of one symbol begins with: the Confluent header and the fields that never change.
#[derive(Debug, Clone)]
pub struct SymbolPrefix(Box<[u8]>);

impl SymbolPrefix {
    /// The prefix of `symbol` on `exchange` under the registry's `schema_id`.
    pub fn new(schema_id: u32, exchange: &str, symbol: &str, canonical_symbol: &str) -> Self {
        let mut bytes = vec![
            0;
            CONFLUENT_HEADER
                + SCHEMA_VERSION.len()
                + exchange.len()
                + symbol.len()
                + canonical_symbol.len()
                + 4 * MAX_LONG
        ];
        let mut out = Writer { out: &mut bytes, at: 0 };
        out.bytes(&[0]);
        out.bytes(&schema_id.to_be_bytes());
        for text in [SCHEMA_VERSION, exchange, symbol, canonical_symbol] {
            out.text(text.as_bytes());
        }
        let len = out.at;
        bytes.truncate(len);
        SymbolPrefix(bytes.into())
    }
}

/// What a record says beside the trade itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The symbol's fixed fields.
    pub prefix: &'a SymbolPrefix,
    /// The connection that the frame came by.
    pub connection: &'a str,
    /// When the frame's bytes were received, nanoseconds since the Unix epoch.
    pub received_ns: i64,
    /// When the record is made, milliseconds since the Unix epoch.
    pub normalized_ms: i64,
}

/// An upper bound of the record of `trade`, in bytes: what to claim.
#[inline]
pub fn max_len(trade: &Trade<'_>, context: &Context<'_>) -> usize {
    let id = match trade.id {
        TradeId::Number(_) | TradeId::Content(_) => MAX_MADE_ID,
        TradeId::Text(text) => text.len(),
    };
    let texts = id + trade.price.text().len() + trade.quantity.text().len() + context.connection.len();
    context.prefix.0.len() + texts + product_len(&trade.price, &trade.quantity) + MAX_FIXED
}

/// An upper bound of any record of a symbol, beyond the texts that are in the frame itself.
pub fn max_overhead(prefix: &SymbolPrefix, connection: &str) -> usize {
    prefix.0.len() + connection.len() + MAX_MADE_ID + MAX_PRODUCT_LEN + MAX_FIXED
}

/// Writes the record of `trade` to `out` and returns its length.
///
/// # Panics
/// If `out` is shorter than [`max_len`].
#[inline]
pub fn write(trade: &Trade<'_>, context: &Context<'_>, out: &mut [u8]) -> usize {
    let mut out = Writer { out, at: 0 };
    out.bytes(&context.prefix.0);
    match trade.id {
        TradeId::Number(number) => out.text(itoa::Buffer::new().format(number).as_bytes()),
        TradeId::Text(text) => out.text(text.as_bytes()),
        TradeId::Content(_) => out.display(&trade.id),
    }
    out.text(trade.price.text().as_bytes());
    out.text(trade.quantity.text().as_bytes());
    out.quote_volume(&trade.price, &trade.quantity);
    out.long(trade.side as i64);
    out.long(context.normalized_ms);
    out.long(trade.exchange_time_ns.div_euclid(NANOS_PER_MILLI));
    out.metadata(trade);
    out.optional_long(Some(trade.exchange_time_ns));
    out.optional_long(Some(context.received_ns));
    out.byte(SOME);
    out.text(context.connection.as_bytes());
    out.at
}

const NANOS_PER_MILLI: i64 = 1_000_000;
/// The trade's id, read back from a record: for log lines about what was lost.
pub fn read_trade_id(record: &[u8]) -> Option<String> {
    static SCHEMA: LazyLock<Option<Schema>> = LazyLock::new(|| Schema::parse_str(NORMALIZED_TRADE).ok());
    let mut datum = record.get(CONFLUENT_HEADER..)?;
    let value = apache_avro::from_avro_datum(SCHEMA.as_ref()?, &mut datum, None).ok()?;
    let Value::Record(fields) = value else { return None };
    fields.into_iter().find_map(|(name, value)| match value {
        Value::String(id) if name == "trade_id" => Some(id),
        _ => None,
    })
}

/// Branch 0 of a `["null", …]` union.
const NONE: u8 = 0;
/// Branch 1 of a `["null", …]` union, zig-zag encoded.
const SOME: u8 = 2;

/// Appends Avro's primitives to a slice.
struct Writer<'out> {
    out: &'out mut [u8],
    at: usize,
}

impl Writer<'_> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.out[self.at] = byte;
        self.at += 1;
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    #[inline]
    fn long(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest >= 0x80 {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.long(text.len() as i64);
        self.bytes(text);
    }

    /// A text of less than 64 bytes, whose length is a single byte.
    fn display(&mut self, value: &impl Display) {
        let start = self.at + 1;
        let mut rest = &mut self.out[start..];
        let room = rest.len();
        // There is room for the longest, which the caller has claimed.
        let _ = write!(rest, "{value}");
        let len = room - rest.len();
        self.long(len as i64);
        self.at += len;
    }

    #[inline]
    fn optional_long(&mut self, value: Option<i64>) {
        match value {
            None => self.byte(NONE),
            Some(value) => {
                self.byte(SOME);
                self.long(value);
            }
        }
    }

    /// The product is written one byte further on, so that its length, a single byte for all but absurdly long
    /// products, can be put before it.
    #[inline]
    fn quote_volume(&mut self, price: &Decimal<'_>, quantity: &Decimal<'_>) {
        const ONE_BYTE_LEN: usize = 63;
        let start = self.at;
        let len = product(price, quantity, &mut self.out[start + 1..]);
        if len > ONE_BYTE_LEN {
            self.out.copy_within(start + 1..start + 1 + len, start + 2);
        }
        self.long(len as i64);
        self.at += len;
    }

    #[inline]
    fn metadata(&mut self, trade: &Trade<'_>) {
        let known = trade.sequence.is_some()
            || trade.is_buyer_maker.is_some()
            || trade.buyer_order_id.is_some()
            || trade.seller_order_id.is_some();
        if !known {
            return self.byte(NONE);
        }
        self.byte(SOME);
        self.optional_long(trade.sequence);
        match trade.is_buyer_maker {
            None => self.byte(NONE),
            Some(is_maker) => self.bytes(&[SOME, is_maker.into()]),
        }
        self.optional_long(trade.buyer_order_id);
        self.optional_long(trade.seller_order_id);
    }
}

#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod schema_tests;
