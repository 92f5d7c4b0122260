//! One symbol's frames that were sent and not yet found right on both topics.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::ops::Range;
use std::rc::Rc;

use crate::demo::compare::{Expected, Listed, Record};
use crate::sim::{Batch, SentFrame, SentTrade};

/// Frames among which one is looked for that is not the next.
const REACH: usize = 4_096;
/// Frames and ids of the past that are still known when they come again.
const KNOWN: usize = 4_096;
/// Most trades of a frame: a bit for each.
const MAX_TRADES: usize = u64::BITS as usize;

/// What is wrong with a record, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Duplicate(String),
    Mismatched(String),
    OutOfOrder(String),
}

/// What became of a record.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Due time and number of trades of the frame that the record is, if it is one.
    pub(super) frame: Option<(i64, u64)>,
    /// Whether it is a frame that may come again, and has.
    pub(super) again: bool,
    pub(super) faults: Vec<Fault>,
}

impl Finding {
    fn fault(fault: Fault) -> Self {
        Finding { faults: vec![fault], ..Finding::default() }
    }
}

/// How often frames may come on the raw topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Raw {
    /// Each once: there is one connection at a time.
    Once,
    /// Several connections carry the symbols, at least at times. Whichever shows a trade first has its frame published, so
    /// one that tells several trades, or none, may come again; and one may not come at all if others tell all its trades.
    OfTwins,
}

/// A frame that was sent.
struct Sent {
    batch: Rc<Batch>,
    place: usize,
    /// Whether it came on the raw topic.
    came: bool,
    /// Whether it did, or another did that tells all its trades.
    on_raw: bool,
    /// By trade.
    on_normalized: u64,
    wrong: u64,
}

impl Sent {
    fn frame(&self) -> &SentFrame {
        &self.batch.frames[self.place]
    }

    fn payload(&self) -> &[u8] {
        &self.batch.bytes[self.frame().payload.clone()]
    }

    /// Whether a subscriber got the frame like this.
    fn is(&self, payload: &[u8]) -> bool {
        let mut variants = self.batch.variants[self.frame().variants.clone()].iter();
        self.payload() == payload || variants.any(|variant| self.batch.bytes[variant.clone()] == *payload)
    }

    /// Its new trades, by how many were made before each: in a snapshot, the last that it tells.
    fn news(&self) -> Range<u64> {
        let tells = &self.frame().tells;
        tells.end.saturating_sub(self.trades().len() as u64)..tells.end
    }

    /// Whether it only repeats trades.
    fn only_repeats(&self) -> bool {
        self.trades().is_empty() && !self.frame().tells.is_empty()
    }

    fn trades(&self) -> &[SentTrade] {
        &self.batch.trades[self.frame().trades.clone()]
    }

    fn is_settled(&self, raw: Raw) -> bool {
        let is_on_raw = self.on_raw || raw == Raw::OfTwins && self.only_repeats();
        is_on_raw && self.on_normalized.count_ones() as usize == self.trades().len()
    }
}

/// Hashes of what has been seen: of all, or of the latest.
struct Seen {
    hashes: HashSet<u64, foldhash::fast::RandomState>,
    latest: VecDeque<u64>,
    keeps_all: bool,
}

impl Seen {
    fn new() -> Self {
        Seen { hashes: HashSet::default(), latest: VecDeque::new(), keeps_all: false }
    }

    fn contains(&self, what: &[u8]) -> bool {
        self.hashes.contains(&self.hashes.hasher().hash_one(what))
    }

    fn insert(&mut self, what: &[u8]) {
        let hash = self.hashes.hasher().hash_one(what);
        if !self.hashes.insert(hash) || self.keeps_all {
            return;
        }
        self.latest.push_back(hash);
        if self.latest.len() > KNOWN
            && let Some(oldest) = self.latest.pop_front()
        {
            self.hashes.remove(&oldest);
        }
    }
}

/// The books of one symbol.
pub(super) struct Book {
    listed: Listed,
    raw: Raw,
    sent: VecDeque<Sent>,
    /// The frame that is next on the raw topic.
    raw_next: usize,
    /// The frame and its trade that is next on the normalized topic.
    next: (usize, usize),
    seen_frames: Seen,
    /// Frames that need not have come, and had not when they were struck off.
    waived: Seen,
    seen_ids: Seen,
}

/// Trades that leave the book.
pub(super) struct Settled {
    pub(super) trades: u64,
    pub(super) right: u64,
    pub(super) batch: Rc<Batch>,
}

