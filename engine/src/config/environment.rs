//! The `K2_*` variables, those of the handler before this one.

mod credentials;

use std::collections::BTreeMap;

use super::error::Errors;
use super::file::{Feed, File};
use super::source::Source;
use crate::nearest::nearest;
use crate::secret::Secret;
use crate::venue::Protocol;

const EXCHANGE: &str = "K2_EXCHANGE";
const SYMBOLS: &str = "K2_SYMBOLS";
const INSTRUMENTS_FILE: &str = "K2_INSTRUMENTS_FILE";
/// Where Kafka is.
pub const BOOTSTRAP_SERVERS: &str = "K2_KAFKA_BOOTSTRAP_SERVERS";
/// Where its registry is.
pub const SCHEMA_REGISTRY_URL: &str = "K2_KAFKA_SCHEMA_REGISTRY_URL";
const TOPIC_RAW: &str = "K2_KAFKA_TOPIC_RAW";
const TOPIC_NORMALIZED: &str = "K2_KAFKA_TOPIC_NORMALIZED";
const STATE_DIR: &str = "K2_STATE_DIR";
/// What is fed, and whereto; wrong without a feed.
pub(super) const OF_FEEDS: [&str; 4] = [SYMBOLS, INSTRUMENTS_FILE, TOPIC_RAW, TOPIC_NORMALIZED];
/// Where metrics, health and status are served.
pub(super) const HTTP_LISTEN: &str = "K2_HTTP_LISTEN";
const SCHEMA_PATH: &str = "K2_SCHEMA_PATH";

/// The variable with an exchange's address: `K2_BINANCE_WS_URL`. Those of exchanges that are not fed are not looked at.
fn url_variable(exchange: &str) -> String {
    format!("K2_{}_WS_URL", exchange.to_uppercase().replace('-', "_"))
}

/// The variable with the address of an exchange's REST API: `K2_BINANCE_REST_URL`.
fn rest_url_variable(exchange: &str) -> String {
    format!("K2_{}_REST_URL", exchange.to_uppercase().replace('-', "_"))
}

/// The variables of ours that say something.
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn get(&self, name: &str) -> Option<(String, Source)> {
        let value = self.0.get(name)?.trim().to_string();
        Some((value, Source::Variable(name.to_string())))
    }

    /// As it is: spaces may belong to it.
    fn secret(&self, name: &str) -> Option<(Secret, Source)> {
        Some((Secret::new(self.0.get(name)?), Source::Variable(name.to_string())))
    }
}

/// Lays the variables over what the file gave.
pub(super) fn apply(file: &mut File, variables: impl IntoIterator<Item = (String, String)>, errors: &mut Errors) {
    let set = |(name, value): &(String, String)| name.starts_with("K2_") && !value.trim().is_empty();
    let variables = Variables(variables.into_iter().filter(set).collect());
    name_unknown(&variables.0);
    if let Some((servers, source)) = variables.get(BOOTSTRAP_SERVERS) {
        file.kafka.bootstrap_servers = Some(servers);
        file.origins.set("kafka.bootstrap_servers", source);
    }
    if let Some((url, source)) = variables.get(SCHEMA_REGISTRY_URL) {
        file.kafka.schema_registry_url = Some(url);
        file.origins.set("kafka.schema_registry_url", source);
    }
    credentials::apply(file, &variables, errors);
    if let Some((exchange, source)) = variables.get(EXCHANGE) {
        feed_only(file, &exchange.to_lowercase(), &source);
    }
    for feed in &mut file.feed {
        let variable = feed.exchange.as_deref().map(url_variable);
        if let Some((url, source)) = variable.and_then(|variable| variables.get(&variable)) {
            feed.url = Some(url);
            feed.origins.set("url", source);
            // Those of the file are alternatives to the file's address.
            feed.alternatives = None;
            feed.origins.set("alternatives", Source::Default);
        }
        let variable = feed.exchange.as_deref().map(rest_url_variable);
        if let Some((url, source)) = variable.and_then(|variable| variables.get(&variable)) {
            feed.rest_url = Some(url);
            feed.origins.set("rest_url", source);
        }
    }
    apply_symbols(file, &variables, errors);
    if let Some((topic, source)) = variables.get(TOPIC_RAW)
        && let Some(feed) = only_feed(file, &source, errors)
    {
        feed.topic_raw = Some(topic);
        feed.origins.set("topic_raw", source);
    }
    if let Some((topic, source)) = variables.get(TOPIC_NORMALIZED)
        && let Some(feed) = only_feed(file, &source, errors)
    {
        feed.topic = Some(topic);
        feed.origins.set("topic", source);
    }
    if let Some((dir, source)) = variables.get(STATE_DIR) {
        file.state.dir = Some(dir.into());
        file.origins.set("state.dir", source);
    }
    if let Some((listen, source)) = variables.get(HTTP_LISTEN) {
        file.http.listen = Some(listen);
        file.origins.set("http.listen", source);
    }
    if variables.get(SCHEMA_PATH).is_some() {
        tracing::info!("{SCHEMA_PATH} is not needed: the schemas are in the binary");
    }
}

