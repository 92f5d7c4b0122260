use std::time::Duration;

use super::*;
use crate::clock::Nanos;
use crate::session::breaker::{Choice, State};

/// The feeds of each core's connections, for so many feed cores.
fn dealt(file: &str, cores: usize) -> Vec<Vec<u16>> {
    let config = Config::parse("feed.toml", file).unwrap();
    let dealt = Roster::new(&config, &vec![1; config.feeds.len()], cores).assignments();
    dealt.iter().map(|core| core.iter().map(|one| one.feed).collect()).collect()
}

fn feed(exchange: &str, symbols: &[&str], more: &str) -> String {
    format!("[[feed]]\nexchange = \"{exchange}\"\nsymbols = {symbols:?}\n{more}\n")
}

#[test]
fn the_core_with_least_to_do_gets_the_next_largest() {
    let file = feed("kraken", &["BTC/USD"], "")
        + &feed("okx", &["BTC-USDT", "ETH-USDT", "SOL-USDT"], "")
        + &feed("binance", &["BTCUSDT", "ETHUSDT"], "");
    assert_eq!(dealt(&file, 1), [vec![0, 1, 2]]);
    assert_eq!(dealt(&file, 2), [vec![1], vec![0, 2]]);
    assert_eq!(dealt(&file, 4), [vec![1], vec![2], vec![0], vec![]]);
}

#[test]
fn connections_with_the_same_symbols_stay_together_and_named_cores_are_heeded() {
    let file = feed("kraken", &["BTC/USD"], "connections = 2") + &feed("okx", &["BTC-USDT"], "connections = 3");
    assert_eq!(dealt(&file, 2), [vec![1, 1, 1], vec![0, 0]]);
    let file = "[cores]\nfeed = 2\n".to_string()
        + &feed("kraken", &["BTC/USD"], "core = 1")
        + &feed("okx", &["BTC-USDT", "ETH-USDT"], "core = 1");
    assert_eq!(dealt(&file, 2), [vec![], vec![0, 1]]);
}

#[test]
fn every_connection_is_told_when_to_come_back() {
    let file = "[session]\nbackoff_min_ms = 7\nbackoff_max_ms = 9\nbreaker_opens_after_s = 2\nmax_age_s = 11\n"
        .to_string()
        + &feed("kraken", &["BTC/USD"], "connections = 2")
        + &feed("okx", &["BTC-USDT"], "");
    let dealt = Roster::new(&Config::parse("feed.toml", &file).unwrap(), &[1, 1], 1).assignments();
    assert_eq!(dealt.iter().flatten().count(), 3);
    for one in dealt.iter().flatten() {
        assert_eq!((one.backoff.min, one.backoff.max), (Duration::from_millis(7), Duration::from_millis(9)));
        assert_eq!(one.max_age, Some(Duration::from_secs(11)));
        let mut addresses = one.addresses.lock().unwrap();
        // As the other connections of the feed have it.
        let at = |seconds: u64| Nanos(seconds * 1_000_000_000);
        if addresses.state(0) == (State::Closed { failing_since: None }) {
            assert_eq!(addresses.failed(0, at(10)), None);
            assert_eq!(addresses.failed(0, at(11)), None);
            assert_eq!(addresses.failed(0, at(12)), Some(Duration::from_secs(5)));
        }
        assert_eq!(addresses.state(0), State::Open { until: at(17), wait: Duration::from_secs(5) });
    }
}

#[test]
fn every_connection_has_a_way_for_each_address() {
    let symbols: Vec<_> = (0..1_025).map(|number| format!("A{number}USDT")).collect();
    let file = format!("[[feed]]\nexchange = \"binance\"\nconnections = 2\nsymbols = {symbols:?}\n");
    let dealt = Roster::new(&Config::parse("feed.toml", &file).unwrap(), &[1], 1).assignments();
    assert_eq!(dealt.iter().map(Vec::len).collect::<Vec<_>>(), [4]);
    for one in dealt.iter().flatten() {
        let hosts: Vec<_> = one.ways.iter().filter_map(|way| way.endpoint.url.host_str()).collect();
        assert_eq!(hosts, ["stream.binance.com", "stream.binance.com", "data-stream.binance.vision"]);
        assert!(one.ways.iter().all(|way| way.instruments == one.ways[0].instruments));
        assert_eq!(one.prefixes.len(), one.ways[0].instruments.len());
        let mut addresses = one.addresses.lock().unwrap();
        let now = Nanos(1);
        for address in 0..3 {
            assert_eq!(addresses.choose(now), Choice::Attempt(address));
            addresses.failed(address, now);
        }
        // The next twin finds them as they are.
        for address in [1, 2, 0] {
            addresses.proven(address);
        }
    }
}

