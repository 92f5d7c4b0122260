//! Asks chronyd how far off the clock is, as `chronyc tracking` does: one datagram there, one back (chrony's `candm.h`,
//! version 6). The library for it is under the GPL, which this program is not.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Where chronyd answers whoever is on its machine.
pub(super) const PORT: u16 = 323;
/// Longest wait for the answer; where nobody listens, the kernel says so at once.
const PATIENCE: Duration = Duration::from_millis(500);
const VERSION: u8 = 6;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const REQUEST_TRACKING: u16 = 33;
const REPLY_TRACKING: u16 = 5;
/// Bytes of the answer; a request must be as long.
const LEN: usize = 104;
/// Where things are in the answer.
const STATUS_AT: usize = 8;
const SEQUENCE_AT: usize = 16;
const LEAP_AT: usize = 54;
const CORRECTION_AT: usize = 68;
const ROOT_DELAY_AT: usize = 92;
const ROOT_DISPERSION_AT: usize = 96;
/// The leap status of a clock that nobody has set.
const UNSYNCHRONISED: u16 = 3;

/// What chronyd says of the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tracking {
    /// Whether it is synchronised.
    pub(super) is_synchronised: bool,
    /// How far off it is at most, in seconds: what is being corrected, and what is not known about the way to the source.
    pub(super) error_s: f64,
}

/// Asks the chronyd of this machine, if there is one that answers.
pub(super) fn ask(port: u16) -> Option<Tracking> {
    exchange(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok().flatten()
}

fn exchange(server: SocketAddr) -> io::Result<Option<Tracking>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let sequence = fastrand::u32(..).to_be_bytes();
    socket.send(&request(sequence))?;
    let mut answer = [0; LEN];
    let count = socket.recv(&mut answer)?;
    Ok((count == LEN).then(|| read(&answer, sequence)).flatten())
}

fn request(sequence: [u8; 4]) -> [u8; LEN] {
    let mut request = [0; LEN];
    request[..2].copy_from_slice(&[VERSION, REQUEST]);
    request[4..6].copy_from_slice(&REQUEST_TRACKING.to_be_bytes());
    request[8..12].copy_from_slice(&sequence);
    request
}

/// `None` for what is no answer to this request.
fn read(answer: &[u8; LEN], sequence: [u8; 4]) -> Option<Tracking> {
    let word = |at: usize| u16::from_be_bytes([answer[at], answer[at + 1]]);
    let number = |at: usize| float([answer[at], answer[at + 1], answer[at + 2], answer[at + 3]]);
    let is_ours = answer[..2] == [VERSION, REPLY]
        && (word(4), word(6), word(STATUS_AT)) == (REQUEST_TRACKING, REPLY_TRACKING, 0)
        && answer[SEQUENCE_AT..SEQUENCE_AT + 4] == sequence;
    is_ours.then(|| Tracking {
        is_synchronised: word(LEAP_AT) != UNSYNCHRONISED,
        error_s: number(CORRECTION_AT).abs() + number(ROOT_DISPERSION_AT) + number(ROOT_DELAY_AT) / 2.0,
    })
}

/// chrony's own form of a number: 7 bits of exponent and 25 of coefficient, both with a sign.
fn float(bytes: [u8; 4]) -> f64 {
    const COEFFICIENT_BITS: i32 = 25;
    let bits = i32::from_be_bytes(bytes);
    let (exponent, coefficient) =
        (bits >> COEFFICIENT_BITS, (bits << (32 - COEFFICIENT_BITS)) >> (32 - COEFFICIENT_BITS));
    f64::from(coefficient) * 2f64.powi(exponent - COEFFICIENT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As chrony writes numbers.
    fn bytes(number: f64) -> [u8; 4] {
        let exponent = (number.abs().log2().floor() as i32) + 2;
        let coefficient = (number * 2f64.powi(25 - exponent)).round() as i32;
        ((exponent << 25) | (coefficient & 0x1ff_ffff)).to_be_bytes()
    }

    /// Answers one request, with this leap status.
    fn served(leap: u16, spoilt: Option<usize>) -> Option<Tracking> {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let mut asked = [0; 256];
            let (count, client) = server.recv_from(&mut asked).unwrap();
            assert_eq!((count, &asked[..6]), (LEN, &[6, 1, 0, 0, 0, 33][..]));
            let mut answer = [0; LEN];
            answer[..8].copy_from_slice(&[6, 2, 0, 0, 0, 33, 0, 5]);
            answer[SEQUENCE_AT..SEQUENCE_AT + 4].copy_from_slice(&asked[8..12]);
            answer[LEAP_AT..LEAP_AT + 2].copy_from_slice(&leap.to_be_bytes());
            for (at, number) in [(CORRECTION_AT, -0.000_25), (ROOT_DELAY_AT, 0.001), (ROOT_DISPERSION_AT, 0.000_5)] {
                answer[at..at + 4].copy_from_slice(&bytes(number));
            }
            if let Some(at) = spoilt {
                answer[at] ^= 1;
            }
            server.send_to(&answer, client).unwrap();
        });
        let tracking = ask(port);
        thread.join().unwrap();
        tracking
    }

    #[test]
    fn the_answer_is_read() {
        let tracking = served(0, None).unwrap();
        assert!(tracking.is_synchronised && (tracking.error_s - 0.001_25).abs() < 1e-9, "{tracking:?}");
        assert!(!served(UNSYNCHRONISED, None).unwrap().is_synchronised);
    }

    #[test]
    fn what_is_no_answer_to_our_request_is_not_believed() {
        for at in [0, 1, 5, 7, STATUS_AT, SEQUENCE_AT] {
            assert_eq!(served(0, Some(at)), None, "{at}");
        }
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert_eq!(ask(nobody), None);
    }

    #[test]
    fn numbers_go_there_and_back() {
        for number in [1.0, -1.0, 0.000_123_456, -98_765.25] {
            assert!((float(bytes(number)) - number).abs() <= number.abs() * 1e-6, "{number}");
        }
        assert_eq!(float([0; 4]), 0.0);
    }
}
