//! From what was written to what holds: defaults, and every check. Feeds, their topics, sessions and Kafka have files
//! of their own.

mod alternatives;
mod feeds;
mod kafka;
mod session;
mod spill;
mod topics;

use url::Url;

use super::{Config, Cores, Limits, Repair, State, file};
use crate::cores::Choice;

/// A ring must hold so many of the longest messages.
const RING_FRAMES: usize = 16;
/// Most of `max_trades`.
const MOST_REPAIRED: u64 = 1_000_000;
/// Least of `max_frame_bytes`.
const MIN_FRAME_BYTES: usize = 4 * 1024;

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &file::File, errors: &mut Vec<String>) -> Option<Config> {
    let cores = resolve_cores(&given.cores, errors);
    let repair = resolve_repair(&given.repair, errors);
    let feeds = feeds::resolve(&given.feed, &cores.feed, repair.enabled, errors);
    let limits = resolve_limits(&given.limits, errors);
    let session = session::resolve(&given.session, errors);
    let state = resolve_state(&given.state, errors);
    let spill = spill::resolve(&given.spill, &state, limits.ring_full, errors);
    let kafka = kafka::resolve(&given.kafka, errors);
    let extra_ca = given.tls.extra_ca.clone();
    Some(Config { kafka: kafka?, feeds, cores, limits, repair, session, state, spill, extra_ca })
}

fn resolve_cores(given: &file::Cores, errors: &mut Vec<String>) -> Cores {
    let cores = Cores {
        feed: given.feed.clone().unwrap_or(Choice::Count(1)),
        producer: given.producer.clone().unwrap_or(Choice::Count(1)),
        housekeeping: given.housekeeping.clone(),
        wait: given.wait.unwrap_or_default(),
    };
    for (key, choice) in [("feed", &cores.feed), ("producer", &cores.producer)] {
        match choice {
            Choice::Count(0) => errors.push(format!("cores.{key} = 0: at least one is needed")),
            Choice::Cpus(cpus) if cpus.is_empty() => {
                errors.push(format!("cores.{key} = []: name at least one CPU"));
            }
            _ => {}
        }
    }
    cores
}

fn resolve_limits(given: &file::Limits, errors: &mut Vec<String>) -> Limits {
    const RING_BYTES: usize = 4 * 1024 * 1024;
    const MAX_FRAME_BYTES: usize = 256 * 1024;
    let ring_bytes = given.ring_bytes.unwrap_or(RING_BYTES);
    let max_frame_bytes = given.max_frame_bytes.unwrap_or(MAX_FRAME_BYTES);
    if max_frame_bytes < MIN_FRAME_BYTES {
        errors.push(format!("limits.max_frame_bytes = {max_frame_bytes}: it must be at least {MIN_FRAME_BYTES}"));
    }
    if ring_bytes / RING_FRAMES < max_frame_bytes {
        let needed = max_frame_bytes.saturating_mul(RING_FRAMES);
        errors.push(format!(
            "limits.ring_bytes = {ring_bytes}: a ring holds at least {RING_FRAMES} messages of max_frame_bytes = \
             {max_frame_bytes}: set it to {needed} or more"
        ));
    }
    Limits { ring_bytes, max_frame_bytes, ring_full: given.ring_full.unwrap_or_default() }
}

fn resolve_repair(given: &file::Repair, errors: &mut Vec<String>) -> Repair {
    const MAX_TRADES: u64 = 10_000;
    let max_trades = given.max_trades.unwrap_or(MAX_TRADES);
    if !(1..=MOST_REPAIRED).contains(&max_trades) {
        errors.push(format!(
            "repair.max_trades = {max_trades}: it must be from 1 to {MOST_REPAIRED}, each takes memory until it is \
             published; to fetch none, set repair.enabled to false"
        ));
    }
    Repair { enabled: given.enabled.unwrap_or(true), max_trades }
}

/// Whether the folder can be had, only the machine knows: [`crate::state`] sees to that.
fn resolve_state(given: &file::State, errors: &mut Vec<String>) -> State {
    if given.dir.as_ref().is_some_and(|dir| dir.as_os_str().is_empty()) {
        errors.push("state.dir = \"\": name a folder, or leave it out: then nothing survives the engine".into());
    }
    State { dir: given.dir.clone() }
}

fn parse_url(key: &str, given: &str, schemes: &[&str], errors: &mut Vec<String>) -> Option<Url> {
    let example = format!("{}://host:port/path", schemes[0]);
    // It may hold a password.
    let text = if given.contains('@') { "(not shown)" } else { given };
    let parsed = Url::parse(given);
    match parsed {
        Ok(url) if schemes.contains(&url.scheme()) && url.host_str().is_some() => Some(url),
        Ok(url) => {
            errors.push(format!(
                "{key} = {text:?}: {:?} is not one of {}: write {example}",
                url.scheme(),
                schemes.join(", ")
            ));
            None
        }
        Err(error) => {
            errors.push(format!("{key} = {text:?}: {error}: write {example}"));
            None
        }
    }
}