#[test]
fn an_exchange_counts_its_connections_over_all_feeds() {
    let file = feed("kraken", &["BTC/USD"], "connections = 2")
        + &feed("kraken", &["ETH/USD"], "topic = \"other\"")
        + &feed("okx", &["BTC-USDT"], "");
    let config = Config::parse("feed.toml", &file).unwrap();
    let dealt = Roster::new(&config, &[1, 1, 1], 1).assignments();
    let numbers: Vec<_> = dealt.iter().flatten().map(|one| (one.protocol.exchange(), one.number)).collect();
    assert_eq!(numbers, [("kraken", 0), ("kraken", 1), ("kraken", 2), ("okx", 0)]);
}

/// What changes when one file takes the place of another: the orders, as `core: exchange-number symbols`, with the
/// symbols that move behind an arrow.
fn changed(before: &str, after: &str, cores: usize) -> (Vec<String>, Changed) {
    let config = |file| Config::parse("feed.toml", file).unwrap();
    let (before, after) = (config(before), config(after));
    let mut roster = Roster::new(&before, &vec![1; before.feeds.len()], cores);
    let ids = vec![1; roster.added(&after).len()];
    let (orders, changed) = roster.change(&after, &ids);
    let symbols = |one: &Assignment| one.ways[0].instruments.iter().map(|one| one.symbol.clone()).collect::<Vec<_>>();
    let text = |(core, order): &(usize, Order)| match order {
        Order::Take { assignment: one, .. } => {
            format!("{core}: +{}-{} {}", one.protocol.exchange(), one.number, symbols(one).join(","))
        }
        Order::Change { assignment: one, moved } => {
            let carried = symbols(one).join(",");
            format!("{core}: {}-{} {carried} -> {}", one.protocol.exchange(), one.number, moved.join(","))
        }
    };
    (orders.iter().map(text).collect(), changed)
}

#[test]
fn only_what_changes_is_ordered() {
    let kraken = feed("kraken", &["BTC/USD"], "");
    let okx = |symbols: &[&str]| feed("okx", symbols, "");
    let same = kraken.clone() + &okx(&["BTC-USDT"]);
    assert_eq!(changed(&same, &same, 1), (vec![], Changed::default()));
    let more = kraken.clone() + &okx(&["BTC-USDT", "ETH-USDT"]);
    let one_more = Changed { symbols_added: 1, ..Changed::default() };
    assert_eq!(changed(&same, &more, 1), (vec!["0: okx-0 BTC-USDT,ETH-USDT -> ".to_string()], one_more));
    // Feeds may change places.
    let one_less = Changed { symbols_removed: 1, ..Changed::default() };
    let turned = okx(&["BTC-USDT"]) + &kraken;
    assert_eq!(changed(&more, &turned, 1), (vec!["0: okx-0 BTC-USDT -> ".to_string()], one_less));
    let gone = Changed { feeds_removed: 1, symbols_removed: 2, ..Changed::default() };
    assert_eq!(changed(&more, &kraken, 1), (vec!["0: okx-0  -> ".to_string()], gone));
    let come = Changed { feeds_added: 1, symbols_added: 1, ..Changed::default() };
    assert_eq!(changed(&kraken, &same, 2), (vec!["1: +okx-0 BTC-USDT".to_string()], come));
}

#[test]
fn of_feeds_for_the_same_topics_those_go_on_that_have_most_in_common() {
    let okx = |symbols: &[&str]| feed("okx", symbols, "");
    let (one, other) = (okx(&["BTC-USDT", "ETH-USDT"]), okx(&["SOL-USDT"]));
    let both = one.clone() + &other;
    assert_eq!(changed(&both, &(other.clone() + &one), 1), (vec![], Changed::default()), "in another order");
    assert_eq!(changed(&both, &other, 1).0, ["0: okx-0  -> "]);
}

#[test]
fn twins_come_and_go_and_addresses_change() {
    let kraken = |more: &str| feed("kraken", &["BTC/USD"], more);
    let (one, two) = (kraken(""), kraken("connections = 2"));
    assert_eq!(changed(&one, &two, 1).0, ["0: +kraken-1 BTC/USD"]);
    assert_eq!(changed(&two, &one, 1).0, ["0: kraken-1  -> BTC/USD"]);
    let elsewhere = kraken("url = \"wss://ws.example/v2\"");
    assert_eq!(changed(&one, &elsewhere, 1).0, ["0: kraken-0 BTC/USD -> "]);
    // Another protocol is another feed.
    let changed = changed(&one, &kraken("protocol = \"v1\""), 1);
    assert_eq!(changed.0, ["0: kraken-0  -> ", "0: +kraken-1 BTC/USD"]);
}
