//! What becomes of a start, answer by answer.

use std::net::TcpListener;

use crossbeam::channel::never;

use super::super::tests::{Canned, canned};
use super::*;

const SCHEMA: &str = r#"{"type":"string"}"#;
const SUBJECT: &str = "trades-value";

/// Asks the registry at `url`, with the id 5 kept in `dir` if there is one.
fn start<'a>(url: &str, wait_ms: u64, kept_in: Option<&std::path::Path>, stop: &'a Receiver<()>) -> Start<'a> {
    let limit = Duration::from_millis(250);
    let client = Arc::new(RegistryClient::with_timeouts(url, limit, limit).unwrap());
    let cache = kept_in.map(|dir| {
        let mut cache = IdCache::open(dir);
        cache.keep(&client.url(), SUBJECT, SCHEMA, 5).unwrap();
        cache
    });
    Start { client, missing: Missing::Register, wait: Duration::from_millis(wait_ms), cache, stop }
}

fn ids(start: &mut Start<'_>) -> Result<Vec<u32>, StartError> {
    start.ids(&[SUBJECT.to_owned()], SCHEMA)
}

/// Nobody listens there: it was free a moment ago, and the system does not hand it out again so soon.
fn dead() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

/// The kernel accepts connections; nobody ever answers them.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

const REFUSALS: [(u16, &str); 8] = [
    (401, r#"{"error_code":40101,"message":"who are you"}"#),
    (403, r#"{"error_code":40301,"message":"not yours"}"#),
    (404, "<html>Not Found</html>"),
    (409, r#"{"error_code":409,"message":"no default"}"#),
    (422, r#"{"error_code":42201,"message":"no Avro"}"#),
    (301, ""),
    (200, "hello"),
    (200, r#"{"id":"one"}"#),
];

#[test]
fn a_refusal_is_final_whatever_was_kept() {
    for (status, body) in REFUSALS {
        let dir = tempfile::tempdir().unwrap();
        let Canned { url, asked, server } = canned(vec![(status, "", body)]);
        let error = ids(&mut start(&url, 60_000, Some(dir.path()), &never())).unwrap_err();
        server.join().unwrap();
        assert!(matches!(error, StartError::Registry(_)), "{status}: {error:?}");
        assert_eq!(asked.iter().count(), 1, "{status} is not asked about again");
    }
}

#[test]
fn an_outage_is_got_over_by_what_was_kept_after_one_question() {
    for (status, header) in [(429, "Retry-After: 60"), (500, ""), (502, ""), (503, "Retry-After: 60"), (504, "")] {
        let dir = tempfile::tempdir().unwrap();
        let Canned { url, asked, server } = canned(vec![(status, header, "")]);
        assert_eq!(ids(&mut start(&url, 60_000, Some(dir.path()), &never())).unwrap(), [5], "{status}");
        server.join().unwrap();
        assert_eq!(asked.iter().count(), 1);
    }
    let (_listener, slow) = silent();
    for url in [dead(), slow] {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(ids(&mut start(&url, 60_000, Some(dir.path()), &never())).unwrap(), [5], "{url}");
    }
}

#[test]
fn an_outage_without_anything_kept_is_waited_out() {
    let answers = vec![
        (503, "", "starting"),
        (500, "", ""),
        (429, "Retry-After: 0", ""),
        (429, "Retry-After: tomorrow", ""),
        (200, "", r#"{"id":17}"#),
    ];
    let Canned { url, asked: _asked, server } = canned(answers);
    let dir = tempfile::tempdir().unwrap();
    let stop = never();
    let mut start = start(&url, 60_000, None, &stop);
    start.cache = Some(IdCache::open(dir.path()));
    assert_eq!(ids(&mut start).unwrap(), [17]);
    server.join().unwrap();
    let kept = IdCache::open(dir.path()).get(&url, SUBJECT, SCHEMA).unwrap();
    assert_eq!(kept.id, 17, "it is kept for the next start");
}

#[test]
fn the_registrys_own_wait_is_heeded() {
    for status in [429, 503] {
        let Canned { url, asked: _asked, server } =
            canned(vec![(status, "Retry-After: 1", ""), (200, "", r#"{"id":17}"#)]);
        let began = Instant::now();
        assert_eq!(ids(&mut start(&url, 60_000, None, &never())).unwrap(), [17]);
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        server.join().unwrap();
        // Nothing is gained by waiting for less.
        let Canned { url, asked: _asked, server } = canned(vec![(status, "Retry-After: 600", "")]);
        let began = Instant::now();
        let error = ids(&mut start(&url, 60_000, None, &never())).unwrap_err();
        assert!(matches!(error, StartError::Registry(_)) && began.elapsed() < Duration::from_secs(30), "{error:?}");
        server.join().unwrap();
    }
}

#[test]
fn the_wait_has_an_end() {
    let error = ids(&mut start(&dead(), 300, None, &never())).unwrap_err();
    let StartError::GivenUp { error, rounds, waited } = &error else { panic!("{error:?}") };
    assert!(matches!(**error, RegistryError::Unreachable { .. }), "{error:?}");
    assert!(*rounds >= 2 && *waited >= Duration::from_millis(300), "{rounds} in {waited:?}");
    let Canned { url, asked: _asked, server } = canned(vec![(500, "", "")]);
    let error = ids(&mut start(&url, 0, None, &never())).unwrap_err();
    let StartError::Registry(error) = error else { panic!("asked more than once: {error:?}") };
    assert!(matches!(*error, RegistryError::Server { .. }), "{error:?}");
    server.join().unwrap();
}

#[test]
fn the_wish_to_stop_is_heard_at_once() {
    let (_listener, slow) = silent();
    for url in [dead(), slow] {
        let (to_stop, stop) = bounded(1);
        to_stop.send(()).unwrap();
        let mut start = start(&url, 600_000, None, &stop);
        start.client = Arc::new(RegistryClient::new(&url).unwrap());
        let began = Instant::now();
        assert!(matches!(ids(&mut start), Err(StartError::Stopped)), "{url}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[test]
fn a_subject_is_asked_about_once_and_all_must_be_known() {
    let subjects = ["trades-value", "other-value", "trades-value"].map(String::from);
    let dir = tempfile::tempdir().unwrap();
    // What was kept is of one of the two: the other has to be waited for, and both are then the registry's.
    let Canned { url, asked, server } =
        canned(vec![(503, "", ""), (200, "", r#"{"id":8}"#), (503, "", ""), (200, "", r#"{"id":9}"#)]);
    let ids = start(&url, 60_000, Some(dir.path()), &never()).ids(&subjects, SCHEMA).unwrap();
    assert_eq!(ids, [8, 9, 8]);
    server.join().unwrap();
    let asked: Vec<_> = asked.iter().map(|line| line.contains("/trades-value")).collect();
    assert_eq!(asked, [true, true, false, false]);
}
