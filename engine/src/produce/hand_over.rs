//! Records go to the client.

use std::time::Duration;

use crate::clock::Nanos;
use crate::kafka::{Message, Refusal};
use crate::record::{Kind, Record};

use super::MAX_EVENTS;
use super::client::Client;
use super::desk::{Desk, Undelivered};
use super::route;

/// Hands `records` over, those without headers in one call a topic.
pub(super) fn hand_over<'ring, I>(client: &mut impl Client, desk: &mut Desk, records: impl Fn() -> I)
where
    I: Iterator<Item = (Record<'ring>, usize)>,
{
    for feed in 0..desk.routes.len() {
        let normalized = || {
            let of_topic = move |record: &Record<'_>| route::is_plain(record) && usize::from(record.head.feed) == feed;
            records().filter(move |(record, _)| of_topic(record)).map(|(record, tag)| route::message(&record, tag))
        };
        let topic = desk.lanes[desk.routes[feed].lanes[Kind::Normalized as usize]].topic;
        let count = normalized().count();
        let mut settled = 0;
        while settled < count {
            settled += client.produce_batch(topic, normalized().skip(settled), |message, refusal| {
                refuse(desk, &message, refusal);
            });
            if settled < count {
                make_room(client, desk);
            }
        }
    }
    for (record, tag) in records().filter(|(record, _)| !route::is_plain(record)) {
        hand_over_one(client, desk, &record, tag);
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
