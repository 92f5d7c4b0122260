//! The producer core. What librdkafka asks of libc's allocator for a record, some two times, is not counted here.

use k2_feed::kafka::Kafka;

use crate::counting::calls;
use crate::producing::Producing;

/// Trades of a round; each is two records.
const TRADES: usize = 21_000;
const WARM_UP_ROUNDS: usize = 2;
const COUNTED_ROUNDS: usize = 10;

fn round(producing: &mut Producing<Kafka>) {
    for _ in 0..TRADES {
        while !producing.commit() {
            producing.core.lap();
        }
    }
    producing.level();
}

#[test]
fn handing_over_and_settling_takes_no_allocation() {
    let mut producing = Producing::start();
    for _ in 0..WARM_UP_ROUNDS {
        round(&mut producing);
        // It is remembered, and shown with the rest.
        producing.miss_a_trade();
    }
    let before = calls();
    (0..COUNTED_ROUNDS).for_each(|_| round(&mut producing));
    assert_eq!(calls(), before, "the producer core called the allocator");
}
