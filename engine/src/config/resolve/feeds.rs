//! `[[feed]]`: what is fed, each by itself and all together.

use std::collections::HashMap;

use url::Url;

use super::{alternatives, parse_url, topics};
use crate::config::source::Source;
use crate::config::{Feed, Raw, file};
use crate::cores::Choice;
use crate::instruments::Pair;
use crate::nearest::nearest;
use crate::venue::{Endpoint, Instrument, Protocol};

/// Most feeds: a record names its feed by a 16-bit number.
const MAX_FEEDS: usize = 1_000;
/// Most connections that carry the same symbols.
const MAX_CONNECTIONS: usize = 4;
/// Longest symbol in bytes, the room that a record has for it.
const MAX_SYMBOL: usize = 64;

/// Fills in defaults and checks every value.
pub(super) fn resolve(
    given: &[file::Feed],
    feed_cores: &Choice,
    is_repaired: bool,
    errors: &mut Vec<String>,
) -> Vec<Feed> {
    if given.is_empty() && errors.is_empty() {
        errors.push(
            "nothing to feed: give K2_EXCHANGE and K2_SYMBOLS, or a feed.toml with [[feed]] exchange = \"binance\" \
             and symbols = [\"BTCUSDT\"]"
                .into(),
        );
    }
    if given.len() > MAX_FEEDS {
        errors.push(format!("there are {} feeds, at most {MAX_FEEDS} are carried", given.len()));
    }
    let resolved = given.iter().map(|feed| (feed.name(), resolve_one(feed, feed_cores, is_repaired, errors)));
    let resolved: Vec<_> = resolved.filter_map(|(name, feed)| Some((name, feed?))).collect();
    topics::check_instruments(&resolved, errors);
    topics::check_kinds(&resolved, errors);
    resolved.into_iter().map(|(_, feed)| feed).collect()
}

fn resolve_one(given: &file::Feed, feed_cores: &Choice, is_repaired: bool, errors: &mut Vec<String>) -> Option<Feed> {
    let name = given.name();
    let mut wrong = |error: String| errors.push(format!("{name}: {error}"));
    let Some(exchange) = given.exchange.as_deref() else {
        wrong("say which by exchange = \"binance\"".into());
        return None;
    };
    let given_url = given.url.as_deref().and_then(|url| Url::parse(url).ok());
    let protocol = Protocol::find(exchange, given.protocol.as_deref(), given_url.as_ref());
    let protocol = protocol.map_err(&mut wrong).ok()?;
    let instruments = instruments(given, protocol, &mut wrong);
    if given.time_unit.is_some() && protocol != Protocol::BinanceSpot {
        wrong("time_unit is Binance spot's: others have one unit".into());
    }
    check_core(given.core, feed_cores).unwrap_or_else(&mut wrong);
    let topic = given.topic.clone().unwrap_or_else(|| format!("market.crypto.trades.{exchange}"));
    let topic_raw = given.topic_raw.clone().unwrap_or_else(|| format!("{topic}.raw"));
    let topic_dlq = given.topic_dlq.clone().unwrap_or_else(|| format!("{topic}.dlq"));
    let raw = given.raw.unwrap_or_default();
    if let (Raw::Off, Some(topic)) = (raw, &given.topic_raw) {
        wrong(format!(
            "topic_raw = {topic:?}: raw = \"off\" ({}) publishes no frames as received: leave one of them out",
            given.origins.of("raw")
        ));
    }
    [&topic, &topic_raw, &topic_dlq]
        .into_iter()
        .filter_map(|topic| topics::check_name(topic).err())
        .for_each(&mut wrong);
    let text = given.url.as_deref().unwrap_or(protocol.facts().url);
    let url = parse_url(&format!("{name}: url"), text, &["wss", "ws"], errors)?;
    let rest_url = rest_url(given, protocol, &url, &name, errors).filter(|_| is_repaired);
    let endpoint = Endpoint { url, time_unit: given.time_unit.unwrap_or_default() };
    let subscriptions = protocol.subscriptions(&endpoint, &instruments);
    let subscriptions = subscriptions.map_err(|error| errors.push(format!("{name}: {error}"))).ok()?;
    let alternatives = alternatives::resolve(given, protocol, &subscriptions[0].endpoint, &instruments, errors);
    let connections = given.connections.unwrap_or(1);
    if !(1..=MAX_CONNECTIONS).contains(&connections) {
        errors.push(format!(
            "{name}: connections = {connections}: it must be from 1 to {MAX_CONNECTIONS}, that many carry each symbol"
        ));
    }
    let core = given.core;
    Some(Feed {
        protocol,
        endpoint,
        alternatives,
        rest_url,
        subscriptions,
        connections,
        core,
        raw,
        topic,
        topic_raw,
        topic_dlq,
    })
}

