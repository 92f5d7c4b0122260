//! What cannot be delivered: nothing hangs, and the remainder is told.

use std::time::{Duration, Instant};

use k2_feed::sim::{self, Rate, Simulator, SimulatorConfig};
use k2_feed::venue::protocol::Protocol;

use crate::child::PATIENCE;
use crate::report;
use crate::world::{Broker, Run, alone, variables};

/// The smallest of everything, so that it is full soon.
const SMALL: &str = "[kafka]\nqueue_records = 500\nshutdown_timeout_s = 2\n\
                     [limits]\nmax_frame_bytes = 4096\nring_bytes = 131072\n";

fn market(rate: f64) -> Simulator {
    let market = SimulatorConfig { rate: Rate::PerSecond(rate), ..SimulatorConfig::new(Protocol::BinanceSpot) };
    sim::start(market).unwrap()
}

/// Waits until the exchange cannot get rid of its trades any more: everything up to the socket is full.
fn until_backed_up(simulator: &Simulator) {
    let deadline = Instant::now() + PATIENCE;
    while simulator.progress().unwritten_bytes < 1 << 20 {
        assert!(Instant::now() < deadline, "the engine takes everything");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The broker answers nothing any more, and the ring is full: whoever reads waits for room that nobody makes.
#[test]
fn a_run_stops_although_its_broker_hangs_and_its_ring_is_full() {
    let alone = alone();
    let (broker, simulator) = (Broker::start(), market(60_000.0));
    let url = simulator.url();
    let mut run = Run::with(&variables(&broker, &url, "BTCUSDT"), Some(SMALL), &[]).subscribed();
    broker.child.signal(libc::SIGSTOP);
    until_backed_up(&simulator);
    run.child.terminate();
    run.child.log_line("connection ended: the engine stops");
    simulator.stop();
    // From here on it sleeps, up to the end of its patience with the broker, and may share the CPUs.
    drop(alone);
    let stopped = run.ended_with(1);

    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    assert!(accounting["ring_full"].as_u64() > Some(0), "{accounting:#}");
    let in_flight = |kind: &str| accounting["records"][kind]["in_flight"].as_u64().unwrap();
    let left = in_flight("raw") + in_flight("normalized");
    assert!(left >= 500, "{accounting:#}");
    let ended = stopped.ended.says(&["stopped: records were lost, or are not known to have arrived"]);
    assert!(ended.stderr.contains(&format!("in_flight={left}")), "{}", ended.stderr);
}

/// The broker pauses, the ring fills, TCP pushes back; then the broker goes on, and nothing is lost.
#[test]
fn a_pause_of_the_broker_loses_nothing() {
    let _alone = alone();
    let (broker, simulator) = (Broker::start(), market(60_000.0));
    let url = simulator.url();
    let run = Run::with(&variables(&broker, &url, "BTCUSDT"), Some(SMALL), &[]).subscribed();
    broker.child.signal(libc::SIGSTOP);
    until_backed_up(&simulator);
    broker.child.signal(libc::SIGCONT);
    let stopped = run.stop();
    simulator.stop();
    let accounting = &stopped.report["accounting"];
    assert!(accounting["ring_full"].as_u64() > Some(0), "{accounting:#}");
    report::flawless(&stopped.report, accounting["trades"].as_u64().unwrap() as usize);
}

/// The broker is gone for good: records that it has not acknowledged in time come back, wait, and are named at the end.
#[test]
fn records_that_cannot_be_delivered_are_counted_and_named() {
    let _alone = alone();
    let (mut broker, simulator) = (Broker::start(), market(2_000.0));
    let url = simulator.url();
    let file = "[kafka]\nmessage_timeout_ms = 1000\nshutdown_timeout_s = 1\n";
    let mut run = Run::with(&variables(&broker, &url, "BTCUSDT"), Some(file), &[]).subscribed();
    broker.child.kill();
    run.child.log_line("records came back");
    run.child.terminate();
    simulator.stop();
    let stopped = run.ended_with(1);
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    let left = |kind: &str| accounting["records"][kind]["in_flight"].as_u64().unwrap();
    assert!(left("normalized") > 0 && accounting["delivery"]["returned"].as_u64() > Some(0), "{accounting:#}");
    let named = format!("symbol=\"BTCUSDT\" records={} first=", left("normalized"));
    stopped.ended.says(&["left: not known to have arrived", &named]);
}

/// Whoever asks twice does not wait, and is told what is left.
#[test]
fn a_second_signal_ends_it_at_once_and_says_what_is_left() {
    let _alone = alone();
    let (broker, simulator) = (Broker::start(), market(2_000.0));
    let url = simulator.url();
    let mut run = Run::with(&variables(&broker, &url, "BTCUSDT"), None, &[]).subscribed();
    broker.child.signal(libc::SIGSTOP);
    run.child.terminate();
    run.child.log_line("waiting for the broker; a second signal ends it at once");
    run.child.terminate();
    let ended = run.child.ended().expect(1);
    simulator.stop();
    let line = ended.stderr.lines().find(|line| line.starts_with("stopped at once: ")).expect(&ended.stderr);
    assert!(line.ends_with(" records were in flight, 0 are on disk"), "{line}");
}
