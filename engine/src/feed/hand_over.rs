//! A connection takes another's place: no trade is missing, none comes twice, order is kept.

use std::time::Duration;

use super::leg::{Ended, Leaving, Leg};
use super::outside::ByteStream;
use crate::clock::Nanos;
use crate::venue::Venue;

/// A symbol that its old connection has not shown for so long is no reason for that to stay, once the new one stands.
const QUIET: Duration = Duration::from_secs(1);
/// A successor that is not level after so long is given up.
const LONGEST_OVERLAP: Duration = Duration::from_secs(60);

/// Ends the old connection once the new one is level with it in all that it carries.
pub(super) fn hand_over<V: Venue, S: ByteStream>(old: &mut Leg<V, S>, new: &mut Leg<V, S>, now: Nanos) {
    if old.is_shut() || new.is_shut() {
        return;
    }
    if new.line.held.is_empty() && (0..new.symbols.len()).all(|place| is_level(old, new, place, now)) {
        old.end(Ended::Replaced(old.leaving.unwrap_or(Leaving::Changed)));
    } else if passed(new.began, LONGEST_OVERLAP, now) {
        new.end(Ended::Useless);
    }
}

/// Whether the new connection can do without the old one in an instrument.
fn is_level<V: Venue, S: ByteStream>(old: &Leg<V, S>, new: &Leg<V, S>, place: usize, now: Nanos) -> bool {
    let old_place = old.symbols.iter().position(|symbol| *symbol == new.symbols[place]);
    let subscriptions = new.session.subscriptions_now();
    if subscriptions.is_without(place) {
        // What the exchange refuses the new one, the old one may have.
        let old_stands = |place| old.session.subscriptions_now().standing_since(place).is_some();
        return subscriptions.is_gone(place) || !old_place.is_some_and(old_stands);
    }
    let Some(since) = subscriptions.standing_since(place) else { return false };
    let old_last = old_place.and_then(|place| old.line.places[place].traded_at);
    let is_quiet = passed(since, QUIET, now) && old_last.is_none_or(|last| passed(last, QUIET, now));
    new.line.places[place].is_level || is_quiet
}

fn passed(since: Nanos, time: Duration, now: Nanos) -> bool {
    now.since(since) > time.as_nanos() as u64
}
