//! What is known of the records on their way: what is with the client, what came back, what waits on disk.

use std::collections::BTreeSet;

use crate::accounting::{ProducerTally, TopicTally, Waiting};
use crate::avro;
use crate::clock::Nanos;
use crate::config::RingFull;
use crate::interval::Recorder;
use crate::kafka::{Refusal, Report};
use crate::latency::Hop;
use crate::record::{Head, Kind, Record, whole};
use crate::resume::{Noted, Progress};
use crate::session::backoff::Bounds;
use crate::spill::Position;

use super::backlog::Backlog;
use super::client::Client;
use super::hold::{Back, Hold};
use super::in_flight::{Entry, InFlight};
use super::lane::Lane;
use super::pressure::Pressure;
use super::reached::Table;
use super::route::{CONNECTION, EXCHANGE, REASON, Route, RouteSpec};
use super::store::Store;

/// The records on their way, and the ways.
pub(super) struct Desk {
    /// By the feeds' numbers.
    pub(super) routes: Vec<Route>,
    pub(super) lanes: Vec<Lane>,
    pub(super) in_flight: InFlight,
    pub(super) recorder: Recorder<ProducerTally>,
    /// Where records wait that the client has no room for, if they may.
    pub(super) store: Option<Store>,
    pub(super) when_full: RingFull,
    /// The time by which records wait. Hops are measured by [`Nanos::now`].
    pub(super) clock: fn() -> Nanos,
    /// Whether something stands in the way of some records: then each is looked at.
    pub(super) is_obstructed: bool,
    pub(super) pressure: Pressure,
    /// How far each symbol is, where that is kept.
    pub(super) reached: Option<Table>,
    /// Topics of which it is not.
    pub(super) mixed: BTreeSet<String>,
    /// When the client's queue may be asked for again.
    pub(super) purge_at: Nanos,
    /// The waits before what came back is offered again.
    pub(super) waits: Bounds,
}

impl Desk {
    /// The route of a feed, over the lanes of its topics; those that are not there are made.
    pub(super) fn route(&mut self, client: &mut impl Client, spec: &RouteSpec) -> Result<Route, String> {
        let (mut lanes, mut taken) = ([0; Kind::ALL.len()], Vec::new());
        // A feed without raw frames names another topic in their place, which is that one's.
        for kind in [Kind::Normalized, Kind::Dlq, Kind::Raw] {
            let lane = self.lane(client, &spec.topics[kind as usize], kind, &taken)?;
            lanes[kind as usize] = lane;
            taken.push(lane);
        }
        Ok(Route { exchange: spec.exchange.clone(), lanes })
    }

    /// The lane of a topic. One that is in no route and holds nothing is made what is asked for.
    fn lane(&mut self, client: &mut impl Client, name: &str, kind: Kind, taken: &[usize]) -> Result<usize, String> {
        let Some(place) = self.lanes.iter().position(|lane| lane.name == name) else {
            return Ok(self.add_lane(Lane::new(
                name.to_string(),
                kind,
                client.topic(name)?,
                !self.mixed.contains(name),
            )));
        };
        let is_routed = taken.contains(&place) || self.routes.iter().any(|route| route.lanes.contains(&place));
        let lane = &mut self.lanes[place];
        if !is_routed && lane.with_client == 0 && lane.is_clear() {
            lane.kind = kind;
        }
        Ok(place)
    }

    fn add_lane(&mut self, lane: Lane) -> usize {
        let recovered = lane.spilled();
        let tally = TopicTally { recovered, ..TopicTally::new(&lane.name, lane.kind) };
        self.recorder.now.tally.topics.push(tally);
        self.in_flight.add_lane();
        self.lanes.push(lane);
        self.lanes.len() - 1
    }

    /// What an earlier process left on disk goes first, of topics that are not fed any more, too. What `known` says is on the
    /// topics already does not go again.
    pub(super) fn recover(&mut self, client: &mut impl Client, known: &Progress) -> Result<(), String> {
        for lane in 0..self.lanes.len() {
            self.begin(lane, known);
        }
        for topic in self.store.as_ref().map(Store::left).unwrap_or_default() {
            if self.lanes.iter().any(|lane| lane.name == topic) {
                continue;
            }
            let Some(store) = &mut self.store else { break };
            let backlog = store.open(&topic, &mut self.recorder.now.tally.delivery, &mut |_| ());
            // What the records are, they say themselves. Without any, nobody asks for the topic.
            let Some((backlog, kind)) = backlog.and_then(|backlog| backlog.kind().map(|kind| (backlog, kind))) else {
                continue;
            };
            let mut lane = Lane::new(topic.clone(), kind, client.topic(&topic)?, false);
            lane.backlog = Some(backlog);
            self.add_lane(lane);
            self.is_obstructed = true;
        }
        self.show();
        Ok(())
    }

