//! One symbol's frames that were sent and not yet found right on both topics.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::rc::Rc;

use crate::demo::compare::{Expected, Listed, Record};
use crate::sim::{Batch, SentFrame, SentTrade};

/// Frames among which one is looked for that is not the next.
const REACH: usize = 4_096;
/// Frames and ids of the past that are still known when they come again.
const KNOWN: usize = 1_024;
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
    pub(super) faults: Vec<Fault>,
}

impl Finding {
    fn fault(fault: Fault) -> Self {
        Finding { frame: None, faults: vec![fault] }
    }
}

/// A frame that was sent.
struct Sent {
    batch: Rc<Batch>,
    place: usize,
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

    fn trades(&self) -> &[SentTrade] {
        &self.batch.trades[self.frame().trades.clone()]
    }

    fn is_settled(&self) -> bool {
        self.on_raw && self.on_normalized.count_ones() as usize == self.trades().len()
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
    sent: VecDeque<Sent>,
    /// The frame that is next on the raw topic.
    raw_next: usize,
    /// The frame and its trade that is next on the normalized topic.
    next: (usize, usize),
    seen_frames: Seen,
    seen_ids: Seen,
}

/// Trades that leave the book.
pub(super) struct Settled {
    pub(super) trades: u64,
    pub(super) right: u64,
    pub(super) batch: Rc<Batch>,
}

impl Book {
    pub(super) fn new(listed: Listed) -> Self {
        let (seen_frames, seen_ids) = (Seen::new(), Seen::new());
        Book { listed, sent: VecDeque::new(), raw_next: 0, next: (0, 0), seen_frames, seen_ids }
    }

    /// Takes in a frame that was sent.
    pub(super) fn note(&mut self, batch: Rc<Batch>, place: usize) {
        let sent = Sent { batch, place, on_raw: false, on_normalized: 0, wrong: 0 };
        assert!(sent.trades().len() <= MAX_TRADES, "a frame of more than {MAX_TRADES} trades");
        // Ids that the engine makes up must be different in the whole run.
        self.seen_ids.keeps_all |= sent.trades().first().is_some_and(|trade| trade.id.is_none());
        self.sent.push_back(sent);
    }

    /// Looks for the frame of a raw record: usually the next one.
    pub(super) fn raw(&mut self, payload: &[u8]) -> Finding {
        let is = |sent: &Sent| !sent.on_raw && sent.payload() == payload;
        let later = self.sent.iter().skip(self.raw_next).take(REACH).position(is).map(|ahead| self.raw_next + ahead);
        let found = later.or_else(|| self.sent.iter().take(self.raw_next.min(REACH)).position(is));
        let Some(place) = found else {
            let symbol = &self.listed.symbol;
            return Finding::fault(match self.seen_frames.contains(payload) {
                true => Fault::Duplicate(format!("{symbol}: the raw frame {} came again", shown(payload))),
                false => Fault::Mismatched(format!("{symbol}: the raw frame {} was never sent so", shown(payload))),
            });
        };
        self.seen_frames.insert(payload);
        let sent = &mut self.sent[place];
        sent.on_raw = true;
        let frame = Some((sent.frame().due_unix_ns, sent.trades().len() as u64));
        if later.is_some() {
            self.raw_next = place + 1;
            return Finding { frame, faults: Vec::new() };
        }
        let what = format!("{}: the raw frame {} came after a later one", self.listed.symbol, shown(payload));
        Finding { frame, faults: vec![Fault::OutOfOrder(what)] }
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
        Finding { frame: None, faults }
    }

    /// Strikes the oldest frame off if it was found on both topics.
    pub(super) fn settle(&mut self) -> Option<Settled> {
        let sent = self.sent.pop_front_if(|sent| sent.is_settled())?;
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
            if sent.trades().is_empty() && !sent.on_raw {
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
