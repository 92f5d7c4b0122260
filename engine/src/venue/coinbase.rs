//! What both of Coinbase's protocols share: how symbols are named.

use super::Instrument;
use crate::instruments::{self, Pair};

/// See [`super::Venue::instrument`].
pub(super) fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
    let named = instruments::split_at(symbol, '-', "Coinbase")?;
    Ok(Instrument::new(symbol, pair.unwrap_or(named).to_string()))
}
