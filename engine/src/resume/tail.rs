//! What the topics have that the file does not know of: records that were acknowledged in the last second of the run
//! before, or after it had died.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, Timestamp, TopicPartitionList};

use super::{Progress, Reached};
use crate::avro;

/// Longest time that is taken for it.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longest wait for one record, or for the broker to say where a partition ends.
const POLL: Duration = Duration::from_millis(100);
const WATERMARKS: Duration = Duration::from_secs(5);

/// Reads the topics on from where `progress` knows them to be, up to their present ends, and notes the trades that are
/// there. Returns how many were not known.
///
/// # Errors
/// Why that could not be: what is not known then may be published twice.
pub fn catch_up(config: &ClientConfig, progress: &mut Progress, topics: &[&str]) -> Result<u64, String> {
    let words = |error: rdkafka::error::KafkaError| error.to_string();
    let consumer: BaseConsumer = config.create().map_err(words)?;
    let (mut from, mut open) = (TopicPartitionList::new(), Vec::new());
    for name in topics {
        let Some(topic) = progress.topics.get(*name) else { continue };
        for (partition, offset) in &topic.offsets {
            let (_, end) = consumer.fetch_watermarks(name, *partition, WATERMARKS).map_err(words)?;
            if *offset < end {
                from.add_partition_offset(name, *partition, Offset::Offset(*offset)).map_err(words)?;
                open.push((name.to_string(), *partition, end));
            }
        }
    }
    consumer.assign(&from).map_err(words)?;
    let (deadline, mut found, mut last_error) = (Instant::now() + TIMEOUT, 0, None);
    let mut done = BTreeSet::new();
    while done.len() < open.len() {
        if Instant::now() > deadline {
            let why = last_error.map_or(String::new(), |error: String| format!(": {error}"));
            return Err(format!("not all of it was read within {TIMEOUT:?}{why}"));
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                found += u64::from(note(progress, &message));
                // Behind the last record there can be control records, which are not shown.
                let is_here = |(topic, partition, _): &&(String, i32, i64)| {
                    topic == message.topic() && *partition == message.partition()
                };
                if let Some((topic, partition, end)) = open.iter().find(is_here)
                    && message.offset() + 1 >= *end
                {
                    done.insert((topic, partition));
                }
            }
            Some(Err(error)) => last_error = Some(error.to_string()),
        }
    }
    Ok(found)
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
        Some(reached) => reached.add(number, at_ns),
        None => {
            topic.symbols.insert(symbol, Reached::at(number, at_ns));
        }
    }
    true
}
