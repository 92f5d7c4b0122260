//! `[spill]`: what waits on disk while Kafka does not take it.

use crate::config::error::{Errors, Section};
use crate::config::source::Origins;
use crate::config::{RingFull, Spill, State, file};

const MAX_BYTES: u64 = 1 << 30;
/// Least of `max_bytes`: the largest frame, and room for others.
const LEAST_BYTES: u64 = 16 << 20;
const FSYNC_INTERVAL_MS: u64 = 1_000;
/// Twice what the engine is made for, so that what waits becomes less while trades go on.
const REPLAY_PER_S: u32 = 100_000;

/// Fills in defaults and checks every value.
pub(super) fn resolve(
    given: &file::Spill,
    state: &State,
    ring_full: RingFull,
    origins: &Origins,
    errors: &mut Errors,
) -> Spill {
    let spill = Spill {
        enabled: given.enabled.unwrap_or(true),
        max_bytes: given.max_bytes.unwrap_or(MAX_BYTES),
        fsync: given.fsync.unwrap_or_default(),
        fsync_interval_ms: given.fsync_interval_ms.unwrap_or(FSYNC_INTERVAL_MS),
        replay_per_s: given.replay_per_s.unwrap_or(REPLAY_PER_S),
    };
    let section = &mut Section::new("spill", origins, errors);
    let none = "; to put nothing on disk, set spill.enabled to false";
    section.within("max_bytes", spill.max_bytes, LEAST_BYTES, 1 << 50, none);
    let none = "; for none, set spill.fsync to \"never\"";
    section.within("fsync_interval_ms", spill.fsync_interval_ms, 1, 3_600_000, none);
    let more = "; it must be more than what comes meanwhile";
    section.within("replay_per_s", spill.replay_per_s.into(), 1, 100_000_000, more);
    if ring_full == RingFull::DropOldest && (state.dir.is_none() || !spill.enabled) {
        let what = "it is for records on disk, of which there are none: set state.dir, and spill.enabled to true, or take \
                    \"drop_newest\"";
        Section::new("limits", origins, errors).wrong("ring_full", "\"drop_oldest\"", what);
    }
    spill
}
