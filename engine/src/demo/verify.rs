//! Reads both topics while they are written and compares every record with what the exchange sent.

mod book;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::compare::{self, Listed};
use crate::clock::unix_now_ns;
use crate::latency::histogram;
use crate::sim::{Counts, LedgerReader};
pub(super) use book::Raw;
use book::{Book, Fault, Finding};

/// Most discrepancies that are told in words.
const TOLD: usize = 20;
/// How long the consumer waits for a record before it looks whether it is to end.
const POLL: Duration = Duration::from_millis(20);

/// A feed that is judged: where it writes, what it is fed, and what was sent to it.
pub(super) struct Judged {
    pub(super) topic: String,
    pub(super) topic_raw: String,
    /// In the order of the ledger's indexes.
    pub(super) symbols: Vec<Listed>,
    pub(super) ledger: LedgerReader,
    /// How often its frames may come.
    pub(super) raw: Raw,
}

/// The thread that verifies.
pub(super) struct Verifier {
    thread: JoinHandle<Verdict>,
    shared: Arc<Shared>,
}

struct Shared {
    /// By feed.
    counts: Vec<Arc<Counts>>,
    faults: AtomicU64,
    stop: AtomicBool,
}

/// What was found.
pub(super) struct Verdict {
    /// Trades sent.
    pub(super) expected: u64,
    /// Trades found right on both topics.
    pub(super) seen: u64,
    /// Trades that a topic lacks, and frames without trades that the raw topic lacks.
    pub(super) missing: u64,
    /// Records that came again and may not.
    pub(super) duplicate: u64,
    /// Raw records that came again, as they may where several connections carry the same.
    pub(super) raw_again: u64,
    /// Records that differ from what was sent, or that nobody sent.
    pub(super) mismatched: u64,
    /// Records that came after a later one of their symbol.
    pub(super) out_of_order: u64,
    /// The first few of these, in words.
    pub(super) discrepancies: Vec<String>,
    /// From the intended send time to the receive buffer.
    pub(super) recv: Histogram<u64>,
    /// From the intended send time to the consumer.
    pub(super) end_to_end: Histogram<u64>,
}

impl Verdict {
    /// Whether every trade was found, once, in order, and right.
    pub(super) fn is_clean(&self) -> bool {
        self.seen == self.expected
            && self.expected > 0
            && self.missing + self.duplicate + self.mismatched + self.out_of_order == 0
    }
}

impl Verifier {
    /// Starts to read the topics of the feeds, all their partitions from the beginning.
    pub(super) fn start(servers: &str, feeds: Vec<Judged>, partitions: i32, warm_up: Duration) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", "k2-feed-demo")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "5")
            .set("queued.max.messages.kbytes", "65536")
            .create()?;
        let mut assignment = TopicPartitionList::new();
        for topic in feeds.iter().flat_map(|feed| [&feed.topic, &feed.topic_raw]) {
            for partition in 0..partitions {
                assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
            }
        }
        consumer.assign(&assignment)?;
        let shared = Arc::new(Shared {
            counts: feeds.iter().map(|feed| feed.ledger.counts()).collect(),
            faults: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let (work_shared, warm_up_ns) = (shared.clone(), warm_up.as_nanos() as i64);
        let readers = feeds.iter().map(|_| compare::Reader::new()).collect::<anyhow::Result<Vec<_>>>()?;
        let thread = std::thread::Builder::new().name("demo-verify".into()).spawn(move || {
            // Made here because batches are shared within this thread only.
            let feeds = feeds.into_iter().zip(readers).map(|(feed, reader)| Feed::new(feed, reader)).collect();
            Work { feeds, warm_up_ns, warm_at_ns: None, verdict: Verdict::new(), shared: work_shared }.run(&consumer)
        })?;
        Ok(Verifier { thread, shared })
    }

    /// Trades found on both topics so far, and compared.
    pub(super) fn verified(&self) -> u64 {
        self.shared.counts.iter().map(|counts| counts.verified()).sum()
    }

    /// Whether every frame that has been sent so far was found, with all its trades.
    pub(super) fn is_level(&self) -> bool {
        self.shared.counts.iter().all(|counts| counts.are_level())
    }

    /// Discrepancies so far.
    pub(super) fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Relaxed)
    }

    /// Reads what is still there, and gives the verdict.
    pub(super) fn finish(self) -> Verdict {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Verdict {
    fn new() -> Self {
        Verdict {
            expected: 0,
            seen: 0,
            missing: 0,
            duplicate: 0,
            raw_again: 0,
            mismatched: 0,
            out_of_order: 0,
            discrepancies: Vec::new(),
            recv: histogram(),
            end_to_end: histogram(),
        }
    }
}

/// The two topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Raw,
    Normalized,
}

/// One feed's part of the work.
struct Feed {
    topic: String,
    topic_raw: String,
    reader: compare::Reader,
    /// In the order of the ledger's indexes.
    books: Vec<Book>,
    /// By the exchange's symbol.
    places: HashMap<String, usize>,
    ledger: LedgerReader,
}

impl Feed {
    fn new(feed: Judged, reader: compare::Reader) -> Self {
        let Judged { topic, topic_raw, symbols, ledger, raw } = feed;
        let places = symbols.iter().enumerate().map(|(place, listed)| (listed.symbol.clone(), place)).collect();
        let books = symbols.into_iter().map(|listed| Book::new(listed, raw)).collect();
        Feed { topic, topic_raw, reader, books, places, ledger }
    }