impl Book {
    pub(super) fn new(listed: Listed, raw: Raw) -> Self {
        let [seen_frames, waived, seen_ids] = [Seen::new(), Seen::new(), Seen::new()];
        Book { listed, raw, sent: VecDeque::new(), raw_next: 0, next: (0, 0), seen_frames, waived, seen_ids }
    }

    /// Takes in a frame that was sent.
    pub(super) fn note(&mut self, batch: Rc<Batch>, place: usize) {
        let sent = Sent { batch, place, came: false, on_raw: false, on_normalized: 0, wrong: 0 };
        assert!(sent.trades().len() <= MAX_TRADES, "a frame of more than {MAX_TRADES} trades");
        // Ids that the engine makes up must be different in the whole run.
        self.seen_ids.keeps_all |= sent.trades().first().is_some_and(|trade| trade.id.is_none());
        self.sent.push_back(sent);
    }

    /// Looks for the frame of a raw record: usually the next one.
    pub(super) fn raw(&mut self, payload: &[u8]) -> Finding {
        let is = |sent: &Sent| !sent.came && sent.is(payload);
        let later = self.sent.iter().skip(self.raw_next).take(REACH).position(is).map(|ahead| self.raw_next + ahead);
        let found = later.or_else(|| self.sent.iter().take(self.raw_next.min(REACH)).position(is));
        let Some(place) = found else { return self.unknown_frame(payload) };
        self.seen_frames.insert(payload);
        let sent = &mut self.sent[place];
        sent.came = true;
        let was_told =
            std::mem::replace(&mut sent.on_raw, true) || self.raw == Raw::OfTwins && sent.trades().is_empty();
        let frame = Some((sent.frame().due_unix_ns, sent.trades().len() as u64));
        if self.raw == Raw::OfTwins {
            self.strike_off_what_is_told_by(place);
        }
        if later.is_some() {
            self.raw_next = place + 1;
        }
        if later.is_some() || was_told {
            return Finding { frame, ..Finding::default() };
        }
        let what = format!("{}: the raw frame {} came after a later one", self.listed.symbol, shown(payload));
        Finding { frame, ..Finding::fault(Fault::OutOfOrder(what)) }
    }

    /// A raw record that is none of the frames that are still to come.
    fn unknown_frame(&mut self, payload: &[u8]) -> Finding {
        let symbol = &self.listed.symbol;
        match (self.seen_frames.contains(payload), self.raw) {
            (true, Raw::OfTwins) => Finding { again: true, ..Finding::default() },
            (true, Raw::Once) => {
                let what = format!("{symbol}: the raw frame {} came again", shown(payload));
                Finding::fault(Fault::Duplicate(what))
            }
            (false, _) if self.waived.contains(payload) => {
                self.seen_frames.insert(payload);
                Finding::default()
            }
            (false, _) => {
                let what = format!("{symbol}: the raw frame {} was never sent so", shown(payload));
                Finding::fault(Fault::Mismatched(what))
            }
        }
    }

    /// Frames before this one that tell nothing that this one does not tell, too, need not come.
    fn strike_off_what_is_told_by(&mut self, place: usize) {
        let tells = self.sent[place].frame().tells.clone();
        for earlier in self.sent.iter_mut().take(place).filter(|earlier| !earlier.trades().is_empty()) {
            let news = earlier.news();
            earlier.on_raw |= tells.start <= news.start && news.end <= tells.end;
        }
    }

    /// Looks for the trade of a normalized record: usually the next one.
    pub(super) fn normalized(&mut self, record: &Record) -> Finding {
        let later = self.find(self.next, REACH, record);
        let Some((place, index)) = later.or_else(|| self.find((0, 0), REACH.min(self.next.0 + 1), record)) else {
            return self.unknown(record);
        };
        if later.is_some() {
            self.next = (place, index + 1);
            return self.found(place, index, record, None);
        }
        let described = self.expected(place, index).described();
        self.found(place, index, record, Some(Fault::OutOfOrder(format!("{described}: came after a later one"))))
    }

    /// The place of the trade, from a trade of a frame on, among so many frames.
    fn find(&self, (first, index): (usize, usize), frames: usize, record: &Record) -> Option<(usize, usize)> {
        for (place, sent) in self.sent.iter().enumerate().skip(first).take(frames) {
            let from = if place == first { index } else { 0 };
            for (index, trade) in sent.trades().iter().enumerate().skip(from) {
                let is_open = sent.on_normalized >> index & 1 == 0;
                if is_open && record.is(&Expected::of(&self.listed, &sent.batch, trade)) {
                    return Some((place, index));
                }
            }
        }
        None
    }

