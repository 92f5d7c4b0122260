//! The pinned cores do not allocate for a message that is well: the feed core from the receive buffer to the ring, over a
//! million frames of each protocol, the producer core from the ring to the report of its delivery.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

mod counting;
#[path = "../frames/mod.rs"]
mod frames;
mod producer;
#[path = "../producing/mod.rs"]
mod producing;
mod rig;
mod wire;

use k2_feed::record::Kind;
use k2_feed::venue::{Protocol, Venue, Visit};

use counting::calls;
use rig::Rig;
use wire::{ROUND, Wire};

const WARM_UP_ROUNDS: usize = 2;
const COUNTED_ROUNDS: usize = 100;
/// Those in which two connections are counted.
const TWIN_ROUNDS: usize = 20;

/// A connection, whose frames are published as received or not.
struct Count(Protocol, bool);

impl Visit for Count {
    type Output = ();

    fn visit<V: Venue>(self) {
        let symbols = wire::symbols(self.0);
        let (mut wire, mut rig) = (Wire::new(self.0, &symbols), Rig::<V>::new(&symbols, self.1));
        for round in 0..WARM_UP_ROUNDS {
            wire.renumber(round);
            rig.round(&wire.bytes);
        }
        let before = calls();
        for round in WARM_UP_ROUNDS..WARM_UP_ROUNDS + COUNTED_ROUNDS {
            wire.renumber(round);
            rig.round(&wire.bytes);
        }
        let after = calls();
        assert_eq!(after, before, "the feed core called the allocator");

        let rounds = WARM_UP_ROUNDS + COUNTED_ROUNDS;
        let (frames, trades) = (ROUND * rounds, wire.trades * rounds);
        let kept = if self.1 { frames } else { 0 };
        assert_eq!(rig.drained, [kept, trades, 0]);
        assert!(rig.controls > rounds);
        let tally = rig.core.tally().clone();
        assert_eq!((tally.trades, tally.frames.decoded), (trades as u64, frames as u64));
        assert_eq!(tally.committed(), [kept as u64, trades as u64, 0]);
        assert_eq!((tally.gaps, tally.late, tally.duplicates, tally.dropped()), (0, 0, 0, [0; Kind::ALL.len()]));
    }
}

/// Two connections, each of which shows everything.
struct CountTwins(Protocol);

impl Visit for CountTwins {
    type Output = ();

    fn visit<V: Venue>(self) {
        let symbols = wire::symbols(self.0);
        let (mut wire, mut rig) = (Wire::new(self.0, &symbols), Rig::<V>::new(&symbols, true));
        // The second begins once the first is level.
        rig.round(&wire.bytes);
        rig.join();
        for round in 1..=WARM_UP_ROUNDS {
            wire.renumber(round);
            rig.round(&wire.bytes);
        }
        let before = calls();
        for round in WARM_UP_ROUNDS + 1..=WARM_UP_ROUNDS + TWIN_ROUNDS {
            wire.renumber(round);
            rig.round(&wire.bytes);
        }
        assert_eq!(calls(), before, "the feed core called the allocator");

        let twice = wire.trades * (WARM_UP_ROUNDS + TWIN_ROUNDS);
        assert_eq!(rig.drained[Kind::Normalized as usize], twice + wire.trades);
        let tally = rig.core.tally().clone();
        assert_eq!(tally.trades, (2 * twice + wire.trades) as u64);
        // Numbers that no trade has come again, too.
        assert!(tally.duplicates >= twice as u64);
        assert_eq!((tally.gaps, tally.late, tally.dropped()), (0, 0, [0; Kind::ALL.len()]));
        assert_eq!(rig.won(), [(twice as u64, 0), (0, twice as u64)]);
    }
}

#[test]
fn comparing_two_connections_takes_no_allocation() {
    for protocol in Protocol::ALL {
        protocol.visit(CountTwins(*protocol));
    }
}

#[test]
fn a_feed_without_raw_frames_takes_no_allocation() {
    for protocol in Protocol::ALL {
        protocol.visit(Count(*protocol, false));
    }
}

macro_rules! a_million_frames_take_no_allocation {
    ($($name:ident => $protocol:ident,)*) => {
        $(
            #[test]
            fn $name() {
                Protocol::$protocol.visit(Count(Protocol::$protocol, true));
            }
        )*

        #[test]
        fn each_protocol_is_counted() {
            assert_eq!(Protocol::ALL, [$(Protocol::$protocol),*]);
        }
    };
}

a_million_frames_take_no_allocation! {
    binance_spot => BinanceSpot,
    binance_usdm => BinanceUsdm,
    kraken_v2 => KrakenV2,
    kraken_v1 => KrakenV1,
    coinbase_advanced => CoinbaseAdvanced,
    coinbase_exchange => CoinbaseExchange,
    bybit => Bybit,
    okx => Okx,
}

#[test]
fn the_counter_counts_this_thread_and_no_other() {
    let before = calls();
    let mut bytes = std::hint::black_box(Vec::<u8>::with_capacity(1));
    bytes.reserve_exact(1_000);
    drop(std::hint::black_box(bytes));
    let after = calls();
    assert_eq!(after.allocations - before.allocations, 1);
    assert_eq!(after.reallocations - before.reallocations, 1);
    assert_eq!(after.deallocations - before.deallocations, 1);

    let (sender, receiver) = std::sync::mpsc::sync_channel(0);
    let busy = std::thread::spawn(move || {
        let () = receiver.recv().unwrap();
        let before = calls();
        (0..1_000).for_each(|size| drop(std::hint::black_box(vec![0u8; size + 1])));
        calls().allocations - before.allocations
    });
    sender.send(()).unwrap();
    let before = calls().allocations;
    while !busy.is_finished() {
        std::hint::spin_loop();
    }
    assert_eq!(calls().allocations, before);
    assert_eq!(busy.join().unwrap(), 1_000);
}
