//! Compares what is on the topics with what the exchange made.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::book::{Book, Says, Series, digest};
use crate::reader::{Record, Trade};

/// Examples that a verdict has of each thing that is wrong.
const EXAMPLES: usize = 20;

/// A time during which no engine ran, in milliseconds since 1970: from its end to when the next one heard the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Absence {
    /// When the engine that ended then was started: what it heard, it heard since.
    pub(crate) since_ms: i64,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) is_killed: bool,
}

/// Trades that the engine said it cannot have: of a symbol, from the first id to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) symbol: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// In the engine's words.
    pub(crate) why: String,
}

/// What the comparison came to.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// Trades that the exchange made.
    pub(crate) made: u64,
    /// Those of them on the topic as a connection brought them, and as the exchange's history told them.
    pub(crate) live: u64,
    pub(crate) from_rest: u64,
    /// Those that are not on the topic: without a word of the engine, and named by it.
    pub(crate) lost: u64,
    pub(crate) named: u64,
    /// Those that the engine has named, by its reason.
    pub(crate) named_why: BTreeMap<String, u64>,
    /// Frames that are not on the raw topic though a trade of them came by a connection.
    pub(crate) frames_lost: u64,
    /// The same of an engine that was killed later: they were in its memory.
    pub(crate) frames_lost_by_kills: u64,
    /// Records that are there again, of both topics.
    pub(crate) duplicates: u64,
    /// Records that first came behind a later one of their symbol, of both topics; trades of the history left out.
    pub(crate) reordered: u64,
    /// Records that say something else than what was sent.
    pub(crate) different: u64,
    /// Records of trades that nobody made.
    pub(crate) unknown: u64,
    /// Some of what is wrong.
    pub(crate) examples: Vec<String>,
}

/// How often a trade was seen.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    raw: u32,
    live: u32,
    rest: u32,
}

