//! Which connection runs on which feed core.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::avro::SymbolPrefix;
use crate::config::{Config, Feed};
use crate::feed::seat::Assignment;
use crate::pace::Pace;
use crate::session::backoff::Bounds;
use crate::session::breaker::{Addresses, Patience};
use crate::venue::Instrument;

/// All connections of all feeds, those that carry the same symbols together.
pub(super) fn assign(config: &Config, schema_ids: &[u32]) -> Vec<Vec<Assignment>> {
    let mut groups = Vec::new();
    let mut paces: HashMap<&str, (Pace, usize)> = HashMap::new();
    for (index, (feed, schema_id)) in config.feeds.iter().zip(schema_ids).enumerate() {
        let exchange = feed.protocol.exchange();
        let prefix = |one: &Instrument| SymbolPrefix::new(*schema_id, exchange, &one.symbol, &one.canonical);
        let addresses = Arc::new(Mutex::new(Addresses::new(1, Patience::default())));
        for subscription in &feed.subscriptions {
            let (pace, made) = paces.entry(exchange).or_default();
            let connections = (0..feed.connections).map(|copy| Assignment {
                feed: index as u16,
                protocol: feed.protocol,
                number: *made + copy,
                ways: vec![subscription.clone()],
                prefixes: subscription.instruments.iter().map(prefix).collect(),
                pace: pace.clone(),
                addresses: addresses.clone(),
                backoff: Bounds::default(),
                max_age: None,
            });
            groups.push(connections.collect());
            *made += feed.connections;
        }
    }
    groups
}

/// Deals connections out to so many feed cores, those that carry the same symbols to the same one: those of a feed that
/// names its core to that, then each of the others, those with most symbols first, to the core that has least to do.
pub(super) fn deal(groups: Vec<Vec<Assignment>>, feeds: &[Feed], cores: usize) -> Vec<Vec<Assignment>> {
    let load = |assignments: &[Assignment]| assignments.iter().map(|one| one.prefixes.len()).sum::<usize>();
    let wish = |group: &[Assignment]| group.first().and_then(|one| feeds[usize::from(one.feed)].core);
    let mut dealt: Vec<Vec<Assignment>> = vec![Vec::new(); cores];
    let (named, mut others): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| wish(group).is_some());
    for group in named {
        // The plan may have shrunk.
        let core = wish(&group).unwrap_or_default() % cores;
        dealt[core].extend(group);
    }
    others.sort_by_key(|group| Reverse(load(group)));
    for group in others {
        let least = (0..cores).min_by_key(|core| load(&dealt[*core])).unwrap_or_default();
        dealt[least].extend(group);
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The feeds of each core's connections, for so many feed cores.
    fn dealt(file: &str, cores: usize) -> Vec<Vec<u16>> {
        let config = Config::parse("feed.toml", file).unwrap();
        let groups = assign(&config, &vec![1; config.feeds.len()]);
        let dealt = deal(groups, &config.feeds, cores);
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
        assert_eq!(dealt(&file, 1), [vec![1, 2, 0]]);
        assert_eq!(dealt(&file, 2), [vec![1], vec![2, 0]]);
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
    fn an_exchange_counts_its_connections_over_all_feeds() {
        let file = feed("kraken", &["BTC/USD"], "connections = 2")
            + &feed("kraken", &["ETH/USD"], "topic = \"other\"")
            + &feed("okx", &["BTC-USDT"], "");
        let config = Config::parse("feed.toml", &file).unwrap();
        let groups = assign(&config, &[1, 1, 1]);
        let numbers: Vec<_> = groups.iter().flatten().map(|one| (one.protocol.exchange(), one.number)).collect();
        assert_eq!(numbers, [("kraken", 0), ("kraken", 1), ("kraken", 2), ("okx", 0)]);
    }
}
