//! Records that cannot go to the client: they wait on disk, in the ring, or are dropped, as the configuration wishes.

use crate::config::RingFull;
use crate::record::Record;
use crate::spill::Refused;

use super::desk::{Desk, log_drop};

/// What becomes of a record of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the client.
    Client,
    /// It is on disk.
    Disk,
    /// It stays in the ring, and so do those behind it.
    Ring,
}

impl Desk {
    /// The way of a record that stands first in its ring: behind others of its symbol, or wherever there is room. `whole` is
    /// the record as it lies in the ring.
    #[cold]
    pub(super) fn way(&mut self, record: &Record<'_>, whole: &[u8]) -> Way {
        let lane = self.lane_of(record);
        let is_behind = self.lanes[lane].is_behind(record.key);
        if !is_behind && !self.in_flight.is_full() {
            return Way::Client;
        }
        if !is_behind {
            self.recorder.now.tally.delivery.queue_full += 1;
        }
        match self.spill(lane, record, whole) {
            true => Way::Disk,
            false => self.wait(),
        }
    }

    /// Puts a record on disk at the end, whatever its way would be. Whether it is there.
    pub(super) fn put_on_disk(&mut self, record: &Record<'_>, whole: &[u8]) -> bool {
        let lane = self.lane_of(record);
        self.spill(lane, record, whole)
    }

    /// Puts a record on disk, if it may be and there is room, or room can be made.
    fn spill(&mut self, lane: usize, record: &Record<'_>, whole: &[u8]) -> bool {
        loop {
            let Some(store) = &self.store else { return false };
            let has_room = self.spilled_bytes() + whole.len() as u64 <= store.settings.max_bytes;
            let refused = match has_room {
                true => match self.push(lane, record, whole) {
                    Ok(()) => {
                        self.note_spill();
                        return true;
                    }
                    Err(refused) => refused,
                },
                false => None,
            };
            self.note_full(lane, refused.as_ref());
            // Nothing is dropped for a journal that could not take the record anyway.
            let is_for_room = !has_room || refused.as_ref().is_some_and(Refused::is_for_room);
            if self.when_full != RingFull::DropOldest || !is_for_room || !self.drop_oldest() {
                return false;
            }
        }
    }

    /// Appends a record to its journal; the error is none if there is none, which was said.
    fn push(&mut self, lane: usize, record: &Record<'_>, whole: &[u8]) -> Result<(), Option<Refused>> {
        let feed = usize::from(record.head.feed);
        self.backlog(lane);
        self.is_obstructed = true;
        let Desk { routes, lanes, .. } = self;
        let backlog = lanes[lane].backlog.as_mut().ok_or(None)?;
        backlog.push(routes[feed].exchange.as_bytes(), record.key, whole).map_err(Some)
    }

    /// Gives up the oldest records of the journal that has most. Whether there were any.
    fn drop_oldest(&mut self) -> bool {
        let Self { lanes, recorder, .. } = self;
        let largest = lanes.iter_mut().enumerate().filter(|(_, lane)| lane.spilled() > 0);
        let largest = largest.max_by_key(|(_, lane)| lane.backlog.as_ref().map_or(0, |backlog| backlog.bytes()));
        let Some((number, lane)) = largest else { return false };
        let Some(backlog) = &mut lane.backlog else { return false };
        let dropped = backlog.drop_oldest(|record| log_drop(&lane.name, &record));
        recorder.now.tally.topics[number].dropped += dropped;
        dropped > 0
    }

    fn note_spill(&mut self) {
        self.recorder.now.tally.delivery.spills += 1;
        if self.pressure.spills((self.clock)()) {
            let (records, bytes) = (self.in_flight.len(), self.in_flight.bytes());
            tracing::warn!(
                in_flight = records,
                in_flight_bytes = bytes,
                "the broker is behind: records wait on disk now"
            );
        }
    }

    fn note_full(&mut self, lane: usize, refused: Option<&Refused>) {
        if let (Some(Refused::Io(error)), Some(store)) = (refused, &mut self.store) {
            store.trouble(&self.lanes[lane].name, error);
        }
        if self.pressure.fills() {
            let then = match self.when_full {
                RingFull::StopReading => "records wait in the ring; when it is full, the exchange is not read",
                RingFull::DropNewest => "records wait in the ring; when it is full, the newest are dropped",
                RingFull::DropOldest => "the oldest are dropped",
            };
            let bytes = self.spilled_bytes();
            tracing::error!(bytes, "the journal has no room (spill.max_bytes, or the disk is full): {then}");
        }
    }

    fn wait(&mut self) -> Way {
        if self.store.is_none() && self.pressure.waits((self.clock)()) {
            let (records, bytes) = (self.in_flight.len(), self.in_flight.bytes());
            tracing::warn!(
                in_flight = records,
                in_flight_bytes = bytes,
                "the broker is behind: records wait in the ring (with state.dir, they would on disk)"
            );
        }
        Way::Ring
    }
}
