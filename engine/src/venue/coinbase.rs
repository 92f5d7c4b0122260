//! What both of Coinbase's protocols share: how symbols are named, and how a refusal reads.

use bumpalo::Bump;

use super::field::words;
use super::json::Value;
use super::{About, Control, Frame, Instrument};
use crate::instruments::{self, Pair};

/// See [`super::Venue::instrument`].
pub(super) fn instrument(symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
    let named = instruments::split_at(symbol, '-', "Coinbase")?;
    Ok(Instrument::new(symbol, pair.unwrap_or(named).to_string()))
}

/// A refusal, of whose instruments Coinbase speaks in words only.
pub(super) fn refused<'frame>(
    message: Option<Value<'_, 'frame>>,
    reason: Option<Value<'_, 'frame>>,
    arena: &'frame Bump,
) -> Frame<'frame> {
    let words = match (words(message), words(reason)) {
        (message, "") => message,
        (message, reason) => arena.alloc_str(&format!("{message}: {reason}")),
    };
    Frame::Control(Control::Refused { about: About::Unknown, code: "", words })
}
