use std::net::{TcpListener, TcpStream};

use super::*;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(60);
/// All steps have time but the one that a test is about.
const PATIENT: Timeouts = Timeouts { name: LONG, tcp: LONG, tls: LONG, upgrade: LONG };

/// Dials a server that does this with its one connection. Returns the error, and how long it took.
fn fail(scheme: &str, timeouts: Timeouts, server: impl FnOnce(TcpStream) + Send + 'static) -> (String, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("{scheme}://{}/ws", listener.local_addr().unwrap())).unwrap();
    let server = std::thread::spawn(move || server(listener.accept().unwrap().0));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let begun = Instant::now();
    let error = dial_within(&url, &Arc::new(tls), timeouts, |_| ()).err().expect("it fails").to_string();
    let took = begun.elapsed();
    server.join().unwrap();
    (error.replace(url.authority(), "it"), took)
}

/// Accepts, says nothing and stays until the client has gone.
fn listen_only(mut socket: TcpStream) {
    let _ = io::copy(&mut socket, &mut io::sink());
}

/// Sends these bytes, each for itself, again and again until the client has gone.
fn drip(bytes: &'static [u8]) -> impl FnOnce(TcpStream) + Send {
    move |mut socket| {
        for byte in bytes.iter().cycle() {
            if socket.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(SHORT / 20);
        }
    }
}

#[test]
fn a_server_that_says_nothing_at_tls_is_given_up() {
    let (error, took) = fail("wss", Timeouts { tls: SHORT, ..PATIENT }, listen_only);
    assert!((SHORT..LONG).contains(&took), "{took:?}");
    assert_eq!(
        error,
        "TLS failed: it did not finish the handshake within 100ms: look whether it speaks TLS at that port (if not, the \
         address begins with ws://), and at proxies on the way"
    );
}

#[test]
fn a_server_that_says_nothing_at_the_upgrade_is_given_up() {
    let expected = "it did not answer the upgrade within 100ms: look whether it speaks WebSocket at that port, and with \
                    TLS (wss://) or without (ws://)";
    let (error, took) = fail("ws", Timeouts { upgrade: SHORT, ..PATIENT }, listen_only);
    assert!((SHORT..LONG).contains(&took), "{took:?}");
    assert_eq!(error, expected);
    // Nor does one win time that never comes to an end.
    let (error, took) =
        fail("ws", Timeouts { upgrade: SHORT, ..PATIENT }, drip(b"HTTP/1.1 101 Switching Protocols\r\nX: "));
    assert!((SHORT..LONG).contains(&took), "{took:?}");
    assert_eq!(error, expected);
}

/// A record of TLS that has no end within the test: 16 KiB are announced.
#[test]
fn a_server_that_drips_at_tls_is_given_up() {
    let (error, took) = fail("wss", Timeouts { tls: SHORT, ..PATIENT }, |mut socket| {
        let _ = socket.write_all(&[22, 3, 3, 0x40, 0]);
        // The first byte of a ServerHello, then its length and more.
        drip(&[2, 0, 0x20])(socket);
    });
    assert!((SHORT..LONG).contains(&took), "{took:?}");
    assert!(error.contains("did not finish the handshake within 100ms"), "{error}");
}

#[test]
fn a_server_that_hangs_up_is_no_timeout() {
    let (error, _) = fail("ws", PATIENT, |mut socket| {
        let _ = socket.read(&mut [0; 4096]);
    });
    assert_eq!(error, "the connection broke before it was up: unexpected end of file");
    let (error, _) = fail("wss", PATIENT, |mut socket| {
        let _ = socket.read(&mut [0; 4096]);
    });
    assert!(error.starts_with("TLS failed: "), "{error}");
}

#[test]
fn a_refusal_has_the_servers_words() {
    let (error, _) = fail("ws", PATIENT, |mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        socket.write_all(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\n").unwrap();
    });
    assert!(error.contains("HTTP status 503 (Retry-After: 7)"), "{error}");
}