    fn side(&self, topic: &str) -> Option<Side> {
        match topic {
            topic if topic == self.topic_raw => Some(Side::Raw),
            topic if topic == self.topic => Some(Side::Normalized),
            _ => None,
        }
    }

    /// The book of a record's symbol, and what the record is in it.
    fn judge(&mut self, side: Side, message: &BorrowedMessage<'_>) -> Result<(usize, Finding), String> {
        let key = message.key().map(String::from_utf8_lossy);
        let place = |symbol: &str| self.places.get(symbol).copied();
        let nobody = |symbol: &str| format!("{symbol}: nobody sent this symbol");
        match side {
            Side::Raw => {
                let symbol = key.ok_or("a record has no key")?;
                let place = place(&symbol).ok_or_else(|| nobody(&symbol))?;
                Ok((place, self.books[place].raw(message.payload().unwrap_or_default())))
            }
            Side::Normalized => {
                let record = self.reader.read(message)?;
                let place = place(&record.symbol).ok_or_else(|| nobody(&record.symbol))?;
                Ok((place, self.books[place].normalized(&record)))
            }
        }
    }

    /// Strikes off a book what was found on both topics; returns how many trades were right.
    fn settle(&mut self, place: usize) -> u64 {
        let mut right = 0;
        while let Some(settled) = self.books[place].settle() {
            right += settled.right;
            self.ledger.settle(settled.trades);
            if let Ok(batch) = Rc::try_unwrap(settled.batch) {
                self.ledger.give_back(batch);
            }
        }
        right
    }
}

struct Work {
    feeds: Vec<Feed>,
    warm_up_ns: i64,
    /// From when on latencies count.
    warm_at_ns: Option<i64>,
    verdict: Verdict,
    shared: Arc<Shared>,
}

impl Work {
    fn run(mut self, consumer: &BaseConsumer) -> Verdict {
        loop {
            match consumer.poll(POLL) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => tracing::warn!("demo: the consumer says: {error}"),
                None if self.shared.stop.load(Ordering::Acquire) => return self.conclude(),
                None => self.note_sent(),
            }
        }
    }

    /// One record of any topic.
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let seen_at = unix_now_ns();
        // A trade is in the ledger before its bytes are on the wire.
        self.note_sent();
        let mut feeds = self.feeds.iter_mut().enumerate();
        let Some((index, side)) = feeds.find_map(|(index, feed)| Some((index, feed.side(message.topic())?))) else {
            return;
        };
        match self.feeds[index].judge(side, message) {
            Ok((place, finding)) => {
                if let Some((due_ns, trades)) = finding.frame {
                    self.measure(due_ns, trades, seen_at, compare::received_ns(message));
                }
                self.verdict.seen += self.feeds[index].settle(place);
                self.verdict.raw_again += u64::from(finding.again);
                finding.faults.into_iter().for_each(|fault| self.fault(fault));
            }
            Err(what) => self.fault(Fault::Mismatched(format!("{}: {what}", message.topic()))),
        }
    }

    /// Takes in what the exchanges have sent meanwhile.
    fn note_sent(&mut self) {
        for feed in &mut self.feeds {
            while let Ok(batch) = feed.ledger.try_recv() {
                let batch = Rc::new(batch);
                self.verdict.expected += batch.trades.len() as u64;
                if let (None, Some(first)) = (self.warm_at_ns, batch.frames.first()) {
                    self.warm_at_ns = Some(first.due_unix_ns + self.warm_up_ns);
                }
                for (place, frame) in batch.frames.iter().enumerate() {
                    let book = frame.symbol as usize;
                    feed.books[book].note(batch.clone(), place);
                    // One that need not come is never looked at again.
                    self.verdict.seen += feed.settle(book);
                }
            }
        }
    }

    /// The times of a frame's trades; told by raw records, so that a trade is counted once.
    fn measure(&mut self, due_ns: i64, trades: u64, seen_at: i64, received_ns: Option<i64>) {
        let warm = self.warm_at_ns.is_some_and(|warm| due_ns >= warm);
        if let (Some(received_ns), true) = (received_ns, warm) {
            self.verdict.recv.saturating_record_n((received_ns - due_ns).max(0) as u64, trades);
            self.verdict.end_to_end.saturating_record_n((seen_at - due_ns).max(0) as u64, trades);
        }
    }

    fn fault(&mut self, fault: Fault) {
        let (column, what) = match fault {
            Fault::Duplicate(what) => (&mut self.verdict.duplicate, what),
            Fault::Mismatched(what) => (&mut self.verdict.mismatched, what),
            Fault::OutOfOrder(what) => (&mut self.verdict.out_of_order, what),
        };
        *column += 1;
        self.shared.faults.fetch_add(1, Ordering::Relaxed);
        self.tell(what);
    }

    fn tell(&mut self, what: String) {
        if self.verdict.discrepancies.len() < TOLD {
            self.verdict.discrepancies.push(what);
        }
    }

    /// What is still on the books is missing.
    fn conclude(mut self) -> Verdict {
        self.note_sent();
        for book in std::mem::take(&mut self.feeds).into_iter().flat_map(|feed| feed.books) {
            let (missing, right) = book.conclude();
            self.verdict.seen += right;
            self.verdict.missing += missing.len() as u64;
            self.shared.faults.fetch_add(missing.len() as u64, Ordering::Relaxed);
            missing.into_iter().for_each(|what| self.tell(what));
        }
        self.verdict
    }
}

#[cfg(test)]
mod tests;
