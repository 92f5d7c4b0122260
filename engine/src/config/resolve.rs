//! From what was written to what holds: defaults, and every check. Feeds, their topics, sessions and Kafka have files
//! of their own.

mod alternatives;
mod feeds;
mod http;
mod kafka;
mod security;
mod session;
mod spill;
mod topics;

use url::Url;

use super::error::{Errors, Section};
use super::{Config, Cores, Limits, Repair, State, file, here};
use crate::cores::{Choice, CpuSet};

/// A ring must hold so many of the longest messages.
const RING_FRAMES: usize = 16;
/// Most of `max_trades`.
const MOST_REPAIRED: u64 = 1_000_000;
/// Least of `max_frame_bytes`.
const MIN_FRAME_BYTES: usize = 4 * 1024;
/// Most of `ring_bytes` and `max_frame_bytes`.
const MOST_BYTES: usize = 1 << 40;

/// Fills in defaults and checks every value; with CPUs `available`, also what only this machine can tell.
pub(super) fn resolve(given: &file::File, available: Option<&CpuSet>, errors: &mut Errors) -> Option<Config> {
    let cores = resolve_cores(&given.cores, &mut Section::new("cores", &given.origins, errors));
    let repair = resolve_repair(&given.repair, &mut Section::new("repair", &given.origins, errors));
    let feeds = feeds::resolve(&given.feed, &cores.feed, repair.enabled, errors);
    let limits = resolve_limits(&given.limits, &mut Section::new("limits", &given.origins, errors));
    let session = session::resolve(&given.session, &mut Section::new("session", &given.origins, errors));
    let state = resolve_state(&given.state, &mut Section::new("state", &given.origins, errors));
    let spill = spill::resolve(&given.spill, &state, limits.ring_full, &given.origins, errors);
    let http = http::resolve(&given.http, &mut Section::new("http", &given.origins, errors));
    let kafka = kafka(given, errors);
    if let Some(available) = available {
        here::check_all(given, &cores, &state, available, errors);
    }
    let extra_ca = given.tls.extra_ca.clone();
    Some(Config { kafka: kafka?, feeds, cores, limits, repair, session, state, spill, http, extra_ca })
}

/// Fills in the defaults of `[kafka]`, and checks its values.
pub(super) fn kafka(given: &file::File, errors: &mut Errors) -> Option<super::Kafka> {
    kafka::resolve(&given.kafka, &mut Section::new("kafka", &given.origins, errors))
}

fn resolve_cores(given: &file::Cores, section: &mut Section<'_>) -> Cores {
    let cores = Cores {
        feed: given.feed.clone().unwrap_or(Choice::Count(1)),
        producer: given.producer.clone().unwrap_or(Choice::Count(1)),
        housekeeping: given.housekeeping.clone(),
        wait: given.wait.unwrap_or_default(),
    };
    for (key, choice) in [("feed", &cores.feed), ("producer", &cores.producer)] {
        match choice {
            Choice::Count(0) => section.wrong(key, 0, "at least one is needed"),
            Choice::Cpus(cpus) if cpus.is_empty() => section.wrong(key, "[]", "name at least one CPU"),
            _ => {}
        }
    }
    if cores.housekeeping.as_ref().is_some_and(Vec::is_empty) {
        section.wrong("housekeeping", "[]", "name at least one CPU, or leave it out");
    }
    cores
}

fn resolve_limits(given: &file::Limits, section: &mut Section<'_>) -> Limits {
    const RING_BYTES: usize = 4 * 1024 * 1024;
    const MAX_FRAME_BYTES: usize = 256 * 1024;
    let ring_bytes = given.ring_bytes.unwrap_or(RING_BYTES);
    let max_frame_bytes = given.max_frame_bytes.unwrap_or(MAX_FRAME_BYTES);
    if max_frame_bytes < MIN_FRAME_BYTES {
        section.wrong("max_frame_bytes", max_frame_bytes, format!("it must be at least {MIN_FRAME_BYTES}"));
    }
    let needed = max_frame_bytes.max(MIN_FRAME_BYTES).saturating_mul(RING_FRAMES);
    if ring_bytes > MOST_BYTES {
        section.wrong("ring_bytes", ring_bytes, format!("it must be at most {MOST_BYTES}"));
    } else if ring_bytes < needed {
        let what = format!(
            "limits.ring_bytes = {ring_bytes}: a ring holds at least {RING_FRAMES} messages of max_frame_bytes = \
             {max_frame_bytes}: set it to {needed} or more"
        );
        section.said(&["ring_bytes", "max_frame_bytes"], what);
    }
    Limits { ring_bytes, max_frame_bytes, ring_full: given.ring_full.unwrap_or_default() }
}

fn resolve_repair(given: &file::Repair, section: &mut Section<'_>) -> Repair {
    const MAX_TRADES: u64 = 10_000;
    let max_trades = given.max_trades.unwrap_or(MAX_TRADES);
    let hint = ", each takes memory until it is published; to fetch none, set repair.enabled to false";
    section.within("max_trades", max_trades, 1, MOST_REPAIRED, hint);
    Repair { enabled: given.enabled.unwrap_or(true), max_trades }
}

/// Whether the folder can be had, only the machine knows: see [`super::here`].
fn resolve_state(given: &file::State, section: &mut Section<'_>) -> State {
    if given.dir.as_ref().is_some_and(|dir| dir.as_os_str().is_empty()) {
        section.wrong("dir", "\"\"", "name a folder, or leave it out: then nothing survives the engine");
    }
    State { dir: given.dir.clone() }
}

/// The address `given` for a key; what is wrong begins with that.
fn parse_url(key: &str, given: &str, schemes: &[&str]) -> Result<Url, String> {
    let example = format!("{}://host:port/path", schemes[0]);
    // It may hold a password.
    let text = if given.contains('@') { "(not shown)" } else { given };
    match Url::parse(given) {
        Ok(url) if schemes.contains(&url.scheme()) && url.host_str().is_some() => Ok(url),
        Ok(url) => {
            let (scheme, known) = (url.scheme(), schemes.join(", "));
            Err(format!("{key} = {text:?}: {scheme:?} is not one of {known}: write {example}"))
        }
        Err(error) => Err(format!("{key} = {text:?}: {error}: write {example}")),
    }
}
