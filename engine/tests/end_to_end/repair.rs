//! Gaps that are filled from the exchange's history, and those that cannot be.

use std::collections::BTreeSet;

use k2_feed::sim::{self, Rate, Simulator, SimulatorConfig};
use k2_feed::venue::protocol::Protocol;
use serde_json::Value;

use crate::oracle::{field, long, product, text};
use crate::reader::{Found, Normalized, Reader, TOPIC};
use crate::report;
use crate::world::{Broker, Run, Stopped, alone};

/// A market, and a run that is fed by it and repairs its gaps from it, on the topics that the reader reads.
struct Rig {
    simulator: Simulator,
    run: Run,
    reader: Reader,
}

impl Rig {
    /// With the first trades on both topics.
    fn start(broker: &Broker, config: SimulatorConfig, symbol: &str) -> Self {
        let protocol = config.protocol;
        let simulator = sim::start(config).unwrap();
        let file = format!(
            "[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\n[repair]\nmax_trades = 100000\n[[feed]]\n\
             exchange = {:?}\nprotocol = {:?}\nsymbols = [{symbol:?}]\nurl = {:?}\nrest_url = \"http://{}\"\ntopic = {TOPIC:?}\n",
            broker.servers,
            broker.registry,
            protocol.exchange(),
            protocol.name(),
            simulator.url(),
            simulator.addr(),
        );
        let run = Run::with(&[], Some(&file), &[]).subscribed();
        let mut reader = Reader::start(broker);
        reader.until_that(|found| found.normalized.len() >= 500);
        Rig { simulator, run, reader }
    }

    /// Cuts the connection. The market goes on meanwhile. Returns once the gap is filled, or given up.
    fn cut_until(&mut self, outcome: &str) -> String {
        self.simulator.cut_all();
        self.run.child.next_log_line("gap: trades are missing");
        self.run.child.next_log_line("gap: asking the exchange's history");
        self.run.child.next_log_line(outcome)
    }

    /// All that came, after a while of live trades behind the last cut.
    fn finish(mut self) -> (Found, Stopped, Simulator) {
        let before = self.reader.found.normalized.len();
        self.reader.until_that(|found| found.normalized.len() >= before + 1_000);
        let stopped = self.run.stop();
        (self.reader.into_all(), stopped, self.simulator)
    }
}

fn config(protocol: Protocol, rate: f64) -> SimulatorConfig {
    SimulatorConfig { rate: Rate::PerSecond(rate), ..SimulatorConfig::new(protocol) }
}

fn id(trade: &Normalized) -> u64 {
    text(field(&trade.fields, "trade_id")).parse().expect("a number")
}

fn repaired(found: &Found) -> Vec<&Normalized> {
    found.normalized.iter().filter(|trade| trade.source.is_some()).collect()
}