/// What is fed: symbols of a variable go before a file of them in `feed.toml`, and a file of a variable before both.
fn apply_symbols(file: &mut File, variables: &Variables, errors: &mut Errors) {
    if let Some((path, source)) = variables.get(INSTRUMENTS_FILE) {
        if file.feed.is_empty() {
            errors.at(&source, format!("it is set ({path:?}), but not for which exchange: set {EXCHANGE}"));
        }
        for feed in &mut file.feed {
            feed.instruments = Some(path.clone().into());
            feed.origins.set("instruments", source.clone());
            feed.symbols.clear();
        }
    } else if let Some((symbols, source)) = variables.get(SYMBOLS)
        && let Some(feed) = only_feed(file, &source, errors)
    {
        let symbols = symbols.split(',').map(|symbol| symbol.trim().to_string()).filter(|symbol| !symbol.is_empty());
        feed.symbols = symbols.collect();
        feed.instruments = None;
        feed.origins.set("symbols", source);
    }
}

/// Keeps only the feeds of `exchange`, with what the file says of them; without one it is a feed of its own.
fn feed_only(file: &mut File, exchange: &str, source: &Source) {
    file.feed.retain(|feed| feed.exchange.as_deref() == Some(exchange));
    if file.feed.is_empty() {
        file.feed.push(Feed { exchange: Some(exchange.to_string()), ..Feed::default() });
    }
    file.feed.iter_mut().for_each(|feed| feed.origins.set("exchange", source.clone()));
}

/// The one feed that a variable can mean.
fn only_feed<'a>(file: &'a mut File, variable: &Source, errors: &mut Errors) -> Option<&'a mut Feed> {
    match file.feed.len() {
        1 => file.feed.first_mut(),
        0 => {
            errors.at(variable, format!("it is set, but not for which exchange: set {EXCHANGE}"));
            None
        }
        feeds => {
            let what = format!("it is set, but there are {feeds} feeds: set {EXCHANGE} too, or use feed.toml alone");
            errors.at(variable, what);
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
        STATE_DIR,
        HTTP_LISTEN,
        SCHEMA_PATH,
    ];
    let of_exchange = |exchange| [url_variable(exchange), rest_url_variable(exchange)];
    let urls: Vec<String> = Protocol::ALL.iter().flat_map(|protocol| of_exchange(protocol.exchange())).collect();
    let known = || known.into_iter().chain(credentials::ALL).chain(urls.iter().map(String::as_str));
    for name in variables.keys().filter(|name| known().all(|known| known != name.as_str())) {
        match nearest(name, known()) {
            Some(nearest) => tracing::warn!("{name} is not known, did you mean {nearest}?"),
            None => tracing::warn!("{name} is not known and has no effect"),
        }
    }
}
