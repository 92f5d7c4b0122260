use super::*;

fn handshake() -> Handshake {
    Handshake::new(&Url::parse("wss://stream.example:9443/ws?timeUnit=MICROSECOND").unwrap()).unwrap()
}

/// The answer of a server that agrees, with other values in the place of some headers; an empty one is left out.
fn answer(handshake: &Handshake, changes: &[(&str, &str)]) -> Vec<u8> {
    let mut headers =
        vec![("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", handshake.accept.as_str())];
    for (name, value) in changes {
        headers.retain(|(other, _)| other != name);
        headers.push((name, value));
    }
    let lines: String = headers
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n").into_bytes()
}

fn refused(changes: &[(&str, &str)]) -> String {
    let handshake = handshake();
    handshake.response(&answer(&handshake, changes)).expect_err("refused").to_string()
}

#[test]
fn the_request_is_an_upgrade_to_the_address() {
    let handshake = handshake();
    let request = std::str::from_utf8(handshake.request()).unwrap();
    assert!(request.starts_with("GET /ws?timeUnit=MICROSECOND HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n"));
    let header = |name: &str| {
        let lines = || request.lines().filter_map(|line| line.split_once(": "));
        lines().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    assert_eq!(header("Host"), Some("stream.example:9443"));
    assert_eq!(header("Upgrade"), Some("websocket"));
    assert_eq!(header("Connection"), Some("Upgrade"));
    assert_eq!(header("Sec-WebSocket-Version"), Some("13"));
    assert_eq!(header("Sec-WebSocket-Extensions"), None);
    let key = header("Sec-WebSocket-Key").unwrap();
    assert_eq!(derive_accept_key(key.as_bytes()), handshake.accept);
    assert_ne!(handshake.accept, self::handshake().accept, "each upgrade has a key of its own");
}

#[test]
fn the_accept_value_is_that_of_the_rfc() {
    // RFC 6455, section 1.3.
    assert_eq!(derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn an_answer_is_judged_once_it_is_whole() {
    let handshake = handshake();
    let head = answer(&handshake, &[]);
    for cut in 0..head.len() {
        assert_eq!(handshake.response(&head[..cut]), Ok(None), "{cut}");
    }
    let with_frame = [&head[..], &[0x81, 0]].concat();
    assert_eq!(handshake.response(&with_frame), Ok(Some(head.len())));
}

#[test]
fn names_and_tokens_are_compared_without_case() {
    let handshake = handshake();
    let head = answer(&handshake, &[("Upgrade", "WebSocket"), ("Connection", "keep-alive, upgrade")]);
    assert_eq!(handshake.response(&head), Ok(Some(head.len())));
}

/// What an answer with this status line and `Retry-After` comes to, in words, and how long it asks us to wait, in seconds.
fn status(line: &str, retry_after: &str) -> (String, Option<u64>) {
    let after = if retry_after.is_empty() { String::new() } else { format!("Retry-After: {retry_after}\r\n") };
    let head = format!("HTTP/1.1 {line}\r\n{after}Content-Length: 4\r\n\r\nbody");
    let refused = handshake().response(head.as_bytes()).unwrap_err();
    let words = refused.to_string();
    let words = words.strip_prefix("the server answered the upgrade with HTTP status ").expect("the status is named");
    (words.to_string(), refused.retry_after().map(|after| after.as_secs()))
}

#[test]
fn another_status_is_told_with_what_to_look_at() {
    for (line, retry_after, words, seconds) in [
        ("404 Not Found", "", "404: look at the address's path", None),
        ("200 OK", "", "200: no WebSocket is there: look at the address's path", None),
        ("301 Moved Permanently", "", "301: it sends us elsewhere, which is not followed: look at the address", None),
        (
            "429 Too Many Requests",
            "5",
            "429 (Retry-After: 5): too many connections or requests come from this IP address: look who else uses it",
            Some(5),
        ),
        (
            "503 Service Unavailable",
            "Fri, 31 Dec 1999 23:59:59 GMT",
            "503 (Retry-After: Fri, 31 Dec 1999 23:59:59 GMT): the exchange is in trouble: look at its status page",
            None,
        ),
        (
            "503 Service Unavailable",
            "-1",
            "503 (Retry-After: -1): the exchange is in trouble: look at its status page",
            None,
        ),
        ("426 Upgrade Required", "", "426", None),
    ] {
        assert_eq!(status(line, retry_after), (words.to_string(), seconds), "{line}");
    }
    let (words, _) = status("426 Upgrade Required", &"x".repeat(1_000));
    assert_eq!(words, format!("426 (Retry-After: {})", "x".repeat(MAX_SHOWN)), "what is repeated has a bound");
}

#[test]
fn headers_that_are_missing_or_wrong_are_named() {
    for (changes, expected) in [
        (("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "Sec-WebSocket-Accept does not match the key"),
        (("Sec-WebSocket-Accept", ""), "Sec-WebSocket-Accept does not match the key"),
        (("Upgrade", ""), "the header Upgrade is not websocket"),
        (("Upgrade", "h2c"), "the header Upgrade is not websocket"),
        (("Connection", ""), "the header Connection is not Upgrade"),
        (("Connection", "close"), "the header Connection is not Upgrade"),
        (("Sec-WebSocket-Extensions", "permessage-deflate"), "an extension was agreed to that we did not offer"),
        (("Sec-WebSocket-Protocol", "chat"), "a subprotocol was agreed to that we did not offer"),
    ] {
        assert_eq!(refused(&[changes]), format!("the server's answer to the upgrade is not valid: {expected}"));
    }
}

#[test]
fn what_is_no_http_answer_is_refused() {
    for bytes in
        [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], b"\x16\x03\x01\x00\xA5", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.0 101 OK\r\n\r\n"]
    {
        assert!(matches!(handshake().response(bytes), Err(Refused::Invalid(_))), "{bytes:?}");
    }
}

#[test]
fn a_head_without_end_is_given_up() {
    let endless = format!("HTTP/1.1 101 Switching Protocols\r\nX-Padding: {}", "x".repeat(MAX_RESPONSE_LEN));
    let (short, long) = (&endless.as_bytes()[..MAX_RESPONSE_LEN], endless.as_bytes());
    assert_eq!(handshake().response(short), Ok(None));
    assert_eq!(handshake().response(long), Err(Refused::Invalid("it has no end".into())));
}
