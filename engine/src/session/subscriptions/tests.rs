use super::*;
use crate::venue::{Endpoint, TimeUnit};

fn at(ms: u64) -> Nanos {
    Nanos(ms * 1_000_000)
}

/// Requests are written as `+1 a b` or `-2 a`, with their ids.
fn write(_: &Endpoint, verb: Verb, id: u64, names: &[&str]) -> String {
    let sign = if verb == Verb::Subscribe { '+' } else { '-' };
    format!("{sign}{id} {}", names.join(" "))
}

/// Subscriptions to `a`, `b`, `c` and so on, of which a request takes so many.
fn subscriptions(count: u8, symbols_per_request: usize) -> Subscriptions {
    let endpoint = Endpoint { url: "ws://x.example".parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let requests = Requests { endpoint, write, symbols_per_request, opening: None };
    let names = (0..count).map(|number| char::from(b'a' + number).to_string());
    Subscriptions::new(requests, names, false, at(0))
}

/// All requests that are due.
fn due(subscriptions: &mut Subscriptions, now: Nanos) -> Vec<String> {
    std::iter::from_fn(|| subscriptions.next_request(now)).collect()
}

#[test]
fn requests_are_acknowledged_by_id_by_name_and_in_turn() {
    let mut all = subscriptions(6, 2);
    assert_eq!(due(&mut all, at(0)), ["+1 a b", "+2 c d", "+3 e f"]);
    all.acknowledged(About::Request(2), at(1));
    all.acknowledged(About::Request(2), at(1));
    assert_eq!((all.count(), all.take_settled()), (2, false), "an answer counts once");
    all.acknowledged(About::Instruments(&[1, 99]), at(1));
    all.acknowledged(About::Unknown, at(1));
    assert_eq!(all.count(), 3);
    all.acknowledged(About::Oldest, at(1));
    assert_eq!(all.count(), 4, "what is left of the first");
    all.acknowledged(About::Oldest, at(1));
    assert_eq!((all.count(), all.take_settled(), all.take_settled()), (6, true, false));
    assert_eq!((all.standing_since(0), due(&mut all, at(2))), (Some(at(1)), vec![]));
}

#[test]
fn of_a_request_that_is_refused_as_a_whole_only_the_culprit_is_lost() {
    let mut all = subscriptions(8, 8);
    let mut requests = Vec::new();
    let mut refused = Vec::new();
    while let Some(request) = all.next_request(at(0)) {
        match request.contains('f') {
            true => refused.extend(all.refused(About::Request(all.last_id), at(1))),
            false => all.acknowledged(About::Request(all.last_id), at(1)),
        }
        requests.push(request);
    }
    let expected = ["+1 a b c d e f g h", "+2 a b c d", "+3 e f g h", "+4 e f", "+5 e", "+6 f", "+7 g h"];
    assert_eq!((requests.as_slice(), refused.as_slice()), (&expected.map(String::from)[..], &[5][..]));
    assert_eq!((all.count(), all.take_settled(), all.is_refused(5)), (7, true, true));
}

#[test]
fn what_was_refused_is_asked_for_again_ever_more_slowly() {
    let mut all = subscriptions(2, 2);
    assert_eq!(due(&mut all, at(0)), ["+1 a b"]);
    assert_eq!(all.refused(About::Instruments(&[1]), at(0)), [1]);
    all.acknowledged(About::Instruments(&[0]), at(0));
    assert_eq!((due(&mut all, at(29_999)), due(&mut all, at(30_000))), (vec![], vec!["+2 b".to_string()]));
    assert_eq!(all.refused(About::Oldest, at(30_000)), [1]);
    assert_eq!((due(&mut all, at(89_999)), due(&mut all, at(90_000))), (vec![], vec!["+3 b".to_string()]));
    // A yes that names it holds whatever was said before.
    assert_eq!(all.refused(About::Unknown, at(90_000)), [1]);
    all.acknowledged(About::Instruments(&[1]), at(90_001));
    assert_eq!(all.count(), 2);
}

#[test]
fn a_refusal_of_nobody_knows_what_leaves_the_others_their_answer() {
    let mut all = subscriptions(3, 3);
    due(&mut all, at(0));
    assert_eq!(all.refused(About::Unknown, at(1)), Vec::<usize>::new());
    all.acknowledged(About::Instruments(&[0, 2]), at(2));
    assert_eq!(all.unanswered(at(10_000)), Vec::<usize>::new());
    assert_eq!(all.unanswered(at(10_001)), [1]);
    assert!(!all.has_waited_in_vain() && all.is_refused(1));
}

#[test]
fn if_nothing_is_answered_there_is_nothing_to_stay_for() {
    let mut all = subscriptions(1, 1);
    due(&mut all, at(0));
    assert_eq!((all.unanswered(at(10_001)), all.has_waited_in_vain()), (vec![0], true));
}

#[test]
fn instruments_come_and_go() {
    let mut all = subscriptions(3, 2);
    assert_eq!(due(&mut all, at(0)), ["+1 a b", "+2 c"]);
    all.acknowledged(About::Request(1), at(0));
    all.leave(0);
    all.leave(2);
    assert_eq!(all.add("x".into()), 3);
    assert_eq!(due(&mut all, at(1)), ["-3 a c", "+4 x"]);
    all.acknowledged(About::Request(2), at(2));
    assert_eq!(all.count(), 1, "what was asked for before it was to leave does not stand");
    all.unsubscribed(About::Request(3), at(3));
    all.acknowledged(About::Request(4), at(3));
    assert!(all.is_gone(0) && all.is_gone(2) && all.take_settled());
    assert_eq!((all.count(), due(&mut all, at(1_000_000))), (2, vec![]));
}

#[test]
fn what_is_not_wanted_is_unsubscribed_until_that_is_answered() {
    let mut all = subscriptions(2, 2);
    due(&mut all, at(0));
    all.acknowledged(About::Oldest, at(0));
    all.leave(1);
    assert_eq!(due(&mut all, at(1)), ["-2 b"]);
    assert_eq!((all.unanswered(at(10_002)), all.is_gone(1)), (vec![], false));
    assert_eq!(due(&mut all, at(10_003)), ["-3 b"]);
    all.acknowledged(About::Request(3), at(10_004));
    assert!(all.is_gone(1) && !all.has_waited_in_vain());
}

#[test]
fn one_that_is_wanted_after_all_is_asked_for_again() {
    let mut all = subscriptions(3, 3);
    due(&mut all, at(0));
    all.acknowledged(About::Oldest, at(0));
    all.leave(0);
    assert_eq!(due(&mut all, at(1)), ["-2 a"]);
    all.leave(1);
    // One is under way, one is not yet, one stays.
    (0..3).for_each(|place| all.want_again(place));
    assert_eq!(due(&mut all, at(2)), ["-3 b"]);
    all.acknowledged(About::Request(2), at(3));
    all.acknowledged(About::Request(3), at(3));
    assert_eq!(due(&mut all, at(4)), ["+4 a", "+5 b"]);
    all.acknowledged(About::Request(4), at(5));
    all.leave(0);
    due(&mut all, at(6));
    all.acknowledged(About::Request(6), at(7));
    assert!(all.is_gone(0));
    all.want_again(0);
    assert_eq!(due(&mut all, at(8)), ["+7 a"]);
}

#[test]
fn a_list_of_all_that_stand_says_what_has_gone() {
    let mut all = subscriptions(3, 3);
    due(&mut all, at(0));
    all.standing(&[0, 1], at(1));
    all.leave(0);
    assert_eq!(due(&mut all, at(2)), ["-2 a"]);
    all.standing(&[0, 1, 2], at(3));
    assert!(!all.is_gone(0), "that was the answer to the first");
    all.standing(&[1, 2], at(4));
    assert!(all.is_gone(0));
}

#[test]
fn a_subscription_can_be_made_anew() {
    let mut all = subscriptions(2, 2);
    due(&mut all, at(0));
    all.acknowledged(About::Oldest, at(0));
    assert!(all.take_settled());
    assert!(all.renew(1));
    assert!(all.is_pending());
    assert_eq!(due(&mut all, at(1)), ["-2 b"]);
    assert_eq!(all.unanswered(at(10_002)), Vec::<usize>::new(), "it is subscribed all the same");
    assert_eq!(due(&mut all, at(10_003)), ["+3 b"]);
    all.acknowledged(About::Request(3), at(10_004));
    assert_eq!((all.count(), all.standing_since(1)), (2, Some(at(10_004))));
}
