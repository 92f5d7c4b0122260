//! Reads both topics while they are written and compares every record with what the exchange sent.

use std::collections::{HashMap, VecDeque};
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

use super::compare::{self, Expected, Found};
use crate::clock::unix_now_ns;
use crate::config::Feed;
use crate::latency::histogram;
use crate::sim::{Batch, LedgerReader};

/// Most discrepancies that are told in words.
const TOLD: usize = 20;
/// How long the consumer waits for a record before it looks whether it is to end.
const POLL: Duration = Duration::from_millis(20);

/// The thread that verifies.
pub(super) struct Verifier {
    thread: JoinHandle<Verdict>,
    shared: Arc<Shared>,
}

struct Shared {
    verified: Arc<AtomicU64>,
    faults: AtomicU64,
    stop: AtomicBool,
}

/// What was found.
pub(super) struct Verdict {
    /// Trades sent.
    pub(super) expected: u64,
    /// Trades found right on both topics.
    pub(super) seen: u64,
    /// Trades that a topic lacks.
    pub(super) missing: u64,
    /// Records that came again.
    pub(super) duplicate: u64,
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
    /// Starts to read the topics of `feed`, all their partitions from the beginning.
    pub(super) fn start(
        servers: &str,
        feed: &Feed,
        partitions: i32,
        symbols: &[String],
        ledger: LedgerReader,
        warm_up: Duration,
    ) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", "k2-feed-demo")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "5")
            .set("queued.max.messages.kbytes", "65536")
            .create()?;
        let mut assignment = TopicPartitionList::new();
        for topic in [&feed.topic, &feed.topic_raw] {
            for partition in 0..partitions {
                assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
            }
        }
        consumer.assign(&assignment)?;
        let shared =
            Arc::new(Shared { verified: ledger.verified(), faults: AtomicU64::new(0), stop: AtomicBool::new(false) });
        let (raw_topic, symbols, work_shared) = (feed.topic_raw.clone(), symbols.to_vec(), shared.clone());
        let comparison = compare::Comparison::new()?;
        let thread = std::thread::Builder::new().name("demo-verify".into()).spawn(move || {
            let work = Work {
                raw_topic,
                comparison,
                books: symbols.iter().map(|symbol| (symbol.clone(), Book::default())).collect(),
                symbols,
                ledger,
                warm_up_ns: warm_up.as_nanos() as i64,
                warm_at_ns: None,
                settled: 0,
                verdict: Verdict::new(),
                shared: work_shared,
            };
            work.run(&consumer)
        })?;
        Ok(Verifier { thread, shared })
    }

    /// Trades found on both topics so far, and compared.
    pub(super) fn verified(&self) -> u64 {
        self.shared.verified.load(Ordering::Acquire)
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
            mismatched: 0,
            out_of_order: 0,
            discrepancies: Vec::new(),
            recv: histogram(),
            end_to_end: histogram(),
        }
    }
}

/// The two topics.
#[derive(Clone, Copy)]
enum Side {
    Raw = 0,
    Normalized = 1,
}

/// One symbol's trades that were sent and not yet found on both topics, by id.
#[derive(Default)]
struct Book {
    sent: VecDeque<Entry>,
    /// The first id sent.
    first: Option<u64>,
    /// The latest id seen on each topic.
    latest: [u64; 2],
}

struct Entry {
    batch: Rc<Batch>,
    place: usize,
    id: u64,
    seen: [bool; 2],
    /// Whether neither topic told it otherwise than it was sent.
    is_right: bool,
}

struct Work {
    raw_topic: String,
    comparison: compare::Comparison,
    books: HashMap<String, Book>,
    symbols: Vec<String>,
    ledger: LedgerReader,
    warm_up_ns: i64,
    /// From when on latencies count.
    warm_at_ns: Option<i64>,
    /// Trades found on both topics, right or not.
    settled: u64,
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

