//! How one gap is asked for, page by page, and when it is given up: no IO, no clock.

use std::sync::Arc;

use crossbeam::channel::Sender;

use super::{Answer, Body, Patience, Reason, Source, Unfilled, Wanted};
use crate::clock::Nanos;
use crate::venue::Query;
use crate::venue::history::{Missing, Order};

/// Pages that a gap may take beyond one for each of so many trades, which no exchange's pages are smaller than.
const SPARE_PAGES: u64 = 8;
const SMALLEST_PAGE: u64 = 100;

/// A gap under way.
pub(super) struct Job {
    wanted: Wanted,
    /// What is still to be asked for.
    missing: Missing,
    bodies: Vec<Body>,
    /// Trades in parts that have been handed over.
    handed_over: u64,
    requests: u64,
    /// Failures since the last page that brought something.
    failures: u32,
    /// Before which it is not asked again.
    pub(super) not_before: Nanos,
}

/// Why a request brought no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// What happened, or the exchange's words.
    pub(super) words: String,
    /// Whether the same request may do better a while later.
    pub(super) may_pass: bool,
    /// How long the exchange wants to be left alone.
    pub(super) retry_after: Option<std::time::Duration>,
}

/// What is to be done after an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// Ask again, not before [`Job::not_before`].
    Ask,
    /// Nothing: this is what was found.
    Done(Answer),
}

impl Job {
    pub(super) fn new(wanted: Wanted) -> Self {
        let missing = wanted.missing;
        Job {
            wanted,
            missing,
            bodies: Vec::new(),
            handed_over: 0,
            requests: 0,
            failures: 0,
            not_before: Nanos::default(),
        }
    }

    pub(super) fn source(&self) -> &Arc<Source> {
        &self.wanted.source
    }

    /// Whether the last page brought something.
    pub(super) fn has_progressed(&self) -> bool {
        self.requests > 0 && self.failures == 0
    }

    /// The next request.
    pub(super) fn query(&self) -> Query {
        let Wanted { source, instrument, .. } = &self.wanted;
        (source.history.query)(instrument, &self.missing, source.unit)
    }

    /// Takes in what came of the request.
    pub(super) fn answered(
        &mut self,
        page: Result<Body, Failure>,
        now: Nanos,
        patience: &Patience,
        random: &mut fastrand::Rng,
    ) -> Next {
        self.requests += 1;
        let failure = match page.map(|body| self.take(body)) {
            Ok(true) => {
                self.failures = 0;
                self.not_before = now;
                let most = SPARE_PAGES + self.wanted.missing.count() / SMALLEST_PAGE;
                match self.missing.count() {
                    0 => return Next::Done(self.end(None)),
                    _ if self.requests >= most => absent(format!("{most} pages did not hold them all")),
                    _ => return Next::Ask,
                }
            }
            // The history may be behind the live trades by a moment.
            Ok(false) => Failure { may_pass: true, ..absent("the exchange's history does not hold them".into()) },
            Err(failure) => failure,
        };
        self.failures += 1;
        let pause = failure.retry_after.unwrap_or_default();
        if !failure.may_pass || self.failures >= patience.attempts || pause > patience.longest_pause {
            return Next::Done(self.end(Some(Unfilled { reason: failure.reason, words: failure.words })));
        }
        let backoff = patience.backoff.saturating_mul(1 << (self.failures - 1).min(16));
        self.not_before = now.plus(backoff.mul_f64(1.0 - random.f64() / 2.0).max(pause));
        Next::Ask
    }

    /// Keeps what is missing of a page, and asks for the rest from there on. Returns whether there was anything.
    fn take(&mut self, mut body: Body) -> bool {
        body.trades.retain(|trade| self.missing.holds(trade.number));
        body.trades.sort_by_key(|trade| trade.number);
        body.trades.dedup_by_key(|trade| trade.number);
        let (Some(lowest), Some(highest)) = (body.trades.first(), body.trades.last()) else { return false };
        match self.wanted.source.history.order {
            Order::OldestFirst => {
                (self.missing.first, self.missing.after_ns) = (highest.number + 1, highest.exchange_time_ns);
            }
            Order::NewestFirst => {
                (self.missing.last, self.missing.before_ns) = (lowest.number - 1, lowest.exchange_time_ns);
            }
        }
        self.bodies.push(body);
        true
    }

