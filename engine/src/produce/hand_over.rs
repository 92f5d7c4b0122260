//! Records go to the client.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::clock::Nanos;
use crate::kafka::{Message, Refusal};
use crate::record::{Kind, Record};

use super::client::Client;
use super::desk::{Desk, Undelivered};
use super::route;
use super::{MAX_BATCH, MAX_EVENTS, Taken};

/// Hands `taken` over, those without headers in one call a topic.
pub(super) fn hand_over(client: &mut impl Client, desk: &mut Desk, taken: &Taken<'_>) {
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