    /// One record of either topic.
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let seen_at = unix_now_ns();
        let side = if message.topic() == self.raw_topic { Side::Raw } else { Side::Normalized };
        // A trade is in the ledger before its bytes are on the wire.
        self.note_sent();
        let found = match side {
            Side::Raw => self.as_sent(message).map_or_else(|| compare::raw(message), Ok),
            Side::Normalized => self.comparison.normalized(message),
        };
        match found {
            Ok(found) => self.compare(side, &found, seen_at),
            Err(what) => self.fault(|verdict| &mut verdict.mismatched, format!("{}: {what}", message.topic())),
        }
    }

    /// A raw record that is the next one of its symbol, as it should be.
    fn as_sent<'a>(&self, message: &'a BorrowedMessage<'_>) -> Option<Found<'a>> {
        let symbol = std::str::from_utf8(message.key()?).ok()?;
        let book = self.books.get(symbol)?;
        let next = book.sent.partition_point(|entry| entry.id <= book.latest[Side::Raw as usize]);
        let entry = book.sent.get(next)?;
        compare::raw_as_sent(message, symbol, entry.id, &Expected::of(&entry.batch, entry.place))
    }

    /// Takes in what the exchange has sent meanwhile.
    fn note_sent(&mut self) {
        while let Ok(batch) = self.ledger.try_recv() {
            let batch = Rc::new(batch);
            self.verdict.expected += batch.trades.len() as u64;
            if let (None, Some(first)) = (self.warm_at_ns, batch.trades.first()) {
                self.warm_at_ns = Some(first.due_unix_ns + self.warm_up_ns);
            }
            for (place, trade) in batch.trades.iter().enumerate() {
                let symbol = &self.symbols[trade.symbol as usize];
                if let Some(book) = self.books.get_mut(symbol) {
                    book.first.get_or_insert(trade.id);
                    let (batch, id, seen) = (batch.clone(), trade.id, [false; 2]);
                    book.sent.push_back(Entry { batch, place, id, seen, is_right: true });
                }
            }
        }
    }

    fn compare(&mut self, side: Side, found: &Found<'_>, seen_at: i64) {
        let at = side as usize;
        let Some(book) = self.books.get_mut(found.symbol()) else {
            let what = format!("{}: nobody sent this symbol", found.symbol());
            return self.fault(|verdict| &mut verdict.mismatched, what);
        };
        let id = found.id();
        let described = || format!("{} trade {id}", found.symbol());
        let place = book.sent.partition_point(|entry| entry.id < id);
        let known = book.sent.get_mut(place).filter(|entry| entry.id == id);
        let Some(entry) = known.filter(|entry| !entry.seen[at]) else {
            // What was verified has left the book; what was never sent is beyond its end.
            let again = book.first.is_some_and(|first| id >= first) && id <= book.latest[at];
            let what = format!("{}: {}", described(), if again { "came again" } else { "was never sent" });
            return match again {
                true => self.fault(|verdict| &mut verdict.duplicate, what),
                false => self.fault(|verdict| &mut verdict.mismatched, what),
            };
        };
        entry.seen[at] = true;
        let in_order = id > book.latest[at];
        book.latest[at] = book.latest[at].max(id);
        let expected = Expected::of(&entry.batch, entry.place);
        let due = expected.due_unix_ns;
        let difference = found.differs(&expected);
        entry.is_right &= difference.is_none();
        let warm = self.warm_at_ns.is_some_and(|warm| due >= warm);
        if let (Some(received), true) = (found.received_ns(), warm) {
            self.verdict.recv.saturating_record((received - due).max(0) as u64);
            self.verdict.end_to_end.saturating_record((seen_at - due).max(0) as u64);
        }
        self.settle(found.symbol());
        if !in_order {
            self.fault(|verdict| &mut verdict.out_of_order, format!("{}: came after a later one", described()));
        }
        if let Some(difference) = difference {
            self.fault(|verdict| &mut verdict.mismatched, format!("{}: {difference}", described()));
        }
    }

    /// Strikes trades off the book that were found on both topics.
    fn settle(&mut self, symbol: &str) {
        let Some(book) = self.books.get_mut(symbol) else { return };
        while let Some(entry) = book.sent.pop_front_if(|entry| entry.seen == [true; 2]) {
            self.verdict.seen += u64::from(entry.is_right);
            self.settled += 1;
            if let Ok(batch) = Rc::try_unwrap(entry.batch) {
                self.ledger.give_back(batch);
            }
        }
        self.shared.verified.store(self.settled, Ordering::Release);
    }

    fn fault(&mut self, column: impl FnOnce(&mut Verdict) -> &mut u64, what: String) {
        *column(&mut self.verdict) += 1;
        self.shared.faults.fetch_add(1, Ordering::Relaxed);
        if self.verdict.discrepancies.len() < TOLD {
            self.verdict.discrepancies.push(what);
        }
    }

    /// What is still on the books is missing.
    fn conclude(mut self) -> Verdict {
        self.note_sent();
        for (symbol, book) in std::mem::take(&mut self.books) {
            for entry in book.sent {
                let lacking = match entry.seen {
                    [true, true] => {
                        self.verdict.seen += u64::from(entry.is_right);
                        continue;
                    }
                    [false, false] => "both topics",
                    [false, true] => "the raw topic",
                    [true, false] => "the normalized topic",
                };
                self.fault(
                    |verdict| &mut verdict.missing,
                    format!("{symbol} trade {}: missing on {lacking}", entry.id),
                );
            }
        }
        self.verdict
    }
}

#[cfg(test)]
mod tests;
