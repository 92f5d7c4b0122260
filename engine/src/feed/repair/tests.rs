//! One feed core, with the test in the place of the exchange and of the repairer.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::*;
use crate::avro::{SymbolPrefix, read_trade_id};
use crate::bell::Bell;
use crate::feed::{Line, Outcome};
use crate::interval::{FeedMeasured, pair};
use crate::record::Record;
use crate::repair::{Body, Source};
use crate::trade::Side;
use crate::venue::binance::{Binance, DEFAULT_URL};
use crate::venue::history::{Missing, PastTrade};
use crate::venue::{Endpoint, Instrument, TimeUnit, Venue};

const RING_BYTES: usize = 4 * 1024 * 1024;
const MAX_TRADES: u64 = 10_000;
const MS: i64 = 1_000_000;

/// A feed core with one symbol, both ends of its channels and of its ring.
struct Rig {
    core: FeedCore,
    line: Line<Binance>,
    ring: k2_ring::Consumer,
    wanted: Receiver<Wanted>,
    found: Sender<Answer>,
}

impl Rig {
    fn new() -> Self {
        Self::with(RING_BYTES, true, 8)
    }

    fn with(ring_bytes: usize, has_source: bool, room: usize) -> Self {
        let (ring, consumer) = k2_ring::ring(ring_bytes).unwrap();
        let (recorder, _) = pair(FeedMeasured::feed(), FeedMeasured::feed());
        let source = Source {
            exchange: "binance",
            history: Binance::HISTORY.unwrap(),
            url: "http://localhost".parse().unwrap(),
            unit: TimeUnit::Millisecond,
        };
        let ((asking, wanted), (found, answers)) = (bounded(room), bounded(8));
        let sources = Arc::new([has_source.then(|| Arc::new(source))]);
        let link = Link { sources, max_trades: MAX_TRADES, wanted: asking, reply: found.clone(), answers };
        let mut core = FeedCore::new(ring, Arc::new(Bell::new().unwrap()), recorder).repairing(link);
        let endpoint = Endpoint { url: DEFAULT_URL.parse().unwrap(), time_unit: TimeUnit::Millisecond };
        let instrument = Instrument::new("BTCUSDT", "BTC/USDT".into());
        let subscription = Binance::subscription(&endpoint, &[instrument]).unwrap();
        let prefix = SymbolPrefix::new(1, "binance", "BTCUSDT", "BTC/USDT");
        let line = core.line(&subscription, 0, 0, "binance-0.1".into(), &[prefix]);
        Rig { core, line, ring: consumer, wanted, found }
    }

    /// These trades come live, each at as many milliseconds as its number is.
    fn live(&mut self, numbers: impl IntoIterator<Item = i64>) {
        for number in numbers {
            let frame = format!(
                r#"{{"e":"trade","E":1,"s":"BTCUSDT","t":{number},"p":"1.5","q":"2","T":{number},"m":true,"M":true}}"#
            );
            assert_eq!(self.core.text(&mut self.line, &mut frame.into_bytes(), Nanos::now()), Outcome::Data);
        }
    }

    /// A tick, so long after all gaps so far that they are asked for.
    fn tick(&mut self) {
        self.core.repair_at(Nanos(Nanos::now().0 + GRACE_NS), PER_TICK);
    }

    fn asked(&self) -> Wanted {
        self.wanted.try_recv().expect("a gap that is asked for")
    }

    fn answer(&self, wanted: &Wanted, numbers: impl IntoIterator<Item = i64>, unfilled: Option<Reason>) {
        let bodies = vec![body(numbers)];
        let unfilled = unfilled.map(|reason| Unfilled { reason, words: "so it is".into() });
        let (book, ticket) = (wanted.book, wanted.ticket);
        self.found.send(Answer { book, ticket, bodies, unfilled, is_last: true }).unwrap();
    }

    /// As [`Self::answer`], with more to come.
    fn answer_in_part(&self, wanted: &Wanted, numbers: impl IntoIterator<Item = i64>) {
        let (book, ticket, bodies) = (wanted.book, wanted.ticket, vec![body(numbers)]);
        self.found.send(Answer { book, ticket, bodies, unfilled: None, is_last: false }).unwrap();
    }

    /// The numbers on the normalized topic since the last call, and of those that came by REST.
    fn published(&mut self) -> (Vec<i64>, Vec<i64>) {
        let batch = self.ring.batch(usize::MAX);
        let (mut live, mut rest) = (Vec::new(), Vec::new());
        for record in batch.iter().map(Record::read).filter(|record| record.head.kind == Kind::Normalized) {
            assert_eq!((record.key, record.connection), (&b"BTCUSDT"[..], &b""[..]));
            let number = read_trade_id(record.value).unwrap().parse().unwrap();
            if record.head.from_rest {
                assert_eq!(record.head.received_unix_ns, 8);
                rest.push(number);
            } else {
                live.push(number);
            }
        }
        let all = batch.len();
        batch.release(all);
        (live, rest)
    }

