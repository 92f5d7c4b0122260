//! Reads the records of a run from outside: when the first came, how many, and how long after each was to be sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use hdrhistogram::Histogram;
use k2_feed::clock::unix_now_ns;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::sent;

const POLL: Duration = Duration::from_millis(10);
const WATERMARK_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest latency that is told from longer ones.
const LONGEST_NS: u64 = 60_000_000_000;

/// The trades that are measured: those that were to be sent in this time, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
}

/// What was seen of them.
pub(crate) struct Seen {
    /// Nanoseconds from when each was to be sent.
    pub(crate) latency: Histogram<u64>,
    /// Those of the first and of the last quarter of the window.
    pub(crate) first: Histogram<u64>,
    pub(crate) last: Histogram<u64>,
}

/// A thread that reads one topic from its beginning.
pub(crate) struct Reader {
    consumer: Arc<BaseConsumer>,
    topic: String,
    partitions: i32,
    shared: Arc<Shared>,
    thread: JoinHandle<anyhow::Result<Seen>>,
}

#[derive(Default)]
struct Shared {
    first: OnceLock<Instant>,
    window: OnceLock<Window>,
    is_over: AtomicBool,
}

impl Reader {
    /// Begins to read; `reads_all` is whether it goes on after the first record, which costs some of the machine.
    pub(crate) fn start(servers: &str, topic: &str, partitions: i32, reads_all: bool) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", "k2-load")
            .set("enable.auto.commit", "false")
            .set("fetch.queue.backoff.ms", "1")
            .create()?;
        let mut partitions_of = TopicPartitionList::new();
        for partition in 0..partitions {
            partitions_of.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&partitions_of)?;
        let (consumer, shared) = (Arc::new(consumer), Arc::new(Shared::default()));
        let (theirs, also) = (consumer.clone(), shared.clone());
        let thread = std::thread::spawn(move || read(&theirs, &also, reads_all));
        Ok(Reader { consumer, topic: topic.into(), partitions, shared, thread })
    }

    /// When the first record was seen, once it has been.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.shared.first.get().copied()
    }

    /// Measures these from now on; it has to be said before the first of them.
    pub(crate) fn measure(&self, window: Window) {
        let _ = self.shared.window.set(window);
    }

    /// How many records the topic has.
    pub(crate) fn count(&self) -> anyhow::Result<i64> {
        let high = |partition| Ok(self.consumer.fetch_watermarks(&self.topic, partition, WATERMARK_TIMEOUT)?.1);
        (0..self.partitions).map(high).sum()
    }

    /// What it has seen.
    pub(crate) fn finish(self) -> anyhow::Result<Seen> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the reader panicked"))?
    }
}

fn read(consumer: &BaseConsumer, shared: &Shared, reads_all: bool) -> anyhow::Result<Seen> {
    let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, 3);
    let mut seen = Seen { latency: histogram()?, first: histogram()?, last: histogram()? };
    while !shared.is_over.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(POLL) else { continue };
        let message = match message {
            // Nobody has written to it yet, and then it is made.
            Err(error) if is_unknown_topic(&error) => continue,
            message => message.context("the reader")?,
        };
        shared.first.get_or_init(Instant::now);
        if !reads_all {
            consumer.unassign()?;
            break;
        }
        let Some(window) = shared.window.get() else { continue };
        let value = message.payload().unwrap_or_default();
        let Some(sent) = sent::at_unix_ns(value) else { bail!("a record of a form that is not known: {value:?}") };
        if (window.from_ns..window.to_ns).contains(&sent) {
            seen.note(sent, window);
        }
    }
    Ok(seen)
}

fn is_unknown_topic(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    let unknown = [UnknownPartition, UnknownTopic, UnknownTopicOrPartition];
    error.rdkafka_error_code().is_some_and(|code| unknown.contains(&code))
}

impl Seen {
    fn note(&mut self, sent: i64, window: &Window) {
        let took = u64::try_from(unix_now_ns() - sent).unwrap_or(0).max(1);
        self.latency.saturating_record(took);
        let quarter = (window.to_ns - window.from_ns) / 4;
        if sent < window.from_ns + quarter {
            self.first.saturating_record(took);
        } else if sent >= window.to_ns - quarter {
            self.last.saturating_record(took);
        }
    }

    /// Whether trades wait ever longer.
    pub(crate) fn has_standing_queue(&self) -> bool {
        const MARGIN_NS: u64 = 1_000_000;
        self.last.value_at_quantile(0.5) > 2 * self.first.value_at_quantile(0.5) + MARGIN_NS
    }
}
