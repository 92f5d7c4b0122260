//! What a record says, read by libraries that did not write it, and whether that is what was sent.

use apache_avro::headers::HeaderBuilder;
use apache_avro::types::Value;
use apache_avro::{GenericSingleObjectReader, Schema};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use serde::Deserialize;

use crate::avro::NORMALIZED_TRADE;
use crate::sim::Batch;

/// Bytes of the Confluent header: a zero and the schema's id.
const CONFLUENT_HEADER: usize = 5;

/// A trade as the exchange sent it.
pub(super) struct Expected<'a> {
    pub(super) due_unix_ns: i64,
    frame: &'a [u8],
    price: &'a str,
    quantity: &'a str,
    is_buyer_maker: bool,
}

impl<'a> Expected<'a> {
    pub(super) fn of(batch: &'a Batch, place: usize) -> Self {
        let trade = &batch.trades[place];
        let text = |range: &std::ops::Range<usize>| std::str::from_utf8(&batch.bytes[range.clone()]).unwrap_or("");
        Expected {
            due_unix_ns: trade.due_unix_ns,
            frame: &batch.bytes[trade.frame.clone()],
            price: text(&trade.price),
            quantity: text(&trade.quantity),
            is_buyer_maker: trade.is_buyer_maker,
        }
    }
}

/// What was found on a topic.
pub(super) enum Found<'a> {
    /// A frame.
    Raw { symbol: &'a str, id: u64, frame: &'a [u8], received_ns: Option<i64> },
    /// A trade.
    Normalized(Box<Trade>),
}

/// The fields of a normalized record.
pub(super) struct Trade {
    id: u64,
    exchange: String,
    symbol: String,
    canonical_symbol: String,
    price: String,
    quantity: String,
    quote_volume: String,
    side: String,
    exchange_ms: i64,
}

/// A raw record, its frame read by serde_json.
pub(super) fn raw<'a>(message: &'a BorrowedMessage<'_>) -> Result<Found<'a>, String> {
    #[derive(Deserialize)]
    struct Frame<'a> {
        s: &'a str,
        t: u64,
    }
    let frame = message.payload().ok_or("a record has no value")?;
    let Frame { s: symbol, t: id } =
        serde_json::from_slice(frame).map_err(|error| format!("a frame is no trade: {error}"))?;
    if message.key() != Some(symbol.as_bytes()) {
        return Err(format!("the key is {:?}, not {symbol:?}", message.key().map(String::from_utf8_lossy)));
    }
    Ok(Found::Raw { symbol, id, frame, received_ns: received_ns(message) })
}

/// A raw record that is to the byte what was sent, so that it need not be parsed to be known.
pub(super) fn raw_as_sent<'a>(
    message: &'a BorrowedMessage<'_>,
    symbol: &'a str,
    id: u64,
    expected: &Expected<'_>,
) -> Option<Found<'a>> {
    let frame = message.payload().filter(|frame| *frame == expected.frame)?;
    Some(Found::Raw { symbol, id, frame, received_ns: received_ns(message) })
}

fn received_ns(message: &BorrowedMessage<'_>) -> Option<i64> {
    let header = message.headers()?.iter().find(|header| header.key == "received_ns")?;
    std::str::from_utf8(header.value?).ok()?.parse().ok()
}

/// Reads normalized records by apache-avro. Its reader keeps what it has learnt of the schema, which
/// `from_avro_datum` works out anew for each record.
pub(super) struct Comparison {
    schema: Schema,
    /// Made for the schema id of the first record, which all others must have, too.
    reader: Option<GenericSingleObjectReader>,
}

/// What stands before each record.
struct ConfluentHeader([u8; CONFLUENT_HEADER]);

impl HeaderBuilder for ConfluentHeader {
    fn build_header(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl Comparison {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Comparison { schema: Schema::parse_str(NORMALIZED_TRADE)?, reader: None })
    }

