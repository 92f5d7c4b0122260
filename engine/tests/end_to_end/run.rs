//! `simulate`, `broker` and `run`, each a process, in the variants that a configuration can ask for.

use std::collections::BTreeSet;

use crate::oracle::{MICROSECOND, MILLISECOND, contiguous, same_trades, trade_of};
use crate::reader::{Found, Raw, Reader};
use crate::report;
use crate::world::{Broker, Exchange, Run, Stopped, alone, variables};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";
const COUNT: usize = 3_000;
/// The market of most tests: so many trades, then it ends.
const MARKET: [&str; 4] = ["--rate", "6000", "--count", "3000"];

/// Reads `count` trades off both topics, stops the run, and holds what was found against what it reports.
fn finish(broker: &Broker, run: Run, count: usize, unit_ns: i64) -> (Found, Stopped) {
    let mut reader = Reader::start(broker);
    reader.until(count);
    let stopped = run.stop();
    let found = reader.into_all();
    assert_eq!(found.raw.len(), count);
    contiguous(&same_trades(&found, unit_ns));
    report::check(&stopped, "run");
    report::flawless(&stopped.report, count);
    (found, stopped)
}

/// Runs against the usual market at `path` and checks everything.
fn fed(path: &str, unit_ns: i64) -> Found {
    let (broker, exchange) = (Broker::start(), Exchange::start(&MARKET));
    let url = format!("{}{path}", exchange.base());
    let run = Run::start(&broker, &url, SYMBOLS).subscribed_or_connected(path);
    finish(&broker, run, COUNT, unit_ns).0
}

impl Run {
    /// An address that subscribes is not acknowledged.
    fn subscribed_or_connected(mut self, path: &str) -> Self {
        self.child.log_line(if path.contains('?') { "connected" } else { "subscribed" });
        self
    }
}

#[test]
fn five_variables_are_enough() {
    let _alone = alone();
    let (broker, mut exchange) = (Broker::start(), Exchange::start(&["--rate", "20000", "--count", "20000"]));
    let run = Run::start(&broker, &exchange.url, SYMBOLS).subscribed();
    let (found, stopped) = finish(&broker, run, 20_000, MILLISECOND);
    let symbols: BTreeSet<_> = found.raw.iter().map(|raw| raw.key.as_str()).collect();
    assert_eq!(symbols, SYMBOLS.split(',').collect());
    assert!(found.raw.iter().all(|raw| raw.connection == "binance-0.1"));
    assert!(found.raw.iter().all(|raw| raw.frame.starts_with(r#"{"e":"trade","#)), "bare frames");
    assert!(stopped.ended.stderr.contains("nothing lost"), "{}", stopped.ended.stderr);
    // The acknowledgement, and the notice of the exchange's end.
    assert!(stopped.report["accounting"]["frames"]["control"].as_u64() >= Some(1));
    exchange.child.stdout_line("20000");
}

#[test]
fn combined_streams_by_request() {
    let _alone = alone();
    let found = fed("/stream", MILLISECOND);
    assert!(found.raw.iter().all(|raw| raw.frame.starts_with(r#"{"stream":"#)), "wrapped frames");
}

#[test]
fn combined_streams_by_address() {
    let _alone = alone();
    let found = fed("/stream?streams=", MILLISECOND);
    assert!(found.raw.iter().all(|raw| raw.frame.starts_with(r#"{"stream":"#)), "wrapped frames");
}

#[test]
fn microseconds_by_file_alone() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&MARKET));
    let file = format!(
        "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\n[[feed]]\nexchange = \"binance\"\n\
         symbols = [\"BTCUSDT\", \"ETHUSDT\"]\nurl = {:?}\ntime_unit = \"microsecond\"\n",
        broker.servers, broker.registry, exchange.url
    );
    let run = Run::with(&[], Some(&file), &[]).subscribed();
    let (found, _) = finish(&broker, run, COUNT, MICROSECOND);
    let is_whole = |raw: &Raw| trade_of(raw)["T"].as_u64().unwrap().is_multiple_of(1_000);
    let finer = found.raw.iter().filter(|raw| !is_whole(raw));
    assert!(finer.count() > COUNT / 2, "times finer than milliseconds");
}

#[test]
fn spinning_cores() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&MARKET));
    let variables = variables(&broker, &exchange.url, SYMBOLS);
    let run = Run::with(&variables, Some("[cores]\nwait = \"spin\"\n"), &[]).subscribed();
    let (_, stopped) = finish(&broker, run, COUNT, MILLISECOND);
    assert_eq!(stopped.report["config"]["cores"]["wait"], "spin");
}

/// 1,100 symbols are more than one connection may carry; each goes to a feed core of its own.
#[test]
fn two_connections_on_two_feed_cores_and_two_producer_cores() {
    const COUNT: usize = 12_000;
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "4000", "--count", "12000"]));
    let symbols: Vec<_> = (0..1_100).map(|number| format!("S{number}USDT")).collect();
    let symbols = symbols.join(",");
    // By their numbers, so that there are two of each wherever the test runs.
    let cpus = core_affinity::get_core_ids().unwrap();
    let both = format!("[{}, {}]", cpus[0].id, cpus[cpus.len() - 1].id);
    let file = format!("[cores]\nfeed = {both}\nproducer = {both}\n[kafka]\npartitions = 4\n");
    let run = Run::with(&variables(&broker, &exchange.url, &symbols), Some(&file), &[]).subscribed();
    let (found, stopped) = finish(&broker, run, COUNT, MILLISECOND);
    for (name, more_than) in [("binance-0.1", 450), ("binance-1.1", 450)] {
        let of_this = found.raw.iter().filter(|raw| raw.connection == name);
        let symbols: BTreeSet<_> = of_this.map(|raw| &raw.key).collect();
        assert!(symbols.len() > more_than, "{} symbols came by {name}", symbols.len());
    }
    for kind in ["feed", "producer"] {
        assert_eq!(stopped.report["plan"][kind].as_array().map(Vec::len), Some(2), "{:#}", stopped.report["plan"]);
    }
}

