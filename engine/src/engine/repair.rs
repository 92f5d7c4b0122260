//! Which feeds' gaps are repaired, and who does it.

use std::sync::Arc;

use crate::config::{Config, Feed, shown};
use crate::cores::Plan;
use crate::net::tls;
use crate::repair::{Link, Patience, Repairer, Source};
use crate::venue::history::History;

/// Starts the repairer, unless nothing is to be repaired, and says which feeds' gaps are. Each feed core gets a link to it.
pub(super) fn start(config: &Config, plan: &Plan) -> Result<(Option<Repairer>, Vec<Link>), String> {
    let sources: Vec<_> = config.feeds.iter().map(source).collect();
    config.feeds.iter().for_each(|feed| announce(feed, config.repair.enabled));
    if !config.repair.enabled {
        return Ok((None, Vec::new()));
    }
    // That the file can be read has been seen when the connections' settings were made.
    let extra_ca = config.extra_ca.clone();
    let roots = move || {
        let certificates = tls::certificates(extra_ca.as_deref());
        certificates.inspect_err(|error| tracing::error!("the histories are not trusted: {error}")).unwrap_or_default()
    };
    let (max_trades, cpus) = (config.repair.max_trades, plan.housekeeping.clone());
    let (repairer, links) = Repairer::start(sources, max_trades, plan.feed.len(), roots, cpus, Patience::default())?;
    Ok((Some(repairer), links))
}

/// Says whether the gaps of a feed are repaired.
pub(super) fn announce(feed: &Feed, is_repaired: bool) {
    let (exchange, protocol) = (feed.protocol.exchange(), feed.protocol.name());
    match source(feed).filter(|_| is_repaired) {
        Some(source) => tracing::info!(exchange, protocol, rest_url = %shown(&source.url), "gaps are repaired"),
        None => tracing::info!(exchange, protocol, "{}", feed.unrepaired(is_repaired)),
    }
}

/// Where the gaps of a feed are filled from.
pub(super) fn source(feed: &Feed) -> Option<Arc<Source>> {
    let (exchange, usual) = (feed.protocol.exchange(), feed.protocol.history()?);
    let history = History { interval: feed.rest_interval, ..usual };
    let (url, unit) = (feed.rest_url.clone()?, feed.endpoint.time_unit);
    Some(Arc::new(Source { exchange, history, url, unit }))
}
