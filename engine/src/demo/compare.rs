//! What a record says, read by libraries that did not write it, and whether that is what was sent.

use std::str::FromStr;

use apache_avro::headers::HeaderBuilder;
use apache_avro::types::Value;
use apache_avro::{GenericSingleObjectReader, Schema};
use bigdecimal::BigDecimal;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use crate::avro::NORMALIZED_TRADE;
use crate::sim::{Batch, SentTrade};

/// Bytes of the Confluent header: a zero and the schema's id.
const CONFLUENT_HEADER: usize = 5;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A symbol that the exchange trades, and how records name it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// The exchange's name.
    pub(super) exchange: &'static str,
    /// The exchange's symbol.
    pub(super) symbol: String,
    /// The canonical symbol.
    pub(super) canonical: String,
}

/// A trade as the exchange sent it.
pub(super) struct Expected<'a> {
    listed: &'a Listed,
    id: Option<&'a str>,
    price: &'a str,
    quantity: &'a str,
    side: &'static str,
    exchange_unix_ns: i64,
}

impl<'a> Expected<'a> {
    pub(super) fn of(listed: &'a Listed, batch: &'a Batch, trade: &'a SentTrade) -> Self {
        let text = |range: &std::ops::Range<usize>| std::str::from_utf8(&batch.bytes[range.clone()]).unwrap_or("");
        Expected {
            listed,
            id: trade.id.as_ref().map(text),
            price: text(&trade.price),
            quantity: text(&trade.quantity),
            side: if trade.taker_sold { "SELL" } else { "BUY" },
            exchange_unix_ns: trade.exchange_unix_ns,
        }
    }

    /// The trade in words: by its id, or else by its time.
    pub(super) fn described(&self) -> String {
        match self.id {
            Some(id) => format!("{} trade {id}", self.listed.symbol),
            None => format!("{} trade of {} ns", self.listed.symbol, self.exchange_unix_ns),
        }
    }
}

/// When the engine received the frame of a raw record, in nanoseconds since 1970.
pub(super) fn received_ns(message: &BorrowedMessage<'_>) -> Option<i64> {
    let header = message.headers()?.iter().find(|header| header.key == "received_ns")?;
    std::str::from_utf8(header.value?).ok()?.parse().ok()
}

/// Reads normalized records by apache-avro. Its reader keeps what it has learnt of the schema, which
/// `from_avro_datum` works out anew for each record.
pub(super) struct Reader {
    schema: Schema,
    /// Made for the schema id of the first record, which all others of its topic must have, too.
    reader: Option<GenericSingleObjectReader>,
}

/// What stands before each record.
struct ConfluentHeader([u8; CONFLUENT_HEADER]);

impl HeaderBuilder for ConfluentHeader {
    fn build_header(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl Reader {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Reader { schema: Schema::parse_str(NORMALIZED_TRADE)?, reader: None })
    }

    pub(super) fn read(&mut self, message: &BorrowedMessage<'_>) -> Result<Record, String> {
        let mut payload = message.payload().unwrap_or_default();
        let value = self.reader(payload)?.read_value(&mut payload);
        let value = value.map_err(|error| format!("a record is no Avro: {error}"))?;
        if !payload.is_empty() {
            return Err(format!("{} bytes follow a record", payload.len()));
        }
        let Value::Record(fields) = value else { return Err("a value is no record".into()) };
        let record = Record::of(fields)?;
        if message.key() != Some(record.symbol.as_bytes()) {
            return Err(format!(
                "the key is {:?}, not {:?}",
                message.key().map(String::from_utf8_lossy),
                record.symbol
            ));
        }
        Ok(record)
    }

    fn reader(&mut self, payload: &[u8]) -> Result<&GenericSingleObjectReader, String> {
        if self.reader.is_none() {
            let header = payload.first_chunk::<CONFLUENT_HEADER>().filter(|header| header[0] == 0);
            let header = ConfluentHeader(*header.ok_or("a record is not Confluent-framed")?);
            let reader = GenericSingleObjectReader::new_with_header_builder(self.schema.clone(), header);
            self.reader = Some(reader.map_err(|error| format!("the schema is none: {error}"))?);
        }
        self.reader.as_ref().ok_or_else(|| "there is no reader".into())
    }
}

/// The fields of a normalized record.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) symbol: String,
    exchange: String,
    canonical_symbol: String,
    price: String,
    quantity: String,
    quote_volume: String,
    side: String,
    exchange_ms: i64,
    exchange_ns: i64,
}