    /// What was found since the last part, where pages come in the order in which trades are published: so that the memory of
    /// a large gap is bounded, and what was found is not lost where the engine ends.
    pub(super) fn part(&mut self) -> Option<Answer> {
        let is_in_order = self.wanted.source.history.order == Order::OldestFirst;
        if !is_in_order || self.bodies.is_empty() {
            return None;
        }
        let bodies = std::mem::take(&mut self.bodies);
        self.handed_over += count(&bodies);
        Some(Answer { book: self.wanted.book, ticket: self.wanted.ticket, bodies, unfilled: None, is_last: false })
    }

    /// What was found, and why that is not all, if it is not.
    fn end(&mut self, unfilled: Option<Unfilled>) -> Answer {
        let mut bodies = std::mem::take(&mut self.bodies);
        bodies.sort_by_key(|body| body.trades.first().map(|trade| trade.number));
        let found = self.handed_over + count(&bodies);
        let wanted = self.wanted.missing.count();
        let unfilled = unfilled.or_else(|| {
            let words = format!("the exchange's history holds {found} of {wanted}");
            (found < wanted).then_some(Unfilled { reason: Reason::Absent, words })
        });
        Answer { book: self.wanted.book, ticket: self.wanted.ticket, bodies, unfilled, is_last: true }
    }

    /// Ends it at once.
    pub(super) fn given_up(mut self, reason: Reason, words: String) -> (Sender<Answer>, Answer) {
        let answer = self.end(Some(Unfilled { reason, words }));
        (self.into_reply(), answer)
    }

    /// Where its parts go.
    pub(super) fn reply(&self) -> &Sender<Answer> {
        &self.wanted.reply
    }

    /// Where its answer goes.
    pub(super) fn into_reply(self) -> Sender<Answer> {
        self.wanted.reply
    }
}

fn count(bodies: &[Body]) -> u64 {
    bodies.iter().map(|body| body.trades.len() as u64).sum()
}

fn absent(words: String) -> Failure {
    Failure { reason: Reason::Absent, words, may_pass: false, retry_after: None }
}

#[cfg(test)]
mod tests;

/// What the tests of the repairer's parts share.
#[cfg(test)]
pub(super) mod testing {
    use std::ops::RangeInclusive;

    use super::*;
    use crate::trade::Side;
    use crate::venue::history::PastTrade;
    use crate::venue::{Instrument, Protocol, TimeUnit};

    impl Job {
        pub(in crate::repair) fn missing(&self) -> &Missing {
            &self.missing
        }
    }

    /// Binance's history at another address.
    pub(in crate::repair) fn source(url: &str) -> Source {
        let history = Protocol::BinanceSpot.history().expect("a history");
        Source { exchange: "binance", history, url: url.parse().unwrap(), unit: TimeUnit::Millisecond }
    }

    /// A gap whose trades took place as many seconds after 1970 as their numbers are.
    pub(in crate::repair) fn job_of(source: Arc<Source>, missing: RangeInclusive<i64>) -> Job {
        let (first, last) = missing.into_inner();
        let missing =
            Missing { first, last, after_ns: (first - 1) * 1_000_000_000, before_ns: (last + 1) * 1_000_000_000 };
        let instrument = Arc::new(Instrument::new("BTCUSDT", "BTC/USDT".into()));
        let (reply, _) = crossbeam::channel::bounded(1);
        Job::new(Wanted { book: 0, ticket: 1, source, instrument, missing, reply })
    }

    /// A page with these numbers.
    pub(in crate::repair) fn body(numbers: impl IntoIterator<Item = i64>) -> Body {
        let trade = |number: i64| PastTrade {
            number,
            price: "1.5".into(),
            quantity: "2".into(),
            side: Side::Buy,
            exchange_time_ns: number * 1_000_000_000,
            is_buyer_maker: Some(false),
        };
        Body { received_unix_ns: 2, trades: numbers.into_iter().map(trade).collect() }
    }
}
