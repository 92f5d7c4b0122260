//! The ring's own source under loom: every interleaving within the bound, and every value that
//! the memory model lets a load return. The shadow's cells stand for the ring's memory, so that
//! an access to a record's bytes which no ordering separates from the other side's is an error.

#![allow(missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "../src/error.rs"]
mod error;
#[path = "../src/layout.rs"]
mod layout;
#[path = "../src/ring/mod.rs"]
mod ring;

mod sync {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use loom::cell::UnsafeCell;

    #[derive(Debug)]
    pub(crate) struct Shadow(Vec<UnsafeCell<()>>);

    impl Shadow {
        pub(crate) fn new(words: usize) -> Self {
            Shadow((0..words).map(|_| UnsafeCell::new(())).collect())
        }

        fn cells(&self, word: usize, words: usize) -> impl Iterator<Item = &UnsafeCell<()>> {
            self.0.iter().cycle().skip(word).take(words)
        }

        pub(crate) fn read(&self, word: usize, words: usize) {
            self.cells(word, words).for_each(|cell| cell.with(|_| ()));
        }

        pub(crate) fn write(&self, word: usize, words: usize) {
            self.cells(word, words).for_each(|cell| cell.with_mut(|_| ()));
        }
    }
}

use loom::thread;
use ring::{Batch, Consumer, Producer};

/// A 64-byte ring holds two records of 24 bytes, and the third meets the wrap or the first.
const CAPACITY: usize = 64;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn put(producer: &mut Producer, byte: u8, len: usize) {
    loop {
        if let Ok(mut claim) = producer.claim(len) {
            claim.fill(byte);
            claim.commit(len);
            return;
        }
        thread::yield_now();
    }
}

/// Checks that the batch goes on from record `first` of `lengths`.
fn compare(batch: &Batch<'_>, first: usize, lengths: &[usize]) {
    for (i, bytes) in batch.iter().enumerate() {
        assert_eq!(bytes, vec![(first + i) as u8; lengths[first + i]]);
    }
}

/// Takes batches until the producer is gone and nothing is left; all `lengths` have to come.
fn drain(mut consumer: Consumer, max: usize, release: usize, lengths: &[usize]) {
    let mut seen = 0;
    loop {
        let closed = consumer.is_closed();
        // On one path the batch goes by what `is_empty` has loaded, on the other by its own load.
        if max > 1 && consumer.is_empty() && !closed {
            thread::yield_now();
            continue;
        }
        let batch = consumer.batch(max);
        compare(&batch, seen, lengths);
        let released = release.min(batch.len());
        if batch.is_empty() {
            if closed {
                break;
            }
            thread::yield_now();
        }
        batch.release(released);
        seen += released;
    }
    assert_eq!(seen, lengths.len());
}

fn hand_over(max: usize, release: usize, lengths: &'static [usize]) {
    check(move || {
        let (mut producer, consumer) = ring::ring(CAPACITY).expect("a small ring");
        let writer = thread::spawn(move || {
            for (i, &len) in lengths.iter().enumerate() {
                put(&mut producer, i as u8, len);
            }
        });
        drain(consumer, max, release, lengths);
        writer.join().expect("the producer's thread");
    });
}

#[test]
fn records_are_whole_through_the_wrap_and_reuse() {
    hand_over(1, 1, &[16, 8, 17, 0]);
}

#[test]
fn a_batch_is_whole_and_its_rest_comes_again() {
    hand_over(4, 1, &[9, 0, 24, 8]);
}

#[test]
fn a_dropped_claim_and_a_short_commit_publish_no_more() {
    check(|| {
        let (mut producer, consumer) = ring::ring(CAPACITY).expect("a small ring");
        let writer = thread::spawn(move || {
            for (i, len) in [8, 16, 8].into_iter().enumerate() {
                drop(producer.claim(24));
                while !producer.has_room(24, 1) {
                    thread::yield_now();
                }
                let mut claim = producer.claim(24).expect("has_room said yes");
                claim.fill(i as u8);
                claim.commit(len);
            }
        });
        drain(consumer, 2, 2, &[8, 16, 8]);
        writer.join().expect("the producer's thread");
    });
}

#[test]
fn a_dropped_consumer_is_seen_and_the_memory_outlives_it() {
    check(|| {
        let (mut producer, mut consumer) = ring::ring(CAPACITY).expect("a small ring");
        let reader = thread::spawn(move || {
            let batch = consumer.batch(1);
            compare(&batch, 0, &[24]);
        });
        put(&mut producer, 0, 24);
        while !producer.is_closed() {
            thread::yield_now();
        }
        put(&mut producer, 1, 8);
        reader.join().expect("the consumer's thread");
    });
}
