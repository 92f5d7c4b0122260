//! The ring against a model that cannot be wrong about bytes: a queue of byte vectors, with the
//! documented accounting of room beside it.

use std::collections::VecDeque;

use k2_ring::{CapacityError, Consumer, Full, Producer, ring};
use proptest::prelude::*;

const HEADER: usize = 8;

#[derive(Debug, Clone)]
enum Op {
    /// Claims `max` bytes and commits some of them, or drops the claim.
    Claim { max: usize, commit: Option<usize> },
    /// Asks for room for a frame of claims; after a yes, all of them have to fit.
    Frame { records: Vec<(usize, usize)>, slack: usize },
    /// Takes a batch and releases some of it, or drops it.
    Batch { max: usize, release: Option<usize> },
}

/// What the documentation says of room: a record takes its header and its payload rounded up to
/// 8, lies in one piece, and frees its gap together with itself.
struct Model {
    capacity: usize,
    head: usize,
    tail: usize,
    /// Payload and the index after it.
    records: VecDeque<(Vec<u8>, usize)>,
    /// Distinguishes the bytes of one record from those of the next.
    salt: u8,
}

impl Model {
    fn free(&self) -> usize {
        self.capacity - (self.tail - self.head)
    }

    fn size(len: usize) -> usize {
        HEADER + len.div_ceil(8) * 8
    }

    /// Where a claim of `max` bytes begins, if it fits.
    fn place(&self, max: usize) -> Option<usize> {
        let to_end = self.capacity - self.tail % self.capacity;
        let gap = if Self::size(max) > to_end { to_end } else { 0 };
        let fits = max <= self.capacity / 2 - HEADER && gap + Self::size(max) <= self.free();
        fits.then_some(self.tail + gap)
    }

    fn payload(&mut self, len: usize) -> Vec<u8> {
        self.salt = self.salt.wrapping_add(31);
        (0..len).map(|i| self.salt ^ (i as u8).wrapping_mul(7)).collect()
    }
}

struct Pair {
    producer: Producer,
    consumer: Consumer,
    model: Model,
}

impl Pair {
    fn new(bytes: usize) -> Self {
        let (producer, consumer) = ring(bytes).expect("a small ring");
        let capacity = producer.capacity();
        assert_eq!(capacity, bytes.next_power_of_two().max(64));
        let model = Model { capacity, head: 0, tail: 0, records: VecDeque::new(), salt: 0 };
        Pair { producer, consumer, model }
    }

    /// Claims as the model does, fills all that was claimed, commits the first `commit` bytes.
    fn claim(&mut self, max: usize, commit: Option<usize>) -> bool {
        let bytes = self.model.payload(max);
        let place = self.model.place(max);
        let free = self.model.free();
        match (self.producer.claim(max), place) {
            (Ok(mut claim), Some(at)) => {
                assert_eq!(claim.len(), max);
                assert_eq!(claim.as_ptr() as usize % 8, 0);
                claim.copy_from_slice(&bytes);
                assert_eq!(*claim, *bytes);
                if let Some(len) = commit {
                    claim.commit(len);
                    self.model.tail = at + Model::size(len);
                    self.model.records.push_back((bytes[..len].to_vec(), self.model.tail));
                }
                true
            }
            (Err(full), None) => {
                assert_eq!(full, Full { asked: max, free });
                false
            }
            (got, place) => panic!("claim of {max}: {got:?}, but the model says {place:?}"),
        }
    }

    fn batch(&mut self, max: usize, release: Option<usize>) {
        let model = &mut self.model;
        assert_eq!(self.consumer.is_empty(), model.records.is_empty());
        let batch = self.consumer.batch(max);
        assert_eq!(batch.len(), max.min(model.records.len()));
        assert_eq!(batch.is_empty(), max == 0 || model.records.is_empty());
        // Held all at once, as the caller of a bulk send does.
        let held: Vec<&[u8]> = batch.iter().collect();
        let mut iter = batch.iter();
        for (i, (bytes, _)) in model.records.iter().take(batch.len()).enumerate() {
            assert_eq!(held[i], bytes.as_slice());
            assert_eq!(held[i].as_ptr() as usize % 8, 0);
            assert_eq!(iter.len(), batch.len() - i);
            assert_eq!(iter.clone().next(), iter.next());
        }
        assert_eq!(iter.next(), None);
        let Some(release) = release else { return };
        let release = release.min(batch.len());
        batch.release(release);
        for _ in 0..release {
            model.head = model.records.pop_front().map_or(model.head, |(_, end)| end);
        }
    }

