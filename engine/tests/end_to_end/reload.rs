//! SIGHUP: the configuration is read again while trades go on.

use k2_feed::sim::{self, Rate, SimulatorConfig};
use k2_feed::venue::protocol::Protocol;

use crate::oracle::{MILLISECOND, same_trades};
use crate::reader::{Found, Reader};
use crate::report;
use crate::world::{Broker, Run, alone};

/// A market that makes 2,000 trades/s of the symbols that are subscribed.
fn market(protocol: Protocol) -> sim::Simulator {
    sim::start(SimulatorConfig { rate: Rate::PerSecond(2_000.0), ..SimulatorConfig::new(protocol) }).unwrap()
}

fn file(broker: &Broker, feeds: &[(&str, &str, &[&str])]) -> String {
    let kafka =
        format!("[kafka]\nbootstrap_servers = {:?}\nschema_registry_url = {:?}\n", broker.servers, broker.registry);
    let feed = |(exchange, url, symbols): &(&str, &str, &[&str])| {
        format!("[[feed]]\nexchange = {exchange:?}\nurl = {url:?}\nsymbols = {symbols:?}\n")
    };
    kafka + &feeds.iter().map(feed).collect::<String>()
}

fn count(found: &Found, symbol: &str) -> usize {
    found.normalized.iter().filter(|one| one.key == symbol).count()
}

#[test]
fn symbols_and_feeds_come_and_go_and_the_others_are_not_touched() {
    let _alone = alone();
    let (broker, binance, kraken) = (Broker::start(), market(Protocol::BinanceSpot), market(Protocol::KrakenV2));
    let (at, also_at) = (binance.url(), kraken.url());
    let before = file(&broker, &[("binance", &at, &["BTCUSDT", "ETHUSDT"])]);
    let mut run = Run::with(&[], Some(&before), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(1_000);

    let after = file(&broker, &[("kraken", &also_at, &["BTC/USD"]), ("binance", &at, &["SOLUSDT", "BTCUSDT"])]);
    run.write(&after);
    run.child.signal(libc::SIGHUP);
    let taken = run.child.log_line("the configuration is taken over");
    for part in ["feeds_added=1", "feeds_removed=0", "symbols_added=2", "symbols_removed=1", "symbols_moved=0"] {
        assert!(taken.contains(part), "{part} in {taken}");
    }
    run.child.log_line("subscribed connection=\"kraken-0.1\"");
    reader.until_that(|found| count(found, "SOLUSDT") >= 500);
    // What the exchange was asked to send no longer does not come any more.
    let ethers = count(&reader.found, "ETHUSDT");
    let coins = count(&reader.found, "SOLUSDT");
    reader.until_that(|found| count(found, "SOLUSDT") >= coins + 500);
    assert_eq!(count(&reader.found, "ETHUSDT"), ethers);

    let stopped = run.stop();
    let accounting = &stopped.report["accounting"];
    report::accounting(accounting);
    for key in ["gaps", "reconnects", "late", "duplicates"] {
        assert_eq!(accounting[key], 0, "{key}: {accounting:#}");
    }
    assert_eq!(accounting["frames"]["rejected"], 0, "{accounting:#}");
    let found = reader.into_all();
    let acked = |topic: &str| accounting["topics"][format!("market.crypto.trades.{topic}")]["acked"].as_u64().unwrap();
    assert_eq!((acked("binance"), acked("binance.raw")), (found.normalized.len() as u64, found.raw.len() as u64));
    assert!(acked("kraken") > 0, "the topic of a feed that was added");
    assert!(found.raw.iter().all(|raw| raw.connection == "binance-0.1"), "the connection stays");
    let ids = &same_trades(&found, MILLISECOND)["BTCUSDT"];
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "what stays is whole");
    binance.stop();
    kraken.stop();
}

#[test]
fn a_broken_file_is_refused_and_what_was_goes_on() {
    let _alone = alone();
    let (broker, binance) = (Broker::start(), market(Protocol::BinanceSpot));
    let before = file(&broker, &[("binance", &binance.url(), &["BTCUSDT"])]);
    let mut run = Run::with(&[], Some(&before), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(200);
    run.write(&before.replace("BTCUSDT", "BTC-USDT"));
    run.child.signal(libc::SIGHUP);
    let refused = run.child.log_line("the configuration is not taken over, the one before stays in force");
    assert!(refused.contains(r#"symbol "BTC-USDT" is not in Binance's form"#), "{refused}");
    // Sections that cannot change say so, and do not keep the rest from it.
    run.write(&(before.replace(r#"["BTCUSDT"]"#, r#"["BTCUSDT", "ETHUSDT"]"#) + "[limits]\nmax_frame_bytes = 65536\n"));
    run.child.signal(libc::SIGHUP);
    run.child.log_line("[limits] has changed: that takes effect at the next start");
    run.child.log_line("the configuration is taken over");
    reader.until_that(|found| count(found, "ETHUSDT") >= 200);
    let stopped = run.stop();
    report::accounting(&stopped.report["accounting"]);
    assert_eq!(stopped.report["accounting"]["gaps"], 0);
    binance.stop();
}
