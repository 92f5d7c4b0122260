//! The process dies, or stops while its broker is away: the next run goes on from there.

use std::collections::BTreeSet;
use std::path::Path;

use k2_feed::sim::{self, Rate, Simulator, SimulatorConfig};
use k2_feed::venue::protocol::Protocol;
use serde_json::Value;
use tempfile::TempDir;

use crate::oracle::{field, text};
use crate::reader::{Found, Normalized, Reader, TOPIC};
use crate::report;
use crate::world::{Broker, Run, alone};

fn market() -> Simulator {
    let market = SimulatorConfig { rate: Rate::PerSecond(4_000.0), ..SimulatorConfig::new(Protocol::BinanceSpot) };
    sim::start(market).unwrap()
}

/// A configuration with a state folder, from whose exchange missing trades can be had.
fn file(broker: &Broker, simulator: &Simulator, state: &Path, more: &str) -> String {
    format!(
        "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\nshutdown_timeout_s = 1\n{more}[state]\ndir = {state:?}\n\
         [repair]\nmax_trades = 1000000\n[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\nurl = {:?}\n\
         rest_url = \"http://{}\"\ntopic = {TOPIC:?}\n",
        broker.servers,
        broker.registry,
        simulator.url(),
        simulator.addr(),
    )
}

fn ids(found: &Found, symbol: &str) -> Vec<u64> {
    let id = |trade: &Normalized| text(field(&trade.fields, "trade_id")).parse().expect("a number");
    found.normalized.iter().filter(|trade| trade.key == symbol).map(id).collect()
}

fn count(accounting: &Value, path: &str) -> u64 {
    accounting.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {accounting:#}"))
}

/// No number is left out between the first and the last; how many are there twice.
fn twice(found: &Found) -> usize {
    let mut twice = 0;
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let all = ids(found, symbol);
        let each: BTreeSet<_> = all.iter().copied().collect();
        let (first, last) = (each.first().unwrap(), each.last().unwrap());
        assert_eq!(last - first + 1, each.len() as u64, "{symbol}: trades are missing");
        twice += all.len() - each.len();
    }
    twice
}

/// What the exchange sent while nobody listened is fetched from its history, and nothing that is there goes again.
#[test]
fn after_kill_9_every_trade_is_on_the_topic_once() {
    let _alone = alone();
    let (broker, simulator, state) = (Broker::start(), market(), TempDir::new().unwrap());
    let file = file(&broker, &simulator, state.path(), "");
    let mut run = Run::with(&[], Some(&file), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    // It has written how far it is by then.
    reader.until_that(|found| found.normalized.len() >= 8_000);
    run.child.kill();
    drop(run);
    let before = reader.found.normalized.len();

    let mut run = Run::with(&[], Some(&file), &[]).subscribed();
    run.child.log_line("goes on from where the run before ended");
    run.child.log_line("gap: closed by the exchange's history");
    run.child.next_log_line("gap: closed by the exchange's history");
    reader.until_that(|found| found.normalized.len() >= before + 8_000);
    let stopped = run.stop();
    let found = reader.into_all();
    simulator.stop();

    assert_eq!(twice(&found), 0);
    assert!(found.normalized.iter().any(|trade| trade.source.as_deref() == Some("rest")));
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    assert_eq!(count(accounting, "/repairs/gaps"), 2, "{accounting:#}");
}

/// Numbers of trades that are not the market's are used up, and not published: at the next start they are not missing.
#[test]
fn what_was_not_to_be_published_is_not_missing_at_the_next_start() {
    let _alone = alone();
    let market = SimulatorConfig { rate: Rate::PerSecond(4_000.0), ..SimulatorConfig::new(Protocol::BinanceUsdm) };
    let (broker, simulator, state) = (Broker::start(), sim::start(market).unwrap(), TempDir::new().unwrap());
    let file = format!(
        "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\n[state]\ndir = {:?}\n\
         [[feed]]\nexchange = \"binance-usdm\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\nurl = {:?}\ntopic = {TOPIC:?}\n",
        broker.servers,
        broker.registry,
        state.path(),
        simulator.url(),
    );
    let run = || Run::with(&[], Some(&file), &[]).subscribed();
    let first = run();
    let mut reader = Reader::start(&broker);
    reader.until_that(|found| found.normalized.len() >= 8_000);
    let first = first.stop();
    let before = reader.found.normalized.len();
    let second = run();
    reader.until_that(|found| found.normalized.len() >= before + 2_000);
    let second = second.stop();
    simulator.stop();
    let [first, second] = [first, second].map(|stopped| count(&stopped.report["accounting"], "/gaps"));
    assert_eq!((first, second), (0, 2), "of each symbol what it traded meanwhile is missing");
}

/// The broker hangs: what does not fit into memory waits on disk, what is left at the end too. The next run delivers it
/// first, in order.
#[test]
fn what_waits_on_disk_goes_first_at_the_next_start() {
    let _alone = alone();
    let (broker, simulator, state) = (Broker::start(), market(), TempDir::new().unwrap());
    let file = file(&broker, &simulator, state.path(), "queue_records = 1000\n");
    let mut run = Run::with(&[], Some(&file), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    reader.until_that(|found| found.normalized.len() >= 1_000);
    broker.child.signal(libc::SIGSTOP);
    run.child.log_line("records wait on disk now");
    run.child.terminate();
    let stopped = run.ended_with(1);
    let first = &stopped.report["accounting"];
    report::accounting(first);
    assert!(count(first, "/records/normalized/spilled") > 0, "{first:#}");
    assert_eq!(count(first, "/records/normalized/in_flight") + count(first, "/records/raw/in_flight"), 0, "{first:#}");
    assert!(stopped.ended.stderr.contains("they are on disk, and go first"), "{}", stopped.ended.stderr);

    broker.child.signal(libc::SIGCONT);
    let mut run = Run::with(&[], Some(&file), &[]).subscribed();
    run.child.log_line("left by an earlier run");
    run.child.log_line("gap: closed by the exchange's history");
    run.child.next_log_line("gap: closed by the exchange's history");
    let before = reader.found.normalized.len();
    reader.until_that(|found| found.normalized.len() >= before + 8_000);
    let stopped = run.stop();
    let found = reader.into_all();
    simulator.stop();

    let second = &stopped.report["accounting"];
    report::accounting(second);
    for kind in ["raw", "normalized"] {
        let of = |accounting: &Value, column: &str| count(accounting, &format!("/records/{kind}/{column}"));
        assert_eq!(of(second, "recovered"), of(first, "spilled"));
        assert_eq!(of(second, "acked"), of(second, "committed"));
    }
    // Those that were on their way to a broker that said nothing may have arrived.
    assert!(twice(&found) as u64 <= count(first, "/delivery/possible_duplicates"), "{first:#}");
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let live = |trade: &&Normalized| trade.key == symbol && trade.source.is_none();
        let mut seen = BTreeSet::new();
        let numbers = found.normalized.iter().filter(live).map(|trade| text(field(&trade.fields, "trade_id")));
        let firsts: Vec<u64> = numbers.map(|id| id.parse().unwrap()).filter(|id| seen.insert(*id)).collect();
        assert!(firsts.is_sorted(), "{symbol}: in order");
    }
}
