//! The thread against an exchange that does as it is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::job::testing::{body, source};
use super::*;
use crate::venue::{Instrument, Protocol};

/// Long enough for any machine.
const LONG: Duration = Duration::from_secs(30);

/// What is done with a request.
enum Does {
    /// It is answered: status, further headers, body.
    Answers(u16, &'static str, String),
    /// What is sent is no HTTP.
    Babbles,
    /// It is closed without an answer.
    Closes,
    /// It is left without an answer until the client goes.
    Waits,
}
use Does::{Answers, Babbles, Closes, Waits};

/// An exchange that does these things one after the other, and then returns the requests.
struct Exchange {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Exchange {
    fn that(script: Vec<Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/base/", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || script.into_iter().map(|does| serve(&listener, does)).collect());
        Exchange { url, thread }
    }

    /// The requests' first lines without method and version, once all came.
    fn requests(self) -> Vec<String> {
        let requests = self.thread.join().unwrap();
        let path = |request: &String| request.split(' ').nth(1).unwrap().to_string();
        requests.iter().map(path).collect()
    }
}

fn serve(listener: &TcpListener, does: Does) -> String {
    let (mut socket, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    match does {
        Answers(status, headers, body) => {
            let len = body.len();
            // A client that has heard enough goes.
            let _ = write!(socket, "HTTP/1.1 {status} Said\r\nContent-Length: {len}\r\n{headers}\r\n{body}");
        }
        Babbles => socket.write_all(b"\x16\x03\x01 is no HTTP\r\n\r\n").unwrap(),
        Closes => {}
        Waits => wait_for_end(&mut socket),
    }
    String::from_utf8(request).unwrap()
}

fn wait_for_end(socket: &mut TcpStream) {
    let mut byte = [0];
    while socket.read(&mut byte).is_ok_and(|count| count > 0) {}
}

/// A page of Binance's with these ids.
fn page(numbers: impl IntoIterator<Item = i64>) -> Does {
    let trade = |number: i64| {
        let time = number * 1_000;
        format!(r#"{{"id":{number},"price":"1.5","qty":"2","time":{time},"isBuyerMaker":false}}"#)
    };
    let trades: Vec<_> = numbers.into_iter().map(trade).collect();
    Answers(200, "", format!("[{}]", trades.join(",")))
}

/// The answer for the gap from 10 to 12, and the requests that the exchange got.
fn asked(script: Vec<Does>, patience: Patience) -> (Answer, Vec<String>) {
    let exchange = Exchange::that(script);
    let mut source = source(&exchange.url);
    source.history.interval = Duration::from_millis(1);
    let source = Arc::new(source);
    let cpus = CpuSet::available().unwrap();
    let (repairer, links) = Repairer::start(vec![Some(source)], 100, 1, Vec::new, cpus, patience).unwrap();
    want(&links[0], 10, 12, 77);
    let mut parts = Vec::new();
    let answer = loop {
        let mut answer = links[0].answers.recv_timeout(LONG).expect("an answer");
        parts.append(&mut answer.bodies);
        if answer.is_last {
            break Answer { bodies: parts, ..answer };
        }
    };
    drop(repairer);
    (answer, exchange.requests())
}

fn want(link: &Link, first: i64, last: i64, ticket: u64) {
    let instrument = Arc::new(Instrument::new("BTCUSDT", "BTC/USDT".into()));
    let missing = Missing { first, last, after_ns: 0, before_ns: 0 };
    let source = link.sources[0].clone().unwrap();
    let wanted = Wanted { book: 5, ticket, source, instrument, missing, reply: link.reply.clone() };
    link.wanted.send_timeout(wanted, LONG).unwrap();
}

fn patience() -> Patience {
    Patience { backoff: Duration::from_millis(1), attempts: 3, ..Patience::default() }
}

fn numbers(answer: &Answer) -> Vec<i64> {
    answer.bodies.iter().flat_map(|body| &body.trades).map(|trade| trade.number).collect()
}

const FIRST: &str = "/base/api/v3/historicalTrades?symbol=BTCUSDT&fromId=10&limit=3";
const SECOND: &str = "/base/api/v3/historicalTrades?symbol=BTCUSDT&fromId=12&limit=1";

#[test]
fn a_gap_is_filled_page_by_page() {
    let (answer, requests) = asked(vec![page([10, 11]), page([12, 13, 14])], patience());
    assert_eq!((answer.book, answer.ticket, &answer.unfilled), (5, 77, &None));
    assert_eq!(requests, [FIRST, SECOND]);
    let trades: Vec<_> = answer.bodies.iter().flat_map(|body| &body.trades).collect();
    assert_eq!(trades, body([10, 11, 12]).trades.iter().collect::<Vec<_>>());
    assert!(answer.bodies.is_sorted_by_key(|body| body.received_unix_ns) && answer.bodies[0].received_unix_ns > 0);
}

#[test]
fn what_passes_is_asked_again() {
    let refusals = || {
        vec![
            Answers(429, "Retry-After: 0\r\n", "{\"code\":-1003}".into()),
            Answers(500, "", "oops".into()),
            Answers(200, "", "<html>down for maintenance</html>".into()),
            Babbles,
            Closes,
            page([]),
            page([1, 2, 3]),
        ]
    };
    for refusal in 0..refusals().len() {
        let script = vec![refusals().swap_remove(refusal), page([10, 11, 12])];
        let (answer, requests) = asked(script, patience());
        assert_eq!((numbers(&answer), &answer.unfilled), (vec![10, 11, 12], &None), "refusal {refusal}");
        assert_eq!(requests, [FIRST, FIRST], "refusal {refusal}");
    }
}

#[test]
fn an_exchange_that_goes_on_refusing_is_given_up_with_its_words() {
    let many = || Answers(429, "Retry-After: 0\r\n", "{\"msg\":\n \"Way too  many\"}".into());
    for (script, reason, words) in [
        (vec![many(), many(), many()], Reason::Refused, "HTTP 429: {\"msg\": \"Way too many\"}"),
        (vec![Answers(404, "", String::new())], Reason::Refused, "HTTP 404: (empty)"),
        (vec![Answers(302, "Location: /\r\n", "moved".into())], Reason::Refused, "HTTP 302: moved"),
        (vec![Answers(418, "Retry-After: 86400\r\n", "banned".into())], Reason::Refused, "HTTP 418: banned"),
        (vec![Answers(503, "Retry-After: 86400\r\n", "later".into())], Reason::Unreachable, "HTTP 503: later"),
        (vec![Closes, Closes, Closes], Reason::Unreachable, ""),
        (vec![page([1]), page([]), page([])], Reason::Absent, "the exchange's history does not hold them"),
        (
            vec![Answers(200, "", "{}".into()), Answers(200, "", "{}".into()), Answers(200, "", "{}".into())],
            Reason::Unreadable,
            "body: is an object, an array is expected",
        ),
    ] {
        let count = script.len();
        let (answer, requests) = asked(script, patience());
        let unfilled = answer.unfilled.expect("not filled");
        assert_eq!((unfilled.reason, answer.bodies), (reason, vec![]), "{words}");
        assert!(unfilled.words.starts_with(words), "{} is not {words}", unfilled.words);
        assert_eq!(requests.len(), count, "{words}");
    }
}

#[test]
fn an_exchange_that_does_not_answer_is_given_up_and_the_next_gap_has_its_turn() {
    let patience = Patience { timeout: Duration::from_millis(200), attempts: 1, ..patience() };
    let exchange = Exchange::that(vec![Waits, page([20])]);
    let source = Arc::new(source(&exchange.url));
    let cpus = CpuSet::available().unwrap();
    let (_repairer, links) = Repairer::start(vec![Some(source)], 100, 1, Vec::new, cpus, patience).unwrap();
    want(&links[0], 10, 12, 1);
    want(&links[0], 20, 20, 2);
    let first = links[0].answers.recv_timeout(LONG).expect("an answer");
    assert_eq!((first.ticket, first.unfilled.map(|unfilled| unfilled.reason)), (1, Some(Reason::Unreachable)));
    let second = links[0].answers.recv_timeout(LONG).expect("an answer");
    assert_eq!((second.ticket, numbers(&second)), (2, vec![20]));
    exchange.requests();
}

/// Who has been banned does not ask again for others' gaps.
#[test]
fn an_exchange_that_bans_is_left_alone() {
    let exchange = Exchange::that(vec![Answers(418, "Retry-After: 86400\r\n", "banned".into())]);
    let source = Arc::new(source(&exchange.url));
    let cpus = CpuSet::available().unwrap();
    let (_repairer, links) = Repairer::start(vec![Some(source)], 100, 1, Vec::new, cpus, patience()).unwrap();
    for (ticket, words) in [(1, "HTTP 418: banned"), (2, "the exchange wants to be left alone for a while")] {
        want(&links[0], 10, 12, ticket);
        let answer = links[0].answers.recv_timeout(LONG).expect("an answer");
        assert_eq!(answer.unfilled, Some(Unfilled { reason: Reason::Refused, words: words.into() }));
    }
    assert_eq!(exchange.requests(), [FIRST]);
}

#[test]
fn part_of_a_gap_is_better_than_none() {
    let (answer, _) = asked(vec![page([10, 11]), Answers(403, "", "no".into())], patience());
    assert_eq!(numbers(&answer), [10, 11]);
    assert_eq!(answer.unfilled, Some(Unfilled { reason: Reason::Refused, words: "HTTP 403: no".into() }));
}

#[test]
fn an_answer_that_never_ends_is_not_read_to_its_end() {
    let (answer, _) = asked(vec![Answers(200, "", " ".repeat(5 << 20)), page([10, 11, 12])], patience());
    assert_eq!(numbers(&answer), [10, 11, 12]);
}

#[test]
fn every_history_is_asked_at_an_address_that_is_one() {
    for protocol in Protocol::ALL {
        if let Some(history) = protocol.history() {
            let url: Url = history.url.parse().unwrap();
            assert_eq!((url.scheme(), url.path()), ("https", "/"), "{protocol}");
            assert!(history.interval >= Duration::from_millis(100), "{protocol}");
        }
    }
}
