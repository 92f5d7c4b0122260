//! The `K2_*` variables, those of the handler before this one.

use std::collections::BTreeMap;

use super::file::{Feed, File};
use super::source::Source;
use crate::nearest::nearest;
use crate::venue::Protocol;

const EXCHANGE: &str = "K2_EXCHANGE";
const SYMBOLS: &str = "K2_SYMBOLS";
const INSTRUMENTS_FILE: &str = "K2_INSTRUMENTS_FILE";
const BOOTSTRAP_SERVERS: &str = "K2_KAFKA_BOOTSTRAP_SERVERS";
const SCHEMA_REGISTRY_URL: &str = "K2_KAFKA_SCHEMA_REGISTRY_URL";
const TOPIC_RAW: &str = "K2_KAFKA_TOPIC_RAW";
const TOPIC_NORMALIZED: &str = "K2_KAFKA_TOPIC_NORMALIZED";
const SCHEMA_PATH: &str = "K2_SCHEMA_PATH";

/// The variable with an exchange's address: `K2_BINANCE_WS_URL`. Those of exchanges that are not fed are not looked at.
fn url_variable(exchange: &str) -> String {
    format!("K2_{}_WS_URL", exchange.to_uppercase().replace('-', "_"))
}

/// Lays the variables over what the file gave.
pub(super) fn apply(file: &mut File, variables: impl IntoIterator<Item = (String, String)>, errors: &mut Vec<String>) {
    let variables: BTreeMap<String, String> =
        variables.into_iter().filter(|(name, value)| name.starts_with("K2_") && !value.trim().is_empty()).collect();
    name_unknown(&variables);
    let get = |name: &str| variables.get(name).map(|value| value.trim().to_string());
    let from = |name: &str| Source::Variable(name.to_string());

    if let Some(servers) = get(BOOTSTRAP_SERVERS) {
        file.kafka.bootstrap_servers = Some(servers);
        file.origins.set("kafka.bootstrap_servers", from(BOOTSTRAP_SERVERS));
    }
    if let Some(url) = get(SCHEMA_REGISTRY_URL) {
        file.kafka.schema_registry_url = Some(url);
        file.origins.set("kafka.schema_registry_url", from(SCHEMA_REGISTRY_URL));
    }
    if let Some(exchange) = get(EXCHANGE) {
        feed_only(file, exchange.to_lowercase());
    }
    for feed in &mut file.feed {
        let Some(variable) = feed.exchange.as_deref().map(url_variable) else { continue };
        if let Some(url) = get(&variable) {
            feed.url = Some(url);
            feed.origins.set("url", from(&variable));
        }
    }
    if let Some(path) = get(INSTRUMENTS_FILE) {
        // It goes before `K2_SYMBOLS`.
        if file.feed.is_empty() {
            errors.push(format!("{INSTRUMENTS_FILE} = {path:?}: set, but not for which exchange: set {EXCHANGE}"));
        }
        for feed in &mut file.feed {
            feed.instruments = Some(path.clone().into());
            feed.origins.set("instruments", from(INSTRUMENTS_FILE));
            feed.symbols.clear();
        }
    } else if let Some(symbols) = get(SYMBOLS)
        && let Some(feed) = only_feed(file, SYMBOLS, errors)
    {
        let symbols = symbols.split(',').map(|symbol| symbol.trim().to_string()).filter(|symbol| !symbol.is_empty());
        feed.symbols = symbols.collect();
        feed.instruments = None;
        feed.origins.set("symbols", from(SYMBOLS));
    }
    if let Some(topic) = get(TOPIC_RAW)
        && let Some(feed) = only_feed(file, TOPIC_RAW, errors)
    {
        feed.topic_raw = Some(topic);
        feed.origins.set("topic_raw", from(TOPIC_RAW));
    }
    if let Some(topic) = get(TOPIC_NORMALIZED)
        && let Some(feed) = only_feed(file, TOPIC_NORMALIZED, errors)
    {
        feed.topic = Some(topic);
        feed.origins.set("topic", from(TOPIC_NORMALIZED));
    }
    if get(SCHEMA_PATH).is_some() {
        tracing::info!("{SCHEMA_PATH} is not needed: the schemas are in the binary");
    }
}

/// Leaves the feed of `exchange` alone, with what the file says of it.
fn feed_only(file: &mut File, exchange: String) {
    let known = file.feed.iter().find(|feed| feed.exchange.as_ref() == Some(&exchange)).cloned();
    let mut feed = known.unwrap_or_else(|| Feed { exchange: Some(exchange), ..Feed::default() });
    feed.origins.set("exchange", Source::Variable(EXCHANGE.into()));
    file.feed = vec![feed];
}

/// The one feed that a variable can mean.
fn only_feed<'a>(file: &'a mut File, name: &str, errors: &mut Vec<String>) -> Option<&'a mut Feed> {
    match file.feed.len() {
        1 => file.feed.first_mut(),
        0 => {
            errors.push(format!("{name} is set, but not for which exchange: set {EXCHANGE}"));
            None
        }
        feeds => {
            errors.push(format!(
                "{name} is set, but there are {feeds} feeds: set {EXCHANGE} too, or use feed.toml alone"
            ));
            None
        }
    }
}

/// A variable that nobody reads is probably misspelt; it may belong to another program, so it is no error.
fn name_unknown(variables: &BTreeMap<String, String>) {
    let known = [
        EXCHANGE,
        SYMBOLS,
        INSTRUMENTS_FILE,
        BOOTSTRAP_SERVERS,
        SCHEMA_REGISTRY_URL,
        TOPIC_RAW,
        TOPIC_NORMALIZED,
        SCHEMA_PATH,
    ];
    let urls: Vec<String> = Protocol::ALL.iter().map(|protocol| url_variable(protocol.exchange())).collect();
    let known = || known.into_iter().chain(urls.iter().map(String::as_str));
    for name in variables.keys().filter(|name| known().all(|known| known != name.as_str())) {
        match nearest(name, known()) {
            Some(nearest) => tracing::warn!("{name} is not known, did you mean {nearest}?"),
            None => tracing::warn!("{name} is not known and has no effect"),
        }
    }
}
