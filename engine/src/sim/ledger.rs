//! How a verifier in the same process learns exactly what was put on the wire.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, bounded};

/// One frame of market data as a subscriber got it. Ranges point into its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFrame {
    /// Index into [`Simulator::symbols`](super::Simulator::symbols).
    pub symbol: u32,
    /// When the frame's last trade was due, in nanoseconds since 1970. With `Rate::Max`, and of a snapshot: when it was
    /// made.
    pub due_unix_ns: i64,
    /// The WebSocket payload, in `bytes`; in the form of the symbol's first subscriber.
    pub payload: Range<usize>,
    /// What other subscribers got where it differs, in `variants`.
    pub variants: Range<usize>,
    /// All trades that it tells, by how many of the symbol were made before each; those in `trades` and, in a snapshot,
    /// those that it repeats.
    pub tells: Range<u64>,
    /// Those of its trades that no frame before told, in `trades`, from the oldest to the newest. There are none in
    /// a snapshot that only repeats, and in a frame that tells no trade of the market.
    pub trades: Range<usize>,
}

/// One trade. Ranges point into its batch's `bytes`, inside the frame's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentTrade {
    /// When the trade was due, in nanoseconds since 1970. With `Rate::Max`: when it was made.
    pub due_unix_ns: i64,
    /// The trade's time as the frame tells it, no finer than it tells it, in nanoseconds since 1970.
    pub exchange_unix_ns: i64,
    /// The exchange's trade id; `None` where trades have none.
    pub id: Option<Range<usize>>,
    /// The price as it is written.
    pub price: Range<usize>,
    /// The quantity as it is written.
    pub quantity: Range<usize>,
    /// Whether the taker sold.
    pub taker_sold: bool,
}

/// Frames that were put on the wire together, in their order.
#[derive(Debug, Default)]
pub struct Batch {
    /// The frames' payloads, one after the other.
    pub bytes: Vec<u8>,
    /// The frames.
    pub frames: Vec<SentFrame>,
    /// The frames' trades, one after the other.
    pub trades: Vec<SentTrade>,
    /// Payloads of frames as others than their symbols' first subscribers got them, in `bytes`.
    pub variants: Vec<Range<usize>>,
}

impl Batch {
    fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.trades.clear();
        self.variants.clear();
    }
}

/// The simulator's end: goes into [`SimulatorConfig::ledger`](super::SimulatorConfig::ledger).
///
/// A batch is handed over before its bytes are written to any socket, so whoever receives a trade can already
/// find it here. If the verifier falls behind by the channel's capacity, the market waits, and is late by that.
///
/// Each frame of trades is recorded once, if at least one connection was subscribed to it, and so is each snapshot.
/// A trade belongs to the first frame that told it: a trade that was due while nobody was subscribed belongs to the
/// snapshot that tells it later, if one does, and else is never recorded. So does one that a fault kept from being sent
/// to anybody. A connection whose reader does not keep up
/// takes its unwritten frames with it when it dies: the ledger then holds what nobody could receive.
#[derive(Debug, Clone)]
pub struct Ledger {
    batches: Sender<Batch>,
    spares: Receiver<Batch>,
    counts: Arc<Counts>,
    window: Option<u64>,
}

/// How far both ends are.
#[derive(Debug, Default)]
pub struct Counts {
    /// Frames handed over so far.
    frames: AtomicU64,
    /// Of them, those that the verifier expects no more of.
    settled: AtomicU64,
    /// Trades verified (or given up as lost) so far.
    verified: AtomicU64,
}

impl Counts {
    /// Whether the verifier expects no more of what was handed over.
    pub fn are_level(&self) -> bool {
        self.settled.load(Ordering::Acquire) >= self.frames.load(Ordering::Acquire)
    }

    /// Trades verified (or given up as lost) so far.
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Acquire)
    }
}

/// The verifier's end.
#[derive(Debug)]
pub struct LedgerReader {
    batches: Receiver<Batch>,
    spares: Sender<Batch>,
    counts: Arc<Counts>,
}