    /// Gaps, repaired, filled by connections, given up; every gap that is not open is in one of them.
    fn gaps(&mut self) -> (u64, u64, u64, u64) {
        let open = self.core.books.at(0).gaps.as_ref().map_or(0, |gaps| gaps.open.len()) as u64;
        let tally = self.core.tally();
        let repairs = tally.repairs;
        assert_eq!(tally.gaps, repairs.gaps + repairs.filled + repairs.all_given_up() + open, "{repairs:?}");
        (tally.gaps, repairs.gaps, repairs.filled, repairs.all_given_up())
    }

    fn given_up(&mut self, reason: Reason) -> u64 {
        self.core.tally().repairs.given_up(reason)
    }
}

/// A page of the history with these numbers.
fn body(numbers: impl IntoIterator<Item = i64>) -> Body {
    let trade = |number: i64| PastTrade {
        number,
        price: "1.5".into(),
        quantity: "2".into(),
        side: Side::Sell,
        exchange_time_ns: number * MS,
        is_buyer_maker: Some(true),
    };
    Body { received_unix_ns: 8, trades: numbers.into_iter().map(trade).collect() }
}

#[test]
fn what_comes_in_parts_is_published_as_it_comes() {
    let mut rig = Rig::new();
    rig.live([0, 7]);
    rig.tick();
    let wanted = rig.asked();
    rig.published();
    rig.answer_in_part(&wanted, [1, 2, 3]);
    rig.tick();
    assert_eq!(rig.published(), (vec![], vec![1, 2, 3]));
    assert_eq!(rig.gaps(), (1, 0, 0, 0), "it stays open");
    rig.answer(&wanted, [4, 5, 6], None);
    rig.tick();
    assert_eq!((rig.published(), rig.gaps()), ((vec![], vec![4, 5, 6]), (1, 1, 0, 0)));
}

#[test]
fn a_gap_is_asked_for_and_what_is_found_is_published() {
    let mut rig = Rig::new();
    rig.live([10, 11, 15]);
    rig.core.repair();
    assert!(rig.wanted.is_empty(), "another connection may still bring them");
    rig.tick();
    let wanted = rig.asked();
    assert_eq!(wanted.missing, Missing { first: 12, last: 14, after_ns: 11 * MS, before_ns: 15 * MS });
    assert_eq!(wanted.instrument.symbol, "BTCUSDT");
    // Live trades go on.
    rig.live([16]);
    rig.tick();
    assert!(rig.wanted.is_empty(), "it is asked once");
    rig.answer(&wanted, [12, 13, 14], None);
    rig.tick();
    rig.live([17]);
    assert_eq!(rig.published(), (vec![10, 11, 15, 16, 17], vec![12, 13, 14]));
    assert_eq!((rig.gaps(), rig.core.tally().repairs.trades), ((1, 1, 0, 0), 3));
    let committed = rig.core.tally().committed();
    assert_eq!(committed, [5, 8, 0], "a REST answer is no frame");
    // What comes live now has been published.
    rig.live([12, 14, 18]);
    assert_eq!((rig.published(), rig.core.tally().duplicates), ((vec![18], vec![]), 2));
}

#[test]
fn what_comes_live_meanwhile_is_published_once() {
    let mut rig = Rig::new();
    rig.live([10, 20, 14]);
    rig.tick();
    let wanted = rig.asked();
    assert_eq!((wanted.missing.first, wanted.missing.last), (11, 19));
    rig.live([11, 19, 13]);
    rig.answer(&wanted, 9..=21, None);
    rig.tick();
    assert_eq!(rig.published(), (vec![10, 20, 14, 11, 19, 13], vec![12, 15, 16, 17, 18]));
    assert_eq!((rig.gaps(), rig.core.tally().late), ((1, 1, 0, 0), 4));
}

#[test]
fn a_gap_that_connections_fill_is_not_asked_for() {
    let mut rig = Rig::new();
    rig.live([10, 12, 11]);
    rig.tick();
    assert!(rig.wanted.is_empty());
    assert_eq!(rig.gaps(), (1, 0, 1, 0));
}

#[test]
fn what_cannot_be_had_stays_a_gap_for_its_reason_and_live_trades_go_on() {
    let mut rig = Rig::new();
    rig.live([10, 15, 16, 18]);
    rig.tick();
    let (first, second) = (rig.asked(), rig.asked());
    rig.answer(&first, [12], Some(Reason::Refused));
    rig.answer(&second, [], None);
    rig.tick();
    rig.live([19]);
    assert_eq!(rig.published(), (vec![10, 15, 16, 18, 19], vec![12]));
    assert_eq!(rig.gaps(), (2, 0, 0, 2));
    assert_eq!((rig.given_up(Reason::Refused), rig.given_up(Reason::Absent)), (1, 1));
    // A gap that stays can still be filled by a connection, once.
    rig.live([13, 13]);
    assert_eq!(rig.published(), (vec![13], vec![]));
}

