//! Handing over 200-byte records: `k2-ring` against rtrb.
//!
//! rtrb carries elements of one type, so it stands here twice. As a ring of bytes, through its
//! chunks: like ours it is written and read in place, but has no lengths to keep, both sides
//! knowing 200, and may split a record at the wrap. As a ring of 200-byte arrays: no wrap to mind
//! at all, but the record is moved in and out by value. Both have less to do than a ring of
//! records of any length, so neither flatters ours.
//!
//! `cargo bench -p k2-benches --bench ring` runs criterion on one thread, then the hand-over
//! between two pinned threads; `-- handover` runs the latter alone.

use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};

const RECORD: usize = 200;
const RING_BYTES: usize = 1 << 16;

/// One direction's sending end.
trait Send200: Send {
    /// Writes the record and publishes it. The rings here are never full.
    fn send(&mut self, record: &[u8; RECORD]);
}

/// One direction's receiving end.
trait Receive200: Send {
    /// Reads a record out and frees its room; no if there is none.
    fn receive(&mut self, record: &mut [u8; RECORD]) -> bool;
}

impl Send200 for k2_ring::Producer {
    #[inline]
    fn send(&mut self, record: &[u8; RECORD]) {
        let mut claim = self.claim(RECORD).expect("room");
        claim.copy_from_slice(record);
        claim.commit(RECORD);
    }
}

impl Receive200 for k2_ring::Consumer {
    #[inline]
    fn receive(&mut self, record: &mut [u8; RECORD]) -> bool {
        let batch = self.batch(1);
        let Some(bytes) = batch.iter().next() else {
            return false;
        };
        record.copy_from_slice(bytes);
        batch.release(1);
        true
    }
}

impl Send200 for rtrb::Producer<u8> {
    #[inline]
    fn send(&mut self, record: &[u8; RECORD]) {
        // Takes an uninitialized chunk, copies into its one or two slices, commits.
        self.push_entire_slice(record).expect("room");
    }
}

impl Receive200 for rtrb::Consumer<u8> {
    #[inline]
    fn receive(&mut self, record: &mut [u8; RECORD]) -> bool {
        let Ok(chunk) = self.read_chunk(RECORD) else {
            return false;
        };
        let (one, two) = chunk.as_slices();
        record[..one.len()].copy_from_slice(one);
        record[one.len()..].copy_from_slice(two);
        chunk.commit_all();
        true
    }
}

type Slot = [u8; RECORD];

impl Send200 for rtrb::Producer<Slot> {
    #[inline]
    fn send(&mut self, record: &[u8; RECORD]) {
        self.push(*record).expect("room");
    }
}

impl Receive200 for rtrb::Consumer<Slot> {
    #[inline]
    fn receive(&mut self, record: &mut [u8; RECORD]) -> bool {
        self.pop().map(|slot| *record = slot).is_ok()
    }
}

fn k2() -> (k2_ring::Producer, k2_ring::Consumer) {
    k2_ring::ring(RING_BYTES).expect("memory for the ring")
}

fn rtrb_bytes() -> (rtrb::Producer<u8>, rtrb::Consumer<u8>) {
    rtrb::RingBuffer::new(RING_BYTES)
}

fn rtrb_slots() -> (rtrb::Producer<Slot>, rtrb::Consumer<Slot>) {
    rtrb::RingBuffer::new(RING_BYTES / RECORD)
}

fn one_thread(c: &mut Criterion) {
    fn pass(c: &mut Criterion, name: &str, (mut to, mut from): (impl Send200, impl Receive200)) {
        let record = [7; RECORD];
        let mut out = [0; RECORD];
        c.bench_function(&format!("ring/one thread/{name}"), |b| {
            b.iter(|| {
                to.send(black_box(&record));
                assert!(from.receive(&mut out));
                black_box(&mut out);
            });
        });
    }
    pass(c, "k2-ring", k2());
    pass(c, "rtrb bytes", rtrb_bytes());
    pass(c, "rtrb slots", rtrb_slots());
}

/// Round trips timed in a block; blocks of the contenders take turns, so that the noise of the
/// machine falls on all of them.
const ROUNDS: usize = 20_000;
const BLOCKS: usize = 25;

fn wait_for(from: &mut impl Receive200, record: &mut [u8; RECORD]) {
    let mut spins = 0u32;
    while !from.receive(record) {
        spins += 1;
        // A neighbour may have taken the other core: do not starve the peer on this one.
        if spins.is_multiple_of(1 << 14) {
            thread::yield_now();
        }
        spin_loop();
    }
}

fn pin(core: usize) {
    if let Some(cores) = core_affinity::get_core_ids() {
        core_affinity::set_for_current(cores[core % cores.len()]);
    }
}

/// Sends records to a second thread that sends them back; half a round trip is a hand-over.
fn ping_pong<S: Send200, R: Receive200>(ring: fn() -> (S, R), halves: &mut Vec<Duration>) {
    let (mut to, mut there) = ring();
    let (mut back, mut from) = ring();
    const WARM_UP: usize = ROUNDS / 10;
    thread::scope(|scope| {
        scope.spawn(move || {
            pin(1);
            let mut record = [0; RECORD];
            for _ in 0..WARM_UP + ROUNDS {
                wait_for(&mut there, &mut record);
                back.send(black_box(&record));
            }
        });
        scope.spawn(move || {
            pin(0);
            let mut record = [7; RECORD];
            for round in 0..WARM_UP + ROUNDS {
                let start = Instant::now();
                to.send(black_box(&record));
                wait_for(&mut from, &mut record);
                let half = start.elapsed() / 2;
                if round >= WARM_UP {
                    halves.push(half);
                }
            }
        });
    });
}

fn two_threads() {
    if thread::available_parallelism().map_or(1, usize::from) < 2 {
        println!("ring/hand-over: needs two cores, skipped");
        return;
    }
    let [mut ours, mut bytes, mut slots] = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..BLOCKS {
        ping_pong(k2, &mut ours);
        ping_pong(rtrb_bytes, &mut bytes);
        ping_pong(rtrb_slots, &mut slots);
    }
    let p50 = report("k2-ring", &mut ours);
    for (name, halves) in [("rtrb bytes", &mut bytes), ("rtrb slots", &mut slots)] {
        let ratio = p50 / report(name, halves);
        println!("ring/hand-over: k2-ring p50 is {ratio:.2} times that of {name}");
    }
}

/// Prints quantiles in ns and returns the median.
fn report(name: &str, halves: &mut [Duration]) -> f64 {
    halves.sort_unstable();
    let at = |q: f64| halves[(halves.len() as f64 * q) as usize].as_nanos() as f64;
    let [p50, p90, p99] = [0.5, 0.9, 0.99].map(at);
    println!("ring/hand-over/{name}: p50 {p50} ns, p90 {p90} ns, p99 {p99} ns");
    p50
}

criterion_group!(benches, one_thread);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    if !has("handover") {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
    // Not under `cargo test`, which only asks whether the benches run.
    if has("--bench") {
        two_threads();
    }
}