    /// A record that is none of the trades that are still to come.
    fn unknown(&mut self, record: &Record) -> Finding {
        let what = format!("{} trade {}", record.symbol, record.id);
        if self.seen_ids.contains(record.id.as_bytes()) {
            return Finding::fault(Fault::Duplicate(format!("{what}: came again")));
        }
        if let Some((place, index)) = self.next_open()
            && record.resembles(&self.expected(place, index))
        {
            self.next = (place, index + 1);
            return self.found(place, index, record, None);
        }
        Finding::fault(Fault::Mismatched(format!("{what}: was never sent")))
    }

    fn next_open(&self) -> Option<(usize, usize)> {
        let (first, from) = self.next;
        let mut frames = self.sent.iter().enumerate().skip(first);
        frames.find_map(|(place, sent)| {
            let from = if place == first { from } else { 0 };
            (from < sent.trades().len()).then_some((place, from))
        })
    }

    fn expected(&self, place: usize, index: usize) -> Expected<'_> {
        let sent = &self.sent[place];
        Expected::of(&self.listed, &sent.batch, &sent.trades()[index])
    }

    fn found(&mut self, place: usize, index: usize, record: &Record, fault: Option<Fault>) -> Finding {
        let mut faults: Vec<Fault> = fault.into_iter().collect();
        let mut is_wrong = false;
        {
            let expected = self.expected(place, index);
            let is_new_id = !self.seen_ids.contains(record.id.as_bytes());
            let reused = || format!("trade_id is {:?}, which another trade has", record.id);
            for what in record.differs(&expected).into_iter().chain((!is_new_id).then(reused)) {
                is_wrong = true;
                faults.push(Fault::Mismatched(format!("{}: {what}", expected.described())));
            }
        }
        self.seen_ids.insert(record.id.as_bytes());
        let sent = &mut self.sent[place];
        sent.on_normalized |= 1 << index;
        sent.wrong |= u64::from(is_wrong) << index;
        Finding { faults, ..Finding::default() }
    }

    /// Strikes the oldest frame off if it was found on both topics.
    pub(super) fn settle(&mut self) -> Option<Settled> {
        let raw = self.raw;
        let sent = self.sent.pop_front_if(|sent| sent.is_settled(raw))?;
        if !sent.came {
            let variants = sent.batch.variants[sent.frame().variants.clone()].iter();
            variants.for_each(|variant| self.waived.insert(&sent.batch.bytes[variant.clone()]));
            self.waived.insert(sent.payload());
        }
        self.raw_next = self.raw_next.saturating_sub(1);
        self.next = match self.next {
            (0, _) => (0, 0),
            (place, index) => (place - 1, index),
        };
        let trades = sent.trades().len() as u64;
        Some(Settled { trades, right: trades - u64::from(sent.wrong.count_ones()), batch: sent.batch })
    }

    /// What was not found on a topic, in words, by trade, and the trades that were found right on both.
    pub(super) fn conclude(self) -> (Vec<String>, u64) {
        let (mut missing, mut right) = (Vec::new(), 0);
        for sent in &self.sent {
            let is_waived = self.raw == Raw::OfTwins && sent.only_repeats();
            if sent.trades().is_empty() && !sent.on_raw && !is_waived {
                let payload = shown(sent.payload());
                missing.push(format!("{}: the frame {payload} is missing on the raw topic", self.listed.symbol));
            }
            for (index, trade) in sent.trades().iter().enumerate() {
                let lacking = match (sent.on_raw, sent.on_normalized >> index & 1 == 1) {
                    (true, true) => {
                        right += 1 - (sent.wrong >> index & 1);
                        continue;
                    }
                    (false, false) => "both topics",
                    (false, true) => "the raw topic",
                    (true, false) => "the normalized topic",
                };
                let described = Expected::of(&self.listed, &sent.batch, trade).described();
                missing.push(format!("{described}: missing on {lacking}"));
            }
        }
        (missing, right)
    }
}

/// The beginning of a frame, for people.
fn shown(payload: &[u8]) -> String {
    const MOST: usize = 120;
    let text = String::from_utf8_lossy(payload);
    let start: String = text.chars().take(MOST).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}
