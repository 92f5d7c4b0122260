//! Two threads, records of seeded lengths, every byte checked. The sanitizers run this too.
//!
//! `K2_RING_SEED` repeats a run, as far as two threads can; `K2_RING_RECORDS` shortens it.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::thread;

use k2_ring::{Consumer, Producer, ring};

/// Xorshift: both sides draw the same lengths from the same seed.
#[derive(Clone)]
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }
}

#[derive(Clone)]
struct Plan {
    lengths: Draws,
    records: usize,
    /// The longest record; the shortest has 1 byte.
    longest: usize,
}

fn byte(record: usize, at: usize) -> u8 {
    (record.wrapping_mul(0x9E37_79B1) >> 8).wrapping_add(at) as u8
}

/// Spins a little, then lets the other thread run: there may be one core for both.
fn pause(spins: &mut u32) {
    *spins += 1;
    if spins.is_multiple_of(64) {
        thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

fn produce(mut producer: Producer, mut plan: Plan, mut whims: Draws) {
    let mut spins = 0;
    // Claims that has_room vouched for.
    let mut vouched = 0usize;
    for record in 0..plan.records {
        let len = plan.lengths.below(plan.longest) + 1;
        if vouched == 0 && producer.has_room(3 * plan.longest, 3) {
            vouched = 3;
        }
        // Now and then more is claimed than committed, or a claim is dropped.
        let asked = if vouched > 0 { len } else { len + whims.below(plan.longest - len + 1) };
        let mut claim = loop {
            match producer.claim(asked) {
                Ok(_dropped) if vouched == 0 && whims.below(8) == 0 => {}
                Ok(claim) => break claim,
                Err(full) => {
                    assert!(vouched == 0, "has_room said yes, but {full}");
                    pause(&mut spins);
                }
            }
        };
        vouched = vouched.saturating_sub(1);
        for (at, to) in claim.iter_mut().enumerate() {
            *to = byte(record, at);
        }
        claim.commit(len);
    }
}

fn consume(mut consumer: Consumer, mut plan: Plan, mut whims: Draws) {
    let mut spins = 0;
    let mut seen = 0;
    loop {
        let closed = consumer.is_closed();
        let batch = consumer.batch(whims.below(32) + 1);
        if batch.is_empty() {
            if closed {
                break;
            }
            pause(&mut spins);
            continue;
        }
        let held: Vec<&[u8]> = batch.iter().collect();
        let keep = whims.below(8) == 0;
        let release = if keep { whims.below(held.len() + 1) } else { held.len() };
        let mut lengths = plan.lengths.clone();
        for (i, bytes) in held.iter().enumerate() {
            assert_eq!(bytes.len(), lengths.below(plan.longest) + 1, "length of {}", seen + i);
            let wrong = bytes.iter().enumerate().any(|(at, &b)| b != byte(seen + i, at));
            assert!(!wrong, "bytes of record {}", seen + i);
            if i < release {
                plan.lengths = lengths.clone();
            }
        }
        batch.release(release);
        seen += release;
    }
    assert_eq!(seen, plan.records);
}

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().expect("a number"))
}

fn move_records(capacity: usize, longest: usize, records: usize) {
    let seed = setting("K2_RING_SEED").unwrap_or_else(|| RandomState::new().hash_one(0)).max(1);
    let records = setting("K2_RING_RECORDS").map_or(records, |n| n as usize);
    println!("K2_RING_SEED={seed}: {records} records of 1..={longest} bytes through {capacity}");
    let (producer, consumer) = ring(capacity).expect("memory for the ring");
    let plan = Plan { lengths: Draws(seed), records, longest };
    let (whims, others) = (Draws(seed ^ 0xA5A5), Draws(seed ^ 0x5A5A));
    thread::scope(|scope| {
        let plan_too = plan.clone();
        scope.spawn(move || produce(producer, plan_too, whims));
        scope.spawn(move || consume(consumer, plan, others));
    });
}

#[test]
fn millions_of_small_records_through_a_small_ring() {
    move_records(4 << 10, 200, 4_000_000);
}

#[test]
fn records_up_to_the_largest_through_a_tight_ring() {
    move_records(4 << 10, (2 << 10) - 8, 500_000);
}

#[test]
fn large_records_through_a_roomy_ring() {
    move_records(1 << 20, 8 << 10, 200_000);
}
