//! The agenda by itself: no sockets, and a clock that the test moves.

use super::*;
use crate::sim::config::SimulatorConfig;
use crate::venue::protocol::Protocol;

const SECOND: i64 = 1_000_000_000;
const NONE: [u64; 0] = [];

fn striker(faults: &[&str]) -> Option<Striker> {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    Striker::new(&Arc::new(Hub::new(SimulatorConfig { faults, ..SimulatorConfig::new(Protocol::BinanceSpot) })))
}

/// How many trades of each of two symbols are skipped up to this moment.
fn skipped(striker: &mut Striker, now_ns: i64) -> Vec<u64> {
    let mut asked = Vec::new();
    striker.strike(now_ns, &mut |trades| {
        asked.push(trades);
        trades * 2
    });
    asked
}

#[test]
fn faults_strike_in_the_order_of_their_times_and_once_or_again() {
    let mut striker = striker(&["drop=1@every:5s", "drop=2@7s"]).unwrap();
    assert_eq!(skipped(&mut striker, 5 * SECOND - 1), NONE);
    assert_eq!(striker.until_next(5 * SECOND - 1), Some(1));
    assert_eq!(skipped(&mut striker, 5 * SECOND), [1]);
    assert_eq!(skipped(&mut striker, 5 * SECOND), NONE);
    assert_eq!(skipped(&mut striker, 10 * SECOND), [2, 1]);
    let struck = striker.hub.meter.progress(0, 0, striker.hub.recoveries.so_far()).faults;
    assert_eq!((struck.times("drop"), struck.touched("drop")), (3, 8));
    assert_eq!(struck.to_string(), "drop 3 (8 trades)");
}

#[test]
fn what_a_late_thread_missed_is_not_made_up_for() {
    let mut striker = striker(&["drop=1@every:5s"]).unwrap();
    assert_eq!(skipped(&mut striker, 23 * SECOND), [1]);
    assert_eq!(striker.until_next(23 * SECOND), Some(2 * SECOND));
}

#[test]
fn a_stall_holds_the_market_until_it_is_over_or_something_else_is_due() {
    let mut striker = striker(&["stall=3s@5s", "drop=1@6s"]).unwrap();
    let mut at = |now_ns| striker.strike(now_ns, &mut |_| 0);
    assert_eq!(at(4 * SECOND), None);
    assert_eq!(at(5 * SECOND), Some(SECOND));
    assert_eq!(at(6 * SECOND), Some(2 * SECOND));
    assert_eq!(at(8 * SECOND), None);
    assert_eq!(at(9 * SECOND), None);
}

#[test]
fn doors_are_shut_before_connections_are_dropped_at_the_same_time() {
    let striker = striker(&["cut@5s", "close=1001@5s", "status=503/3s@5s", "refuse=3s@4s"]).unwrap();
    let order: Vec<String> = striker
        .agenda
        .iter()
        .map(|planned| match &planned.deed {
            Deed::Strike(fault) => fault.to_string(),
            Deed::CutNoticed(_) => unreachable!("nothing was announced"),
        })
        .collect();
    assert_eq!(order, ["refuse=3s@4s", "status=503/3s@5s", "cut@5s", "close=1001@5s"]);
}

#[test]
fn without_a_time_there_is_no_agenda() {
    assert!(striker(&["drip=64", "reject=BTCUSDT", "noack=ETHUSDT"]).is_none());
}
