//! The `K2_*` variables, those of the handler before this one.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::file::{Feed, File};
use super::nearest::nearest;

const EXCHANGE: &str = "K2_EXCHANGE";
const SYMBOLS: &str = "K2_SYMBOLS";
const INSTRUMENTS_FILE: &str = "K2_INSTRUMENTS_FILE";
const BOOTSTRAP_SERVERS: &str = "K2_KAFKA_BOOTSTRAP_SERVERS";
const SCHEMA_REGISTRY_URL: &str = "K2_KAFKA_SCHEMA_REGISTRY_URL";
const TOPIC_RAW: &str = "K2_KAFKA_TOPIC_RAW";
const TOPIC_NORMALIZED: &str = "K2_KAFKA_TOPIC_NORMALIZED";
const SCHEMA_PATH: &str = "K2_SCHEMA_PATH";
/// The addresses, by exchange. Those of exchanges that are not fed are not looked at.
const WS_URLS: [(&str, &str); 3] =
    [("binance", "K2_BINANCE_WS_URL"), ("kraken", "K2_KRAKEN_WS_URL"), ("coinbase", "K2_COINBASE_WS_URL")];

/// The layout of the instruments file.
#[derive(Debug, Deserialize)]
struct InstrumentsFile {
    instruments: BTreeMap<String, Instruments>,
}

#[derive(Debug, Deserialize)]
struct Instruments {
    symbols: Vec<String>,
}

/// Lays the variables over what the file gave.
pub(super) fn apply(file: &mut File, variables: impl IntoIterator<Item = (String, String)>, errors: &mut Vec<String>) {
    let variables: BTreeMap<String, String> =
        variables.into_iter().filter(|(name, value)| name.starts_with("K2_") && !value.trim().is_empty()).collect();
    name_unknown(&variables);
    let get = |name: &str| variables.get(name).map(|value| value.trim().to_string());

    file.kafka.bootstrap_servers = get(BOOTSTRAP_SERVERS).or(file.kafka.bootstrap_servers.take());
    file.kafka.schema_registry_url = get(SCHEMA_REGISTRY_URL).or(file.kafka.schema_registry_url.take());
    if let Some(exchange) = get(EXCHANGE) {
        let exchange = exchange.to_lowercase();
        let known = file.feed.iter().find(|feed| feed.exchange.as_ref() == Some(&exchange)).cloned();
        file.feed = vec![known.unwrap_or_else(|| Feed { exchange: Some(exchange), ..Feed::default() })];
    }
    for (exchange, name) in WS_URLS {
        if let Some(url) = get(name) {
            file.feed
                .iter_mut()
                .filter(|feed| feed.exchange.as_deref() == Some(exchange))
                .for_each(|feed| feed.url = Some(url.clone()));
        }
    }
    if let Some(path) = get(INSTRUMENTS_FILE) {
        take_instruments(file, &path, errors);
    } else if let Some(symbols) = get(SYMBOLS) {
        let symbols = symbols.split(',').map(|symbol| symbol.trim().to_string()).filter(|symbol| !symbol.is_empty());
        if let Some(feed) = only_feed(file, SYMBOLS, errors) {
            feed.symbols = symbols.collect();
        }
    }
    if let Some(topic) = get(TOPIC_RAW)
        && let Some(feed) = only_feed(file, TOPIC_RAW, errors)
    {
        feed.topic_raw = Some(topic);
    }
    if let Some(topic) = get(TOPIC_NORMALIZED)
        && let Some(feed) = only_feed(file, TOPIC_NORMALIZED, errors)
    {
        feed.topic = Some(topic);
    }
    if get(SCHEMA_PATH).is_some() {
        tracing::info!("{SCHEMA_PATH} is not needed: the schemas are in the binary");
    }
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

/// Takes each feed's symbols from the instruments file, which goes before `K2_SYMBOLS`.
fn take_instruments(file: &mut File, path: &str, errors: &mut Vec<String>) {
    let wrong = |what: String| format!("{INSTRUMENTS_FILE} = {path:?}: {what}");
    let read = std::fs::read_to_string(Path::new(path)).map_err(|error| wrong(error.to_string()));
    let parsed = read
        .and_then(|text| serde_norway::from_str::<InstrumentsFile>(&text).map_err(|error| wrong(error.to_string())));
    let mut instruments = match parsed {
        Ok(file) => file.instruments,
        Err(error) => return errors.push(error),
    };
    if file.feed.is_empty() {
        errors.push(wrong(format!("set, but not for which exchange: set {EXCHANGE}")));
    }
    for feed in &mut file.feed {
        let exchange = feed.exchange.clone().unwrap_or_default();
        match instruments.remove(&exchange) {
            Some(found) => feed.symbols = found.symbols,
            None => errors.push(wrong(format!("it lists no symbols under instruments.{exchange}"))),
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
    let known = || known.into_iter().chain(WS_URLS.iter().map(|(_, name)| *name));
    for name in variables.keys().filter(|name| known().all(|known| known != name.as_str())) {
        match nearest(name, known()) {
            Some(nearest) => tracing::warn!("{name} is not known, did you mean {nearest}?"),
            None => tracing::warn!("{name} is not known and has no effect"),
        }
    }
}