#[test]
fn gaps_that_are_too_large_too_many_or_of_no_history_are_counted() {
    let mut rig = Rig::new();
    let large = MAX_TRADES as i64;
    rig.live([0, large + 1, 2 * large + 3]);
    rig.tick();
    assert_eq!(rig.asked().missing.count(), MAX_TRADES);
    assert!(rig.wanted.is_empty());
    assert_eq!((rig.gaps(), rig.given_up(Reason::TooLarge)), ((2, 0, 0, 1), 1));

    let mut rig = Rig::with(RING_BYTES, true, 1);
    rig.live([0, 2, 4]);
    rig.tick();
    assert_eq!(rig.asked().missing.first, 1, "the oldest first");
    rig.tick();
    assert_eq!(rig.asked().missing.first, 3, "the other once there is room");
    assert_eq!((rig.gaps(), rig.given_up(Reason::Busy)), ((2, 0, 0, 0), 0));
    rig.live((0..300).map(|number| 10 + 2 * number));
    assert_eq!((rig.gaps().0, rig.given_up(Reason::Busy)), (302, 300 - 254));

    let mut rig = Rig::with(RING_BYTES, false, 1);
    rig.live([0, 2]);
    rig.tick();
    assert_eq!((rig.gaps(), rig.given_up(Reason::NoHistory)), ((1, 0, 0, 1), 1));
}

/// The tracker remembers 4,096 numbers, and would take one that is further below for one of a new count.
#[test]
fn a_gap_beyond_what_the_tracker_remembers_is_filled_exactly_once() {
    let mut rig = Rig::new();
    rig.live([1, 6_000]);
    rig.tick();
    let wanted = rig.asked();
    rig.live([2, 5_999, 100]);
    rig.live(6_001..=12_000);
    rig.answer(&wanted, 1..=6_000, None);
    let mut found = Vec::new();
    for _ in 0..20 {
        rig.tick();
        let (live, rest) = rig.published();
        assert!(rest.len() <= PER_TICK);
        found.extend(live.into_iter().chain(rest));
    }
    found.sort_unstable();
    assert_eq!(found, (1..=12_000).collect::<Vec<_>>());
    assert_eq!(rig.gaps(), (1, 1, 0, 0));
}

#[test]
fn what_the_ring_has_no_room_for_comes_with_a_later_tick() {
    let mut rig = Rig::with(16 * 1024, true, 8);
    rig.live([1, 402]);
    rig.tick();
    let wanted = rig.asked();
    rig.answer(&wanted, 2..=401, None);
    let (mut found, mut ticks) = (Vec::new(), 0);
    while found.len() < 400 {
        rig.tick();
        let (_, rest) = rig.published();
        assert!(!rest.is_empty(), "{} came", found.len());
        found.extend(rest);
        ticks += 1;
    }
    assert!(ticks > 2, "{ticks} ticks");
    assert_eq!(found, (2..=401).collect::<Vec<_>>());
    assert_eq!((rig.gaps(), rig.core.tally().dropped()), ((1, 1, 0, 0), [0; 3]));
}

#[test]
fn an_exchange_that_counts_anew_closes_its_gaps() {
    let mut rig = Rig::new();
    rig.live([50_000, 50_010]);
    rig.tick();
    let wanted = rig.asked();
    rig.live([1, 2, 4]);
    assert_eq!((rig.gaps(), rig.given_up(Reason::Restarted)), ((2, 0, 0, 1), 1));
    // The answer comes too late, and its numbers mean other trades.
    rig.answer(&wanted, 50_001..=50_009, None);
    rig.answer(&wanted, [3], None);
    rig.tick();
    assert_eq!(rig.published(), (vec![50_000, 50_010, 1, 2, 4], vec![]));
    let after = rig.asked().missing;
    assert_eq!((after.first, after.last, after.after_ns), (3, 3, 2 * MS));
}

#[test]
fn at_the_end_what_was_found_is_published_and_the_rest_is_counted() {
    let mut rig = Rig::new();
    rig.live([1, 3, 5]);
    rig.tick();
    let wanted = rig.asked();
    rig.answer(&wanted, [2], None);
    rig.core.finish_repair();
    assert_eq!(rig.published(), (vec![1, 3, 5], vec![2]));
    assert_eq!((rig.gaps(), rig.given_up(Reason::Stopped)), ((2, 1, 0, 1), 1));
}
