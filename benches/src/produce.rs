//! The producer core from the ring to the report, in one thread, with a client that has every record delivered at once.

use crate::echo::Echo;
use crate::producing::{self, Producing};

/// Trades of a pass, each with its frame.
pub const TRADES: usize = 100;

/// A producer core, and what commits to its ring.
pub struct Produce(Producing<Echo>);

impl Produce {
    /// One that nothing was committed to yet.
    #[expect(clippy::new_without_default, reason = "it is no value like others")]
    pub fn new() -> Self {
        Produce(Producing::with(Echo::default()))
    }

    /// Commits [`TRADES`], and runs one lap, which takes them and settles their reports.
    pub fn pass(&mut self) {
        (0..TRADES).for_each(|_| assert!(self.0.commit(), "the ring has room"));
        assert_eq!(self.0.core.lap(), 2 * TRADES * producing::RECORDS.len(), "each is taken, and reported");
    }
}