impl Record {
    fn of(fields: Vec<(String, Value)>) -> Result<Self, String> {
        let mut record = Record::default();
        for (name, value) in fields {
            let text = match name.as_str() {
                "trade_id" => &mut record.id,
                "exchange" => &mut record.exchange,
                "symbol" => &mut record.symbol,
                "canonical_symbol" => &mut record.canonical_symbol,
                "price" => &mut record.price,
                "quantity" => &mut record.quantity,
                "quote_volume" => &mut record.quote_volume,
                "side" => &mut record.side,
                "exchange_timestamp" => {
                    record.exchange_ms = long(&name, value)?;
                    continue;
                }
                "exchange_timestamp_ns" => {
                    record.exchange_ns = long(&name, value)?;
                    continue;
                }
                _ => continue,
            };
            match value {
                Value::String(found) | Value::Enum(_, found) => *text = found,
                other => return Err(format!("{name} is {other:?}")),
            }
        }
        Ok(record)
    }

    /// Whether this can only be the trade that is `expected`: by its id or, where the exchange gives none, because all
    /// that the exchange told is the same.
    pub(super) fn is(&self, expected: &Expected<'_>) -> bool {
        match expected.id {
            Some(id) => self.id == id,
            None => {
                self.exchange_ns == expected.exchange_unix_ns
                    && self.price == expected.price
                    && self.quantity == expected.quantity
                    && self.side == expected.side
            }
        }
    }

    /// Whether this is likely to be the trade that is `expected`, told wrongly by an exchange's record without ids.
    pub(super) fn resembles(&self, expected: &Expected<'_>) -> bool {
        let same_numbers = self.price == expected.price && self.quantity == expected.quantity;
        expected.id.is_none() && (self.exchange_ns == expected.exchange_unix_ns || same_numbers)
    }

    /// The first thing that is not as it was sent.
    pub(super) fn differs(&self, expected: &Expected<'_>) -> Option<String> {
        let differs = |what: &str, found: &str, sent: &str| {
            (found != sent).then(|| format!("{what} is {found:?}, sent was {sent:?}"))
        };
        let time_differs =
            |what: &str, found: i64, sent: i64| (found != sent).then(|| format!("{what} is {found}, sent was {sent}"));
        let quote_volume = product(expected.price, expected.quantity);
        let sent_ns = expected.exchange_unix_ns;
        differs("price", &self.price, expected.price)
            .or_else(|| differs("quantity", &self.quantity, expected.quantity))
            .or_else(|| differs("side", &self.side, expected.side))
            .or_else(|| differs("quote_volume", &self.quote_volume, &quote_volume))
            .or_else(|| differs("exchange", &self.exchange, expected.listed.exchange))
            .or_else(|| differs("canonical_symbol", &self.canonical_symbol, &expected.listed.canonical))
            .or_else(|| time_differs("exchange_timestamp", self.exchange_ms, sent_ns.div_euclid(NANOS_PER_MILLI)))
            .or_else(|| time_differs("exchange_timestamp_ns", self.exchange_ns, sent_ns))
    }
}

/// apache-avro 0.21 reads the annotation beside the type, which the specification ignores.
fn long(name: &str, value: Value) -> Result<i64, String> {
    match value {
        Value::Long(number) | Value::TimestampMillis(number) => Ok(number),
        Value::Union(_, inner) => long(name, *inner),
        other => Err(format!("{name} is {other:?}")),
    }
}

/// The exact product, its scale the sum of both scales: by a library, since the engine's own arithmetic is what is
/// judged.
fn product(price: &str, quantity: &str) -> String {
    let number = |text| BigDecimal::from_str(text).ok().map(BigDecimal::into_bigint_and_scale);
    match (number(price), number(quantity)) {
        // The library's own product has fewer decimals where one factor is 1.
        (Some((price, price_scale)), Some((quantity, quantity_scale))) => {
            BigDecimal::new(price * quantity, price_scale + quantity_scale).to_plain_string()
        }
        _ => format!("none: {price:?} or {quantity:?} is no number"),
    }
}

#[cfg(test)]
mod tests {
    use super::product;

    #[test]
    fn products_keep_the_sum_of_scales() {
        assert_eq!(product("61837.63000000", "0.02000000"), "1236.7526000000000000");
        assert_eq!(product("59121.80", "3"), "177365.40");
        assert_eq!(product("9.2E-7", "5E-5"), "0.0000000000460");
        assert_eq!(product("985", "2"), "1970");
        assert_eq!(product("6.57082950", "1.00000000"), "6.5708295000000000");
        assert_eq!(product("1.0", "0.00"), "0.000");
    }
}
