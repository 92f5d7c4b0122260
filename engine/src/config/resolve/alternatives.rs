//! Other addresses of a feed: they must bring what its own address brings.

use url::Url;

use super::parse_url;
use crate::config::error::Errors;
use crate::config::{file, shown};
use crate::venue::{Endpoint, Instrument, Protocol};

/// The feed's other addresses: those given, or else, for a feed without an address of its own, the exchange's. `first` is
/// what its own address comes to.
pub(super) fn resolve(
    given: &file::Feed,
    protocol: Protocol,
    first: &Endpoint,
    instruments: &[Instrument],
    errors: &mut Errors,
) -> Vec<Url> {
    let mut wrong = |what: String| given.wrong("alternatives", what, errors);
    let texts: Vec<&str> = match (&given.alternatives, &given.url) {
        (Some(given), _) => given.iter().map(String::as_str).collect(),
        (None, None) => protocol.facts().alternatives.to_vec(),
        (None, Some(_)) => Vec::new(),
    };
    let mut alternatives: Vec<(Url, Endpoint)> = Vec::new();
    for text in texts {
        let Some(url) = parse_url("alternatives", text, &["wss", "ws"]).map_err(&mut wrong).ok() else { continue };
        let endpoint = Endpoint { url: url.clone(), time_unit: first.time_unit };
        let reached = match protocol.subscriptions(&endpoint, instruments) {
            Ok(subscriptions) => subscriptions[0].endpoint.clone(),
            Err(error) => {
                wrong(format!("alternatives: {error}"));
                continue;
            }
        };
        let fault = match alternatives.iter().any(|(_, other)| other.url == reached.url) {
            true => Some("it is listed twice: keep one".to_string()),
            false => difference(&reached, first, protocol),
        };
        match fault {
            Some(fault) => wrong(format!("alternatives = \"{}\": {fault}", shown(&url))),
            None => alternatives.push((url, reached)),
        }
    }
    alternatives.into_iter().map(|(url, _)| url).collect()
}

/// Why an address is no alternative to the first.
fn difference(other: &Endpoint, first: &Endpoint, protocol: Protocol) -> Option<String> {
    let path = |url: &Url| url.path().trim_end_matches('/').to_string();
    let serves = protocol.facts().serves;
    if other.url == first.url {
        return Some("it is url itself: leave it out".into());
    }
    if other.url.scheme() != first.url.scheme() {
        return Some(format!(
            "it begins with {}:// and url with {}://: trades come encrypted by all addresses or by none, give them the same",
            other.url.scheme(),
            first.url.scheme()
        ));
    }
    if serves(&first.url) && !serves(&other.url) {
        return Some(format!("it is not an address of {protocol}, as url is: give it a feed of its own"));
    }
    if path(&other.url) != path(&first.url) {
        return Some(format!(
            "its path {:?} is not url's {:?}, and brings other frames: give them the same",
            other.url.path(),
            first.url.path()
        ));
    }
    if other.time_unit != first.time_unit {
        return Some("it asks for another time unit than url: leave timeUnit out".into());
    }
    None
}