/// Where the exchange's history is asked. Where the connections go elsewhere than to the exchange's host, so must this:
/// whoever feeds from a simulator or by a proxy does not mean the exchange itself.
fn rest_url(given: &file::Feed, protocol: Protocol, url: &Url, name: &str, errors: &mut Vec<String>) -> Option<Url> {
    match (protocol.history(), &given.rest_url) {
        (Some(_), Some(text)) => parse_url(&format!("{name}: rest_url"), text, &["https", "http"], errors),
        (Some(history), None) if is_exchanges_own(url, protocol) => Url::parse(history.url).ok(),
        (None, Some(text)) => {
            let text = if text.contains('@') { "(not shown)" } else { text.as_str() };
            errors.push(format!(
                "{name}: rest_url = {text:?}: {protocol} has no history by trade id that is open to everybody: leave it \
                 out, its gaps are counted and named only"
            ));
            None
        }
        (_, None) => None,
    }
}

fn is_exchanges_own(url: &Url, protocol: Protocol) -> bool {
    let facts = protocol.facts();
    let own = std::iter::once(&facts.url).chain(facts.alternatives);
    own.filter_map(|own| Url::parse(own).ok()).any(|own| own.host() == url.host())
}

/// The symbols that are in the exchange's form, each once.
fn instruments(given: &file::Feed, protocol: Protocol, wrong: &mut impl FnMut(String)) -> Vec<Instrument> {
    let known = |symbol: &String| {
        let pair = given.canonical.get(symbol).map(|canonical| pair(symbol, canonical)).transpose()?;
        protocol.instrument(symbol, pair)
    };
    let instruments: Vec<_> =
        given.symbols.iter().filter_map(|symbol| known(symbol).map_err(&mut *wrong).ok()).collect();
    check_instruments(&instruments, wrong);
    if given.symbols.is_empty() && given.instruments.is_none() {
        wrong("no symbols: list some (symbols = [\"BTCUSDT\"], or K2_SYMBOLS)".into());
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

/// Base and quote are said of nothing but what is listed.
fn check_canonical(given: &file::Feed, wrong: &mut impl FnMut(String)) {
    // Symbols from the environment stand in for those of feed.toml, whose map may then have more.
    let replaced = match given.origins.of("symbols") {
        Source::Instruments { named, .. } => matches!(**named, Source::Variable(_)),
        source => matches!(source, Source::Variable(_)),
    };
    for symbol in given.canonical.keys().filter(|symbol| !given.symbols.contains(symbol)) {
        let place = given.origins.of(&format!("canonical.{symbol}"));
        // Without symbols there is another error.
        if given.symbols.is_empty() || replaced && matches!(place, Source::Line { .. }) {
            continue;
        }
        let meant = nearest(symbol, given.symbols.iter().map(String::as_str));
        let meant = meant.map_or(String::new(), |meant| format!(", did you mean {meant:?}?"));
        wrong(format!("canonical.{symbol:?} ({place}): the symbol is not listed{meant}"));
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
