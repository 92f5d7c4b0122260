//! The end: what can still be delivered is, the rest is put on disk, and what then is left is named.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Nanos;
use crate::record::Record;

use super::client::Client;
use super::desk::Desk;
use super::hold::Back;
use super::{MAX_BATCH, ProducerCore, Remainder};

impl<C: Client + Send + 'static> ProducerCore<C> {
    /// Waits for the broker no longer than may be, then puts on disk what is left.
    pub(super) fn shut_down(mut self) -> Remainder {
        let deadline = Nanos::now().plus(self.shutdown_timeout);
        self.gather = Duration::ZERO;
        self.due = None;
        while !self.is_done() && Nanos::now() < deadline {
            if self.lap() == 0 {
                self.rest();
            }
        }
        let mut left = Left::default();
        if !self.is_done() {
            self.take_back();
            self.desk.put_back_on_disk(&mut left);
            self.put_rings_on_disk(&mut left);
            self.desk.flush();
        }
        left.name();
        self.desk.count();
        let on_disk = self.desk.lanes.iter().map(|lane| lane.spilled()).sum();
        self.desk.recorder.finish();
        let in_rings = self.rings.iter_mut().map(|ring| ring.batch(usize::MAX).len()).sum();
        Remainder { in_rings, in_flight: self.desk.in_flight.len(), on_disk }
    }

    fn is_done(&mut self) -> bool {
        self.desk.in_flight.len() == 0 && !self.desk.is_obstructed && self.rings.iter_mut().all(|ring| ring.is_empty())
    }

    /// What is still in the rings goes behind the rest.
    fn put_rings_on_disk(&mut self, left: &mut Left) {
        let Self { rings, desk, .. } = self;
        let seen = Nanos::now();
        for ring in rings {
            loop {
                let batch = ring.batch(MAX_BATCH);
                let (mut taken, len) = (0, batch.len());
                for whole in batch.iter() {
                    let record = Record::read(whole);
                    if !desk.put_on_disk(&record, whole) {
                        break;
                    }
                    desk.take(&record, desk.lane_of(&record), seen);
                    taken += 1;
                }
                batch.release(taken);
                if taken < len || len == 0 {
                    break;
                }
            }
            for record in ring.batch(usize::MAX).iter().map(Record::read) {
                left.note(&desk.lanes[desk.lane_of(&record)].name, &record);
            }
        }
    }
}

impl Desk {
    /// What came back goes before all that is on disk of its topic.
    fn put_back_on_disk(&mut self, left: &mut Left) {
        for lane in 0..self.lanes.len() {
            let Some(mut hold) = self.lanes[lane].hold.take() else { continue };
            let back = hold.first(usize::MAX);
            let records = back.iter().map(|Back { exchange, bytes, .. }| (&**exchange, &**bytes));
            let put = match self.backlog(lane) {
                Some(backlog) => backlog.put_first(records).map_err(|refused| refused.to_string()),
                None => Err("there is no state.dir".to_string()),
            };
            match put {
                Ok(()) => back.iter().for_each(|back| self.in_flight.settle(back.tag)),
                Err(error) => {
                    if !back.is_empty() {
                        tracing::error!(
                            topic = self.lanes[lane].name,
                            records = back.len(),
                            "not put on disk: {error}"
                        );
                    }
                    back.iter().for_each(|back| left.note(&self.lanes[lane].name, &Record::read(&back.bytes)));
                }
            }
        }
    }
}

/// What is nowhere but here: by topic and symbol.
#[derive(Default)]
struct Left(BTreeMap<(String, String), Ids>);

/// Of how many records, with the first and last number where they have some.
#[derive(Default)]
struct Ids {
    records: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Left {
    fn note(&mut self, topic: &str, record: &Record<'_>) {
        let symbol = String::from_utf8_lossy(record.key).into_owned();
        let ids = self.0.entry((topic.to_string(), symbol)).or_default();
        ids.records += 1;
        ids.first = ids.first.or(record.head.number);
        ids.last = record.head.number.or(ids.last);
    }

    fn name(&self) {
        for ((topic, symbol), Ids { records, first, last }) in &self.0 {
            tracing::error!(topic, symbol, records, first, last, "left: not known to have arrived");
        }
    }
}
