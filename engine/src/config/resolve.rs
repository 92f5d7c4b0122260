//! From what was written to what holds: defaults, and every check.

use std::collections::{HashMap, HashSet};

use url::Url;

use super::{Config, Cores, Feed, Kafka, Limits, file, instruments};
use crate::cores::Choice;
use crate::instruments::Pair;
use crate::kafka::settings::check_passed_through;
use crate::record::Kind;
use crate::venue::{Endpoint, Instrument, Protocol};

/// A ring must hold so many of the longest messages, with all the trades that they could hold.
const RING_FRAMES: usize = 32;
/// Least of `max_frame_bytes`.
const MIN_FRAME_BYTES: usize = 4 * 1024;
/// Most feeds: a record names its feed by a 16-bit number.
const MAX_FEEDS: usize = 1_000;
/// Most connections that carry the same symbols.
const MAX_CONNECTIONS: usize = 4;
/// Longest symbol in bytes, the room that a record has for it.
const MAX_SYMBOL: usize = 64;

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: file::File, errors: &mut Vec<String>) -> Option<Config> {
    let feeds: Vec<_> = given.feed.into_iter().filter_map(|feed| resolve_feed(feed, errors)).collect();
    check_feeds(&feeds, errors);
    let limits = resolve_limits(&given.limits, errors);
    let kafka = resolve_kafka(given.kafka, errors);
    let cores = Cores {
        feed: given.cores.feed.unwrap_or(Choice::Count(1)),
        producer: given.cores.producer.unwrap_or(Choice::Count(1)),
        housekeeping: given.cores.housekeeping,
        wait: given.cores.wait.unwrap_or_default(),
    };
    for (key, choice) in [("feed", &cores.feed), ("producer", &cores.producer)] {
        if *choice == Choice::Count(0) {
            errors.push(format!("cores.{key} = 0: at least one is needed"));
        }
    }
    let extra_ca = given.tls.extra_ca;
    Some(Config { kafka: kafka?, feeds, cores, limits, extra_ca })
}

fn resolve_kafka(given: file::Kafka, errors: &mut Vec<String>) -> Option<Kafka> {
    const QUEUE_RECORDS: usize = 100_000;
    const QUEUE_BYTES: usize = 64 * 1024 * 1024;
    // As the handler before this one; the largest that is never noticed beside the network.
    const LINGER_US: u64 = 500;
    const MESSAGE_TIMEOUT_MS: u64 = 300_000;
    let librdkafka = given.librdkafka.into_iter().map(|(key, value)| (key, file::plain(&value))).collect();
    errors.extend(check_passed_through(&librdkafka));
    let bootstrap_servers = given.bootstrap_servers.unwrap_or_else(|| "localhost:9092".into());
    check_servers(&bootstrap_servers, errors);
    let registry = given.schema_registry_url.unwrap_or_else(|| "http://localhost:8081".into());
    let schema_registry_url = parse_url("kafka.schema_registry_url", &registry, &["http", "https"], errors);
    let kafka = Kafka {
        bootstrap_servers,
        schema_registry_url: schema_registry_url?,
        create_topics: given.create_topics.unwrap_or(true),
        partitions: given.partitions.unwrap_or(3),
        linger_us: given.linger_us.unwrap_or(LINGER_US),
        queue_records: given.queue_records.unwrap_or(QUEUE_RECORDS),
        queue_bytes: given.queue_bytes.unwrap_or(QUEUE_BYTES),
        message_timeout_ms: given.message_timeout_ms.unwrap_or(MESSAGE_TIMEOUT_MS),
        librdkafka,
    };
    let mut within = |key: &str, value: u64, least: u64, most: u64| {
        if !(least..=most).contains(&value) {
            errors.push(format!("kafka.{key} = {value}: it must be from {least} to {most}"));
        }
    };
    within("partitions", kafka.partitions.max(0) as u64, 1, 10_000);
    within("linger_us", kafka.linger_us, 0, 900_000_000);
    within("queue_records", kafka.queue_records as u64, 1, 10_000_000);
    within("queue_bytes", kafka.queue_bytes as u64, 1 << 20, 1 << 40);
    within("message_timeout_ms", kafka.message_timeout_ms, 1_000, 86_400_000);
    Some(kafka)
}

