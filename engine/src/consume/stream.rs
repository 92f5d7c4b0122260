//! One partition of a real topic, read from a queue of its own, so that it can wait while others are read.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Record;
use super::merge::Partition;
use super::window::Span;
use crate::kafka::heard::Heard;

/// The longest wait for a record that is known to be there; then it is an error.
const RECORD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one look at a queue takes; between two, what else the client has to say is heard.
const LOOK: Duration = Duration::from_millis(20);
/// Records between two such.
const HEARD_EVERY: u32 = 1_024;

/// A client that reads, as part of no group.
pub type Client = BaseConsumer<Heard>;

/// Connects to nothing yet.
///
/// # Errors
/// The setting that librdkafka does not take.
pub fn client(config: &ClientConfig) -> anyhow::Result<Arc<Client>> {
    config.create_with_context(Heard).map(Arc::new).context("there is no Kafka client")
}

/// The client that several partitions share.
struct Shared {
    client: Arc<Client>,
    /// Records that came before their partition had a queue of its own, and lie in that of all.
    strays: RefCell<HashMap<(String, i32), VecDeque<Record>>>,
}

impl Shared {
    /// Hears what the client has to say besides the partitions' own queues.
    fn hear(&self) {
        while let Some(Ok(message)) = self.client.poll(Duration::ZERO) {
            let partition = (message.topic().to_string(), message.partition());
            self.strays.borrow_mut().entry(partition).or_default().push_back(record(&message));
        }
    }

    fn stray(&self, span: &Span) -> Option<Record> {
        let mut strays = self.strays.borrow_mut();
        if strays.is_empty() {
            return None;
        }
        let partition = (span.topic.clone(), span.partition);
        let found = strays.get_mut(&partition)?.pop_front();
        if found.is_none() {
            strays.remove(&partition);
        }
        found
    }
}

/// A partition that is read from the first to the last record of its span; and on, by [`Stream::look`].
pub struct Stream {
    shared: Rc<Shared>,
    queue: PartitionQueue<Heard>,
    span: Span,
    /// The offset that is next.
    next: i64,
    since_heard: u32,
}

/// Begins to read these spans with one client. With `goes_on`, empty ones too: more may come behind them.
///
/// # Errors
/// If librdkafka does not take the assignment.
pub fn streams(client: &Arc<Client>, spans: Vec<Span>, goes_on: bool) -> anyhow::Result<Vec<Stream>> {
    let mut assignment = TopicPartitionList::with_capacity(spans.len());
    for span in spans.iter().filter(|span| goes_on || span.from < span.to) {
        assignment.add_partition_offset(&span.topic, span.partition, Offset::Offset(span.from))?;
    }
    client.assign(&assignment).context("librdkafka does not take the partitions")?;
    let shared = Rc::new(Shared { client: client.clone(), strays: RefCell::default() });
    let split = |span: Span| {
        let queue = client.split_partition_queue(&span.topic, span.partition);
        let queue = queue.with_context(|| format!("{} [{}] has no queue", span.topic, span.partition))?;
        Ok(Stream { shared: shared.clone(), queue, next: span.from, span, since_heard: 0 })
    };
    let streams = spans.into_iter().map(split).collect();
    // What came meanwhile goes before what the partitions' own queues have.
    shared.hear();
    streams
}

impl Stream {
    /// What it reads.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The next record, if one comes within `longest`, wherever the span ends.
    ///
    /// # Errors
    /// Why the partition cannot be read on.
    pub fn look(&mut self, longest: Duration) -> anyhow::Result<Option<Record>> {
        self.since_heard += 1;
        if self.since_heard > HEARD_EVERY || longest > Duration::ZERO {
            self.since_heard = 0;
            self.shared.hear();
        }
        if let Some(stray) = self.shared.stray(&self.span) {
            self.next = stray.offset + 1;
            return Ok(Some(stray));
        }
        let looked = self.queue.poll(longest);
        match looked {
            None => Ok(None),
            Some(Ok(message)) => {
                let record = record(&message);
                self.next = record.offset + 1;
                Ok(Some(record))
            }
            // The last records of a topic may be such that nobody sees.
            Some(Err(KafkaError::PartitionEOF(_))) => {
                self.next = self.next.max(self.span.to);
                Ok(None)
            }
            Some(Err(error)) if is_passing(&error) => Ok(None),
            Some(Err(error)) => {
                Err(error).with_context(|| format!("{} [{}] cannot be read", self.span.topic, self.span.partition))
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.next >= self.span.to
    }
}

/// Whether librdkafka tries again by itself.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| [AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve].contains(&code))
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    Record {
        time_ms: message.timestamp().to_millis().unwrap_or(0),
        offset: message.offset(),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().unwrap_or_default().to_vec(),
    }
}

impl Partition for Stream {
    fn next(&mut self) -> anyhow::Result<Option<Record>> {
        let mut longest = Duration::ZERO;
        let deadline = Instant::now() + RECORD_TIMEOUT;
        while !self.has_ended() {
            match self.look(longest)? {
                Some(record) if record.offset >= self.span.to => return Ok(None),
                Some(record) if record.time_ms >= self.span.from_ms => return Ok(Some(record)),
                Some(_) => {}
                None if Instant::now() > deadline => {
                    let Span { topic, partition, .. } = &self.span;
                    anyhow::bail!("{topic} [{partition}]: nothing came for {RECORD_TIMEOUT:?} at offset {}", self.next);
                }
                None => longest = LOOK,
            }
        }
        Ok(None)
    }
}
