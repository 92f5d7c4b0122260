//! Which records of a topic lie between two moments.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// Longest wait for the brokers' answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one look for a record takes.
const LOOK: Duration = Duration::from_millis(20);

/// Some of a partition's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the first record.
    pub from: i64,
    /// The offset behind the last.
    pub to: i64,
    /// Older records are left out, by their time in milliseconds since the Unix epoch. It matters where a broker cannot
    /// tell offsets by time, so that `from` is the first of all.
    pub from_ms: i64,
}

/// A topic and one of its partitions.
pub type Partition = (String, i32);

/// What is there of partitions from one moment up to another, or up to now: a span for each, empty ones too. All are asked
/// for at once.
///
/// # Errors
/// What the brokers say.
pub fn spans<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: Vec<Partition>,
    from_ms: i64,
    until_ms: Option<i64>,
) -> anyhow::Result<Vec<Span>> {
    let high = offsets(consumer, &partitions, Asked::End)?;
    let mut begin = offsets(consumer, &partitions, Asked::Since(from_ms))?;
    if begin.values().all(Option::is_none) {
        let low = offsets(consumer, &partitions, Asked::First)?;
        if newest_ms(consumer, &low, &high)? >= Some(from_ms) {
            begin = low;
        }
    }
    let end = until_ms
        .map(|until_ms| offsets(consumer, &partitions, Asked::Since(until_ms)))
        .transpose()?
        .unwrap_or_default();
    Ok(partitions
        .into_iter()
        .map(|at| {
            let high = high.get(&at).copied().flatten().unwrap_or(0);
            let to = end.get(&at).copied().flatten().unwrap_or(high);
            let from = begin.get(&at).copied().flatten().unwrap_or(high);
            Span { from: from.min(to), to, from_ms, topic: at.0, partition: at.1 }
        })
        .collect())
}

type Offsets = HashMap<Partition, Option<i64>>;

/// The time of the newest record of all. A broker may know of no time (the embedded one does not), and then says that
/// nothing is younger; so that is looked at where it says it of every partition.
fn newest_ms<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    low: &Offsets,
    high: &Offsets,
) -> anyhow::Result<Option<i64>> {
    let mut last = TopicPartitionList::new();
    for ((topic, partition), end) in high {
        let end = end.unwrap_or(0);
        if end > low.get(&(topic.clone(), *partition)).copied().flatten().unwrap_or(0) {
            last.add_partition_offset(topic, *partition, Offset::Offset(end - 1))?;
        }
    }
    consumer.assign(&last)?;
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let (mut newest, mut left) = (None, last.count());
    while left > 0 && Instant::now() < deadline {
        match consumer.poll(LOOK) {
            Some(Ok(message)) => {
                newest = newest.max(message.timestamp().to_millis());
                left -= 1;
            }
            // The last record may be one that nobody sees.
            Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
            Some(Err(_)) | None => {}
        }
    }
    consumer.unassign()?;
    Ok(newest)
}

/// What a broker is asked for.
#[derive(Clone, Copy)]
enum Asked {
    /// The first record.
    First,
    /// Behind the last record.
    End,
    /// The first record that is no older, in milliseconds since the Unix epoch.
    Since(i64),
}

/// The offsets of what is asked; none where there is no such record.
fn offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[Partition],
    what: Asked,
) -> anyhow::Result<Offsets> {
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        let time = match what {
            Asked::First => Offset::Beginning,
            Asked::End => Offset::End,
            Asked::Since(time_ms) => Offset::Offset(time_ms.max(0)),
        };
        asked.add_partition_offset(topic, *partition, time)?;
    }
    let told = consumer.offsets_for_times(asked, ANSWER_TIMEOUT).context("the brokers do not tell offsets by time")?;
    let mut all = HashMap::new();
    for one in told.elements() {
        one.error().with_context(|| format!("{} [{}]: no offset by time", one.topic(), one.partition()))?;
        let offset = match one.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        all.insert((one.topic().to_string(), one.partition()), offset);
    }
    Ok(all)
}