fn check_servers(servers: &str, errors: &mut Vec<String>) {
    for server in servers.split(',').map(str::trim) {
        let well_formed = server
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !well_formed {
            errors.push(format!("kafka.bootstrap_servers = {servers:?}: {server:?} is not host:port"));
        }
    }
}

fn resolve_limits(given: &file::Limits, errors: &mut Vec<String>) -> Limits {
    const RING_BYTES: usize = 4 * 1024 * 1024;
    const MAX_FRAME_BYTES: usize = 128 * 1024;
    let ring_bytes = given.ring_bytes.unwrap_or(RING_BYTES);
    let max_frame_bytes = given.max_frame_bytes.unwrap_or(MAX_FRAME_BYTES);
    if max_frame_bytes < MIN_FRAME_BYTES {
        errors.push(format!("limits.max_frame_bytes = {max_frame_bytes}: it must be at least {MIN_FRAME_BYTES}"));
    }
    if ring_bytes / RING_FRAMES < max_frame_bytes {
        let needed = max_frame_bytes.saturating_mul(RING_FRAMES);
        errors.push(format!(
            "limits.ring_bytes = {ring_bytes}: a ring holds at least {RING_FRAMES} messages of max_frame_bytes = \
             {max_frame_bytes}: set it to {needed} or more"
        ));
    }
    Limits { ring_bytes, max_frame_bytes, ring_full: given.ring_full.unwrap_or_default() }
}

fn resolve_feed(mut given: file::Feed, errors: &mut Vec<String>) -> Option<Feed> {
    let exchange = given.exchange.clone().unwrap_or_default();
    if let Some(path) = given.instruments.take() {
        errors.extend(instruments::take(&mut given, "instruments", &path).err());
    }
    let mut wrong = |error: String| errors.push(format!("feed {exchange}: {error}"));
    let given_url = given.url.as_deref().and_then(|url| Url::parse(url).ok());
    let protocol = match Protocol::find(&exchange, given.protocol.as_deref(), given_url.as_ref()) {
        Ok(protocol) => protocol,
        Err(error) => {
            errors.push(format!("feed.exchange: {error}"));
            return None;
        }
    };
    let known = |symbol: &str| {
        let pair = given.canonical.get(symbol).map(|canonical| pair(symbol, canonical)).transpose()?;
        protocol.instrument(symbol, pair)
    };
    let instruments: Vec<_> =
        given.symbols.iter().filter_map(|symbol| known(symbol).map_err(&mut wrong).ok()).collect();
    check_instruments(&instruments, &mut wrong);
    if given.symbols.is_empty() {
        wrong("no symbols: list some (symbols = [\"BTCUSDT\"], or K2_SYMBOLS)".into());
    }
    if given.time_unit.is_some() && protocol != Protocol::BinanceSpot {
        wrong("time_unit is Binance spot's: others have one unit".into());
    }
    let topic = given.topic.unwrap_or_else(|| format!("market.crypto.trades.{exchange}"));
    let topic_raw = given.topic_raw.unwrap_or_else(|| format!("{topic}.raw"));
    let topic_dlq = given.topic_dlq.unwrap_or_else(|| format!("{topic}.dlq"));
    [&topic, &topic_raw, &topic_dlq].into_iter().filter_map(|topic| check_topic(topic).err()).for_each(&mut wrong);
    let text = given.url.unwrap_or_else(|| protocol.facts().url.into());
    let url = parse_url(&format!("feed {exchange}: url"), &text, &["wss", "ws"], errors)?;
    let endpoint = Endpoint { url, time_unit: given.time_unit.unwrap_or_default() };
    let subscriptions = protocol
        .subscriptions(&endpoint, &instruments)
        .map_err(|error| errors.push(format!("feed {exchange}: {error}")))
        .ok()?;
    let connections = given.connections.unwrap_or(1);
    if !(1..=MAX_CONNECTIONS).contains(&connections) {
        errors.push(format!(
            "feed {exchange}: connections = {connections}: it must be from 1 to {MAX_CONNECTIONS}, that many carry each symbol"
        ));
    }
    let core = given.core;
    Some(Feed { protocol, endpoint, subscriptions, connections, core, topic, topic_raw, topic_dlq })
}