    /// Begins a lane with what is known of its topic, and what is on disk.
    fn begin(&mut self, lane: usize, known: &Progress) {
        let (has_ended, is_tail_unread) = (known.has_ended, known.is_tail_unread);
        let known = known.topics.get(&self.lanes[lane].name).filter(|_| self.lanes[lane].is_tracked);
        if let (Some(reached), Some(topic)) = (&mut self.reached, known) {
            reached.begin(lane, topic);
        }
        if let Some(kind) = self.backlog(lane).and_then(|backlog| backlog.kind()) {
            self.lanes[lane].kind = kind;
            self.is_obstructed = true;
        }
        if let Some(backlog) = &mut self.lanes[lane].backlog {
            backlog.there = known.map(|topic| topic.symbols.clone()).unwrap_or_default();
            backlog.is_tail_unread = is_tail_unread;
            backlog.unsure = if has_ended { 0 } else { self.in_flight.max_records() };
        }
    }

    /// Shows how far each symbol is.
    pub(super) fn show(&mut self) {
        if let Some(reached) = &mut self.reached {
            reached.show(self.lanes.iter().map(|lane| lane.name.as_str()));
        }
    }

    /// What a report says of a record is noted: it leaves, or goes again.
    #[inline]
    pub(super) fn settle(&mut self, report: &Report<'_>, now: Nanos) {
        let entry = self.in_flight.get(report.tag);
        self.lanes[entry.lane as usize].with_client -= 1;
        if let Some(refusal) = report.refusal {
            return self.came_back(&Undelivered::of(report, refusal));
        }
        let was_there = self.leave(&entry, report.tag, report.key);
        let measured = &mut self.recorder.now;
        measured.tally.topics[entry.lane as usize].acked += u64::from(was_there);
        measured.hops.record(Hop::Ack, entry.handed, now);
        if let Some(received) = entry.received {
            measured.hops.record(Hop::Total, received, now);
        }
        if let (Some(reached), Some(number)) = (&mut self.reached, entry.number)
            && self.lanes[entry.lane as usize].is_tracked
        {
            let Entry { passed, received_unix_ns: received_ns, from_rest, .. } = entry;
            let trade = Noted { number, passed, received_ns, from_rest };
            reached.acked(entry.lane as usize, report.key, trade, report.place);
        }
        if self.is_obstructed {
            self.lanes[entry.lane as usize].has_taken();
        }
    }

    /// The record is done with. Whether it was not before: one on disk that was given up while the client had it counts as
    /// dropped, whatever becomes of it.
    #[inline]
    fn leave(&mut self, entry: &Entry, tag: usize, key: &[u8]) -> bool {
        self.in_flight.settle(tag);
        match entry.on_disk {
            None => true,
            Some(position) => self.leave_disk(position, entry.lane as usize, key),
        }
    }

    #[cold]
    fn leave_disk(&mut self, position: Position, lane: usize, key: &[u8]) -> bool {
        self.lanes[lane].backlog.as_mut().is_some_and(|backlog| backlog.settle(position, key))
    }

    /// A record was not delivered: its topic is put on hold until it goes, or it is given up if it never will.
    #[cold]
    pub(super) fn came_back(&mut self, back: &Undelivered<'_>) {
        let now = (self.clock)();
        let (entry, refusal) = (self.in_flight.get(back.tag), back.refusal);
        let tally = &mut self.recorder.now.tally;
        tally.delivery.returned += 1;
        tally.delivery.possible_duplicates += u64::from(back.may_have_arrived);
        let lane = &mut self.lanes[entry.lane as usize];
        let was_alone = lane.hold.as_ref().is_some_and(|hold| hold.alone == Some(back.tag));
        if refusal.is_of_the_record() || refusal.is_too_large() && was_alone {
            return self.give_up(back, &entry, now);
        }
        self.is_obstructed = true;
        let hold = lane.hold.get_or_insert_with(|| Hold::since(now, self.waits));
        if !refusal.is_purge() && !std::mem::replace(&mut hold.is_told, true) {
            tracing::warn!(topic = lane.name, "records came back and are offered again, in order: {refusal}");
        }
        if refusal.is_purge() {
            // Nothing is wrong with the topic, or that is known already.
            hold.is_on_disk = false;
        } else {
            hold.again(now);
            hold.is_followed = lane.with_client > 0;
            self.purge_at = now;
        }
        if refusal.is_too_large() {
            hold.halve(&mut lane.most_together);
        }
        if entry.on_disk.is_some() {
            hold.rewind = true;
            return self.in_flight.settle(back.tag);
        }
        let bytes = whole(entry.head(), back.value, back.key, back.connection, back.reason);
        hold.take(Back { order: entry.order, tag: back.tag, exchange: back.exchange.into(), bytes });
    }

