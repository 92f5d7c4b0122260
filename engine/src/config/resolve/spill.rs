//! `[spill]`: what waits on disk while Kafka does not take it.

use crate::config::{RingFull, Spill, State, file};

const MAX_BYTES: u64 = 1 << 30;
/// Least of `max_bytes`: the largest frame, and room for others.
const LEAST_BYTES: u64 = 16 << 20;
const FSYNC_INTERVAL_MS: u64 = 1_000;
/// Twice what the engine is made for, so that what waits becomes less while trades go on.
const REPLAY_PER_S: u32 = 100_000;

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &file::Spill, state: &State, ring_full: RingFull, errors: &mut Vec<String>) -> Spill {
    let spill = Spill {
        enabled: given.enabled.unwrap_or(true),
        max_bytes: given.max_bytes.unwrap_or(MAX_BYTES),
        fsync: given.fsync.unwrap_or_default(),
        fsync_interval_ms: given.fsync_interval_ms.unwrap_or(FSYNC_INTERVAL_MS),
        replay_per_s: given.replay_per_s.unwrap_or(REPLAY_PER_S),
    };
    let mut within = |key: &str, value: u64, least: u64, most: u64, hint: &str| {
        if !(least..=most).contains(&value) {
            errors.push(format!("spill.{key} = {value}: it must be from {least} to {most}{hint}"));
        }
    };
    within("max_bytes", spill.max_bytes, LEAST_BYTES, 1 << 50, "; to put nothing on disk, set spill.enabled to false");
    within("fsync_interval_ms", spill.fsync_interval_ms, 1, 3_600_000, "; for none, set spill.fsync to \"never\"");
    let hint = "; it must be more than what comes meanwhile";
    within("replay_per_s", spill.replay_per_s.into(), 1, 100_000_000, hint);
    if ring_full == RingFull::DropOldest && (state.dir.is_none() || !spill.enabled) {
        errors.push(
            "limits.ring_full = \"drop_oldest\": it is for records on disk, of which there are none: set state.dir, and \
             spill.enabled to true, or take \"drop_newest\""
                .into(),
        );
    }
    spill
}