/// Base and quote, as configured.
fn pair<'a>(symbol: &str, canonical: &'a str) -> Result<Pair<'a>, String> {
    match canonical.split_once('/') {
        Some((base, quote)) if !base.is_empty() && !quote.is_empty() && !quote.contains('/') => {
            Ok(Pair { base, quote })
        }
        _ => Err(format!("canonical.{symbol:?} = {canonical:?}: write base and quote, such as \"BTC/USDT\"")),
    }
}

/// No symbol is too long or listed twice, under whichever name.
fn check_instruments(instruments: &[Instrument], wrong: &mut impl FnMut(String)) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for Instrument { symbol, framed, .. } in instruments {
        match seen.insert(framed, symbol) {
            Some(other) if other == symbol => wrong(format!("symbol {symbol:?} is listed twice")),
            Some(other) => wrong(format!("symbols {other:?} and {symbol:?} are the same to the exchange: keep one")),
            None => {}
        }
        if symbol.len() > MAX_SYMBOL {
            wrong(format!("symbol {symbol:?} is longer than {MAX_SYMBOL} bytes"));
        }
    }
}

/// What Kafka takes as a topic's name (`org.apache.kafka.common.internals.Topic`).
fn check_topic(topic: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.is_empty() || topic.len() > 249 || topic == "." || topic == ".." || !topic.chars().all(legal) {
        return Err(format!("topic {topic:?} is no name that Kafka takes: 1 to 249 letters, digits, '.', '_' and '-'"));
    }
    Ok(())
}

fn check_feeds(feeds: &[Feed], errors: &mut Vec<String>) {
    if feeds.is_empty() && errors.is_empty() {
        errors.push(
            "nothing to feed: give K2_EXCHANGE and K2_SYMBOLS, or a feed.toml with [[feed]] exchange = \"binance\" \
             and symbols = [\"BTCUSDT\"]"
                .into(),
        );
    }
    if feeds.len() > MAX_FEEDS {
        errors.push(format!("there are {} feeds, at most {MAX_FEEDS} are carried", feeds.len()));
    }
    let mut seen = HashMap::new();
    for (index, feed) in feeds.iter().enumerate() {
        let exchange = feed.protocol.exchange();
        for Instrument { symbol, .. } in feed.instruments() {
            let first = *seen.entry((&feed.topic, exchange, symbol)).or_insert(index);
            if first != index {
                errors.push(format!("symbol {symbol:?} of {exchange} is in two feeds of topic {:?}", feed.topic));
            }
        }
        let topics: HashSet<_> = Kind::ALL.map(|kind| feed.topic(kind)).into();
        if topics.len() < Kind::ALL.len() {
            errors.push(format!("feed {exchange}: topic, topic_raw and topic_dlq must differ: {topics:?}"));
        }
    }
}

fn parse_url(key: &str, given: &str, schemes: &[&str], errors: &mut Vec<String>) -> Option<Url> {
    let example = format!("{}://host:port/path", schemes[0]);
    // It may hold a password.
    let text = if given.contains('@') { "(not shown)" } else { given };
    let parsed = Url::parse(given);
    match parsed {
        Ok(url) if schemes.contains(&url.scheme()) && url.host_str().is_some() => Some(url),
        Ok(url) => {
            errors.push(format!(
                "{key} = {text:?}: {:?} is not one of {}: write {example}",
                url.scheme(),
                schemes.join(", ")
            ));
            None
        }
        Err(error) => {
            errors.push(format!("{key} = {text:?}: {error}: write {example}"));
            None
        }
    }
}