impl Ledger {
    /// A ledger whose channel holds `batches`. With a `window`, a market at `Rate::Max` never has more than that
    /// many trades sent but not [verified](Counts::verified), so its rate becomes what the verifier's whole
    /// pipeline holds.
    pub fn new(batches: usize, window: Option<u64>) -> (Self, LedgerReader) {
        let (batch_sender, batch_receiver) = bounded(batches.max(1));
        // One being filled and one being read beside those in the channel.
        let (spare_sender, spare_receiver) = bounded(batches.max(1) + 2);
        let counts = Arc::new(Counts::default());
        let ledger = Self { batches: batch_sender, spares: spare_receiver, counts: Arc::clone(&counts), window };
        (ledger, LedgerReader { batches: batch_receiver, spares: spare_sender, counts })
    }

    /// How many more trades may be sent when `sent` have been.
    pub(crate) fn room(&self, sent: u64) -> u64 {
        match self.window {
            Some(window) => window.saturating_sub(sent.saturating_sub(self.counts.verified())),
            None => u64::MAX,
        }
    }

    /// An empty batch, with the memory of one given back if there is any.
    pub(crate) fn spare(&self) -> Batch {
        self.spares.try_recv().unwrap_or_default()
    }

    /// Hands a batch over; gives it back if the channel stays full for so long. Without a reader it is dropped.
    pub(crate) fn hand_over(&self, batch: Batch, patience: Duration) -> Option<Batch> {
        let frames = batch.frames.len() as u64;
        match self.batches.send_timeout(batch, patience) {
            Ok(()) => {
                self.counts.frames.fetch_add(frames, Ordering::Release);
                None
            }
            Err(SendTimeoutError::Disconnected(_)) => None,
            Err(SendTimeoutError::Timeout(batch)) => Some(batch),
        }
    }
}

impl LedgerReader {
    /// The next batch, or `None` once the simulator has stopped and all are read.
    pub fn recv(&self) -> Option<Batch> {
        self.batches.recv().ok()
    }

    /// The next batch if it comes within `timeout`.
    ///
    /// # Errors
    /// As crossbeam's `recv_timeout`: nothing came, or the simulator stopped.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Batch, RecvTimeoutError> {
        self.batches.recv_timeout(timeout)
    }

    /// The next batch if it is there.
    ///
    /// # Errors
    /// As crossbeam's `try_recv`: nothing there, or the simulator stopped.
    pub fn try_recv(&self) -> Result<Batch, TryRecvError> {
        self.batches.try_recv()
    }

    /// Gives a batch's memory back, so that the market need not allocate.
    pub fn give_back(&self, mut batch: Batch) {
        batch.clear();
        // A full channel of spares only means that there are enough of them.
        let _ = self.spares.try_send(batch);
    }

    /// To be told by the verifier: no more is expected of a frame, of which so many trades are verified (or given up).
    pub fn settle(&self, trades: u64) {
        self.counts.verified.fetch_add(trades, Ordering::Release);
        self.counts.settled.fetch_add(1, Ordering::Release);
    }

    /// How far both ends are.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_shrinks_with_what_is_sent_and_grows_with_what_is_verified() {
        let (ledger, reader) = Ledger::new(4, Some(100));
        assert_eq!(ledger.room(0), 100);
        assert_eq!(ledger.room(100), 0);
        reader.settle(40);
        assert_eq!(ledger.room(100), 40);
    }

    #[test]
    fn both_ends_are_level_once_all_frames_are_settled() {
        let (ledger, reader) = Ledger::new(4, None);
        let counts = reader.counts();
        assert!(counts.are_level());
        let payload = 0..0;
        let frame = SentFrame { symbol: 0, due_unix_ns: 0, payload, variants: 0..0, tells: 0..0, trades: 0..0 };
        assert!(ledger.hand_over(Batch { frames: vec![frame], ..Batch::default() }, Duration::ZERO).is_none());
        assert!(!counts.are_level());
        reader.settle(0);
        assert!(counts.are_level());
    }

    #[test]
    fn a_full_channel_gives_the_batch_back_and_spares_keep_their_memory() {
        let (ledger, reader) = Ledger::new(1, None);
        let full = Batch { bytes: vec![0; 100], ..Batch::default() };
        assert!(ledger.hand_over(full, Duration::ZERO).is_none());
        assert!(ledger.hand_over(Batch::default(), Duration::ZERO).is_some());
        reader.give_back(reader.recv().unwrap());
        let spare = ledger.spare();
        assert!(spare.bytes.is_empty() && spare.bytes.capacity() >= 100);
    }
}
