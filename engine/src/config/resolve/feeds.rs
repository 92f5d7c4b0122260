//! `[[feed]]`: what is fed, each by itself and all together.

use std::collections::HashMap;
use std::time::Duration;

use url::Url;

use super::{alternatives, parse_url, topics};
use crate::config::error::Errors;
use crate::config::source::Source;
use crate::config::{Feed, Raw, file};
use crate::cores::Choice;
use crate::instruments::Pair;
use crate::kafka::topics::{DLQ, RAW, TRADES};
use crate::nearest::nearest;
use crate::venue::{Endpoint, Instrument, Protocol};

/// Most feeds: a record names its feed by a 16-bit number.
const MAX_FEEDS: usize = 1_000;
/// Most connections that carry the same symbols.
const MAX_CONNECTIONS: usize = 4;
/// Most of `rest_interval_ms`: a minute, the window of most limits.
const MAX_REST_INTERVAL_MS: u64 = 60_000;
/// Longest symbol in bytes, the room that a record has for it.
const MAX_SYMBOL: usize = 64;

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &[file::Feed], feed_cores: &Choice, is_repaired: bool, errors: &mut Errors) -> Vec<Feed> {
    if given.is_empty() && errors.is_empty() {
        errors.at(
            &Source::Default,
            "nothing to feed: give K2_EXCHANGE and K2_SYMBOLS, or a feed.toml with [[feed]] exchange = \"binance\" and \
             symbols = [\"BTCUSDT\"]",
        );
    }
    if given.len() > MAX_FEEDS {
        errors.at(&Source::Default, format!("there are {} feeds: at most {MAX_FEEDS} are carried", given.len()));
    }
    let resolved = given.iter().map(|feed| (feed, resolve_one(feed, feed_cores, is_repaired, errors)));
    let resolved: Vec<_> = resolved.filter_map(|(given, feed)| Some((given, feed?))).collect();
    topics::check_instruments(&resolved, errors);
    topics::check_kinds(&resolved, errors);
    resolved.into_iter().map(|(_, feed)| feed).collect()
}

fn resolve_one(given: &file::Feed, feed_cores: &Choice, is_repaired: bool, errors: &mut Errors) -> Option<Feed> {
    let mut wrong = |key: &str, error: String| given.wrong(key, error, errors);
    let Some(exchange) = given.exchange.as_deref() else {
        wrong("exchange", "say which by exchange = \"binance\"".into());
        return None;
    };
    check_own_values(given, feed_cores, &mut wrong);
    let [topic, topic_raw, topic_dlq] = topic_names(given, exchange, &mut wrong);
    let given_url = given.url.as_deref().and_then(|url| Url::parse(url).ok());
    let protocol = Protocol::find(exchange, given.protocol.as_deref(), given_url.as_ref());
    let blamed = if given.protocol.is_some() { "protocol" } else { "exchange" };
    let protocol = protocol.map_err(|error| wrong(blamed, error)).ok()?;
    let instruments = instruments(given, protocol, &mut wrong);
    if given.time_unit.is_some() && protocol != Protocol::BinanceSpot {
        wrong("time_unit", "time_unit is Binance spot's: others have one unit, leave it out".into());
    }
    let text = given.url.as_deref().unwrap_or(protocol.facts().url);
    let url = parse_url("url", text, &["wss", "ws"]).map_err(|error| wrong("url", error)).ok()?;
    let rest_url = rest_url(given, protocol, &url).map_err(|error| wrong("rest_url", error)).ok().flatten();
    let endpoint = Endpoint { url, time_unit: given.time_unit.unwrap_or_default() };
    let subscriptions = protocol.subscriptions(&endpoint, &instruments);
    let subscriptions = subscriptions.map_err(|error| wrong("url", error)).ok()?;
    let alternatives = alternatives::resolve(given, protocol, &subscriptions[0].endpoint, &instruments, errors);
    Some(Feed {
        protocol,
        endpoint,
        alternatives,
        rest_url: rest_url.filter(|_| is_repaired),
        rest_interval: rest_interval(given, protocol),
        subscriptions,
        connections: given.connections.unwrap_or(1),
        core: given.core,
        raw: given.raw.unwrap_or_default(),
        topic,
        topic_raw,
        topic_dlq,
    })
}

/// Values that nothing else depends on.
fn check_own_values(given: &file::Feed, feed_cores: &Choice, wrong: &mut impl FnMut(&str, String)) {
    check_core(given.core, feed_cores).unwrap_or_else(|error| wrong("core", error));
    let connections = given.connections.unwrap_or(1);
    if !(1..=MAX_CONNECTIONS).contains(&connections) {
        let what = format!("it must be from 1 to {MAX_CONNECTIONS}, that many carry each symbol");
        wrong("connections", format!("connections = {connections}: {what}"));
    }
    if given.rest_interval_ms.is_some_and(|ms| !(1..=MAX_REST_INTERVAL_MS).contains(&ms)) {
        let what = format!("it must be from 1 to {MAX_REST_INTERVAL_MS}");
        let given = given.rest_interval_ms.unwrap_or_default();
        wrong("rest_interval_ms", format!("rest_interval_ms = {given}: {what}"));
    }
    if let (Some(Raw::Off), Some(topic)) = (given.raw, &given.topic_raw) {
        let raw = given.origins.of("raw");
        let what = format!("raw = \"off\" ({raw}) publishes no frames as received: leave one of them out");
        wrong("topic_raw", format!("topic_raw = {topic:?}: {what}"));
    }
}

/// What is given, or what the exchange's public limits leave room for.
fn rest_interval(given: &file::Feed, protocol: Protocol) -> Duration {
    let usual = protocol.history().map_or(Duration::ZERO, |history| history.interval);
    given.rest_interval_ms.map_or(usual, Duration::from_millis)
}

