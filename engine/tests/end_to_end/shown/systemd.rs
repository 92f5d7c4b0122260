//! What systemd is told, by a socket that stands in for its own.

use std::os::unix::net::UnixDatagram;

use crate::child::PATIENCE;
use crate::world::{Broker, Exchange, Run, alone, variables};

/// Reads what is said until a message has this line.
fn until(socket: &UnixDatagram, line: &str) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let mut bytes = [0; 4_096];
        let count = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("no {line:?}: {error}; said: {said:?}"));
        said.push(String::from_utf8(bytes[..count].to_vec()).unwrap());
        if said.last().unwrap().lines().any(|other| other.starts_with(line)) {
            return said;
        }
    }
}

#[test]
fn systemd_is_told_when_it_is_ready_alive_reloading_and_stopping() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "1000"]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let settings = [&variables(&broker, &exchange.url, "BTCUSDT")[..], &address].concat();
    let run = Run::with(&settings, None, &[]);
    assert_eq!(until(&socket, "READY=1").len(), 1, "nothing is said before");
    let alive = until(&socket, "WATCHDOG=1");
    assert!(alive.last().unwrap().contains("STATUS=") && alive.last().unwrap().contains("trades/s"), "{alive:?}");
    run.child.signal(libc::SIGHUP);
    let reloading = until(&socket, "RELOADING=1");
    assert!(reloading.last().unwrap().contains("MONOTONIC_USEC="), "{reloading:?}");
    until(&socket, "READY=1");
    run.child.terminate();
    until(&socket, "STOPPING=1");
    run.ended();
}
