//! What a running engine shows to Prometheus, made anew for each scrape from what was collected last: the pinned cores do
//! nothing for it.
//!
//! Names are `k2_feed_*`, with their units as Prometheus wants them; what counts up ends with `_total`.

pub mod buckets;
mod cores;
mod delivery;
mod families;
mod feeds;

use std::time::UNIX_EPOCH;

use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;

use crate::engine::view::{Core, Signs};
use crate::http::Exposed;
use families::Families;

/// The form of [`page`], as HTTP calls it.
pub const FORMAT: &str = prometheus::TEXT_FORMAT;

/// All metrics as of now.
pub fn page(exposed: &Exposed) -> String {
    let mut families = Families::default();
    families.gauge(
        "k2_feed_build_info",
        "The version that runs.",
        [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    );
    let started = exposed.started.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    families.gauge("k2_feed_start_time_seconds", "When the process began, since 1970.", [(vec![], started)]);
    let ready = exposed.why_not_ready().is_empty();
    families.flag(
        "k2_feed_ready",
        "Whether trades are subscribed and can be published, as at /readyz.",
        [(vec![], ready)],
    );
    if let Some(signs) = exposed.signs() {
        cores::shown(&mut families, &signs);
        feeds::shown(&mut families, &signs);
        if let Some(view) = exposed.view() {
            cores::collected(&mut families, &signs, &view);
            feeds::collected(&mut families, &signs, &view);
            delivery::collected(&mut families, &signs, &view);
        }
    }
    let mut all = families.into_all();
    all.extend(ProcessCollector::for_self().collect());
    TextEncoder::new().encode_to_string(&all).unwrap_or_else(|error| {
        tracing::error!("the metrics cannot be written: {error}");
        String::new()
    })
}

/// What was collected of each core, with its name.
fn named<'a>(signs: &'a Signs, cores: &'a [Core]) -> impl Iterator<Item = (&'a str, &'a Core)> {
    signs.cores.iter().map(|(name, ..)| name.as_str()).zip(cores)
}
