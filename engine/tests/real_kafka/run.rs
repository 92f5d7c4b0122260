//! `simulate` and `run` as a user starts them, between them and the topics only what is real.

use crate::oracle::{MILLISECOND, contiguous, same_trades};
use crate::reader::Reader;
use crate::real::Real;
use crate::report;
use crate::world::{Exchange, Run, Stopped, alone};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";

/// Stops the run once so many trades are on both topics, and reads all.
fn all_arrive(real: &Real, run: Run, count: usize) -> Stopped {
    let mut reader = Reader::start(&real.broker);
    reader.until(count);
    let stopped = run.stop();
    let found = reader.into_all();
    assert_eq!(found.raw.len(), count);
    contiguous(&same_trades(&found, MILLISECOND));
    stopped
}

#[test]
fn every_trade_is_on_both_topics_once_and_in_order() {
    const COUNT: usize = 20_000;
    let _alone = alone();
    let Some(real) = Real::start() else { return };
    let exchange = Exchange::start(&["--rate", "10000", "--count", "20000"]);
    let run = Run::start(&real.broker, &exchange.url, SYMBOLS).subscribed();
    let stopped = all_arrive(&real, run, COUNT);
    report::check(&stopped, "run");
    report::flawless(&stopped.report, COUNT);
}

/// Kafka dies and comes back while trades come: what was not acknowledged is sent again, once and in order.
#[test]
fn a_broker_that_is_killed_and_comes_back_misses_nothing() {
    const COUNT: usize = 20_000;
    let _alone = alone();
    let Some(mut real) = Real::start() else { return };
    let exchange = Exchange::start(&["--rate", "2000", "--count", "20000"]);
    let mut run = Run::start(&real.broker, &exchange.url, SYMBOLS).subscribed();
    Reader::start(&real.broker).until(1_000);
    real.kill_kafka();
    run.child.log_line("AllBrokersDown");
    real.start_kafka_again();
    let stopped = all_arrive(&real, run, COUNT);
    report::flawless(&stopped.report, COUNT);
}
