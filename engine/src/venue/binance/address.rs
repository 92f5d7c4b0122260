//! Binance's addresses and requests, which its markets share.

use crate::config::shown;
use crate::instruments::{self, Pair, split_binance};
use crate::venue::subscription::{Endpoint, Instrument, Subscription, TimeUnit, Verb};

/// The paths of a market.
pub(in crate::venue) struct Paths {
    /// Those whose frames are as they are.
    pub(in crate::venue) bare: &'static [&'static str],
    /// Those whose frames are wrapped in `stream` and `data`.
    pub(in crate::venue) combined: &'static [&'static str],
}

/// See [`Venue::instrument`].
pub(in crate::venue) fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
    instruments::check_joined(symbol, "Binance")?;
    let pair = pair.or_else(|| split_binance(symbol)).ok_or_else(|| instruments::unresolved(symbol))?;
    Ok(Instrument { requested: symbol.to_lowercase(), ..Instrument::new(symbol, pair.to_string()) })
}

/// See [`super::super::Venue::subscription`]; `channel` is the part of a stream's name behind the symbol.
pub(in crate::venue) fn subscription(
    endpoint: &Endpoint,
    paths: &Paths,
    channel: &str,
    instruments: &[Instrument],
) -> Result<Subscription, String> {
    let mut endpoint = endpoint.or_path(paths.bare[0]);
    let path = endpoint.url.path().trim_end_matches('/');
    let is_combined = paths.combined.contains(&path);
    if !is_combined && !paths.bare.contains(&path) {
        return Err(format!(
            "url {}: the path {:?} is not one of Binance's: end it in {:?} or {:?} and list the symbols",
            shown(&endpoint.url),
            endpoint.url.path(),
            paths.bare[0],
            paths.combined[0]
        ));
    }
    // `/ws` knows no such parameter and would send nothing.
    let by_url = is_combined && endpoint.url.query_pairs().any(|(key, _)| key == "streams");
    let is_micros = |(key, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        key == "timeUnit" && value.eq_ignore_ascii_case("microsecond")
    };
    if endpoint.url.query_pairs().any(is_micros) {
        endpoint.time_unit = TimeUnit::Microsecond;
    }
    let streams = by_url.then(|| {
        let names = instruments.iter().map(|instrument| stream(&instrument.requested, channel));
        names.collect::<Vec<_>>().join("/")
    });
    set_query(&mut endpoint, streams);
    Ok(Subscription { by_address: by_url, ..Subscription::by_requests(endpoint, instruments) })
}

/// See [`super::super::Venue::request`].
pub(in crate::venue) fn request(channel: &str, verb: Verb, id: u64, names: &[&str]) -> String {
    let streams: Vec<_> = names.iter().map(|name| stream(name, channel)).collect();
    serde_json::json!({"method": verb.pick("SUBSCRIBE", "UNSUBSCRIBE"), "params": streams, "id": id}).to_string()
}

fn stream(symbol: &str, channel: &str) -> String {
    format!("{symbol}@{channel}")
}

/// Puts `streams` and the time unit into the address.
fn set_query(endpoint: &mut Endpoint, streams: Option<String>) {
    let ours = |pair: &&str| matches!(pair.split('=').next(), Some("streams" | "timeUnit" | ""));
    // The others are kept as they are written: decoded, a value could end in the next one.
    let others = endpoint.url.query().unwrap_or_default().split('&').filter(|pair| !ours(pair));
    let mut query: Vec<String> = others.map(str::to_string).collect();
    query.extend(streams.map(|streams| format!("streams={streams}")));
    if endpoint.time_unit == TimeUnit::Microsecond {
        query.push("timeUnit=MICROSECOND".to_string());
    }
    endpoint.url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
}