    pub(super) fn normalized(&mut self, message: &BorrowedMessage<'_>) -> Result<Found<'static>, String> {
        let mut payload = message.payload().unwrap_or_default();
        let value = self.reader(payload)?.read_value(&mut payload);
        let value = value.map_err(|error| format!("a record is no Avro: {error}"))?;
        if !payload.is_empty() {
            return Err(format!("{} bytes follow a record", payload.len()));
        }
        let Value::Record(fields) = value else { return Err("a value is no record".into()) };
        let trade = Trade::read(fields)?;
        if message.key() != Some(trade.symbol.as_bytes()) {
            return Err(format!("the key is {:?}, not {:?}", message.key().map(String::from_utf8_lossy), trade.symbol));
        }
        Ok(Found::Normalized(Box::new(trade)))
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

impl Trade {
    fn read(fields: Vec<(String, Value)>) -> Result<Self, String> {
        let mut id = String::new();
        let (mut exchange, mut symbol, mut canonical_symbol) = (String::new(), String::new(), String::new());
        let (mut price, mut quantity, mut quote_volume, mut side) =
            (String::new(), String::new(), String::new(), String::new());
        let mut exchange_ms = 0;
        for (name, value) in fields {
            let text = match name.as_str() {
                "trade_id" => &mut id,
                "exchange" => &mut exchange,
                "symbol" => &mut symbol,
                "canonical_symbol" => &mut canonical_symbol,
                "price" => &mut price,
                "quantity" => &mut quantity,
                "quote_volume" => &mut quote_volume,
                "side" => &mut side,
                _ => {
                    // apache-avro 0.21 reads the annotation beside the type, which the specification ignores.
                    if let ("exchange_timestamp", Value::Long(ms) | Value::TimestampMillis(ms)) = (name.as_str(), value)
                    {
                        exchange_ms = ms;
                    }
                    continue;
                }
            };
            match value {
                Value::String(found) | Value::Enum(_, found) => *text = found,
                other => return Err(format!("{name} is {other:?}")),
            }
        }
        let id = id.parse().map_err(|_| format!("trade_id is {id:?}"))?;
        Ok(Trade { id, exchange, symbol, canonical_symbol, price, quantity, quote_volume, side, exchange_ms })
    }
}

impl Found<'_> {
    pub(super) fn symbol(&self) -> &str {
        match self {
            Found::Raw { symbol, .. } => symbol,
            Found::Normalized(trade) => &trade.symbol,
        }
    }

    pub(super) fn id(&self) -> u64 {
        match self {
            Found::Raw { id, .. } => *id,
            Found::Normalized(trade) => trade.id,
        }
    }

    /// When the engine received the frame; told by raw records, so that a trade is counted once.
    pub(super) fn received_ns(&self) -> Option<i64> {
        match self {
            Found::Raw { received_ns, .. } => *received_ns,
            Found::Normalized(_) => None,
        }
    }

    /// The first thing that is not as it was sent.
    pub(super) fn differs(&self, expected: &Expected<'_>) -> Option<String> {
        match self {
            Found::Raw { frame, .. } => (*frame != expected.frame).then(|| "the raw frame differs".into()),
            Found::Normalized(trade) => trade.differs(expected),
        }
    }
}

impl Trade {
    fn differs(&self, expected: &Expected<'_>) -> Option<String> {
        const NANOS_PER_MILLI: i64 = 1_000_000;
        let side = if expected.is_buyer_maker { "SELL" } else { "BUY" };
        let quote_volume = product(expected.price, expected.quantity);
        let base = self.symbol.strip_suffix("USDT").unwrap_or(&self.symbol);
        let differs = |what: &str, found: &str, sent: &str| {
            (found != sent).then(|| format!("{what} is {found:?}, sent was {sent:?}"))
        };
        differs("price", &self.price, expected.price)
            .or_else(|| differs("quantity", &self.quantity, expected.quantity))
            .or_else(|| differs("side", &self.side, side))
            .or_else(|| differs("quote_volume", &self.quote_volume, &quote_volume))
            .or_else(|| differs("exchange", &self.exchange, "binance"))
            .or_else(|| {
                let (rest, quote) = self.canonical_symbol.split_once('/')?;
                differs("canonical_symbol", rest, base).or_else(|| differs("canonical_symbol", quote, "USDT"))
            })
            .or_else(|| {
                let sent = expected.due_unix_ns / NANOS_PER_MILLI;
                (self.exchange_ms != sent)
                    .then(|| format!("exchange_timestamp is {}, sent was {sent}", self.exchange_ms))
            })
    }
}

/// The exact product of two numbers with 8 decimals each, as Binance writes them: written down anew here, since the
/// engine's own arithmetic is what is judged.
fn product(price: &str, quantity: &str) -> String {
    const SCALE: u128 = 10_u128.pow(16);
    let units = |text: &str| text.replace('.', "").parse::<u128>().unwrap_or(u128::MAX >> 64);
    let product = units(price) * units(quantity);
    format!("{}.{:016}", product / SCALE, product % SCALE)
}
