use super::*;
use crate::venue::binance::Binance;
use crate::venue::{Endpoint, Ping, TimeUnit, Venue};

const LIMITS: Limits = Binance::FACTS.limits;

/// A session for so many symbols, two to a request.
fn session(count: usize, limits: Limits) -> Session {
    let endpoint = Endpoint { url: Binance::FACTS.url.parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let requests = Requests { symbols_per_request: 2, ..Requests::of::<Binance>(endpoint) };
    Session::new(limits, requests, (0..count).map(|number| format!("c{number}")), false, 0.5, at(0))
}

/// One whose address subscribes one symbol.
fn by_address(limits: Limits, drawn: f64) -> Session {
    let endpoint = Endpoint { url: Binance::FACTS.url.parse().unwrap(), time_unit: TimeUnit::Millisecond };
    Session::new(limits, Requests::of::<Binance>(endpoint), ["c".to_string()], true, drawn, at(0))
}

fn at(ms: u64) -> Nanos {
    Nanos(ms * 1_000_000)
}

fn request(id: u64, streams: &[&str]) -> Step {
    Step::Send(Binance::request(
        &Endpoint { url: Binance::FACTS.url.parse().unwrap(), time_unit: TimeUnit::Millisecond },
        crate::venue::Verb::Subscribe,
        id,
        streams,
    ))
}

#[test]
fn requests_are_paced() {
    let mut session = session(4, LIMITS);
    assert_eq!(session.step(at(0)), request(1, &["c0", "c1"]));
    assert_eq!(session.step(at(1)), Step::Wait);
    assert_eq!(session.step(at(349)), Step::Wait);
    assert_eq!(session.step(at(350)), request(2, &["c2", "c3"]));
    session.subscriptions_mut().acknowledged(About::Oldest, at(351));
    session.subscriptions_mut().acknowledged(About::Oldest, at(351));
    assert!(session.subscriptions_mut().take_settled());
    assert_eq!(session.step(at(400)), Step::Wait);
}

#[test]
fn what_opens_a_connection_comes_behind_the_first_request() {
    let mut session = session(4, LIMITS);
    session.opening = Some("heartbeats");
    assert_eq!(session.step(at(0)), request(1, &["c0", "c1"]));
    assert_eq!(session.step(at(350)), Step::Send("heartbeats".into()));
    assert_eq!(session.step(at(700)), request(2, &["c2", "c3"]));
}

#[test]
fn a_missing_acknowledgement_gives_up() {
    let mut one_of_two = session(2, LIMITS);
    one_of_two.step(at(0));
    one_of_two.subscriptions_mut().acknowledged(About::Instruments(&[0]), at(1));
    assert_eq!(one_of_two.step(at(10_000)), Step::Wait);
    assert_eq!(one_of_two.step(at(10_001)), Step::Unanswered(vec![1]), "the other goes on");
    assert_eq!(one_of_two.step(at(10_002)), Step::Wait);

    let mut none = session(2, LIMITS);
    none.step(at(0));
    assert_eq!(none.step(at(10_001)), Step::GiveUp("no subscription was acknowledged in time"));
}

#[test]
fn if_all_are_refused_there_is_nothing_to_stay_for() {
    let mut session = session(2, LIMITS);
    session.step(at(0));
    assert_eq!(session.refused(About::Request(1), at(1)), Vec::<usize>::new(), "each is asked for by itself");
    assert_eq!(session.step(at(350)), request(2, &["c0"]));
    assert_eq!(session.refused(About::Request(2), at(351)), [0]);
    assert_eq!(session.step(at(700)), request(3, &["c1"]));
    assert_eq!(session.refused(About::Request(3), at(701)), [1]);
    assert_eq!(session.step(at(1_201)), Step::Wait);
    assert_eq!(session.step(at(1_202)), Step::GiveUp("all subscriptions were refused"));
}

#[test]
fn what_is_not_read_is_not_silence() {
    let mut session = session(1, LIMITS);
    session.step(at(0));
    session.held(at(60_000));
    assert_eq!(session.step(at(69_000)), Step::Wait);
}

#[test]
fn silence_gives_up() {
    let mut session = by_address(LIMITS, 0.5);
    session.heard(at(5_000));
    assert_eq!(session.step(at(75_000)), Step::Wait);
    assert_eq!(session.step(at(75_001)), Step::GiveUp("the exchange has fallen silent"));
}

#[test]
fn who_has_said_nothing_for_long_says_that_it_is_there() {
    let ping = Ping { interval: Duration::from_secs(20), text: "ping" };
    let mut session = by_address(Limits { ping: Some(ping), ..LIMITS }, 0.5);
    assert_eq!(session.step(at(20_000)), Step::Wait);
    assert_eq!(session.step(at(20_001)), Step::Send("ping".into()));
    assert_eq!(session.step(at(20_002)), Step::Wait);
    session.heard(at(20_003));
    assert_eq!(session.step(at(40_002)), Step::Send("ping".into()));
}

#[test]
fn a_connection_is_renewed_before_the_exchange_ends_it() {
    let hours = |hours: f64| at((hours * 3_600_000.0) as u64);
    for (drawn, from, to) in [(0.0, 23.9, 24.0), (0.5, 22.7, 22.9), (1.0, 21.5, 21.7)] {
        let mut session = by_address(LIMITS, drawn);
        session.heard(hours(from));
        assert_eq!(session.step(hours(from)), Step::Wait, "{drawn}");
        session.heard(hours(to));
        assert_eq!(session.step(hours(to)), Step::Renew, "{drawn}");
        assert_eq!(session.step(hours(to)), Step::Wait, "it is asked for once");
    }
}
