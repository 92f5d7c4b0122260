//! Gap repair: trades that no live connection brought are fetched from the exchange's REST API.
//!
//! ```text
//! feed core --Wanted--> [ k2-repair: one thread on the housekeeping CPUs ] --Answer--> the feed core that asked
//! ```
//!
//! Both ways are bounded channels, and a feed core waits on neither: where there is no room the gap stays one, and is
//! counted. `job` is how one gap is asked for, page by page, and when it is given up; `queue` is whose turn it is, at
//! the rate that each exchange allows; `client` makes the requests. What is found is published by
//! [`crate::feed`], which knows what has come live meanwhile.

mod client;
mod job;
mod queue;
mod reason;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use rustls::pki_types::CertificateDer;
use url::Url;

use crate::clock::{Nanos, unix_now_ns};
use crate::cores::CpuSet;
use crate::venue::history::{Missing, PastTrade, Unread};
use crate::venue::{History, Instrument, TimeUnit};
use client::Client;
use job::{Failure, Job, Next};
use queue::{Queue, Turn};
pub use reason::{Reason, Unfilled};

/// Most gaps that wait for the repairer to look at them.
const WANTED: usize = 256;
/// Most gaps that are under way.
const MOST_JOBS: usize = 1_024;
/// Most answers that wait for a feed core, which looks every 50 ms.
const ANSWERS: usize = 8;
/// How often the wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Where a feed's gaps are filled from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The exchange's name.
    pub exchange: &'static str,
    /// How its history is asked for.
    pub history: History,
    /// Where its REST API is reached.
    pub url: Url,
    /// The unit of the feed's times.
    pub unit: TimeUnit,
}

impl Source {
    /// Those who share a rate limit: whoever asks the same host.
    fn host(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.url.port_or_known_default().unwrap_or_default())
    }
}

/// A gap to be filled.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who asks: the place of the symbol's book.
    pub book: usize,
    /// Which of the book's gaps it is.
    pub ticket: u64,
    /// Where to ask.
    pub source: Arc<Source>,
    /// Of which symbol.
    pub instrument: Arc<Instrument>,
    /// What is missing.
    pub missing: Missing,
    /// Where the answer goes.
    pub reply: Sender<Answer>,
}

/// What was found of a gap, or of the next part of it.
#[derive(Debug)]
pub struct Answer {
    /// [`Wanted::book`].
    pub book: usize,
    /// [`Wanted::ticket`].
    pub ticket: u64,
    /// What was found, from the lowest number to the highest, none twice.
    pub bodies: Vec<Body>,
    /// Why that is not all, if it is not.
    pub unfilled: Option<Unfilled>,
    /// Whether nothing more comes of this gap.
    pub is_last: bool,
}

/// The trades of one answer of the exchange that are missing.
#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    /// When it came, nanoseconds since the Unix epoch.
    pub received_unix_ns: i64,
    /// In order of their numbers.
    pub trades: Vec<PastTrade>,
}

/// How long and how often is asked.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Longest wait for a connection, and then for one whole answer.
    pub timeout: Duration,
    /// The wait before the second of several attempts; it doubles with each, and is drawn from its upper half.
    pub backoff: Duration,
    /// Attempts in a row that may fail before a gap is given up.
    pub attempts: u32,
    /// Longest wait that an exchange may ask for (`Retry-After`) before a gap is given up.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            timeout: Duration::from_secs(10),
            backoff: Duration::from_millis(500),
            attempts: 6,
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// A feed core's end.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where the gaps of each feed are filled from, if they are.
    pub sources: Arc<[Option<Arc<Source>>]>,
    /// The largest gap that is asked for, in trades.
    pub max_trades: u64,
    /// To the repairer.
    pub wanted: Sender<Wanted>,
    /// Goes with each gap that is asked for.
    pub reply: Sender<Answer>,
    /// What was found.
    pub answers: Receiver<Answer>,
}

/// The repairer's thread.
#[derive(Debug)]
pub struct Repairer {
    stop: Arc<AtomicBool>,
}

