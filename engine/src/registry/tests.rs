//! The client against canned answers: what each status, silence and nonsense turn into.

use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::secret::Secret;

const SCHEMA: &str = r#"{"type":"string"}"#;

/// A server that answers one request after another with the given statuses, headers and bodies, and
/// tells what it was asked.
pub(super) struct Canned {
    pub(super) url: String,
    pub(super) asked: Receiver<String>,
    pub(super) server: JoinHandle<()>,
}

pub(super) fn canned(answers: Vec<(u16, &'static str, &'static str)>) -> Canned {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.server_addr());
    let (tell, asked) = mpsc::channel();
    let server = std::thread::spawn(move || {
        for (status, header, body) in answers {
            let mut request = server.recv().unwrap();
            let mut sent = String::new();
            request.as_reader().read_to_string(&mut sent).unwrap();
            let value = |name: &'static str| {
                request
                    .headers()
                    .iter()
                    .find(|header| header.field.equiv(name))
                    .map_or(String::new(), |header| header.value.to_string())
            };
            let line = [
                request.method().to_string(),
                request.url().to_owned(),
                value("content-type"),
                value("authorization"),
                sent,
            ];
            tell.send(line.join(" | ")).unwrap();
            let mut response = tiny_http::Response::from_string(body).with_status_code(status);
            if let Some((name, value)) = header.split_once(": ") {
                response.add_header(tiny_http::Header::from_bytes(name, value).unwrap());
            }
            request.respond(response).unwrap();
        }
    });
    Canned { url, asked, server }
}

/// What `ensure` makes of one answer to its first request.
fn ensure_with(status: u16, header: &'static str, body: &'static str) -> RegistryError {
    let canned = canned(vec![(status, header, body)]);
    let client = RegistryClient::new(&canned.url).unwrap();
    let error = client.ensure("trades-value", SCHEMA).unwrap_err();
    canned.server.join().unwrap();
    let text = error.to_string();
    let asked = format!("{}/subjects/trades-value", canned.url);
    assert!(text.contains(&asked), "{text} names {asked}");
    assert!(text.contains(&status.to_string()), "{text} names {status}");
    error
}

#[test]
fn each_refusal_is_its_own_error_with_the_registrys_words() {
    let words = r#"{"error_code":40101,"message":"who are you"}"#;
    let text = |error: &RegistryError| error.to_string();

    let error = ensure_with(401, "", words);
    assert!(matches!(error, RegistryError::Unauthorized { .. }));
    assert!(text(&error).contains("who are you (error_code 40101)"));
    assert!(text(&error).contains("kafka.registry_username"));

    let error = ensure_with(403, "", r#"{"error_code":40301,"message":"not yours"}"#);
    assert!(matches!(error, RegistryError::Forbidden { .. }));
    assert!(text(&error).contains("not yours"));

    let error = ensure_with(409, "", r#"{"error_code":409,"message":"no default"}"#);
    assert!(matches!(error, RegistryError::Incompatible { .. }));
    assert!(text(&error).contains("no default"));

    let error = ensure_with(422, "", r#"{"error_code":42201,"message":"no Avro"}"#);
    assert!(matches!(error, RegistryError::InvalidSchema { .. }));

    let error = ensure_with(429, "Retry-After: 7", "slow down");
    assert!(matches!(error, RegistryError::TooManyRequests { .. }));
    assert!(text(&error).contains("slow down") && text(&error).contains("after 7"));

    for status in [500, 502, 503, 504] {
        let error = ensure_with(status, "", "<html>\n  bad\n  gateway</html>");
        assert!(matches!(error, RegistryError::Server { .. }));
        assert!(text(&error).contains("<html> bad gateway</html>"));
    }

    let error = ensure_with(301, "Location: https://elsewhere/", "");
    assert!(matches!(error, RegistryError::Unexpected { .. }));
    assert!(text(&error).contains("redirects to https://elsewhere/"));
}

#[test]
fn a_404_that_is_not_the_registrys_own_is_a_wrong_path() {
    for body in ["<html>Not Found</html>", r#"{"error_code":404,"message":"HTTP 404"}"#] {
        let error = ensure_with(404, "", body);
        assert!(matches!(error, RegistryError::NotFound { .. }));
        assert!(error.to_string().contains("base path"));
    }
}

#[test]
fn an_answer_that_no_registry_gives_is_garbage() {
    for body in ["", "hello", "[1]", r#"{"id":"one"}"#, r#"{"id":-1}"#] {
        let error = ensure_with(200, "", body);
        assert!(matches!(error, RegistryError::Garbage { .. }), "{body}: {error}");
    }
}

#[test]
fn a_port_that_speaks_something_else_is_garbage() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(b"\x00\x00\x00\x0aKafka here\r\n\r\n").unwrap();
    });
    let error = RegistryClient::new(&url).unwrap().schema_by_id(1).unwrap_err();
    server.join().unwrap();
    assert!(matches!(error, RegistryError::Garbage { .. }), "{error:?}");
    assert!(error.to_string().contains(&url));
}

