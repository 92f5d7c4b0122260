//! Records that have waited go on: those that came back first, then those on disk, beside live ones.

use std::time::Duration;

use crate::clock::Nanos;
use crate::record::{Record, whole};

use super::backlog::Backlog;
use super::client::Client;
use super::desk::{Desk, Undelivered};
use super::hold::{Back, Hold, MOST_TOGETHER};
use super::in_flight::Entry;
use super::lane::Lane;
use super::route::{self, HEADER_BYTES};

/// What the client itself tries again is queued anew, and asked for again so often.
const PURGE_INTERVAL: Duration = Duration::from_millis(50);

/// How many records may be read back by now: no more than so many a second, and no more than a lap's at once.
pub(super) struct Allowance {
    per_s: u32,
    earned: f64,
    at: Nanos,
}

impl Allowance {
    pub(super) fn new(per_s: u32) -> Self {
        Allowance { per_s, earned: 0.0, at: Nanos(0) }
    }

    /// What was earned until `now`.
    fn earn(&mut self, now: Nanos) -> usize {
        let earned = now.time_since(self.at).as_secs_f64() * f64::from(self.per_s);
        self.at = now;
        self.earned = (self.earned + earned).min(f64::from(self.per_s) / 10.0 + 1.0);
        self.earned as usize
    }

    fn spend(&mut self, records: usize) {
        self.earned -= records as f64;
    }
}

impl Desk {
    /// Offers what has waited. Returns how many records were.
    #[cold]
    pub(super) fn offer(&mut self, client: &mut impl Client, allowance: &mut Allowance) -> usize {
        let now = (self.clock)();
        let mut done = 0;
        if self.lanes.iter().any(Lane::must_come_back) && now >= self.purge_at {
            self.purge_queue(client, now);
        }
        for lane in 0..self.lanes.len() {
            done += self.offer_back(client, lane, now);
        }
        let may = allowance.earn(now);
        let mut replayed = 0;
        for lane in 0..self.lanes.len() {
            replayed += self.replay(client, lane, (may - replayed).min(MOST_TOGETHER), now);
        }
        allowance.spend(replayed);
        self.look(now);
        done + replayed
    }

    /// What stands behind those that came back, in the client's own queue, must not overtake them: it is asked for. The
    /// client gives back what is queued of other topics, too, so nothing follows there either until it is back.
    fn purge_queue(&mut self, client: &mut impl Client, now: Nanos) {
        self.purge_at = now.plus(PURGE_INTERVAL);
        client.purge_queue();
        for lane in self.lanes.iter_mut().filter(|lane| lane.with_client > 0 && lane.hold.is_none()) {
            lane.hold.insert(Hold::since(now, self.waits)).at_once();
        }
    }

    /// Offers the first of those that came back, once none of their topic is with the client.
    fn offer_back(&mut self, client: &mut impl Client, lane: usize, now: Nanos) -> usize {
        let way = &mut self.lanes[lane];
        let Some(hold) = &mut way.hold else { return 0 };
        if way.with_client > 0 || now < hold.until {
            return 0;
        }
        hold.is_followed = false;
        if std::mem::take(&mut hold.rewind)
            && let Some(backlog) = &mut way.backlog
        {
            backlog.rewind();
        }
        let most = hold.next_together(&mut way.most_together);
        let back = hold.first(most);
        hold.together = back.len();
        if back.is_empty() {
            // If there are some on disk, the first of them to arrive ends the hold.
            hold.is_on_disk = true;
            if way.backlog.as_ref().is_none_or(Backlog::is_empty) {
                way.release();
            }
            return 0;
        }
        hold.alone = (back.len() == 1).then(|| back[0].tag);
        let topic = way.topic;
        for Back { order, tag, exchange, bytes } in &back {
            let record = Record::read(bytes);
            self.lanes[lane].with_client += 1;
            self.in_flight.handed(*tag, now);
            debug_assert_eq!(self.in_flight.get(*tag).order, *order);
            if let Err(refusal) = route::produce(client, topic, exchange, &record, *tag) {
                self.refused(&Undelivered::not_taken(&record, exchange, *tag, refusal));
            }
        }
        back.len()
    }

    /// Offers records that wait on disk, if their topic is not on hold.
    fn replay(&mut self, client: &mut impl Client, lane: usize, most: usize, now: Nanos) -> usize {
        let mut count = 0;
        while count < most && !self.in_flight.is_half_full() && self.lanes[lane].may_replay() {
            let way = &mut self.lanes[lane];
            let Some(backlog) = &mut way.backlog else { break };
            let Some(next) = backlog.next() else { break };
            let record = next.record;
            if next.is_there {
                let (position, key) = (next.position, record.key.to_vec());
                backlog.advance();
                backlog.settle(position, &key);
                self.recorder.now.tally.topics[lane].acked += 1;
                count += 1;
                continue;
            }
            let bytes = record.bytes() + HEADER_BYTES;
            let mut entry = Entry::of(&record.head, lane, bytes, now);
            entry.on_disk = Some(next.position);
            if next.is_earlier {
                entry.received = None;
            }
            let is_unsure = next.is_unsure;
            let Some(tag) = self.in_flight.admit(entry) else { break };
            if let Some(hold) = &mut way.hold {
                hold.alone = Some(tag);
            }
            way.with_client += 1;
            match route::produce(client, way.topic, next.exchange, &record, tag) {
                Ok(()) => {
                    backlog.advance();
                    if is_unsure && backlog.unsure > 0 {
                        backlog.unsure -= 1;
                        self.recorder.now.tally.delivery.possible_duplicates += 1;
                    }
                }
                Err(refusal) => {
                    // It stays where it is on disk, to be read again.
                    let Record { head, value, key, connection, reason } = record;
                    let (bytes, exchange) = (whole(head, value, key, connection, reason), next.exchange.to_vec());
                    backlog.advance();
                    self.refused(&Undelivered::not_taken(&Record::read(&bytes), &exchange, tag, refusal));
                    break;
                }
            }
            count += 1;
        }
        count
    }

    /// The client did not take a record: as if it had come back.
    pub(super) fn refused(&mut self, record: &Undelivered<'_>) {
        let lane = self.in_flight.get(record.tag).lane as usize;
        self.lanes[lane].with_client -= 1;
        self.came_back(record);
    }

    /// Whether anything stands in the way of records still.
    fn look(&mut self, now: Nanos) {
        self.flush();
        if self.lanes.iter().all(|lane| lane.is_clear()) {
            self.is_obstructed = false;
            if let Some(lasted) = self.pressure.ends(now) {
                let spills = self.recorder.now.tally.delivery.spills;
                tracing::info!(?lasted, spills, "the broker has all that waited on disk");
            }
        }
    }

    /// What was put on disk in this lap is written, and how far it is done with.
    pub(super) fn flush(&mut self) {
        let Self { lanes, store, .. } = self;
        for Lane { name, backlog, .. } in lanes {
            let Some(Err(error)) = backlog.as_mut().map(Backlog::flush) else { continue };
            if let Some(store) = store {
                store.trouble(name, &error);
            }
        }
    }
}