impl Repairer {
    /// Starts the thread on `cpus`, and gives each of the feed cores its end. `roots`, which are trusted, are read
    /// for the first gap.
    ///
    /// # Errors
    /// If no thread can be made.
    pub fn start(
        sources: Vec<Option<Arc<Source>>>,
        max_trades: u64,
        feed_cores: usize,
        roots: impl Fn() -> Vec<CertificateDer<'static>> + Send + 'static,
        cpus: CpuSet,
        patience: Patience,
    ) -> Result<(Self, Vec<Link>), String> {
        let (wanted, to_do) = bounded(WANTED);
        let sources: Arc<[_]> = sources.into();
        let link = |_| {
            let (reply, answers) = bounded(ANSWERS);
            Link { sources: sources.clone(), max_trades, wanted: wanted.clone(), reply, answers }
        };
        let links = (0..feed_cores).map(link).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work {
            client: None,
            roots: Box::new(roots),
            queue: Queue::default(),
            to_do,
            patience,
            random: fastrand::Rng::new(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("k2-repair".into()).spawn(move || {
            cpus.apply();
            work.run();
        });
        // Nobody waits for it at the end: it may be waiting for an exchange.
        thread.map_err(|error| format!("the repairer cannot be started: {error}"))?;
        Ok((Repairer { stop }, links))
    }
}

impl Drop for Repairer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the thread works with.
struct Work {
    /// Made for the first gap.
    client: Option<Client>,
    roots: Box<dyn Fn() -> Vec<CertificateDer<'static>> + Send>,
    queue: Queue,
    to_do: Receiver<Wanted>,
    patience: Patience,
    random: fastrand::Rng,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let wait = match self.queue.next(Nanos::now(), self.patience.longest_pause) {
                Turn::Now(job) => {
                    self.ask(job);
                    Duration::ZERO
                }
                Turn::Hopeless(job) => {
                    let words = "the exchange wants to be left alone for a while";
                    let (reply, answer) = job.given_up(Reason::Refused, words.into());
                    self.send(&reply, answer);
                    Duration::ZERO
                }
                Turn::At(at) => at.time_since(Nanos::now()).min(LOOK),
                Turn::Nobodys => LOOK,
            };
            match self.to_do.recv_timeout(wait) {
                Ok(wanted) => self.take_in(wanted),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take_in(&mut self, wanted: Wanted) {
        let Wanted { instrument, missing, source, .. } = &wanted;
        if self.queue.len() == MOST_JOBS {
            let words = format!("{MOST_JOBS} gaps are under way");
            let (reply, answer) = Job::new(wanted).given_up(Reason::Busy, words);
            return self.send(&reply, answer);
        }
        tracing::info!(
            exchange = source.exchange,
            symbol = instrument.symbol,
            first = missing.first,
            last = missing.last,
            missing = missing.count(),
            "gap: asking the exchange's history"
        );
        self.queue.push(Job::new(wanted));
    }

    /// Makes the request that is a job's next.
    fn ask(&mut self, mut job: Job) {
        let source = job.source().clone();
        self.queue.pause(&source, Nanos::now().plus(source.history.interval));
        let client = self.client.get_or_insert_with(|| Client::new(&(self.roots)(), self.patience.timeout));
        let fetched = client.get(&source.url, &job.query());
        let (received, received_unix_ns) = (Nanos::now(), unix_now_ns());
        let page = fetched.and_then(|mut body| {
            let trades = source.history.read_page(&mut body, source.unit).map_err(Failure::from)?;
            Ok(Body { received_unix_ns, trades })
        });
        if let Err(failure) = &page {
            tracing::debug!(exchange = source.exchange, reason = failure.reason.name(), "no trades: {}", failure.words);
            if let Some(pause) = failure.retry_after {
                self.queue.pause(&source, received.plus(pause));
            }
        }
        match job.answered(page, received, &self.patience, &mut self.random) {
            Next::Ask if job.has_progressed() => {
                if let Some(part) = job.part() {
                    self.send(job.reply(), part);
                }
                self.queue.push_first(job);
            }
            Next::Ask => self.queue.push(job),
            Next::Done(answer) => self.send(&job.into_reply(), answer),
        }
    }

    /// Hands an answer over. A feed core takes it with its next tick, unless it waits for room in its ring.
    fn send(&self, reply: &Sender<Answer>, mut answer: Answer) {
        while !self.stop.load(Ordering::Relaxed) {
            match reply.send_timeout(answer, LOOK) {
                Ok(()) | Err(SendTimeoutError::Disconnected(_)) => return,
                Err(SendTimeoutError::Timeout(back)) => answer = back,
            }
        }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Reject(reject) => {
                Failure { reason: Reason::Unreadable, words: reject.to_string(), may_pass: true, retry_after: None }
            }
            Unread::Refused { words, may_pass } => {
                Failure { reason: Reason::Refused, words, may_pass, retry_after: None }
            }
        }
    }
}

#[cfg(test)]
mod tests;
