//! `[session]`: when connections are made anew.

use crate::config::error::Section;
use crate::config::{Session, file};
use crate::session::backoff::Bounds;
use crate::session::breaker::Patience;

/// Longest waits and ages: a day.
const DAY_S: u64 = 24 * 60 * 60;
/// Longest wait between attempts: what fails for longer is the breaker's.
const BACKOFF_MS: u64 = 60_000;

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &file::Session, section: &mut Section<'_>) -> Session {
    let Bounds { min, max } = Bounds::default();
    let Patience { opens_after, probe_min, probe_max } = Patience::default();
    let session = Session {
        backoff_min_ms: given.backoff_min_ms.unwrap_or(min.as_millis() as u64),
        backoff_max_ms: given.backoff_max_ms.unwrap_or(max.as_millis() as u64),
        breaker_opens_after_s: given.breaker_opens_after_s.unwrap_or(opens_after.as_secs()),
        breaker_probe_min_s: given.breaker_probe_min_s.unwrap_or(probe_min.as_secs()),
        breaker_probe_max_s: given.breaker_probe_max_s.unwrap_or(probe_max.as_secs()),
        max_age_s: given.max_age_s,
    };
    let mut within = |key: &str, value: u64, most: u64, hint: &str| section.within(key, value, 1, most, hint);
    let for_longer = ", what fails for longer is left to the breaker";
    within("backoff_min_ms", session.backoff_min_ms, BACKOFF_MS, for_longer);
    within("backoff_max_ms", session.backoff_max_ms, BACKOFF_MS, for_longer);
    within("breaker_opens_after_s", session.breaker_opens_after_s, DAY_S, "");
    within("breaker_probe_min_s", session.breaker_probe_min_s, DAY_S, "");
    within("breaker_probe_max_s", session.breaker_probe_max_s, DAY_S, "");
    let hint = "; to keep connections for as long as the exchange does, leave it out";
    within("max_age_s", session.max_age_s.unwrap_or(1), DAY_S, hint);
    let backoff = (("backoff_min_ms", session.backoff_min_ms), ("backoff_max_ms", session.backoff_max_ms));
    let probe =
        (("breaker_probe_min_s", session.breaker_probe_min_s), ("breaker_probe_max_s", session.breaker_probe_max_s));
    for ((least, min), (most, max)) in [backoff, probe] {
        if min > max {
            let what = format!(
                "session.{least} = {min}: it is more than {most} = {max}: set it to {max} or less, or {most} to {min} or more"
            );
            section.said(&[least, most], what);
        }
    }
    session
}
