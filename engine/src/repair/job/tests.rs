use std::ops::RangeInclusive;
use std::time::Duration;

use super::testing::{body, job_of, source};
use super::*;

const SECOND: i64 = 1_000_000_000;

fn patience() -> Patience {
    Patience { backoff: Duration::from_millis(100), attempts: 3, ..Patience::default() }
}

fn at(ms: u64) -> Nanos {
    Nanos(ms * 1_000_000)
}

/// A gap at an exchange whose pages are in this order.
fn job(order: Order, missing: RangeInclusive<i64>) -> Job {
    let mut source = source("http://exchange.example");
    source.history.order = order;
    job_of(Arc::new(source), missing)
}

fn answer(job: &mut Job, page: Result<Body, Failure>, now: Nanos) -> Next {
    let mut random = fastrand::Rng::with_seed(7);
    job.answered(page, now, &patience(), &mut random)
}

/// What was found in the end, by its numbers, and why it is not all.
fn found(next: Next) -> (Vec<Vec<i64>>, Option<Reason>) {
    let Next::Done(answer) = next else { panic!("{next:?}") };
    let numbers = |body: Body| body.trades.into_iter().map(|trade| trade.number).collect();
    (answer.bodies.into_iter().map(numbers).collect(), answer.unfilled.map(|unfilled| unfilled.reason))
}

fn refused(retry_after: Option<u64>) -> Failure {
    let retry_after = retry_after.map(Duration::from_secs);
    Failure { reason: Reason::Refused, words: "HTTP 429: slower".into(), may_pass: true, retry_after }
}

#[test]
fn pages_from_the_oldest_on_are_asked_for_until_the_gap_is_full() {
    let mut job = job(Order::OldestFirst, 10..=15);
    // What is around the gap, what comes twice and in disorder is none of it.
    assert!(matches!(answer(&mut job, Ok(body([12, 9, 10, 11, 11])), at(1)), Next::Ask));
    let Missing { first, last, after_ns, before_ns } = job.missing;
    assert_eq!((first, last, after_ns, before_ns), (13, 15, 12 * SECOND, 16 * SECOND));
    let (found, unfilled) = found(answer(&mut job, Ok(body([13, 14, 15, 16, 17])), at(2)));
    assert_eq!((found, unfilled), (vec![vec![10, 11, 12], vec![13, 14, 15]], None));
}

#[test]
fn pages_from_the_newest_on_are_put_in_order() {
    let mut job = job(Order::NewestFirst, 10..=15);
    assert!(matches!(answer(&mut job, Ok(body([15, 14, 13])), at(1)), Next::Ask));
    let Missing { first, last, after_ns, before_ns } = job.missing;
    assert_eq!((first, last, after_ns, before_ns), (10, 12, 9 * SECOND, 13 * SECOND));
    let (found, unfilled) = found(answer(&mut job, Ok(body([12, 11, 10, 9])), at(2)));
    assert_eq!((found, unfilled), (vec![vec![10, 11, 12], vec![13, 14, 15]], None));
}

#[test]
fn what_the_history_leaves_out_stays_missing() {
    let mut job = job(Order::OldestFirst, 10..=15);
    assert_eq!(found(answer(&mut job, Ok(body([10, 11, 15])), at(1))), (vec![vec![10, 11, 15]], Some(Reason::Absent)));
}

#[test]
fn a_page_without_any_is_asked_for_again_for_the_history_may_be_behind() {
    let mut job = job(Order::OldestFirst, 10..=11);
    assert!(matches!(answer(&mut job, Ok(body([])), at(0)), Next::Ask));
    assert!((at(50)..=at(100)).contains(&job.not_before), "{:?}", job.not_before);
    assert!(matches!(answer(&mut job, Ok(body([9])), at(100)), Next::Ask));
    assert!((at(200)..=at(300)).contains(&job.not_before), "twice as long: {:?}", job.not_before);
    // Something is there now: the failures are forgotten.
    assert!(matches!(answer(&mut job, Ok(body([10])), at(300)), Next::Ask));
    assert_eq!(job.not_before, at(300));
    assert!(matches!(answer(&mut job, Ok(body([10])), at(300)), Next::Ask));
    assert!(matches!(answer(&mut job, Ok(body([10])), at(400)), Next::Ask));
    assert_eq!(found(answer(&mut job, Ok(body([])), at(500))), (vec![vec![10]], Some(Reason::Absent)));
}

#[test]
fn a_refusal_is_waited_out_and_given_up_at_last() {
    let mut job = job(Order::OldestFirst, 10..=11);
    assert!(matches!(answer(&mut job, Err(refused(Some(2))), at(0)), Next::Ask));
    assert_eq!(job.not_before, at(2_000));
    assert!(matches!(answer(&mut job, Err(refused(None)), at(2_000)), Next::Ask));
    let Next::Done(answer) = answer(&mut job, Err(refused(None)), at(3_000)) else { panic!("a third time") };
    let words = "HTTP 429: slower".to_string();
    assert_eq!(answer.unfilled, Some(Unfilled { reason: Reason::Refused, words }));
}

#[test]
fn what_will_not_pass_or_not_soon_is_given_up_at_once() {
    let lasting = Failure { may_pass: false, ..refused(None) };
    for failure in [lasting, refused(Some(61))] {
        let mut job = job(Order::OldestFirst, 10..=11);
        assert_eq!(found(answer(&mut job, Err(failure), at(0))), (vec![], Some(Reason::Refused)));
    }
}

#[test]
fn what_was_found_before_a_failure_is_kept() {
    let mut job = job(Order::NewestFirst, 10..=12);
    assert!(matches!(answer(&mut job, Ok(body([12, 11])), at(0)), Next::Ask));
    let failure = Failure { reason: Reason::Unreadable, may_pass: false, ..refused(None) };
    assert_eq!(found(answer(&mut job, Err(failure), at(0))), (vec![vec![11, 12]], Some(Reason::Unreadable)));
}

#[test]
fn pages_of_one_trade_do_not_go_on_for_ever() {
    let mut job = job(Order::OldestFirst, 1..=50);
    let mut number = 1;
    let end = loop {
        match answer(&mut job, Ok(body([number])), at(0)) {
            Next::Ask => number += 1,
            done => break found(done),
        }
    };
    assert_eq!((end.0.len(), end.1), (8, Some(Reason::Absent)));
}

#[test]
fn parts_are_handed_over_as_they_come_where_pages_are_in_order() {
    let mut job = job(Order::OldestFirst, 10..=15);
    assert!(job.part().is_none(), "nothing has come");
    assert!(matches!(answer(&mut job, Ok(body([10, 11, 12])), at(1)), Next::Ask));
    let part = job.part().expect("a part");
    assert_eq!((part.bodies, part.unfilled, part.is_last), (vec![body([10, 11, 12])], None, false));
    assert!(job.part().is_none(), "it was handed over");
    assert_eq!(found(answer(&mut job, Ok(body([13, 14, 15])), at(2))), (vec![vec![13, 14, 15]], None), "all was found");
    let mut job = self::job(Order::NewestFirst, 10..=15);
    assert!(matches!(answer(&mut job, Ok(body([15, 14])), at(1)), Next::Ask));
    assert!(job.part().is_none(), "it would come in the wrong order");
}
