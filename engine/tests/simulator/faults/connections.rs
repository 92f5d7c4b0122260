//! Connections that are dropped, closed, turned away, and how long it takes them to come back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use k2_feed::sim::{Simulator, start};
use serde_json::Value;
use tungstenite::protocol::frame::coding::CloseCode;

use super::*;
use crate::client::*;

#[test]
fn a_cut_is_no_goodbye_and_its_recovery_is_measured() {
    let simulator = start(faulty(&["cut@20ms"])).unwrap();
    let mut client = both(&simulator);
    let (texts, close) = client.rest();
    assert_eq!(close, None);
    let before = ids(&texts, "BTCUSDT");
    assert_contiguous(&before);
    until_struck(&simulator, "cut");
    let progress = simulator.progress();
    assert_eq!((progress.faults.times("cut"), progress.faults.touched("cut")), (1, 1));
    assert_eq!((progress.recovery.recovered, progress.recovery.waiting), (0, 1));

    let mut client = both(&simulator);
    assert!(id(&serde_json::from_str(&next_with(&mut client, "BTCUSDT")).unwrap()) > *before.last().unwrap());
    let summary = simulator.stop();
    let recovery = summary.progress.recovery;
    assert_eq!((recovery.recovered, recovery.waiting), (1, 0));
    assert!(recovery.max_ns >= recovery.p50_ns && recovery.p50_ns > 0, "{recovery:?}");
    let report = summary.to_string();
    assert!(report.contains("\nfaults       cut 1 (1 connections)\nrecovery     1 of 1 times, in p50 "), "{report}");
}

#[test]
fn without_faults_the_report_tells_of_none() {
    let simulator = start(counted(&["BTCUSDT"], 10)).unwrap();
    let _client = Client::subscribed(&simulator, "/ws", &[BTC]);
    until_done(&simulator);
    let report = simulator.stop().to_string();
    assert!(!report.contains("faults") && !report.contains("recovery"), "{report}");
}

#[test]
fn connections_are_cut_one_by_one_in_turn() {
    let simulator = start(faulty(&["cut-one@every:5ms"])).unwrap();
    let mut first = Client::subscribed(&simulator, "/ws", &[BTC]);
    let mut second = both(&simulator);
    let last = |client: &mut Client| ids(&client.rest().0, "BTCUSDT").last().copied().unwrap_or(0);
    let lasts = [last(&mut first), last(&mut second)];
    assert!(lasts[0] < lasts[1], "the second goes on when the first is cut: {lasts:?}");
    let struck = simulator.stop().progress.faults;
    assert_eq!(struck.touched("cut-one"), 2);
}

#[test]
fn one_cut_leaves_the_other_connections_up() {
    let simulator = start(faulty(&["cut-one@5ms"])).unwrap();
    let mut first = Client::subscribed(&simulator, "/ws", &[BTC]);
    let mut second = both(&simulator);
    let cut_at = ids(&first.rest().0, "BTCUSDT").last().copied().unwrap_or(0);
    let mut found = 0;
    while found < cut_at + 1_000 {
        found = id(&serde_json::from_str(&next_with(&mut second, "BTCUSDT")).unwrap());
    }
    simulator.stop();
}

#[test]
fn newcomers_are_reset_while_they_are_refused() {
    let simulator = start(faulty(&[&format!("refuse={LONG}@0s")])).unwrap();
    let mut client = both(&simulator);
    until_struck(&simulator, "refuse");
    for turned_away in 1..=3 {
        Client::try_connect(&simulator, "/ws").err().expect("no handshake");
        until(&simulator, || simulator.progress().faults.touched("refuse") == turned_away);
    }
    client.text();
    let progress = simulator.stop().progress;
    assert_eq!((progress.faults.times("refuse"), progress.refused, progress.connections), (1, 3, 1));
    assert_eq!(progress.recovery.waiting, 1, "who is turned away has not come back");
}

#[test]
fn recovery_counts_from_when_clients_are_accepted_again() {
    let begun = Instant::now();
    let simulator = start(faulty(&["cut@0s", "refuse=300ms@0s"])).unwrap();
    assert_eq!(both(&simulator).rest(), (vec![], None));
    let mut client = None;
    until(&simulator, || {
        client = Client::try_connect(&simulator, "/ws").ok();
        client.is_some()
    });
    client.unwrap().ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#);
    let recovery = simulator.stop().progress.recovery;
    assert_eq!((recovery.recovered, recovery.waiting), (1, 0));
    let whole = begun.elapsed();
    assert!(Duration::from_nanos(recovery.max_ns) + Duration::from_millis(300) <= whole, "{recovery:?} of {whole:?}");
}

/// All that comes, to its end, for a client that asks for an upgrade and says nothing else.
fn upgrade(simulator: &Simulator, path: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(simulator.addr()).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("a request sent");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer");
    answer
}

#[test]
fn upgrades_are_answered_with_a_status_and_when_to_come_again() {
    for (status, tells_when) in [(503, true), (429, true), (403, false)] {
        let simulator = start(faulty(&[&format!("status={status}/{LONG}@0s")])).unwrap();
        let _client = both(&simulator);
        until_struck(&simulator, "status");
        let answer = String::from_utf8(upgrade(&simulator, "/ws")).unwrap().to_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        let seconds = answer.lines().find_map(|line| line.strip_prefix("retry-after: "));
        let seconds: Option<u64> = seconds.map(|seconds| seconds.parse().unwrap());
        assert_eq!(seconds.map(|seconds| (3_500..=3_600).contains(&seconds)), tells_when.then_some(true), "{answer}");
        let progress = simulator.stop().progress;
        assert_eq!((progress.faults.touched("status"), progress.connections), (1, 1));
    }
}

#[test]
fn connections_are_closed_with_any_code() {
    for code in [1000, 1001, 1012, 3000, 4999] {
        let simulator = start(faulty(&[&format!("close={code}@5ms")])).unwrap();
        let mut client = both(&simulator);
        let (texts, close) = client.rest();
        assert_contiguous(&ids(&texts, "BTCUSDT"));
        assert_eq!(close, Some((CloseCode::from(code), "closed on purpose".to_owned())));
        let mut client = both(&simulator);
        client.text();
        assert_eq!(simulator.stop().progress.recovery.recovered, 1);
    }
}

#[test]
fn who_does_not_answer_a_close_is_dropped() {
    let simulator = start(faulty(&["close=1001@0s"])).unwrap();
    let bytes = upgrade(&simulator, "/ws/btcusdt@trade/ethusdt@trade");
    assert!(bytes.ends_with(b"\x88\x13\x03\xe9closed on purpose"), "{:?}", String::from_utf8_lossy(&bytes));
    simulator.stop();
}

#[test]
fn a_shutdown_is_announced_and_cuts_those_who_were_told() {
    let simulator = start(faulty(&["shutdown=50ms@0s"])).unwrap();
    let mut told = both(&simulator);
    let notice: Value = told.json();
    assert_eq!(notice["e"], "serverShutdown");
    let mut newcomer = both(&simulator);
    let (texts, close) = told.rest();
    assert!(!texts.is_empty(), "trades go on until the cut");
    assert_eq!(close, None);
    let cut_at = *ids(&texts, "BTCUSDT").last().unwrap();
    let mut found = 0;
    while found < cut_at + 1_000 {
        found = id(&serde_json::from_str(&next_with(&mut newcomer, "BTCUSDT")).unwrap());
    }
    let progress = simulator.stop().progress;
    assert_eq!((progress.faults.times("shutdown"), progress.faults.touched("shutdown")), (1, 1));
}
