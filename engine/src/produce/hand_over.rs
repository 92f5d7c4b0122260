//! Records leave their ring, and go to the client or to disk.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::clock::Nanos;
use crate::kafka::{Message, Refusal};
use crate::latency::Hop;
use crate::record::{Kind, Record};

use super::client::Client;
use super::desk::{Desk, Undelivered};
use super::divert::Way;
use super::in_flight::Entry;
use super::route::{self, HEADER_BYTES};
use super::{MAX_BATCH, MAX_EVENTS};

/// Records of a batch that go to the client, each with its tag.
type Taken<'ring> = ArrayVec<(Record<'ring>, usize), MAX_BATCH>;

/// Takes what may go of a batch, to the client or to disk. Returns how many records that are.
pub(super) fn take(client: &mut impl Client, desk: &mut Desk, batch: &k2_ring::Batch<'_>) -> usize {
    let seen = Nanos::now();
    let mut taken = Taken::new();
    if !desk.is_obstructed {
        // As many as may be in flight.
        for record in batch.iter().map(Record::read) {
            let Some(tag) = desk.admit(&record, seen) else { break };
            taken.push((record, tag));
        }
        hand_over(client, desk, &taken);
    }
    let count = match taken.len() {
        // Some cannot go, or it is not known whether they can.
        0 => take_one_by_one(client, desk, batch, seen, &mut taken),
        count => count,
    };
    let handed = Nanos::now();
    for (_, tag) in &taken {
        desk.in_flight.handed(*tag, handed);
        desk.recorder.now.hops.record(Hop::Produce, seen, handed);
    }
    count
}

impl Desk {
    /// The lane of a record of a ring.
    #[inline]
    pub(super) fn lane_of(&self, record: &Record<'_>) -> usize {
        self.routes[usize::from(record.head.feed)].lanes[record.head.kind as usize]
    }

    /// A place for a record of a ring, if there may be one more in flight.
    #[inline]
    fn admit(&mut self, record: &Record<'_>, seen: Nanos) -> Option<usize> {
        let lane = self.lane_of(record);
        let tag = self.in_flight.admit(Entry::of(&record.head, lane, record.bytes() + HEADER_BYTES, seen))?;
        self.lanes[lane].with_client += 1;
        self.take(record, lane, seen);
        Some(tag)
    }

    /// A record leaves its ring.
    #[inline]
    pub(super) fn take(&mut self, record: &Record<'_>, lane: usize, seen: Nanos) {
        self.recorder.now.tally.topics[lane].taken += 1;
        self.recorder.now.hops.record(Hop::Ring, record.head.committed, seen);
    }
}

/// Hands over those of a batch that may go, and puts others on disk, up to the first that has to stay.
#[cold]
fn take_one_by_one<'ring>(
    client: &mut impl Client,
    desk: &mut Desk,
    batch: &'ring k2_ring::Batch<'_>,
    seen: Nanos,
    taken: &mut Taken<'ring>,
) -> usize {
    let mut count = 0;
    for whole in batch.iter() {
        let record = Record::read(whole);
        let way = desk.way(&record, whole);
        match way {
            Way::Ring => break,
            Way::Disk => desk.take(&record, desk.lane_of(&record), seen),
            Way::Client => {
                let Some(tag) = desk.admit(&record, seen) else { break };
                taken.push((record, tag));
                hand_over_one(client, desk, &record, tag);
            }
        }
        count += 1;
    }
    count
}

/// Hands `taken` over, those without headers in one call a topic.
fn hand_over(client: &mut impl Client, desk: &mut Desk, taken: &Taken<'_>) {
    let mut feeds = ArrayVec::<u16, MAX_BATCH>::new();
    for (Record { head, .. }, _) in taken.iter().filter(|(record, _)| route::is_plain(record)) {
        if !feeds.contains(&head.feed) {
            feeds.push(head.feed);
        }
    }
    for feed in feeds {
        let of_feed = |record: &Record<'_>| route::is_plain(record) && record.head.feed == feed;
        let messages =
            || taken.iter().filter(|(record, _)| of_feed(record)).map(|(record, tag)| route::message(record, *tag));
        let topic = desk.lanes[desk.routes[usize::from(feed)].lanes[Kind::Normalized as usize]].topic;
        let mut settled = 0;
        loop {
            let mut offered = 0;
            let rest = messages().skip(settled).inspect(|_| offered += 1);
            let now = client.produce_batch(topic, rest, |message, refusal| refuse(desk, &message, refusal));
            settled += now;
            if now == offered {
                break;
            }
            make_room(client, desk);
        }
    }
    for (record, tag) in taken.iter().filter(|(record, _)| !route::is_plain(record)) {
        hand_over_one(client, desk, record, *tag);
    }
}

/// Hands over one record, of whatever kind.
pub(super) fn hand_over_one(client: &mut impl Client, desk: &mut Desk, record: &Record<'_>, tag: usize) {
    loop {
        let route = &desk.routes[usize::from(record.head.feed)];
        let topic = desk.lanes[route.lanes[record.head.kind as usize]].topic;
        match route::produce(client, topic, route.exchange.as_bytes(), record, tag) {
            Ok(()) => return,
            Err(refusal) if refusal.is_queue_full() => make_room(client, desk),
            Err(refusal) => {
                let exchange = route.exchange.clone();
                let undelivered = Undelivered::not_taken(record, exchange.as_bytes(), tag, refusal);
                return desk.refused(&undelivered);
            }
        }
    }
}

/// A trade of a batch was not taken.
#[cold]
fn refuse(desk: &mut Desk, message: &Message<'_>, refusal: Refusal) {
    let Message { key, value, tag } = *message;
    let none: &[u8] = &[];
    let (exchange, connection, reason) = (none, none, none);
    let undelivered = Undelivered { tag, refusal, may_have_arrived: false, exchange, key, value, connection, reason };
    desk.refused(&undelivered);
}

/// librdkafka's queue was full before our own bound, which leaves it a margin. Reports make room.
#[cold]
fn make_room(client: &mut impl Client, desk: &mut Desk) {
    desk.recorder.now.tally.delivery.queue_full += 1;
    let now = Nanos::now();
    if client.poll(MAX_EVENTS, |report| desk.settle(&report, now)) == 0 {
        std::thread::sleep(Duration::from_micros(100));
    }
}