#[test]
fn nobody_listening_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = RegistryClient::new(&url).unwrap().ensure("s", SCHEMA).unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&url));
    assert!(error.to_string().contains("schema_registry_url"));
}

#[test]
fn silence_ends_at_the_limit() {
    // The kernel accepts the connection; nobody ever answers it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let limit = Duration::from_millis(50);
    let client = RegistryClient::with_timeouts(&url, limit, limit).unwrap();
    let error = client.ensure("s", SCHEMA).unwrap_err();
    assert!(matches!(error, RegistryError::Slow { limit_ms: 50, .. }), "{error:?}");
    assert!(error.to_string().contains(&url) && error.to_string().contains("50 ms"));
}

#[test]
fn the_requests_keep_the_base_path_and_encode_the_subject() {
    let canned = canned(vec![
        (404, "", r#"{"error_code":40401,"message":"no subject"}"#),
        (404, "", r#"{"error_code":40401,"message":"no subject"}"#),
        (200, "", r#"{"id":17}"#),
    ]);
    let base = format!("{}/apis/ccompat/v7/", canned.url);
    let client = RegistryClient::new(&base).unwrap();
    assert_eq!(client.ensure("a/b c?-value", SCHEMA).unwrap(), 17);
    canned.server.join().unwrap();
    let tail = r#" | application/vnd.schemaregistry.v1+json |  | {"schema":"{\"type\":\"string\"}"}"#;
    let asked: Vec<String> = canned.asked.iter().collect();
    let path = "/apis/ccompat/v7";
    let subject = "a%2Fb%20c%3F-value";
    assert_eq!(
        asked,
        [
            format!("POST | {path}/subjects/{subject}{tail}"),
            format!("POST | {path}/compatibility/subjects/{subject}/versions/latest?verbose=true{tail}"),
            format!("POST | {path}/subjects/{subject}/versions{tail}"),
        ]
    );
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let canned = canned(vec![(401, "", "no")]);
    let base = canned.url.replace("://", "://user:secret@");
    let client = RegistryClient::new(&base).unwrap();
    let error = client.ensure("s", SCHEMA).unwrap_err();
    canned.server.join().unwrap();
    // base64 of user:secret
    assert!(canned.asked.recv().unwrap().contains("Basic dXNlcjpzZWNyZXQ="));
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
    assert!(!format!("{client:?}").contains("secret"), "{client:?}");
}

#[test]
fn who_asks_goes_into_the_header_and_nowhere_else() {
    let canned = canned(vec![(200, "", r#"{"id":7}"#), (200, "", r#"{"schema":"\"string\""}"#)]);
    let login = Login { username: "alice".into(), password: Secret::new("open: sesame") };
    let access = Access { login: Some(login), ca: None };
    let client = RegistryClient::with_access(&canned.url, &access).unwrap();
    assert_eq!((client.ensure("s", SCHEMA).unwrap(), &*client.schema_by_id(7).unwrap()), (7, "\"string\""));
    canned.server.join().unwrap();
    for asked in canned.asked.iter().take(2) {
        assert!(asked.contains("| Basic YWxpY2U6b3Blbjogc2VzYW1l |"), "{asked}");
    }
    assert!(!format!("{client:?} {access:?}").contains("sesame"), "{client:?} {access:?}");
}

#[test]
fn an_incompatible_verdict_stops_before_registering() {
    let canned = canned(vec![
        (404, "", r#"{"error_code":40403,"message":"no schema"}"#),
        (200, "", r#"{"is_compatible":false,"messages":["price has no default","side"]}"#),
    ]);
    let client = RegistryClient::new(&canned.url).unwrap();
    let error = client.ensure("s", SCHEMA).unwrap_err();
    canned.server.join().unwrap();
    assert!(matches!(error, RegistryError::Incompatible { .. }));
    assert!(error.to_string().contains("price has no default; side"), "{error}");
}

#[test]
fn an_incompatible_schema_is_told_with_the_fields_that_differ() {
    let latest = r#"{"subject":"s","version":3,"id":4,"schema":"{\"type\":\"long\"}"}"#;
    let canned = canned(vec![
        (404, "", r#"{"error_code":40403,"message":"no schema"}"#),
        (200, "", r#"{"is_compatible":false,"messages":["no"]}"#),
        (200, "", latest),
    ]);
    let error = RegistryClient::new(&canned.url).unwrap().ensure("s", SCHEMA).unwrap_err().to_string();
    canned.server.join().unwrap();
    assert!(error.contains("): no; differences: the schema is string in ours and long in theirs; run"), "{error}");
    let asked = canned.asked.iter().last().unwrap();
    assert!(asked.starts_with("GET | /subjects/s/versions/latest | "), "{asked}");
}

#[test]
fn a_schema_that_must_not_be_registered_is_looked_up_only() {
    let missing = r#"{"error_code":40401,"message":"no subject"}"#;
    let canned = canned(vec![(404, "", missing), (404, "", missing), (200, "", r#"{"id":17}"#)]);
    let client = RegistryClient::new(&canned.url).unwrap();
    let id = || client.id("trades-value", SCHEMA, Missing::Refuse);
    let error = id().unwrap_err();
    assert!(matches!(error, RegistryError::NotRegistered { .. }), "{error:?}");
    let command = format!("-d @- {}/subjects/trades-value/versions", canned.url);
    assert!(error.to_string().contains(&command) && error.to_string().contains("register_schemas"), "{error}");
    assert_eq!(id(), Ok(17));
    canned.server.join().unwrap();
    assert!(canned.asked.iter().all(|asked| !asked.contains("/subjects/trades-value/versions |")));
}

#[test]
fn a_verdict_without_a_reason_gets_it_from_the_refusal() {
    let ensure = |status, body| {
        let canned = canned(vec![
            (404, "", r#"{"error_code":40403,"message":"no schema"}"#),
            (200, "", r#"{"is_compatible":false}"#),
            (status, "", body),
        ]);
        let client = RegistryClient::new(&canned.url).unwrap();
        let error = client.ensure("s", SCHEMA).unwrap_err();
        canned.server.join().unwrap();
        assert!(matches!(error, RegistryError::Incompatible { .. }), "{error:?}");
        error.to_string()
    };
    assert!(ensure(409, r#"{"error_code":409,"message":"zz at /fields/0"}"#).contains("zz at"));
    assert!(ensure(403, "").contains("gives no reason"));
}

#[test]
fn a_url_that_cannot_be_used_says_how_to_write_it() {
    for url in ["", "registry:8081", "ftp://registry", "http://", "http://registry?x=1", "http://u:p@ x"] {
        let error = RegistryClient::new(url).unwrap_err();
        assert!(matches!(error, RegistryError::BadUrl { .. }), "{url}");
        assert!(error.to_string().contains("http://HOST:PORT"), "{error}");
        assert!(!error.to_string().contains("u:p"), "{error}");
    }
}

#[test]
fn a_long_foreign_text_is_cut() {
    assert_eq!(error::excerpt(" \n "), "(empty)");
    assert_eq!(error::excerpt("a\n\tb"), "a b");
    assert_eq!(error::excerpt(&"é".repeat(500)), format!("{}…", "é".repeat(400)));
}
