use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::decimal::Decimal;
use crate::trade::{Content, Side};

fn trade(id: TradeId<'_>) -> Trade<'_> {
    let one = Decimal::parse("1").unwrap();
    Trade {
        instrument: 0,
        id,
        price: one,
        quantity: one,
        side: Side::Buy,
        exchange_time_ns: 0,
        sequence: match id {
            TradeId::Number(number) => Some(number as i64),
            _ => None,
        },
        is_buyer_maker: None,
        buyer_order_id: None,
        seller_order_id: None,
    }
}

fn numbers(rule: SequenceRule) -> impl FnMut(u64) -> Observation {
    let mut tracker = Tracker::new(rule);
    move |number| tracker.observe(rule, &mut trade(TradeId::Number(number)), &mut Recent::default())
}

#[test]
fn gaps_repeats_and_latecomers_are_told_apart() {
    let mut observe = numbers(SequenceRule::Contiguous);
    assert_eq!(observe(10), Observation::InOrder);
    assert_eq!(observe(11), Observation::InOrder);
    assert_eq!(observe(15), Observation::Gap { after: 11, before: 15, missing: 3 });
    assert_eq!(observe(12), Observation::Late { last: 15 });
    assert_eq!(observe(12), Observation::Repeated);
    assert_eq!(observe(15), Observation::Repeated);
    assert_eq!(observe(16), Observation::InOrder);
    let far = i64::MAX as u64;
    assert_eq!(observe(far), Observation::Gap { after: 16, before: i64::MAX, missing: far - 17 });
    assert_eq!(observe(3), Observation::Restarted { last: i64::MAX });
    assert_eq!(observe(4), Observation::InOrder);
}

#[test]
fn where_numbers_only_rise_what_is_left_out_is_no_gap() {
    let mut observe = numbers(SequenceRule::Increasing);
    assert_eq!(observe(10), Observation::InOrder);
    assert_eq!(observe(15), Observation::InOrder);
    assert_eq!(observe(15), Observation::Repeated);
    assert_eq!(observe(12), Observation::Late { last: 15 });
}

#[test]
fn names_are_known_again_for_a_while() {
    let mut tracker = Tracker::new(SequenceRule::Named);
    let mut observe =
        |name: &str| tracker.observe(SequenceRule::Named, &mut trade(TradeId::Text(name)), &mut Recent::default());
    assert_eq!(observe("a"), Observation::InOrder);
    assert_eq!(observe("b"), Observation::InOrder);
    assert_eq!(observe("a"), Observation::Repeated);
    for number in 0..RECENT {
        assert_eq!(observe(&number.to_string()), Observation::InOrder);
    }
    assert_eq!(observe("a"), Observation::InOrder);
}

/// What of `times` is published, by its id, when a connection that has shown `here` shows them.
fn publish(tracker: &mut Tracker, here: &mut Recent, times: &[i64]) -> Vec<String> {
    let mut published = Vec::new();
    for at_us in times {
        let mut trade = trade(TradeId::Content(Content { at_us: *at_us, digest: 7, before: 0 }));
        if tracker.observe(SequenceRule::Unnamed, &mut trade, here) == Observation::InOrder {
            published.push(trade.id.to_string());
        }
    }
    published
}

#[test]
fn trades_without_names_are_known_again_by_content() {
    let (mut tracker, mut here) = (Tracker::new(SequenceRule::Unnamed), Recent::with_room());
    let id = |at: i64| format!("{at}-0000000000000007");
    let second = |at: i64| format!("{}-1", id(at));
    assert_eq!(publish(&mut tracker, &mut here, &[1, 2]), [id(1), id(2)]);
    // The same in all, in a frame of its own: another trade.
    assert_eq!(publish(&mut tracker, &mut here, &[2]), [second(2)]);
    assert_eq!(publish(&mut tracker, &mut here, &[5, 5]), [id(5), second(5)]);
    // The connection is made anew: the snapshot, with one trade that was missed.
    here.clear();
    assert_eq!(publish(&mut tracker, &mut here, &[2, 2, 5, 5, 6]), [id(6)]);
    assert_eq!(publish(&mut tracker, &mut here, &[6]), [second(6)]);
}

#[test]
fn two_connections_that_show_the_same_publish_it_once() {
    let (mut tracker, mut a, mut b) = (Tracker::new(SequenceRule::Unnamed), Recent::with_room(), Recent::with_room());
    assert_eq!(publish(&mut tracker, &mut a, &[1, 2, 2]).len(), 3);
    assert_eq!(publish(&mut tracker, &mut b, &[1, 2, 2, 3]), ["3-0000000000000007"]);
    assert_eq!(publish(&mut tracker, &mut a, &[3, 3]), ["3-0000000000000007-1"]);
    assert_eq!(publish(&mut tracker, &mut b, &[3, 4]), ["4-0000000000000007"]);
}

proptest! {
    #[test]
    fn a_number_is_repeated_exactly_if_it_was_seen(steps in prop::collection::vec(-300i64..400, 1..400)) {
        let (mut observe, mut seen, mut highest) = (numbers(SequenceRule::Contiguous), HashSet::new(), 1_000_000);
        for step in steps {
            let number: i64 = highest + step;
            let observation = observe(number as u64);
            prop_assert_eq!(observation == Observation::Repeated, !seen.insert(number));
            highest = highest.max(number);
        }
    }
}
