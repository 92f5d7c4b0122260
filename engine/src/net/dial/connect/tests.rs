use std::net::TcpListener;
use std::time::Instant;

use nix::sys::socket::{Backlog, listen};

use super::*;

const SHORT: Duration = Duration::from_millis(100);
/// Longer than any of these tests should take.
const LONG: Duration = Duration::from_secs(60);

/// An address of which the kernel drops what asks for a connection, since nobody takes those that wait.
struct BlackHole {
    address: SocketAddr,
    _held: (TcpListener, TcpStream),
}

impl BlackHole {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // The same socket, now with room for one.
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let first = TcpStream::connect(address).unwrap();
        BlackHole { address, _held: (listener, first) }
    }
}

fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address at which nobody listens and nobody else will: it is the near end of a connection.
struct Closed {
    address: SocketAddr,
    _held: (TcpListener, TcpStream),
}

impl Closed {
    fn new() -> Self {
        let (listener, peer) = listening();
        let socket = TcpStream::connect(peer).unwrap();
        Closed { address: socket.local_addr().unwrap(), _held: (listener, socket) }
    }
}

fn resolved(answer: io::Result<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, String> {
    resolve("x.example", 7, LONG, move |_, _| answer).map_err(|error| error.to_string())
}

#[test]
fn a_resolver_that_does_not_answer_is_not_waited_for() {
    let (release, blocked) = bounded::<()>(0);
    let never = move |_: &str, _| {
        let _ = blocked.recv();
        Ok(Vec::new())
    };
    let begun = Instant::now();
    let error = resolve("x.example", 7, SHORT, never).unwrap_err();
    assert!((SHORT..LONG).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(
        error.to_string(),
        "the host's name cannot be resolved: no answer for x.example within 100ms: look at the name servers in \
         /etc/resolv.conf, and whether they are reached"
    );
    drop(release);
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let failed = resolved(Err(io::Error::other("Name or service not known")));
    assert_eq!(failed, Err("the host's name cannot be resolved: x.example: Name or service not known".into()));
    assert_eq!(resolved(Ok(Vec::new())), Err("the host's name cannot be resolved: x.example has no address".into()));
}

#[test]
fn a_number_is_not_looked_up() {
    let refuse = |_: &str, _| panic!("it is no name");
    assert_eq!(resolve("127.0.0.1", 7, LONG, refuse).unwrap(), [SocketAddr::from(([127, 0, 0, 1], 7))]);
    assert_eq!(resolve("::1", 7, LONG, refuse).unwrap(), ["[::1]:7".parse().unwrap()]);
}

#[test]
fn both_versions_of_ip_are_tried_in_turns_and_not_for_ever() {
    let addresses = |text: &str| text.split(' ').map(|one| one.parse().unwrap()).collect::<Vec<SocketAddr>>();
    let answer = addresses("[1::]:7 [2::]:7 [3::]:7 1.0.0.1:7 1.0.0.2:7");
    assert_eq!(resolved(Ok(answer)), Ok(addresses("[1::]:7 1.0.0.1:7 [2::]:7 1.0.0.2:7 [3::]:7")));
    let answer = (0..100).map(|last| SocketAddr::from(([1, 0, 0, last], 7))).collect();
    assert_eq!(resolved(Ok(answer)).unwrap().len(), MAX_ADDRESSES);
}

#[test]
fn one_that_swallows_packets_does_not_keep_the_next_from_being_tried() {
    let hole = BlackHole::new();
    let (_listener, good) = listening();
    let begun = Instant::now();
    let socket = connect_staggered(vec![hole.address, good], LONG, SHORT).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), good);
    assert!((SHORT..LONG).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[test]
fn one_that_refuses_is_followed_by_the_next_at_once() {
    let (_listener, good) = listening();
    let (first, second) = (Closed::new(), Closed::new());
    let begun = Instant::now();
    let socket = connect_staggered(vec![first.address, second.address, good], LONG, LONG).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), good);
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

#[test]
fn the_first_that_answers_is_taken_though_it_was_tried_later() {
    let (hole, (_listener, good)) = (BlackHole::new(), listening());
    // The second is tried while the first is under way, the third is never needed.
    let socket = connect_staggered(vec![hole.address, good, hole.address], LONG, SHORT).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), good);
}

#[test]
fn the_last_fault_is_told_when_all_have_failed() {
    let (first, last) = (Closed::new(), Closed::new());
    let refused = format!("{} cannot be reached: Connection refused (os error 111)", last.address);
    let error = connect_staggered(vec![first.address, last.address], LONG, LONG).unwrap_err();
    assert_eq!(error.to_string(), refused);
    assert_eq!(connect(vec![last.address], LONG).unwrap_err().to_string(), refused);
    let hole = BlackHole::new();
    for addresses in [vec![hole.address], vec![first.address, hole.address], vec![hole.address, hole.address]] {
        let error = connect_staggered(addresses, SHORT, SHORT / 4).unwrap_err().to_string();
        let address = hole.address;
        assert_eq!(
            error,
            format!(
                "{address} cannot be reached: no answer within 100ms: look at the address and its port, and at firewalls \
                 and routes on the way"
            )
        );
    }
}
