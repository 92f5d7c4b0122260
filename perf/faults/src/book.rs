//! The truth: every trade that the exchange made, from the simulator's ledger; those that nobody was there to hear, from
//! its history.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};
use k2_feed::sim::{Batch, LedgerReader};
use serde_json::Value;

use crate::reader::local_agent;

const MILLISECOND: i64 = 1_000_000;
/// Trades in a page of the history.
const PAGE: u64 = 1_000;
/// Attempts to have a page of the history, and the wait between them.
const ATTEMPTS: usize = 20;
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Every trade of every symbol.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) symbols: BTreeMap<String, Series>,
}

/// The trades of a symbol, whose ids follow one another.
#[derive(Debug, Default)]
pub(crate) struct Series {
    pub(crate) first: u64,
    pub(crate) trades: Vec<Sent>,
}

/// A trade. What it says is kept as digests: two that differ are the same once in 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// See [`digest`].
    pub(crate) trade: u64,
    /// Of the frame's bytes; `None` if no connection was there when it was made.
    pub(crate) frame: Option<u64>,
    /// When it was made, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// What a trade says.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Says<'a> {
    pub(crate) price: &'a str,
    pub(crate) quantity: &'a str,
    pub(crate) taker_sold: bool,
    /// The exchange's time, in nanoseconds since 1970.
    pub(crate) at_ns: i64,
}

/// A number for what a trade or a frame says.
pub(crate) fn digest(says: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    says.hash(&mut hasher);
    hasher.finish()
}

impl Book {
    /// How many trades it has.
    pub(crate) fn len(&self) -> usize {
        self.symbols.values().map(|series| series.trades.len()).sum()
    }
}

impl Series {
    /// The id that follows.
    fn next(&self) -> u64 {
        self.first + self.trades.len() as u64
    }

    /// The trade with this id.
    pub(crate) fn get(&self, id: u64) -> Option<&Sent> {
        self.trades.get(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }
}

/// Writes the book while the market goes on.
pub(crate) struct Writer {
    thread: JoinHandle<anyhow::Result<Book>>,
    written: Arc<AtomicU64>,
}

impl Writer {
    /// Reads the ledger of an exchange at this address, until the exchange is stopped. `symbols` are in its order.
    pub(crate) fn start(ledger: LedgerReader, symbols: Vec<String>, exchange: SocketAddr) -> anyhow::Result<Self> {
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        let thread = std::thread::Builder::new().name("book".into()).spawn(move || {
            let mut book = Book::default();
            while let Some(batch) = ledger.recv() {
                write(&mut book, &batch, &symbols, exchange)?;
                count.store(book.len() as u64, Ordering::Relaxed);
                ledger.give_back(batch);
            }
            Ok(book)
        })?;
        Ok(Writer { thread, written })
    }

    /// How many trades were made so far.
    pub(crate) fn trades(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// All of it, once the exchange is stopped.
    pub(crate) fn finish(self) -> anyhow::Result<Book> {
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that writes the book panicked"))?
    }
}

fn write(book: &mut Book, batch: &Batch, symbols: &[String], exchange: SocketAddr) -> anyhow::Result<()> {
    let text = |range: &Range<usize>| std::str::from_utf8(&batch.bytes[range.clone()]).context("a frame is no text");
    for frame in &batch.frames {
        let symbol = symbols.get(frame.symbol as usize).context("a symbol that was not asked for")?;
        let series = book.symbols.entry(symbol.clone()).or_default();
        let payload = digest(&batch.bytes[frame.payload.clone()]);
        for trade in &batch.trades[frame.trades.clone()] {
            let id = text(trade.id.as_ref().context("a trade without an id")?)?.parse()?;
            if series.trades.is_empty() {
                series.first = id;
            }
            if id > series.next() {
                look_up(series, symbol, id, exchange)?;
            }
            if id != series.next() {
                bail!("the ledger has trade {id} of {symbol} behind {}", series.next());
            }
            let (price, quantity, at_ns) = (text(&trade.price)?, text(&trade.quantity)?, trade.exchange_unix_ns);
            let says = digest(Says { price, quantity, taker_sold: trade.taker_sold, at_ns });
            series.trades.push(Sent { trade: says, frame: Some(payload), at_ms: at_ns / MILLISECOND });
        }
    }
    Ok(())
}

/// Adds the trades before `end`, which nobody heard, as the history tells them.
fn look_up(series: &mut Series, symbol: &str, end: u64, exchange: SocketAddr) -> anyhow::Result<()> {
    while series.next() < end {
        let next = series.next();
        let limit = PAGE.min(end - next);
        let url = format!("http://{exchange}/api/v3/historicalTrades?symbol={symbol}&fromId={next}&limit={limit}");
        let page = (0..ATTEMPTS).find_map(|attempt| {
            if attempt > 0 {
                std::thread::sleep(RETRY_AFTER);
            }
            local_agent().get(&url).call().ok()?.body_mut().read_json::<Vec<Value>>().ok()
        });
        let page = page.filter(|page| !page.is_empty()).with_context(|| format!("{url} has no answer"))?;
        for trade in page {
            let (sent, id) = told(&trade).with_context(|| format!("{url} tells {trade}"))?;
            if id != series.next() {
                bail!("{url} tells trade {id}: the exchange's history is too short");
            }
            series.trades.push(sent);
        }
    }
    Ok(())
}

/// A trade of the history, and its id.
fn told(trade: &Value) -> Option<(Sent, u64)> {
    let at_ms = trade["time"].as_i64()?;
    let (price, quantity) = (trade["price"].as_str()?, trade["qty"].as_str()?);
    let says = Says { price, quantity, taker_sold: trade["isBuyerMaker"].as_bool()?, at_ns: at_ms * MILLISECOND };
    Some((Sent { trade: digest(says), frame: None, at_ms }, trade["id"].as_u64()?))
}