fn number(accounting: &Value, path: &str) -> u64 {
    accounting.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {accounting:#}"))
}

/// Every id is there exactly once; those that were repaired say so, and are in order.
fn each_once_and_marked(found: &Found, stopped: &Stopped) {
    let ids: BTreeSet<u64> = found.normalized.iter().map(id).collect();
    assert_eq!(ids.len(), found.normalized.len(), "an id came twice");
    let (first, last) = (ids.first().unwrap(), ids.last().unwrap());
    assert_eq!(last - first + 1, ids.len() as u64, "ids are missing");

    let repaired = repaired(found);
    assert!(repaired.iter().map(|trade| id(trade)).is_sorted(), "repaired trades in order of their ids");
    for trade in &found.normalized {
        let connection = text(field(&trade.fields, "connection"));
        assert_eq!(trade.source.as_deref() == Some("rest"), connection == "rest", "{:?} by {connection}", trade.source);
        assert_eq!(trade.source.is_some(), trade.source.as_deref() == Some("rest"));
    }
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    let (gaps, filled) = (number(accounting, "/gaps"), number(accounting, "/repairs/filled"));
    assert_eq!(number(accounting, "/repairs/gaps") + filled, gaps, "{accounting:#}");
    assert_eq!(number(accounting, "/repairs/trades"), repaired.len() as u64, "{accounting:#}");
    assert!(number(accounting, "/missing") >= repaired.len() as u64 && !repaired.is_empty(), "{accounting:#}");
    let published = number(accounting, "/trades") - number(accounting, "/duplicates") + repaired.len() as u64;
    assert_eq!(number(accounting, "/records/normalized/acked"), published, "{accounting:#}");
}

/// A repaired trade took place between those around it, and at about their price.
fn fits_between_its_neighbours(found: &Found) {
    let mut trades: Vec<_> = found.normalized.iter().collect();
    trades.sort_by_key(|trade| id(trade));
    let at = |trade: &Normalized| long(field(&trade.fields, "exchange_timestamp_ns"));
    let price = |trade: &Normalized| text(field(&trade.fields, "price")).parse::<f64>().unwrap();
    for three in trades.windows(3).filter(|three| three[1].source.is_some()) {
        let [before, trade, after] = three else { unreachable!("three") };
        assert!(at(before) <= at(trade) && at(trade) <= at(after), "{:?}", trade.fields);
        assert!((price(trade) / price(before) - 1.0).abs() < 0.01, "{:?}", trade.fields);
        let (price, quantity) = (text(field(&trade.fields, "price")), text(field(&trade.fields, "quantity")));
        assert_eq!(text(field(&trade.fields, "quote_volume")), product(price, quantity));
    }
}

/// Field by field as the exchange's history has them, by whoever reads JSON otherwise.
#[test]
fn trades_of_a_gap_are_published_as_the_history_has_them() {
    let _alone = alone();
    let broker = Broker::start();
    let mut rig = Rig::start(&broker, config(Protocol::BinanceSpot, 4_000.0), "BTCUSDT");
    for _ in 0..2 {
        rig.cut_until("gap: closed by the exchange's history");
    }
    let (found, stopped, simulator) = rig.finish();
    each_once_and_marked(&found, &stopped);
    fits_between_its_neighbours(&found);
    assert_eq!(stopped.report["accounting"]["gaps"], 2);

    let repaired = repaired(&found);
    let live = found.normalized.len() - repaired.len();
    assert_eq!(found.raw.len(), live, "what came by REST is no frame");
    for page in repaired.chunk_by(|one, next| id(next) == id(one) + 1).flat_map(|run| run.chunks(1_000)) {
        let (first, count) = (id(page[0]), page.len());
        let query = format!("symbol=BTCUSDT&fromId={first}&limit={count}");
        let url = format!("http://{}/api/v3/historicalTrades?{query}", simulator.addr());
        let told: Vec<Value> = ureq::get(url).call().unwrap().body_mut().read_json().unwrap();
        assert_eq!(told.len(), count, "the simulator still has them all");
        for (trade, told) in page.iter().zip(told) {
            let is = |name: &str, expected: &Value| assert_eq!(text(field(&trade.fields, name)), expected, "{told}");
            is("price", &told["price"]);
            is("quantity", &told["qty"]);
            is("symbol", &"BTCUSDT".into());
            is("canonical_symbol", &"BTC/USDT".into());
            is("side", &if told["isBuyerMaker"] == true { "SELL" } else { "BUY" }.into());
            assert_eq!(
                (&told["id"], long(field(&trade.fields, "exchange_timestamp"))),
                (&id(trade).into(), told["time"].as_i64().unwrap())
            );
            assert_eq!(trade.key, "BTCUSDT");
        }
    }
    simulator.stop();
}

#[test]
fn every_exchange_that_has_a_history_fills_gaps_from_it() {
    let _alone = alone();
    for (protocol, symbol, rate) in [
        (Protocol::KrakenV2, "BTC/USD", 4_000.0),
        (Protocol::CoinbaseExchange, "BTC-USD", 4_000.0),
        // It is told by whole seconds, a thousand trades a page.
        (Protocol::CoinbaseAdvanced, "BTC-USD", 400.0),
    ] {
        let broker = Broker::start();
        let mut rig = Rig::start(&broker, config(protocol, rate), symbol);
        if protocol == Protocol::CoinbaseAdvanced {
            // Its snapshot fills a short gap. A second connection within half a second is not allowed.
            rig.simulator.cut_all();
            rig.run.child.next_log_line("subscribed");
        }
        rig.cut_until("gap: closed by the exchange's history");
        let (found, stopped, simulator) = rig.finish();
        simulator.stop();
        each_once_and_marked(&found, &stopped);
        fits_between_its_neighbours(&found);
    }
}

/// The gap is told with its ids and why, and nobody waits for it.
#[test]
fn a_gap_whose_history_is_refused_stays_one_and_live_trades_go_on() {
    let _alone = alone();
    let broker = Broker::start();
    let refusing = SimulatorConfig { history_status: Some(403), ..config(Protocol::BinanceSpot, 4_000.0) };
    let mut rig = Rig::start(&broker, refusing, "BTCUSDT");
    let line = rig.cut_until("gap: trades cannot be had");
    let (found, stopped, simulator) = rig.finish();
    simulator.stop();

    let ids: Vec<u64> = found.normalized.iter().map(id).collect();
    let jumps: Vec<_> = ids.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    let [jump] = jumps[..] else { panic!("one jump in the ids, not {jumps:?}") };
    let (first, last) = (jump[0] + 1, jump[1] - 1);
    for part in [format!("first={first}"), format!("last={last}"), "reason=\"refused\"".into(), "HTTP 403".into()] {
        assert!(line.contains(&part), "{part} is not in {line}");
    }
    assert!(repaired(&found).is_empty());
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    assert_eq!(
        (number(accounting, "/gaps"), number(accounting, "/repairs/given_up/refused")),
        (1, 1),
        "{accounting:#}"
    );
    assert_eq!((number(accounting, "/missing"), number(accounting, "/repairs/trades")), (last - first + 1, 0));
    assert!(ids.iter().filter(|id| **id > last).count() >= 1_000, "live trades went on");
}

/// Whoever feeds from a simulator does not ask the exchange itself, unless told whom to ask.
#[test]
fn without_a_rest_url_nobody_is_asked() {
    let _alone = alone();
    let broker = Broker::start();
    let simulator = sim::start(config(Protocol::BinanceSpot, 4_000.0)).unwrap();
    let mut run = Run::start(&broker, &simulator.url(), "BTCUSDT");
    run.child.log_line("gaps stay: url is not the exchange's own, so rest_url must be given, too");
    let mut run = run.subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(500);
    simulator.cut_all();
    run.child.log_line("gap: trades are missing");
    let accounting = run.stop().report["accounting"].clone();
    simulator.stop();
    assert_eq!((number(&accounting, "/gaps"), number(&accounting, "/repairs/given_up/no_history")), (1, 1));
}
