//! Hands a pinned core's measurements over, whole, without a lock or an allocation on that core.
//!
//! Two instances go round. The core writes to one; when the collector asks, the core swaps it for the empty one
//! and passes it on. What is passed is consistent, since nobody writes to it any more.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::queue::ArrayQueue;

use crate::accounting::{FeedTally, ProducerTally};
use crate::latency::{Hop, Hops};
use crate::twins::Twins;

/// What a core measures: times of the interval, and counts since the core began.
pub struct Measured<T> {
    /// Times recorded in the interval.
    pub hops: Hops,
    /// Counts since the core began.
    pub tally: T,
    /// Which of the connections with the same symbols was first, in the interval; a feed core's.
    pub twins: Twins,
}

/// What a feed core measures.
pub type FeedMeasured = Measured<FeedTally>;
/// What a producer core measures.
pub type ProducerMeasured = Measured<ProducerTally>;

impl<T> Measured<T> {
    fn new(hops: &[Hop], tally: T) -> Self {
        Measured { hops: Hops::of(hops), tally, twins: Twins::default() }
    }
}

impl FeedMeasured {
    /// Nothing yet, with the hops that a feed core records.
    pub fn feed() -> Self {
        Measured::new(&[Hop::Recv, Hop::Decode, Hop::Encode], FeedTally::default())
    }
}

impl ProducerMeasured {
    /// Nothing yet, with the hops that a producer core records.
    pub fn producer() -> Self {
        Measured::new(&[Hop::Ring, Hop::Produce, Hop::Ack, Hop::Total], ProducerTally::default())
    }
}

struct Shared<T> {
    asked: AtomicBool,
    empty: ArrayQueue<Box<Measured<T>>>,
    full: ArrayQueue<Box<Measured<T>>>,
}

/// The core's side: what is being measured.
pub struct Recorder<T> {
    /// Write here.
    pub now: Box<Measured<T>>,
    shared: Arc<Shared<T>>,
}

/// The reporting side.
pub struct Collector<T>(Arc<Shared<T>>);

/// The two sides of a pair of instances. `other` must be like `now`.
pub fn pair<T>(now: Measured<T>, other: Measured<T>) -> (Recorder<T>, Collector<T>) {
    // Room for both instances in either queue: the last interval is passed on unasked.
    let shared = Shared { asked: AtomicBool::new(false), empty: ArrayQueue::new(2), full: ArrayQueue::new(2) };
    let shared = Arc::new(shared);
    let _ = shared.empty.push(Box::new(other));
    (Recorder { now: Box::new(now), shared: shared.clone() }, Collector(shared))
}

impl<T: Clone> Recorder<T> {
    /// Whether the interval was asked for.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.shared.asked.load(Ordering::Relaxed)
    }

    /// Passes the interval on if it was asked for. One relaxed load when it was not.
    #[inline]
    pub fn pass_on_if_asked(&mut self) {
        if self.is_asked() {
            self.pass_on();
        }
    }

    #[cold]
    fn pass_on(&mut self) {
        if let Some(mut empty) = self.shared.empty.pop() {
            empty.tally.clone_from(&self.now.tally);
            empty.twins.be_like(&self.now.twins);
            self.shared.asked.store(false, Ordering::Relaxed);
            let full = mem::replace(&mut self.now, empty);
            self.push(full);
        }
    }

    /// Passes on what there is at the end, unasked. What is written afterwards is lost.
    pub fn finish(&mut self) {
        let mut after = Measured::new(&[], self.now.tally.clone());
        after.twins.be_like(&self.now.twins);
        let last = mem::replace(&mut self.now, Box::new(after));
        self.push(last);
    }

    fn push(&self, full: Box<Measured<T>>) {
        assert!(self.shared.full.push(full).is_ok(), "there are two instances, and room for both");
    }
}

impl<T> Collector<T> {
    /// Asks for the interval that is under way.
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
    }

    /// An interval that was asked for, or the last one, once the core has passed it on. `read` sees it; then it is emptied and given back.
    pub fn collect<R>(&self, read: impl FnOnce(&Measured<T>) -> R) -> Option<R> {
        let mut full = self.0.full.pop()?;
        let outcome = read(&full);
        full.hops.reset();
        full.twins.reset();
        let _ = self.0.empty.push(full);
        Some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Nanos;

    #[test]
    fn counts_go_on_and_times_start_over() {
        let (mut recorder, collector) = pair(FeedMeasured::feed(), FeedMeasured::feed());
        for round in 1..=3 {
            recorder.now.tally.trades += 1;
            recorder.now.hops.record(Hop::Decode, Nanos(0), Nanos(100));
            recorder.pass_on_if_asked();
            assert!(collector.collect(|_| ()).is_none(), "nothing was asked for");
            collector.ask();
            recorder.pass_on_if_asked();
            let (trades, times) =
                collector.collect(|seen| (seen.tally.trades, seen.hops.get(Hop::Decode).unwrap().len())).unwrap();
            assert_eq!((trades, times), (round, 1));
        }
    }
}
