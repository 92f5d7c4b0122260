//! The engine's own sessions, deframing and decoding under faults, in simulated time: see [`check`] for what must hold.
//!
//! Each seed draws the trades, the network and its faults. A seed that fails is printed; it is run again alone, with its
//! log, by `K2_SESSIONS_SEED=<seed> cargo test --test sessions -- --nocapture`. `K2_SESSIONS_SEEDS=<count>` runs more.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

mod check;
mod exchange;
mod fault;
mod outcome;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many seeds are run.
const SEEDS: u64 = 1_000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn every_trade_once_and_in_order_and_every_gap_named_whatever_fails() {
    if let Some(seed) = variable("K2_SESSIONS_SEED") {
        // All that is said of the one seed.
        tracing_subscriber::fmt().with_ansi(false).init();
        return check::seed(seed).print();
    }
    let count = variable("K2_SESSIONS_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let mut all = check::Summary::default();
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| run_seeds(&next, count))).collect();
        threads.into_iter().for_each(|thread| all.add(&thread.join().unwrap()));
    });
    all.print();
    assert!(all.failed.is_empty(), "seeds that failed: {:?}", all.failed);
}

/// Runs seeds in turn until `count` have been.
fn run_seeds(next: &AtomicU64, count: u64) -> check::Summary {
    let mut all = check::Summary::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= count {
            return all;
        }
        match catch_unwind(AssertUnwindSafe(|| check::seed(seed))) {
            Ok(summary) => all.add(&summary),
            Err(_) => all.failed.push(seed),
        }
    }
}