/// The topics of trades, raw frames and dead letters.
fn topic_names(given: &file::Feed, exchange: &str, wrong: &mut impl FnMut(&str, String)) -> [String; 3] {
    let topic = given.topic.clone().unwrap_or_else(|| format!("{TRADES}{exchange}"));
    let beside = |given: &Option<String>, ending: &str| given.clone().unwrap_or_else(|| format!("{topic}{ending}"));
    let (topic_raw, topic_dlq) = (beside(&given.topic_raw, RAW), beside(&given.topic_dlq, DLQ));
    let all = [("topic", &given.topic), ("topic_raw", &given.topic_raw), ("topic_dlq", &given.topic_dlq)];
    let mut is_wrong = false;
    for (key, topic) in all {
        if let Some(Err(error)) = topic.as_deref().map(topics::check_name) {
            wrong(key, format!("{key} = {error}"));
            is_wrong = true;
        }
    }
    // The others are made of it, and may be longer.
    for name in [&topic_raw, &topic_dlq] {
        if let (false, Err(error)) = (is_wrong, topics::check_name(name)) {
            wrong("topic", format!("topic = {topic:?}: {error}"));
        }
    }
    [topic, topic_raw, topic_dlq]
}

/// Where the exchange's history is asked. Where the connections go elsewhere than to the exchange's host, so must this:
/// whoever feeds from a simulator or by a proxy does not mean the exchange itself.
fn rest_url(given: &file::Feed, protocol: Protocol, url: &Url) -> Result<Option<Url>, String> {
    match (protocol.history(), &given.rest_url) {
        (Some(_), Some(text)) => parse_url("rest_url", text, &["https", "http"]).map(Some),
        (Some(history), None) if is_exchanges_own(url, protocol) => Ok(Url::parse(history.url).ok()),
        (None, Some(text)) => {
            let text = if text.contains('@') { "(not shown)" } else { text.as_str() };
            Err(format!(
                "rest_url = {text:?}: {protocol} has no history by trade id that is open to everybody: leave it out, its \
                 gaps are counted and named only"
            ))
        }
        (_, None) => Ok(None),
    }
}

fn is_exchanges_own(url: &Url, protocol: Protocol) -> bool {
    let facts = protocol.facts();
    let own = std::iter::once(&facts.url).chain(facts.alternatives);
    own.filter_map(|own| Url::parse(own).ok()).any(|own| own.host() == url.host())
}

/// The symbols that are in the exchange's form, each once.
fn instruments(given: &file::Feed, protocol: Protocol, wrong: &mut impl FnMut(&str, String)) -> Vec<Instrument> {
    let known = |symbol: &String| {
        let pair = given.canonical.get(symbol).map(|canonical| pair(symbol, canonical)).transpose()?;
        protocol.instrument(symbol, pair)
    };
    let instruments: Vec<_> =
        given.symbols.iter().filter_map(|symbol| known(symbol).map_err(|error| wrong("symbols", error)).ok()).collect();
    check_instruments(&instruments, wrong);
    if given.symbols.is_empty() && given.instruments.is_none() {
        wrong("symbols", "no symbols: list some (symbols = [\"BTCUSDT\"], or K2_SYMBOLS)".into());
    }
    check_canonical(given, wrong);
    instruments
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
fn check_instruments(instruments: &[Instrument], wrong: &mut impl FnMut(&str, String)) {
    let mut wrong = |error: String| wrong("symbols", error);
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for Instrument { symbol, framed, .. } in instruments {
        match seen.insert(framed, symbol) {
            Some(other) if other == symbol => wrong(format!("symbol {symbol:?} is listed twice: keep one")),
            Some(other) => wrong(format!("symbols {other:?} and {symbol:?} are the same to the exchange: keep one")),
            None => {}
        }
        if symbol.len() > MAX_SYMBOL {
            wrong(format!("symbol {symbol:?} is longer than {MAX_SYMBOL} bytes: no exchange has such a one"));
        }
    }
}

/// Base and quote are said of nothing but what is listed.
fn check_canonical(given: &file::Feed, wrong: &mut impl FnMut(&str, String)) {
    // Symbols from the environment stand in for those of feed.toml, whose map may then have more.
    let replaced = match given.origins.of("symbols") {
        Source::Instruments { named, .. } => matches!(**named, Source::Variable(_)),
        source => matches!(source, Source::Variable(_)),
    };
    for symbol in given.canonical.keys().filter(|symbol| !given.symbols.contains(symbol)) {
        let key = format!("canonical.{symbol}");
        let place = given.origins.of(&key);
        // Without symbols there is another error.
        if given.symbols.is_empty() || replaced && matches!(place, Source::Line { .. }) {
            continue;
        }
        let meant = nearest(symbol, given.symbols.iter().map(String::as_str));
        let meant = meant.map_or(String::new(), |meant| format!(", did you mean {meant:?}?"));
        wrong(&key, format!("canonical.{symbol:?}: the symbol is not listed{meant}"));
    }
}

/// A feed core that is asked for is among those that are configured; the plan may shrink on small machines.
fn check_core(core: Option<usize>, feed_cores: &Choice) -> Result<(), String> {
    let (count, given) = match feed_cores {
        Choice::Count(count) => (*count, count.to_string()),
        Choice::Cpus(cpus) => (cpus.len(), format!("{cpus:?}")),
    };
    match core {
        Some(core) if core >= count && count > 0 => Err(format!(
            "core = {core}: cores.feed = {given} makes {count}, numbered from 0: set core to {} or less, or cores.feed \
             to {} or more",
            count - 1,
            core + 1
        )),
        _ => Ok(()),
    }
}