    /// The broker will never take this record: it goes to the dead letters, or is lost if it is one.
    fn give_up(&mut self, back: &Undelivered<'_>, entry: &Entry, now: Nanos) {
        let name = self.lanes[entry.lane as usize].name.clone();
        let route = self.routes.iter().find(|route| route.lanes.contains(&(entry.lane as usize)));
        let dead_letters = route.filter(|_| entry.kind != Kind::Dlq).map(|route| route.lanes[Kind::Dlq as usize]);
        log_loss(&name, back, dead_letters.is_some());
        let was_there = self.leave(entry, back.tag, back.key);
        self.recorder.now.tally.topics[entry.lane as usize].failed += u64::from(was_there);
        let Some(lane) = dead_letters else { return };
        let head = Head { number: None, from_rest: false, kind: Kind::Dlq, ..entry.head() };
        let reason = format!("refused by the broker for {name}: {}", back.refusal);
        let bytes = whole(head, back.value, &[], back.connection, reason.as_bytes());
        // The refused record's own place has just become free.
        let tag = self.in_flight.admit_anyway(Entry::of(&head, lane, bytes.len(), now));
        self.recorder.now.tally.topics[lane].dead_lettered += 1;
        let order = self.in_flight.get(tag).order;
        let hold = self.lanes[lane].hold.get_or_insert_with(|| Hold::since(now, self.waits));
        hold.take(Back { order, tag, exchange: back.exchange.into(), bytes });
        self.is_obstructed = true;
    }

    /// The journal of a lane, which is opened when it is first needed.
    pub(super) fn backlog(&mut self, lane: usize) -> Option<&mut Backlog> {
        let Lane { name, backlog, is_tracked, .. } = &mut self.lanes[lane];
        if backlog.is_none() {
            let reached = &mut self.reached.as_mut().filter(|_| *is_tracked);
            let mut note = |record: &Record<'_>| {
                if let (Some(reached), Some(number)) = (&mut *reached, record.head.number) {
                    let Head { passed, received_unix_ns: received_ns, from_rest, .. } = record.head;
                    reached.note(lane, record.key, Noted { number, passed, received_ns, from_rest });
                }
            };
            let tally = &mut self.recorder.now.tally;
            *backlog = self.store.as_mut()?.open(name, &mut tally.delivery, &mut note);
            tally.topics[lane].recovered += backlog.as_ref().map_or(0, Backlog::len);
        }
        backlog.as_mut()
    }

    /// Bytes on disk.
    pub(super) fn spilled_bytes(&self) -> u64 {
        self.lanes.iter().filter_map(|lane| lane.backlog.as_ref()).map(Backlog::bytes).sum()
    }

    /// Brings the counts up to date that are not kept record by record.
    pub(super) fn count(&mut self) {
        let waiting = Waiting {
            queue_records: self.in_flight.len() as u64,
            queue_bytes: self.in_flight.bytes() as u64,
            spill_bytes: self.spilled_bytes(),
        };
        let tally = &mut self.recorder.now.tally;
        tally.waiting = waiting;
        for (number, (topic, lane)) in tally.topics.iter_mut().zip(&mut self.lanes).enumerate() {
            topic.kind = lane.kind;
            topic.in_flight = self.in_flight.live(number);
            topic.spilled = lane.spilled();
            let lost = lane.backlog.as_ref().map_or(0, Backlog::lost);
            topic.failed += lost - lane.lost;
            lane.lost = lost;
        }
        debug_assert!(tally.holds(), "{tally:?}");
        self.show();
    }
}

/// A record that was not taken, or not delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Undelivered<'a> {
    pub(super) tag: usize,
    pub(super) refusal: Refusal,
    /// Whether the broker may have it.
    pub(super) may_have_arrived: bool,
    pub(super) exchange: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) connection: &'a [u8],
    pub(super) reason: &'a [u8],
}

impl<'a> Undelivered<'a> {
    /// One that was not delivered.
    fn of(report: &Report<'a>, refusal: Refusal) -> Self {
        let Report { tag, may_have_arrived, key, value, headers, .. } = *report;
        let (exchange, connection) = (headers.value(EXCHANGE), headers.value(CONNECTION));
        let reason = headers.value(REASON);
        Undelivered { tag, refusal, may_have_arrived, exchange, key, value, connection, reason }
    }

    /// One that was not even taken.
    pub(super) fn not_taken(record: &Record<'a>, exchange: &'a [u8], tag: usize, refusal: Refusal) -> Self {
        let Record { key, value, connection, reason, .. } = *record;
        Undelivered { tag, refusal, may_have_arrived: false, exchange, key, value, connection, reason }
    }
}

/// What does not arrive is named: by symbol, and by id where the record is a trade.
#[cold]
fn log_loss(topic: &str, back: &Undelivered<'_>, is_dead_lettered: bool) {
    let symbol = String::from_utf8_lossy(back.key);
    let id = avro::read_trade_id(back.value);
    let (bytes, refusal) = (back.value.len(), back.refusal);
    match is_dead_lettered {
        true => tracing::error!(topic, %symbol, id, bytes, "record refused, see the dead-letter topic: {refusal}"),
        false => tracing::error!(topic, %symbol, id, bytes, "record lost: {refusal}"),
    }
}

/// The same of a record that is dropped.
#[cold]
pub(super) fn log_drop(topic: &str, record: &Record<'_>) {
    let symbol = String::from_utf8_lossy(record.key);
    let id = if record.head.kind == Kind::Normalized { avro::read_trade_id(record.value) } else { None };
    tracing::error!(topic, %symbol, id, bytes = record.value.len(), "record dropped: the journal is full");
}
