//! How a trade's varying text goes into a frame's constant text.
//!
//! An exchange's file writes a frame as it looks on the wire, with a name in angle brackets for what varies:
//! `{"t":<id>,"p":"<price>"}`. It is taken apart once for each symbol, so that a trade costs a few copies.

use std::ops::Range;

use super::market::{Trade, write_decimal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    EventMillis,
    EventMicros,
    TradeMillis,
    TradeMicros,
    Id,
    Price,
    Quantity,
    BuyerIsMaker,
}

const SLOTS: [(&str, Slot); 8] = [
    ("<event_ms>", Slot::EventMillis),
    ("<event_us>", Slot::EventMicros),
    ("<trade_ms>", Slot::TradeMillis),
    ("<trade_us>", Slot::TradeMicros),
    ("<id>", Slot::Id),
    ("<price>", Slot::Price),
    ("<quantity>", Slot::Quantity),
    ("<buyer_is_maker>", Slot::BuyerIsMaker),
];

/// A frame's text with slots for what varies from trade to trade.
#[derive(Debug)]
pub(crate) struct Template {
    /// Constant text and the slot that follows it.
    parts: Vec<(Vec<u8>, Slot)>,
    tail: Vec<u8>,
}

/// A trade with its two times, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimedTrade {
    pub(crate) trade: Trade,
    /// When the exchange matched it.
    pub(crate) trade_ns: i64,
    /// When the exchange sends it.
    pub(crate) event_ns: i64,
}

/// Where price and quantity stand in the text just written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) price: Range<usize>,
    pub(crate) quantity: Range<usize>,
}

impl Template {
    /// Takes `text` apart at its slots; anything else in angle brackets is constant text.
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((at, name, slot)) = first_slot(rest) {
            parts.push((rest.as_bytes()[..at].to_vec(), slot));
            rest = &rest[at + name.len()..];
        }
        Self { parts, tail: rest.as_bytes().to_vec() }
    }

    /// Appends the trade's text to `out`; the ranges returned count from where `out` ended before.
    pub(crate) fn write(&self, timed: &TimedTrade, out: &mut Vec<u8>) -> Written {
        let start = out.len();
        let mut written = Written::default();
        for (constant, slot) in &self.parts {
            out.extend_from_slice(constant);
            let from = out.len() - start;
            match slot {
                Slot::EventMillis => write_integer(timed.event_ns / 1_000_000, out),
                Slot::EventMicros => write_integer(timed.event_ns / 1_000, out),
                Slot::TradeMillis => write_integer(timed.trade_ns / 1_000_000, out),
                Slot::TradeMicros => write_integer(timed.trade_ns / 1_000, out),
                Slot::Id => write_integer(timed.trade.id, out),
                Slot::Price => {
                    write_decimal(timed.trade.price, out);
                    written.price = from..out.len() - start;
                }
                Slot::Quantity => {
                    write_decimal(timed.trade.quantity, out);
                    written.quantity = from..out.len() - start;
                }
                Slot::BuyerIsMaker => {
                    out.extend_from_slice(if timed.trade.buyer_is_maker { b"true" } else { b"false" })
                }
            }
        }
        out.extend_from_slice(&self.tail);
        written
    }
}

fn first_slot(text: &str) -> Option<(usize, &'static str, Slot)> {
    SLOTS.iter().filter_map(|(name, slot)| text.find(name).map(|at| (at, *name, *slot))).min_by_key(|(at, ..)| *at)
}

fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_and_found_again() {
        let template = Template::new(
            r#"{"E":<event_us>,"T":<trade_ms>,"t":<id>,"p":"<price>","q":"<quantity>","m":<buyer_is_maker>}"#,
        );
        let trade = Trade { id: 9_999_999_999, price: 123, quantity: 200_000_000, buyer_is_maker: false };
        let timed = TimedTrade { trade, trade_ns: 1_723_161_255_342_999_999, event_ns: 1_723_161_255_343_000_001 };
        let mut out = b"before".to_vec();
        let written = template.write(&timed, &mut out);
        let text = std::str::from_utf8(&out[6..]).unwrap();
        assert_eq!(
            text,
            r#"{"E":1723161255343000,"T":1723161255342,"t":9999999999,"p":"0.00000123","q":"2.00000000","m":false}"#
        );
        assert_eq!(&text[written.price], "0.00000123");
        assert_eq!(&text[written.quantity], "2.00000000");
    }
}
