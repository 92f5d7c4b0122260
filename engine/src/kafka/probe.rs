//! What a port speaks: TLS, or Kafka's protocol without it.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest wait for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Comes back with the answer.
const CORRELATION_ID: [u8; 4] = *b"k2ap";
/// `ApiVersions`, version 0, of a client without a name, with its length before it: what every listener answers before
/// anybody has logged in.
const REQUEST: [u8; 14] = {
    let [a, b, c, d] = CORRELATION_ID;
    [0, 0, 0, 10, 0, 18, 0, 0, a, b, c, d, 0xff, 0xff]
};

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// It answered in TLS.
    Tls,
    /// It answered as a broker does, unencrypted.
    Plain,
}

/// Asks the broker at `server`, `host:port`. `None` if it does not answer, or neither in TLS nor as a broker.
pub(super) fn ask(server: &str) -> Option<Spoken> {
    let address = server.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(&REQUEST).ok()?;
    let mut answer = [0; 8];
    // An alert is 7 bytes long.
    let mut length = 0;
    while length < answer.len() {
        match stream.read(&mut answer[length..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => length += count,
        }
    }
    spoken(&answer[..length])
}

fn spoken(answer: &[u8]) -> Option<Spoken> {
    match answer {
        // A record with an alert or a handshake, of any version since SSL 3.0 (RFC 8446, 5.1).
        [21 | 22, 3, ..] => Some(Spoken::Tls),
        [_, _, _, _, id @ ..] if *id == CORRELATION_ID => Some(Spoken::Plain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What a port that answers `answer` to the request, and then ends, is found to speak.
    fn asked(answer: &'static [u8]) -> Option<Spoken> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let broker = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; REQUEST.len()];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(request, REQUEST);
            stream.write_all(answer).unwrap();
        });
        let spoken = ask(&server);
        broker.join().unwrap();
        spoken
    }

    #[test]
    fn the_answer_tells() {
        assert_eq!(asked(&[21, 3, 3, 0, 2, 2, 80]), Some(Spoken::Tls), "an alert");
        assert_eq!(asked(b"\0\0\x01\xcck2ap\0\0"), Some(Spoken::Plain));
        assert_eq!(asked(b"HTTP/1.1 400 Bad Request\r\n"), None);
        assert_eq!(asked(b""), None, "whoever answers for a broker that is not there yet");
        assert_eq!(ask("nowhere.invalid:9092"), None);
    }
}
