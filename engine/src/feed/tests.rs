use std::sync::Arc;

use super::*;
use crate::interval::{FeedMeasured, pair};
use crate::record::Record;
use crate::venue::binance::{Binance, DEFAULT_URL};
use crate::venue::kraken_v1::KrakenV1;
use crate::venue::{Endpoint, Instrument, TimeUnit};

/// The defaults of `[limits]`.
const RING_BYTES: usize = 4 * 1024 * 1024;
const MAX_FRAME_BYTES: usize = 256 * 1024;

fn core(ring_bytes: usize) -> (FeedCore, k2_ring::Consumer) {
    let (ring, consumer) = k2_ring::ring(ring_bytes).unwrap();
    let (recorder, _) = pair(FeedMeasured::feed(), FeedMeasured::feed());
    (FeedCore::new(ring, Arc::new(Bell::new().unwrap()), recorder), consumer)
}

fn line(core: &mut FeedCore, symbol: &str) -> Line<Binance> {
    line_of(core, 0, symbol)
}

/// A line of the connection with this number.
fn line_of(core: &mut FeedCore, seat: usize, symbol: &str) -> Line<Binance> {
    let endpoint = Endpoint { url: DEFAULT_URL.parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let instrument = Instrument::new(symbol, "BTC/USDT".into());
    let subscription = Binance::subscription(&endpoint, &[instrument]).unwrap();
    core.line(&subscription, 0, seat, format!("binance-{seat}.1"), &[SymbolPrefix::new(1, "binance", symbol, symbol)])
}

fn frame(id: u64) -> Vec<u8> {
    format!(r#"{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"1.5","q":"2","T":1,"m":true,"M":true}}"#).into_bytes()
}

#[test]
fn the_longest_frame_fits_an_empty_ring() {
    let (mut core, _consumer) = core(RING_BYTES);
    let line = line(&mut core, &"S".repeat(64));
    assert!(core.has_room(&line, &[b'x'; MAX_FRAME_BYTES]));
}

/// Kraken v1's trades are the shortest: of a frame's bytes alone many more could be in it than are.
#[test]
fn large_frames_of_many_trades_come_through_an_empty_ring() {
    let endpoint = Endpoint { url: "wss://ws.kraken.com".parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let symbol = format!("{}/{}", "A".repeat(31), "B".repeat(32));
    let subscription = KrakenV1::subscription(&endpoint, &[KrakenV1::instrument(&symbol, None).unwrap()]).unwrap();
    for (count, price) in [(1_000, "61837.63000"), (2_000, "61837.63000"), (8_000, "1")] {
        let (mut core, mut consumer) = core(RING_BYTES);
        let prefixes = vec![SymbolPrefix::new(1, "kraken", &symbol, &symbol)];
        let mut line = core.line::<KrakenV1>(&subscription, 0, 0, "kraken-0.1".into(), &prefixes);
        let trade = |number| format!(r#"["{price}","1","{number}","b","l",""]"#);
        let trades: Vec<_> = (0..count).map(trade).collect();
        let frame = format!(r#"[0,[{}],"trade","{symbol}"]"#, trades.join(","));
        assert!(frame.len() <= MAX_FRAME_BYTES, "{}", frame.len());
        assert!(core.has_room(&line, frame.as_bytes()), "{count} trades in {} bytes", frame.len());
        assert_eq!(core.text(&mut line, &mut frame.into_bytes(), Nanos::now()), Outcome::Data);
        let tally = core.tally().clone();
        let kept = consumer.batch(usize::MAX).iter().count() as u64;
        assert_eq!(kept + tally.dropped().iter().sum::<u64>(), 1 + count, "{tally:?}");
        // Only what could hardly be a real frame does not fit.
        assert!(count == 8_000 || tally.dropped() == [0; 3], "{tally:?}");
    }
}

#[test]
fn with_room_promised_nothing_is_dropped_and_without_it_the_drop_is_counted() {
    let (mut core, mut consumer) = core(16 * 1024);
    let mut line = line(&mut core, "BTCUSDT");
    let mut made = 0;
    while core.has_room(&line, &frame(0)) {
        made += 1;
        assert_eq!(core.text(&mut line, &mut frame(made), Nanos::now()), Outcome::Data);
    }
    assert!(made > 2);
    assert_eq!(core.tally().dropped(), [0; 3]);
    for id in made + 1..made + 100 {
        core.text(&mut line, &mut frame(id), Nanos::now());
    }
    let tally = core.tally().clone();
    assert!(tally.dropped()[Kind::Raw as usize] > 0 && tally.dropped()[Kind::Normalized as usize] > 0);
    let batch = consumer.batch(usize::MAX);
    let kept = |kind| batch.iter().filter(|bytes| Record::read(bytes).head.kind == kind).count() as u64;
    for kind in [Kind::Raw, Kind::Normalized] {
        assert_eq!(kept(kind) + tally.dropped()[kind as usize], tally.committed()[kind as usize], "{kind:?}");
    }
}

#[test]
fn gaps_and_repeats_are_counted() {
    let (mut core, _consumer) = core(RING_BYTES);
    let mut line = line(&mut core, "BTCUSDT");
    for id in [10, 11, 14, 14, 12, 15] {
        core.text(&mut line, &mut frame(id), Nanos::now());
    }
    let tally = core.tally();
    assert_eq!((tally.gaps, tally.missing, tally.duplicates, tally.late, tally.trades), (1, 2, 1, 1, 6));
    assert_eq!(tally.committed(), [6, 5, 0], "what came again is not published again, its frame is");
}

/// What is on the ring: kinds and values.
fn records(consumer: &mut k2_ring::Consumer) -> Vec<(Kind, Vec<u8>)> {
    let batch = consumer.batch(usize::MAX);
    batch.iter().map(Record::read).map(|record| (record.head.kind, record.value.to_vec())).collect()
}

#[test]
fn without_raw_frames_there_are_trades_and_dead_letters_alone() {
    let (mut core, mut consumer) = core(RING_BYTES);
    let mut line = line(&mut core, "BTCUSDT").keeping_raw(false);
    assert_eq!(core.text(&mut line, &mut frame(1), Nanos::now()), Outcome::Data);
    let broken = br#"{"e":"trade","E":1,"s":"BTCUSDT","t":2,"p":"1.5x"}"#;
    assert!(matches!(core.text(&mut line, &mut broken.to_vec(), Nanos::now()), Outcome::Rejected(_)));
    let tally = core.tally().clone();
    assert_eq!((tally.committed(), tally.dropped(), tally.frames.received), ([0, 1, 1], [0; 3], 2));
    let found = records(&mut consumer);
    assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::Normalized, Kind::Dlq]);
    assert_eq!(found[1].1, broken, "verbatim, though the parser has written over it");
}

#[test]
fn frames_that_wait_come_through_without_being_kept() {
    let (mut core, mut consumer) = core(RING_BYTES);
    let mut a = line_of(&mut core, 0, "BTCUSDT").keeping_raw(false);
    core.text(&mut a, &mut frame(1), Nanos(1_000));
    let mut b = line_of(&mut core, 1, "BTCUSDT").keeping_raw(false);
    core.text(&mut b, &mut frame(1), Nanos(1_100));
    core.text(&mut a, &mut frame(2), Nanos(1_200));
    // The other may still bring the fourth.
    core.text(&mut b, &mut frame(5), Nanos(1_300));
    assert_eq!((b.held.len(), core.tally().trades), (1, 3));
    core.text(&mut a, &mut frame(3), Nanos(1_400));
    core.text(&mut a, &mut frame(4), Nanos(1_500));
    core.release(&mut b, Nanos(1_600));
    assert_eq!(b.held.len(), 0);
    assert_eq!((core.tally().committed(), core.tally().gaps), ([0, 5, 0], 0));
    assert!(records(&mut consumer).iter().all(|(kind, _)| *kind == Kind::Normalized));
}

/// What each connection has won, lost, and its longest lead in nanoseconds.
fn won(core: &FeedCore) -> Vec<(usize, u64, u64, u64)> {
    let standings = core.recorder.now.twins.standings();
    standings.iter().map(|one| (one.connection, one.first, one.second, one.lead_ns.max)).collect()
}

#[test]
fn whoever_received_a_trade_first_has_won_it() {
    let (mut core, _consumer) = core(RING_BYTES);
    let mut a = line_of(&mut core, 0, "BTCUSDT");
    core.text(&mut a, &mut frame(1), Nanos(1_000));
    let mut b = line_of(&mut core, 1, "BTCUSDT");
    assert_eq!(won(&core), [(0, 0, 0, 0), (1, 0, 0, 0)]);
    // Nobody knows when the first was shown.
    core.text(&mut b, &mut frame(1), Nanos(1_100));
    for id in 2..=5 {
        core.text(&mut a, &mut frame(id), Nanos(1_000 * id));
    }
    for (id, behind) in [(2, 100), (3, 300), (4, 200)] {
        core.text(&mut b, &mut frame(id), Nanos(1_000 * id + behind));
        core.text(&mut b, &mut frame(id), Nanos(1_000 * id + behind + 1));
    }
    assert_eq!(won(&core), [(0, 3, 0, 300), (1, 0, 3, 0)]);
    // It was received before, and looked at later.
    core.text(&mut b, &mut frame(5), Nanos(4_500));
    core.text(&mut b, &mut frame(6), Nanos(6_000));
    core.text(&mut a, &mut frame(6), Nanos(6_040));
    assert_eq!(won(&core), [(0, 3, 2, 300), (1, 2, 3, 500)]);
    assert_eq!((core.tally().committed(), core.tally().gaps), ([6, 6, 0], 0));
}

#[test]
fn a_connection_and_the_one_that_takes_its_place_are_the_same() {
    let (mut core, _consumer) = core(RING_BYTES);
    let (mut old, mut new) = (line(&mut core, "BTCUSDT"), line(&mut core, "BTCUSDT"));
    core.text(&mut old, &mut frame(1), Nanos(0));
    core.release_all(&mut old);
    for id in 2..10 {
        core.text(&mut old, &mut frame(id), Nanos(id));
        core.text(&mut new, &mut frame(id), Nanos(id + 1));
    }
    assert_eq!((won(&core), core.tally().duplicates), (vec![], 8), "nothing is kept of connections without twins");

    let mut twin = line_of(&mut core, 1, "BTCUSDT");
    for id in 10..20 {
        core.text(&mut new, &mut frame(id), Nanos(100 * id));
        core.text(&mut twin, &mut frame(id), Nanos(100 * id + 10));
        core.text(&mut old, &mut frame(id), Nanos(100 * id + 20));
    }
    assert_eq!(won(&core), [(0, 10, 0, 10), (1, 0, 10, 0)]);
}

/// Trades without numbers or names, some of them alike in all: the second of a kind is held against the second.
#[test]
fn trades_without_names_are_compared_one_by_one() {
    let (mut core, _consumer) = core(RING_BYTES);
    let endpoint = Endpoint { url: "wss://ws.kraken.com".parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let subscription = KrakenV1::subscription(&endpoint, &[KrakenV1::instrument("XBT/USD", None).unwrap()]).unwrap();
    let line = |core: &mut FeedCore, seat: usize| {
        let prefixes = vec![SymbolPrefix::new(1, "kraken", "XBT/USD", "BTC/USD")];
        core.line::<KrakenV1>(&subscription, 0, seat, format!("kraken-{seat}.1"), &prefixes)
    };
    let frame = |at: u64| format!(r#"[0,[["1","1","{at}.000001","b","l",""]],"trade","XBT/USD"]"#).into_bytes();
    let mut a = line(&mut core, 0);
    core.text(&mut a, &mut frame(1), Nanos(0));
    let mut b = line(&mut core, 1);
    core.text(&mut b, &mut frame(1), Nanos(0));
    for at in [1_000, 2_000, 4_000] {
        core.text(&mut a, &mut frame(2), Nanos(at));
    }
    for at in [1_007, 2_070, 4_700] {
        core.text(&mut b, &mut frame(2), Nanos(at));
    }
    let [(_, 3, 0, 700), (_, 0, 3, 0)] = won(&core)[..] else { panic!("{:?}", won(&core)) };
    let leads = core.recorder.now.twins.standings()[0].lead_ns;
    assert_eq!(leads.p50, 70);
    assert_eq!(core.tally().committed()[Kind::Normalized as usize], 4);
}

#[test]
fn what_came_by_a_connection_that_is_gone_is_not_published_again() {
    let (mut core, _consumer) = core(RING_BYTES);
    let mut a = line_of(&mut core, 0, "BTCUSDT");
    core.text(&mut a, &mut frame(1), Nanos(0));
    let mut b = line_of(&mut core, 1, "BTCUSDT");
    core.text(&mut b, &mut frame(1), Nanos(0));
    (2..=5).for_each(|id| drop(core.text(&mut a, &mut frame(id), Nanos(0))));
    core.retire(&mut a);
    (2..=5).for_each(|id| drop(core.text(&mut b, &mut frame(id), Nanos(0))));
    assert_eq!(core.tally().committed(), [5, 5, 0]);
    // Alone, it publishes all that it gets, as the first one did.
    core.text(&mut b, &mut frame(6), Nanos(0));
    core.text(&mut b, &mut frame(6), Nanos(0));
    assert_eq!((core.tally().committed(), core.tally().duplicates), ([7, 6, 0], 6));
}