    fn frame(&mut self, records: &[(usize, usize)], slack: usize) {
        let bytes: usize = records.iter().map(|&(max, _)| max).sum();
        if self.producer.has_room(bytes + slack, records.len()) {
            for &(max, commit) in records {
                assert!(self.claim(max, Some(commit)), "has_room said yes to {records:?}");
            }
        }
    }

    fn run(mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Claim { max, commit } => {
                    self.claim(*max, *commit);
                }
                Op::Frame { records, slack } => self.frame(records, *slack),
                Op::Batch { max, release } => self.batch(*max, *release),
            }
        }
        // What is left outlives its producer.
        drop(self.producer);
        assert!(self.consumer.is_closed());
        let batch = self.consumer.batch(usize::MAX);
        assert!(batch.iter().eq(self.model.records.iter().map(|(bytes, _)| bytes.as_slice())));
    }
}

/// A length to claim, often small, at times too large, and one to commit of it.
fn lengths() -> impl Strategy<Value = (usize, usize)> {
    let max = prop_oneof![4 => 0usize..=24, 2 => 0usize..=136, 1 => Just(24usize), 1 => Just(120usize)];
    max.prop_flat_map(|max| (Just(max), prop_oneof![Just(max), 0..=max]))
}

fn op() -> impl Strategy<Value = Op> {
    let claim = (lengths(), prop::bool::weighted(0.85))
        .prop_map(|((max, len), commit)| Op::Claim { max, commit: commit.then_some(len) });
    let frame =
        (prop::collection::vec(lengths(), 0..6), 0usize..9).prop_map(|(records, slack)| Op::Frame { records, slack });
    let count = || prop_oneof![0usize..6, Just(usize::MAX)];
    let batch = (count(), prop::option::weighted(0.85, count())).prop_map(|(max, release)| Op::Batch { max, release });
    prop_oneof![3 => claim, 1 => frame, 3 => batch]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 16 } else { 4096 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn agrees_with_a_queue_of_vectors(
        bytes in prop_oneof![Just(1usize), Just(65), Just(256)],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        Pair::new(bytes).run(&ops);
    }

    #[test]
    fn room_for_a_frame_holds_at_every_offset(
        (offset, held) in (0usize..32).prop_flat_map(|n| (Just(n), 0..=32 - n)),
        records in prop::collection::vec(lengths(), 1..6),
    ) {
        let mut pair = Pair::new(256);
        for _ in 0..offset + held {
            pair.claim(0, Some(0));
        }
        pair.batch(offset, Some(offset));
        pair.frame(&records, 0);
    }
}

#[test]
fn the_largest_record_fits_an_empty_ring_at_every_offset() {
    for offset in 0..32 {
        let mut pair = Pair::new(256);
        for _ in 0..offset {
            assert!(pair.claim(0, Some(0)));
            pair.batch(1, Some(1));
        }
        let max = pair.producer.max_record();
        assert_eq!(max, 120);
        assert!(pair.producer.has_room(max, 1), "at offset {offset}");
        assert!(!pair.producer.has_room(max + 1, 1));
        assert!(pair.producer.has_room(0, 0) && pair.producer.has_room(0, 16));
        assert!(!pair.producer.has_room(0, usize::MAX) && !pair.producer.has_room(usize::MAX, 1));
        assert!(!pair.claim(max + 1, None));
        assert_eq!(pair.producer.claim(usize::MAX).err(), Some(Full { asked: usize::MAX, free: 256 }));
        assert!(pair.claim(max, Some(max)));
        pair.batch(1, Some(1));
    }
}

#[test]
fn a_capacity_is_rounded_up_or_refused() {
    assert_eq!(ring(0).err(), Some(CapacityError::Zero));
    assert_eq!(ring(usize::MAX).err(), Some(CapacityError::TooLarge { asked: usize::MAX }));
    for (asked, capacity) in [(1, 64), (64, 64), (65, 128), (1 << 20, 1 << 20)] {
        assert_eq!(ring(asked).unwrap().0.capacity(), capacity);
    }
}

#[test]
fn each_side_learns_of_the_other_s_end() {
    let (mut producer, consumer) = ring(64).unwrap();
    assert!(!producer.is_closed() && !consumer.is_closed());
    drop(consumer);
    assert!(producer.is_closed());
    producer.claim(8).unwrap().commit(8);
}

#[test]
#[should_panic(expected = "committed 9 bytes of a claim of 8")]
fn a_commit_beyond_the_claim_panics() {
    let (mut producer, _consumer) = ring(64).unwrap();
    producer.claim(8).unwrap().commit(9);
}

#[test]
#[should_panic(expected = "released 1 records of a batch of 0")]
fn a_release_beyond_the_batch_panics() {
    let (_producer, mut consumer) = ring(64).unwrap();
    consumer.batch(1).release(1);
}
