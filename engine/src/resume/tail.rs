//! What the topics have that the file does not know of: records that were acknowledged in the last second of the run
//! before, or after it had died.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientConfig, Message, Offset, Timestamp, TopicPartitionList};

use super::{Noted, Progress, Reached};
use crate::avro;
use crate::kafka::heard::Heard;

/// Longest time that is taken for it.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longest wait for one record, or for the broker to say where a partition ends.
const POLL: Duration = Duration::from_millis(100);
const WATERMARKS: Duration = Duration::from_secs(5);

/// Reads the topics on from where `progress` knows them to be, up to their present ends, and notes the trades that are
/// there. Returns how many were not known.
///
/// # Errors
/// Why that could not be for all of them: what is not known then may be published twice.
pub fn catch_up(config: &ClientConfig, progress: &mut Progress, topics: &[&str]) -> Result<u64, String> {
    let mut config = config.clone();
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Heard> = config.create_with_context(Heard).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + TIMEOUT;
    let (mut found, mut errors) = (0, Vec::new());
    // One after the other: the end of a partition is told without its topic.
    for name in topics {
        let offsets = progress.topics.get(*name).map(|topic| topic.offsets.clone()).unwrap_or_default();
        let mut from = TopicPartitionList::new();
        for (partition, offset) in offsets {
            match begin(&consumer, name, partition, offset) {
                Ok(offset) => drop(from.add_partition_offset(name, partition, offset)),
                Err(error) => errors.push(format!("{name} [{partition}]: {error}")),
            }
        }
        if let Err(error) = read(&consumer, &from, progress, &mut found, deadline) {
            errors.push(format!("{name}: {error}"));
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors.join("; ")) }
}

/// Where to begin in a partition that was known up to `offset`: it may have lost its beginning since, or be a new one.
fn begin(consumer: &BaseConsumer<Heard>, topic: &str, partition: i32, offset: i64) -> KafkaResult<Offset> {
    let (low, end) = consumer.fetch_watermarks(topic, partition, WATERMARKS)?;
    Ok(Offset::Offset(if offset > end { low } else { offset.max(low) }))
}

/// Reads partitions of one topic to their ends.
fn read(
    consumer: &BaseConsumer<Heard>,
    from: &TopicPartitionList,
    progress: &mut Progress,
    found: &mut u64,
    deadline: Instant,
) -> Result<(), String> {
    consumer.assign(from).map_err(|error| error.to_string())?;
    let mut open: BTreeSet<_> = from.elements().iter().map(|one| one.partition()).collect();
    let mut last_error = String::new();
    while !open.is_empty() {
        if Instant::now() > deadline {
            return Err(format!("not all of it was read within {TIMEOUT:?}{last_error}"));
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => *found += u64::from(note(progress, &message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
            Some(Err(error)) => last_error = format!(": {error}"),
        }
    }
    Ok(())
}

/// Notes a trade. Whether it was not known.
fn note(progress: &mut Progress, message: &impl Message) -> bool {
    let (Some(key), Some(value)) = (message.key(), message.payload()) else { return false };
    let Some(number) = avro::read_trade_id(value).and_then(|id| id.parse::<i64>().ok()) else { return false };
    let Some(topic) = progress.topics.get_mut(message.topic()) else { return false };
    topic.offsets.insert(message.partition(), message.offset() + 1);
    let at_ns = match message.timestamp() {
        Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => ms.saturating_mul(1_000_000),
        Timestamp::NotAvailable => 0,
    };
    let symbol = String::from_utf8_lossy(key).into_owned();
    match topic.symbols.get_mut(&symbol) {
        Some(reached) if reached.has(number) => return false,
        // The number is missing, or new.
        Some(reached) => reached.add(Noted { number, passed: 0, received_ns: at_ns, from_rest: false }),
        None => {
            topic.symbols.insert(symbol, Reached::at(number, at_ns));
        }
    }
    true
}
