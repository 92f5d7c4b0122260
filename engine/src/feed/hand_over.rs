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
    } else if now.time_since(new.began) > LONGEST_OVERLAP {
        new.end(Ended::Useless);
    }
}

/// Whether the new connection can do without the old one in an instrument.
fn is_level<V: Venue, S: ByteStream>(old: &Leg<V, S>, new: &Leg<V, S>, place: usize, now: Nanos) -> bool {
    let old_place = old.symbols.iter().position(|symbol| *symbol == new.symbols[place]);
    let subscriptions = new.session.subscriptions();
    if subscriptions.is_gone(place) {
        return true;
    }
    if subscriptions.is_refused(place) {
        // What the exchange refuses the new one, the old one may have.
        let old_stands = |place| old.session.subscriptions().standing_since(place).is_some();
        return !old_place.is_some_and(old_stands);
    }
    let Some(since) = subscriptions.standing_since(place) else { return false };
    let old_last = old_place.and_then(|place| old.line.places[place].traded_at);
    let is_quiet = now.time_since(since) > QUIET && old_last.is_none_or(|last| now.time_since(last) > QUIET);
    new.line.places[place].is_level || is_quiet
}