/// Takes in records as they are read.
pub(crate) struct Judge<'a> {
    book: &'a Book,
    seen: BTreeMap<&'a str, Vec<Seen>>,
    /// The highest id so far, by symbol: of frames, and of trades.
    highest: BTreeMap<&'a str, [u64; 2]>,
    verdict: Verdict,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(book: &'a Book) -> Self {
        let nothing = |series: &Series| vec![Seen::default(); series.trades.len()];
        Judge {
            book,
            seen: book.symbols.iter().map(|(symbol, series)| (&**symbol, nothing(series))).collect(),
            highest: book.symbols.keys().map(|symbol| (&**symbol, [0, 0])).collect(),
            verdict: Verdict { made: book.len() as u64, ..Verdict::default() },
        }
    }

    /// The next record of its partition.
    pub(crate) fn take(&mut self, record: &Record<'_>) {
        let (symbol, id) = match record {
            Record::Raw { symbol, id, .. } => (*symbol, *id),
            Record::Trade(trade) => (trade.symbol, trade.id),
        };
        let Some((symbol, series)) = self.book.symbols.get_key_value(symbol) else {
            return self.unknown(symbol, id);
        };
        let (Some(sent), Some(seen)) = (series.get(id), self.seen.get_mut(&**symbol)) else {
            return self.unknown(symbol, id);
        };
        let seen = &mut seen[(id - series.first) as usize];
        let (place, is_same, times) = match record {
            Record::Raw { bytes, .. } => {
                seen.raw += 1;
                (Some(0), sent.frame == Some(digest(bytes)), seen.raw)
            }
            Record::Trade(trade) => {
                let Trade { price, quantity, taker_sold, at_ns, .. } = *trade;
                let says = Says { price, quantity, taker_sold, at_ns };
                *if trade.is_from_rest { &mut seen.rest } else { &mut seen.live } += 1;
                ((!trade.is_from_rest).then_some(1), sent.trade == digest(says), seen.live + seen.rest)
            }
        };
        let is_again = times > 1;
        let highest = place.and_then(|place| self.highest.get_mut(&**symbol).map(|highest| &mut highest[place]));
        let is_behind = highest.is_some_and(|highest| {
            let is_behind = id < *highest;
            *highest = id.max(*highest);
            is_behind && !is_again
        });
        self.verdict.duplicates += u64::from(is_again);
        self.verdict.reordered += u64::from(is_behind);
        self.verdict.different += u64::from(!is_same);
        if is_behind {
            self.example(|| format!("{symbol} {id} came behind a later one ({})", topic(record)));
        }
        if !is_same {
            self.example(|| format!("{symbol} {id} is not what was sent ({})", topic(record)));
        }
    }

    fn unknown(&mut self, symbol: &str, id: u64) {
        self.verdict.unknown += 1;
        self.example(|| format!("{symbol} {id} was never made"));
    }

    fn example(&mut self, say: impl FnOnce() -> String) {
        if self.verdict.examples.len() < EXAMPLES {
            self.verdict.examples.push(say());
        }
    }

    /// The end: what did not come. An engine has to catch up on what it missed while none ran, too.
    pub(crate) fn conclude(mut self, absences: &[Absence], named: &[Named]) -> Verdict {
        for (symbol, series) in &self.book.symbols {
            let seen = std::mem::take(self.seen.get_mut(&**symbol).unwrap_or(&mut Vec::new()));
            let (live, rest) = seen.iter().fold((0, 0), |(live, rest), seen| {
                (live + u64::from(seen.live > 0), rest + u64::from(seen.live == 0 && seen.rest > 0))
            });
            self.verdict.live += live;
            self.verdict.from_rest += rest;
            for run in runs(&seen, |seen| seen.live + seen.rest == 0) {
                self.missing(symbol, series, run, absences, named);
            }
            for run in runs(&seen, |seen| seen.live > 0 && seen.raw == 0) {
                self.missing_frames(symbol, series, run, absences);
            }
        }
        self.verdict
    }

    /// A run of trades that are not on the topic.
    fn missing(
        &mut self,
        symbol: &str,
        series: &Series,
        run: std::ops::Range<usize>,
        absences: &[Absence],
        named: &[Named],
    ) {
        let count = run.len() as u64;
        let (first, last) = (series.first + run.start as u64, series.first + run.end as u64 - 1);
        let named_one = |id: u64| named.iter().find(|one| one.symbol == symbol && (one.first..=one.last).contains(&id));
        let mut named = 0;
        for why in (first..=last).filter_map(named_one).map(|one| &one.why) {
            named += 1;
            *self.verdict.named_why.entry(why.clone()).or_default() += 1;
        }
        self.verdict.named += named;
        if named == count {
            return;
        }
        self.verdict.lost += count - named;
        let (from_ms, to_ms) = (series.trades[run.start].at_ms, series.trades[run.end - 1].at_ms);
        let absence = meets(series, &run, absences);
        self.example(|| format!("{symbol} {first} to {last} are lost, made from {from_ms} to {to_ms} ms, {absence:?}"));
    }

    /// A run of trades whose frames are not on the topic.
    fn missing_frames(&mut self, symbol: &str, series: &Series, run: std::ops::Range<usize>, absences: &[Absence]) {
        let count = run.len() as u64;
        // What librdkafka had when the engine was killed may be as old as the outage then was, and newer ones on disk.
        let whole = |absence: &Absence| Absence { from_ms: absence.since_ms, ..*absence };
        let killed: Vec<_> = absences.iter().filter(|absence| absence.is_killed).map(whole).collect();
        if meets(series, &run, &killed).is_some() {
            self.verdict.frames_lost_by_kills += count;
            return;
        }
        self.verdict.frames_lost += count;
        let (first, last) = (series.first + run.start as u64, series.first + run.end as u64 - 1);
        self.example(|| format!("the frames of {symbol} {first} to {last} are lost"));
    }
}

fn topic(record: &Record<'_>) -> &'static str {
    match record {
        Record::Raw { .. } => "raw",
        Record::Trade(trade) if trade.is_from_rest => "normalized, from the history",
        Record::Trade(_) => "normalized",
    }
}

/// The absence that a run of trades touches. What an engine had not read when it ended is missing, too, so a run may begin
/// earlier.
fn meets(series: &Series, run: &std::ops::Range<usize>, absences: &[Absence]) -> Option<Absence> {
    let (from_ms, to_ms) = (series.trades[run.start].at_ms, series.trades[run.end - 1].at_ms);
    absences.iter().find(|absence| from_ms <= absence.to_ms && to_ms >= absence.from_ms).copied()
}

/// The longest runs of places of which this is so.
fn runs(seen: &[Seen], is_so: impl Fn(&Seen) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (place, _) in seen.iter().enumerate().filter(|(_, seen)| is_so(seen)) {
        match runs.last_mut() {
            Some(run) if run.end == place => run.end += 1,
            _ => runs.push(place..place + 1),
        }
    }
    runs
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
