//! Writes down in the ledger what is put on the wire.

use std::ops::Range;
use std::time::Duration;

use super::ledger::{Batch, Ledger, SentFrame, SentTrade};
use super::template::{TimedTrade, Written};
use super::wire::Wire;

/// Between looks whether the simulator stops while the ledger's reader keeps the market waiting.
const LEDGER_PATIENCE: Duration = Duration::from_millis(50);

/// The ledger, if there is one, and the batch that goes there next.
#[derive(Debug)]
pub(super) struct Recorder {
    ledger: Option<Ledger>,
    batch: Batch,
    /// Trades handed over so far.
    recorded: u64,
}

impl Recorder {
    pub(super) fn new(ledger: Option<Ledger>) -> Self {
        Self { ledger, batch: Batch::default(), recorded: 0 }
    }

    /// Whether there is a ledger.
    pub(super) fn is_recording(&self) -> bool {
        self.ledger.is_some()
    }

    /// How many more trades may be sent.
    pub(super) fn room(&self) -> u64 {
        self.ledger.as_ref().map_or(u64::MAX, |ledger| ledger.room(self.recorded))
    }

    /// Adds a frame that `tells` these trades with those of them that are new, from the oldest to the newest.
    pub(super) fn add<'a>(
        &mut self,
        symbol: usize,
        due_unix_ns: i64,
        payload: &[u8],
        tells: Range<u64>,
        time_unit_ns: i64,
        trades: impl Iterator<Item = (&'a TimedTrade, &'a Written)>,
    ) {
        if !self.is_recording() {
            return;
        }
        let Batch { bytes, frames, trades: all, variants } = &mut self.batch;
        let (start, first) = (bytes.len(), all.len());
        bytes.extend_from_slice(payload);
        let moved = |range: &Range<usize>| start + range.start..start + range.end;
        all.extend(trades.map(|(timed, written)| SentTrade {
            due_unix_ns: timed.due_ns,
            exchange_unix_ns: timed.trade_ns / time_unit_ns * time_unit_ns,
            id: written.id.as_ref().map(moved),
            price: moved(&written.price),
            quantity: moved(&written.quantity),
            taker_sold: timed.trade.buyer_is_maker,
        }));
        let (payload, trades) = (start..bytes.len(), first..all.len());
        let variants = variants.len()..variants.len();
        frames.push(SentFrame { symbol: symbol as u32, due_unix_ns, payload, variants, tells, trades });
    }

    /// Adds what another subscriber got instead of the frame that was added last.
    pub(super) fn vary(&mut self, payload: &[u8]) {
        let Batch { bytes, frames, variants, .. } = &mut self.batch;
        if let Some(frame) = frames.last_mut() {
            let start = bytes.len();
            bytes.extend_from_slice(payload);
            variants.push(start..bytes.len());
            frame.variants.end = variants.len();
        }
    }

    /// Hands the batch over; false if it could not be, because the simulator stops.
    pub(super) fn publish(&mut self, wire: &Wire) -> bool {
        let Some(ledger) = &self.ledger else {
            return true;
        };
        if self.batch.frames.is_empty() {
            return true;
        }
        self.recorded += self.batch.trades.len() as u64;
        let mut batch = std::mem::replace(&mut self.batch, ledger.spare());
        while let Some(refused) = ledger.hand_over(batch, LEDGER_PATIENCE) {
            if wire.hub().is_stopping() {
                return false;
            }
            batch = refused;
        }
        true
    }
}
