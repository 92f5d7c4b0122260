//! When the exchange was to send a trade, read from its record.

/// More than this is not milliseconds since 1970.
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
/// `schema_version` to `quote_volume`.
const LEADING_STRINGS: usize = 8;

/// Nanoseconds since 1970 at which the trade was to be sent, by a frame of Binance's or by a normalized record: the
/// simulator gives each trade that time. `None` of what is neither.
pub(crate) fn at_unix_ns(value: &[u8]) -> Option<i64> {
    match value.first()? {
        b'{' => of_frame(value),
        0 => of_record(Avro(value.get(5..)?)),
        _ => None,
    }
}

/// A frame has its trade's time in milliseconds or microseconds, and does not say which.
fn of_frame(frame: &[u8]) -> Option<i64> {
    const NAME: &[u8] = b"\"T\":";
    let at = frame.windows(NAME.len()).position(|bytes| bytes == NAME)? + NAME.len();
    let digits = frame[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(ns(digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))))
}

/// By the fields that all versions of the schema begin with; `exchange_timestamp_ns`, where there is one, is finer.
fn of_record(mut avro: Avro<'_>) -> Option<i64> {
    for _ in 0..LEADING_STRINGS {
        avro.skip_string()?;
    }
    let (_side, _timestamp) = (avro.long()?, avro.long()?);
    let time = avro.long()?;
    let finer = avro.skip_metadata().and_then(|()| avro.optional_long());
    Some(finer.unwrap_or(ns(time)))
}

fn ns(time: i64) -> i64 {
    if time < MICROSECONDS_FROM { time * 1_000_000 } else { time * 1_000 }
}

/// What is left of a datum in Avro's binary encoding.
struct Avro<'a>(&'a [u8]);

impl Avro<'_> {
    fn long(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        let len = usize::try_from(self.long()?).ok()?;
        self.0 = self.0.get(len..)?;
        Some(())
    }

    /// The second branch of a union with null.
    fn optional_long(&mut self) -> Option<i64> {
        if self.long()? == 1 { self.long() } else { None }
    }

    fn skip_metadata(&mut self) -> Option<()> {
        if self.long()? == 0 {
            return Some(());
        }
        self.optional_long();
        if self.long()? == 1 {
            self.0 = self.0.get(1..)?;
        }
        self.optional_long();
        self.optional_long();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apache_avro::types::Value;

    const SCHEMA: &str = include_str!("../../../schemas/normalized-trade.avsc");

    #[test]
    fn a_frames_time_is_read_in_both_units() {
        let frame = |time: &str| format!(r#"{{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"1","T":{time},"m":true}}"#);
        assert_eq!(at_unix_ns(frame("1763720000123").as_bytes()), Some(1_763_720_000_123_000_000));
        assert_eq!(at_unix_ns(frame("1763720000123456").as_bytes()), Some(1_763_720_000_123_456_000));
        assert_eq!(at_unix_ns(br#"{"result":null,"id":1}"#), None);
        assert_eq!(at_unix_ns(b""), None);
    }

    /// A record as apache-avro writes it.
    fn record(metadata: Value, finer: Value) -> Vec<u8> {
        let schema = apache_avro::Schema::parse_str(SCHEMA).unwrap();
        let null = || Value::Union(0, Box::new(Value::Null));
        let mut record = apache_avro::types::Record::new(&schema).unwrap();
        let texts = ["schema_version", "exchange", "symbol", "canonical_symbol", "trade_id", "price", "quantity"];
        texts.iter().chain(&["quote_volume"]).for_each(|name| record.put(name, format!("some {name}")));
        record.put("side", Value::Enum(1, "SELL".into()));
        record.put("timestamp", 1_763_720_000_125_i64);
        record.put("exchange_timestamp", 1_763_720_000_123_i64);
        record.put("metadata", metadata);
        record.put("exchange_timestamp_ns", finer);
        record.put("received_timestamp_ns", null());
        record.put("connection", null());
        let mut bytes = vec![0, 0, 0, 0, 7];
        bytes.extend(apache_avro::to_avro_datum(&schema, record).unwrap());
        bytes
    }

    #[test]
    fn a_records_time_is_read_as_finely_as_it_is_there() {
        let some = |value| Value::Union(1, Box::new(value));
        let null = || Value::Union(0, Box::new(Value::Null));
        let metadata = some(Value::Record(vec![
            ("sequence_number".into(), some(Value::Long(-5))),
            ("is_buyer_maker".into(), some(Value::Boolean(true))),
            ("buyer_order_id".into(), null()),
            ("seller_order_id".into(), some(Value::Long(1 << 40))),
        ]));
        let fine = 1_763_720_000_123_456_789;
        for metadata in [metadata, null()] {
            let found = at_unix_ns(&record(metadata.clone(), some(Value::Long(fine))));
            assert_eq!(found, Some(fine), "{metadata:?}");
            assert_eq!(at_unix_ns(&record(metadata, null())), Some(1_763_720_000_123_000_000));
        }
    }

    #[test]
    fn a_record_of_the_first_twelve_fields_alone_is_enough() {
        let whole = record(Value::Union(0, Box::new(Value::Null)), Value::Union(0, Box::new(Value::Null)));
        // Without the last three fields, which are null.
        assert_eq!(at_unix_ns(&whole[..whole.len() - 3]), Some(1_763_720_000_123_000_000));
        for len in 0..whole.len() - 4 {
            assert_eq!(at_unix_ns(&whole[..len]), None, "{len} bytes");
        }
    }
}
