//! Reads the topics past the proxy: rdkafka for the records, plain HTTP for the schema that each names, apache-avro for
//! what they say. Nothing of the engine's code.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// Longest wait for anything that the broker is to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks servers of this machine, whatever proxy the environment names.
pub(crate) fn local_agent() -> ureq::Agent {
    ureq::Agent::config_builder().proxy(None).timeout_global(Some(PATIENCE)).build().into()
}

/// A record as it was read.
pub(crate) enum Record<'a> {
    /// A frame, by the trade in it.
    Raw {
        symbol: &'a str,
        id: u64,
        bytes: &'a [u8],
    },
    Trade(Trade<'a>),
}

/// A trade.
pub(crate) struct Trade<'a> {
    pub(crate) symbol: &'a str,
    pub(crate) id: u64,
    pub(crate) price: &'a str,
    pub(crate) quantity: &'a str,
    pub(crate) taker_sold: bool,
    pub(crate) at_ns: i64,
    /// Whether it says that it came from the exchange's history.
    pub(crate) is_from_rest: bool,
}

/// A consumer of both topics.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    registry: String,
    raw: String,
    /// By their ids in the registry.
    schemas: HashMap<u32, Schema>,
}

impl Reader {
    /// Of these topics, from their beginning.
    pub(crate) fn start(servers: &str, registry: &str, raw: &str, trades: &str) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers).set("group.id", "judge").set("enable.auto.commit", "false");
        // Questions about the ends wait behind a fetch for which there is nothing yet.
        let consumer: BaseConsumer = config.set("fetch.wait.max.ms", "10").create()?;
        let mut assignment = TopicPartitionList::new();
        for topic in [raw, trades] {
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
            let partitions = metadata.topics().first().context("no metadata")?.partitions();
            if partitions.is_empty() {
                bail!("topic {topic} is not there");
            }
            for partition in partitions {
                assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
            }
        }
        consumer.assign(&assignment)?;
        Ok(Reader { consumer, registry: registry.into(), raw: raw.into(), schemas: HashMap::new() })
    }

    /// How many records there are in all.
    pub(crate) fn count(&self) -> anyhow::Result<i64> {
        Ok(self.ends()?.values().sum())
    }

    fn ends(&self) -> anyhow::Result<HashMap<(String, i32), i64>> {
        let assignment = self.consumer.assignment()?;
        let ends = assignment.elements().into_iter().map(|element| {
            let (topic, partition) = (element.topic(), element.partition());
            let (_, end) = self.consumer.fetch_watermarks(topic, partition, PATIENCE)?;
            Ok(((topic.to_string(), partition), end))
        });
        ends.collect()
    }

    /// Reads all there is. Within a symbol, records come in their order. `on_record` gets the time at which the broker took
    /// the record, too, in milliseconds since 1970.
    pub(crate) fn read_all(mut self, mut on_record: impl FnMut(Record<'_>, i64)) -> anyhow::Result<()> {
        let mut left = self.ends()?;
        left.retain(|_, end| *end > 0);
        let mut deadline = Instant::now() + PATIENCE;
        while !left.is_empty() {
            let message = match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => message,
                // A connection that was lost is made anew: the wait decides.
                nothing => {
                    if Instant::now() > deadline {
                        let error = nothing.and_then(Result::err);
                        bail!("the broker does not give what is left: {left:?}, {error:?}");
                    }
                    continue;
                }
            };
            deadline = Instant::now() + PATIENCE;
            let place = (message.topic().to_string(), message.partition());
            if left.get(&place).is_some_and(|end| message.offset() + 1 >= *end) {
                left.remove(&place);
            }
            let at_ms = message.timestamp().to_millis().context("a record without a time")?;
            let key = std::str::from_utf8(message.key().context("a record without a key")?)?;
            let value = message.payload().context("a record without a value")?;
            if message.topic() == self.raw {
                let id = trade_in(value, key).with_context(|| String::from_utf8_lossy(value).into_owned())?;
                on_record(Record::Raw { symbol: key, id, bytes: value }, at_ms);
            } else {
                let mut headers = message.headers().into_iter().flat_map(|headers| headers.iter());
                let is_from_rest = headers.any(|header| header.key == "source" && header.value == Some(b"rest"));
                let fields = decode(&mut self.schemas, &self.registry, value)?;
                let trade = trade(key, &fields, is_from_rest).with_context(|| format!("{fields:?}"))?;
                on_record(Record::Trade(trade), at_ms);
            }
        }
        Ok(())
    }
}

/// The id of the trade in a frame of Binance's, which must be of this symbol.
fn trade_in(frame: &[u8], symbol: &str) -> Option<u64> {
    let frame: serde_json::Value = serde_json::from_slice(frame).ok()?;
    (frame["s"] == symbol).then(|| frame["t"].as_u64()).flatten()
}

/// Confluent's wire format: a zero, the schema's id, one Avro datum, and nothing after it.
fn decode(schemas: &mut HashMap<u32, Schema>, registry: &str, payload: &[u8]) -> anyhow::Result<Vec<(String, Value)>> {
    let [0, a, b, c, d, datum @ ..] = payload else { bail!("not Confluent-framed: {payload:?}") };
    let id = u32::from_be_bytes([*a, *b, *c, *d]);
    let schema = match schemas.entry(id) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(fetch(registry, id)?),
    };
    let mut rest = datum;
    match from_avro_datum(schema, &mut rest, None)? {
        Value::Record(fields) if rest.is_empty() => Ok(fields),
        other => bail!("{} bytes follow {other:?}", rest.len()),
    }
}

fn fetch(registry: &str, id: u32) -> anyhow::Result<Schema> {
    let mut answer = local_agent().get(format!("{registry}/schemas/ids/{id}")).call()?;
    let body: serde_json::Value = answer.body_mut().read_json()?;
    Ok(Schema::parse_str(body["schema"].as_str().context("no schema")?)?)
}

fn trade<'a>(key: &'a str, fields: &'a [(String, Value)], is_from_rest: bool) -> Option<Trade<'a>> {
    let field = |name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, value)| plain(value));
    let text = |name: &str| match field(name)? {
        Value::String(text) | Value::Enum(_, text) => Some(text.as_str()),
        _ => None,
    };
    let Value::Long(at_ns) = field("exchange_timestamp_ns")? else { return None };
    Some(Trade {
        symbol: text("symbol").filter(|symbol| *symbol == key)?,
        id: text("trade_id")?.parse().ok()?,
        price: text("price")?,
        quantity: text("quantity")?,
        taker_sold: match text("side")? {
            "SELL" => true,
            "BUY" => false,
            _ => return None,
        },
        at_ns: *at_ns,
        is_from_rest,
    })
}

/// The value without its union.
fn plain(value: &Value) -> &Value {
    match value {
        Value::Union(_, inner) => inner,
        other => other,
    }
}