#[test]
fn a_run_ends_by_itself_when_its_time_is_over() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "2000"]));
    let run = Run::with(&variables(&broker, &exchange.url, SYMBOLS), None, &["--for", "1500ms"]);
    let stopped = run.ended();
    let trades = stopped.report["accounting"]["trades"].as_u64().unwrap() as usize;
    assert!(trades > 500, "{trades} trades in 1.5 s");
    assert!((1.5..3.0).contains(&stopped.report["seconds"].as_f64().unwrap()), "{:#}", stopped.report["seconds"]);
    report::check(&stopped, "run");
    report::flawless(&stopped.report, trades);
    let mut reader = Reader::start(&broker);
    reader.until(trades);
    contiguous(&same_trades(&reader.into_all(), MILLISECOND));
}

#[test]
fn log_lines_are_json_when_asked() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&MARKET));
    let arguments = ["--for", "300ms", "--log-format", "json"];
    let stopped = Run::with(&variables(&broker, &exchange.url, SYMBOLS), None, &arguments).ended();
    for line in stopped.ended.stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
}

/// Each trade is published once, by whichever connection shows it first, and so is its frame.
#[test]
fn two_connections_of_a_feed_publish_each_trade_once() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", "4000", "--count", "8000"]));
    let file = "[[feed]]\nexchange = \"binance\"\nconnections = 2\n";
    let run = Run::with(&variables(&broker, &exchange.url, SYMBOLS), Some(file), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(8_000);
    let stopped = run.stop();
    let found = reader.into_all();
    assert_eq!(found.raw.len(), 8_000);
    contiguous(&same_trades(&found, MILLISECOND));
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    let duplicates = accounting["duplicates"].as_u64().unwrap();
    assert!(duplicates > 0 && accounting["trades"] == 8_000 + duplicates, "{accounting:#}");
    let twins = stopped.report["twins"].as_array().unwrap();
    let sum = |what: &str| twins.iter().map(|twin| twin[what].as_u64().unwrap()).sum::<u64>();
    assert_eq!((twins.len(), sum("first"), sum("second")), (2, duplicates, duplicates), "{twins:#?}");
    assert!(stopped.ended.stderr.contains("first=\"binance-0 "), "{}", stopped.ended.stderr);
}
