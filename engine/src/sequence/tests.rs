use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::decimal::Decimal;
use crate::trade::Side;

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
    move |number| tracker.observe(rule, &mut trade(TradeId::Number(number)))
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
    let mut observe = |name: &str| tracker.observe(SequenceRule::Named, &mut trade(TradeId::Text(name)));
    assert_eq!(observe("a"), Observation::InOrder);
    assert_eq!(observe("b"), Observation::InOrder);
    assert_eq!(observe("a"), Observation::Repeated);
    for number in 0..RECENT {
        assert_eq!(observe(&number.to_string()), Observation::InOrder);
    }
    assert_eq!(observe("a"), Observation::InOrder);
}

#[test]
fn trades_without_names_are_known_again_by_content_on_a_new_connection_only() {
    let mut tracker = Tracker::new(SequenceRule::Unnamed);
    let mut frame = |contents: &[(i64, u32)]| -> Vec<String> {
        let mut published = Vec::new();
        for (at_us, before) in contents {
            let mut trade = trade(TradeId::Content(Content { at_us: *at_us, digest: 7, before: *before }));
            if tracker.observe(SequenceRule::Unnamed, &mut trade) == Observation::InOrder {
                published.push(trade.id.to_string());
            }
        }
        tracker.frame_ends();
        if contents.last() == Some(&(5, 1)) {
            tracker.connection_begins();
        }
        published
    };
    let id = |at: i64| format!("{at}-0000000000000007");
    assert_eq!(frame(&[(1, 0), (2, 0)]), [id(1), id(2)]);
    // The same in all, in a frame of its own: another trade.
    assert_eq!(frame(&[(2, 0)]), [format!("{}-1", id(2))]);
    assert_eq!(frame(&[(5, 0), (5, 1)]), [id(5), format!("{}-1", id(5))]);
    // After the connection was made anew: the snapshot, with one trade that was missed.
    assert_eq!(frame(&[(1, 0), (2, 0), (2, 1), (5, 0), (5, 1), (6, 0)]), [id(6)]);
    assert_eq!(frame(&[(6, 0)]), [format!("{}-1", id(6))]);
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
