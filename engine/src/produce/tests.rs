//! The producer core against a client and a broker that misbehave by a seed: nothing is lost, nothing is out of order, and
//! nothing is there twice that was not said to be.
//!
//! `K2_DELIVERY_SEED=n … --nocapture` replays one seed, `K2_DELIVERY_SEEDS=n` runs more.

mod broker;
mod world;

use crate::accounting::{Delivery, ProducerTally, TopicTally};
use world::{Policy, World};

const SEEDS: u64 = 150;
const STEPS: usize = 400;

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("K2_DELIVERY_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("K2_DELIVERY_SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

fn run(policy: Policy) {
    let mut all = ProducerTally::default();
    for seed in seeds() {
        // Captured, and shown if the test fails.
        println!("seed {seed}, {policy:?}");
        let mut world = World::new(seed, policy);
        for _ in 0..STEPS {
            world.step();
        }
        all += &world.end();
    }
    // That it went wrong in each way.
    let Delivery { queue_full, spills, returned, possible_duplicates, clients, .. } = all.delivery;
    assert!(queue_full > 0 && returned > 0 && possible_duplicates > 0 && clients > 0, "{all:?}");
    let sum = |column: fn(&TopicTally) -> u64| all.topics.iter().map(column).sum::<u64>();
    let recovered = sum(|topic| topic.recovered);
    assert_eq!((spills > 0, recovered > 0), (policy != Policy::Ring, policy != Policy::Ring), "{all:?}");
    assert_eq!((sum(|topic| topic.dropped) > 0), policy == Policy::DropOldest, "{all:?}");
    assert!(all.dead_lettered() > 0, "{all:?}");
}

#[test]
fn with_a_journal_nothing_is_lost_or_out_of_order() {
    run(Policy::Journal);
}

#[test]
fn without_a_journal_nothing_is_lost_or_out_of_order() {
    run(Policy::Ring);
}

#[test]
fn what_is_dropped_for_room_is_counted_and_the_rest_in_order() {
    run(Policy::DropOldest);
}
