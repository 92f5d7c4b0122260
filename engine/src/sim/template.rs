//! How trades' varying text goes into a frame's constant text.
//!
//! An exchange's file writes a frame as it looks on the wire, with a name in angle brackets for what varies:
//! `{"t":<id>,"p":"<price>"}`. What stands between `<each>` and `</each>` is written for each trade of the frame, with
//! commas between; a text without them holds one trade. It is taken apart once for each symbol, so that a trade costs
//! a few copies.
//!
//! | slot | what is written |
//! |-|-|
//! | `<trade_ms>`, `<trade_us>` | when the exchange matched the trade, in milli- or microseconds since 1970 |
//! | `<trade_s>` | the same in seconds with six decimals |
//! | `<trade_iso>` | the same as `2024-08-12T19:38:30.575191Z` |
//! | `<event_ms>`, `<event_us>`, `<event_iso>` | when the exchange sends the frame; `iso` with nine decimals |
//! | `<id>`, `<uuid>` | the trade's id, as a number or as a UUID made of it |
//! | `<maker_uuid>`, `<taker_uuid>` | the two orders' ids, made of the trade's |
//! | `<channel_sequence>` | a number that grows by more than one from trade to trade |
//! | `<sequence>` | the frame's number on its connection |
//! | `<price>`, `<quantity>` | in the exchange's spelling |
//! | `<taker A\|B>`, `<maker A\|B>` | `A` if the taker (maker) bought, else `B` |
//! | `<order A\|B>` | one of the two |

use std::ops::Range;

use super::market::Trade;
use super::number::Spelling;
use super::timestamp::{Calendar, Notation};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    TradeTime(Notation),
    EventTime(Notation),
    Id,
    Uuid(Salt),
    ChannelSequence,
    Sequence,
    Price,
    Quantity,
    Word(Choice, [Vec<u8>; 2]),
}

/// What makes the UUIDs of one trade differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Salt {
    Trade = 1,
    Maker = 2,
    Taker = 3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Taker,
    Maker,
    Order,
}

impl Slot {
    /// `None` if this is not a slot's name.
    fn named(name: &str) -> Option<Self> {
        if let Some((choice, words)) = name.split_once(' ') {
            let choice = match choice {
                "taker" => Choice::Taker,
                "maker" => Choice::Maker,
                "order" => Choice::Order,
                _ => return None,
            };
            let (first, second) = words.split_once('|')?;
            return Some(Slot::Word(choice, [first.into(), second.into()]));
        }
        Some(match name {
            "trade_ms" => Slot::TradeTime(Notation::Millis),
            "trade_us" => Slot::TradeTime(Notation::Micros),
            "trade_s" => Slot::TradeTime(Notation::Seconds),
            "trade_iso" => Slot::TradeTime(Notation::IsoMicros),
            "event_ms" => Slot::EventTime(Notation::Millis),
            "event_us" => Slot::EventTime(Notation::Micros),
            "event_iso" => Slot::EventTime(Notation::IsoNanos),
            "id" => Slot::Id,
            "uuid" => Slot::Uuid(Salt::Trade),
            "maker_uuid" => Slot::Uuid(Salt::Maker),
            "taker_uuid" => Slot::Uuid(Salt::Taker),
            "channel_sequence" => Slot::ChannelSequence,
            "sequence" => Slot::Sequence,
            "price" => Slot::Price,
            "quantity" => Slot::Quantity,
            _ => return None,
        })
    }
}

/// Constant text with slots.
#[derive(Debug, Default)]
struct Text {
    /// Constant text and the slot that follows it.
    parts: Vec<(Vec<u8>, Slot)>,
    tail: Vec<u8>,
}

impl Text {
    /// Takes `text` apart at its slots; anything else in angle brackets is constant text.
    fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut from = 0;
        while let Some(at) = rest[from..].find('<').map(|at| from + at) {
            let slot = rest[at..].find('>').and_then(|end| Some((at + end, Slot::named(&rest[at + 1..at + end])?)));
            match slot {
                Some((end, slot)) => {
                    parts.push((rest.as_bytes()[..at].to_vec(), slot));
                    (rest, from) = (&rest[end + 1..], 0);
                }
                None => from = at + 1,
            }
        }
        Self { parts, tail: rest.as_bytes().to_vec() }
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.tail.is_empty()
    }
}

/// The frame's text with slots for what varies.
#[derive(Debug)]
pub(crate) struct Template {
    head: Text,
    trade: Text,
    tail: Text,
    price: Spelling,
    quantity: Spelling,
}

/// A trade with its times, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimedTrade {
    pub(crate) trade: Trade,
    /// When the exchange matched it.
    pub(crate) trade_ns: i64,
    /// When it was due.
    pub(crate) due_ns: i64,
}

/// What a frame tells besides its trades.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope {
    /// When the exchange sends it, in nanoseconds since 1970.
    pub(crate) event_ns: i64,
    /// The frame's number on its connection.
    pub(crate) sequence: u64,
}

/// Where a trade's texts stand in the frame just written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) id: Option<Range<usize>>,
    pub(crate) price: Range<usize>,
    pub(crate) quantity: Range<usize>,
}

impl Template {
    /// Takes `text` apart.
    pub(crate) fn new(text: &str, price: Spelling, quantity: Spelling) -> Self {
        let parts = text.split_once("<each>").and_then(|(head, rest)| Some((head, rest.split_once("</each>")?)));
        let (head, (trade, tail)) = parts.unwrap_or(("", (text, "")));
        Self { head: Text::new(head), trade: Text::new(trade), tail: Text::new(tail), price, quantity }
    }

    /// Whether the text differs from connection to connection.
    pub(crate) fn is_numbered(&self) -> bool {
        let mut slots = [&self.head, &self.trade, &self.tail].into_iter().flat_map(|text| &text.parts);
        slots.any(|(_, slot)| *slot == Slot::Sequence)
    }
}

/// Writes frames, one at a time, into memory that it keeps.
#[derive(Debug, Default)]
pub(crate) struct Pen {
    /// The frame written last.
    pub(crate) frame: Vec<u8>,
    /// Where its trades' texts stand, in their order.
    pub(crate) written: Vec<Written>,
    calendar: Calendar,
}

impl Pen {
    /// Writes a frame with these trades, in this order.
    pub(crate) fn write<'a>(
        &mut self,
        template: &Template,
        trades: impl IntoIterator<Item = &'a TimedTrade>,
        envelope: &Envelope,
    ) {
        self.frame.clear();
        self.written.clear();
        if !template.head.is_empty() {
            self.envelope(&template.head, envelope);
        }
        for (place, timed) in trades.into_iter().enumerate() {
            if place > 0 {
                self.frame.push(b',');
            }
            self.trade(template, timed, envelope);
        }
        if !template.tail.is_empty() {
            self.envelope(&template.tail, envelope);
        }
    }

    fn envelope(&mut self, text: &Text, envelope: &Envelope) {
        for (constant, slot) in &text.parts {
            self.frame.extend_from_slice(constant);
            match slot {
                Slot::EventTime(notation) => self.calendar.write(*notation, envelope.event_ns, &mut self.frame),
                Slot::Sequence => write_integer(envelope.sequence, &mut self.frame),
                other => unreachable!("{other:?} stands outside of <each>"),
            }
        }
        self.frame.extend_from_slice(&text.tail);
    }

    #[inline]
    fn trade(&mut self, template: &Template, timed: &TimedTrade, envelope: &Envelope) {
        let Self { frame: out, calendar, .. } = self;
        let trade = &timed.trade;
        let mut written = Written::default();
        for (constant, slot) in &template.trade.parts {
            out.extend_from_slice(constant);
            let from = out.len();
            match slot {
                Slot::TradeTime(notation) => calendar.write(*notation, timed.trade_ns, out),
                Slot::EventTime(notation) => calendar.write(*notation, envelope.event_ns, out),
                Slot::Id => {
                    write_integer(trade.id, out);
                    written.id = Some(from..out.len());
                }
                Slot::Uuid(salt) => {
                    write_uuid(trade.id, *salt as u64, out);
                    if *salt == Salt::Trade {
                        written.id = Some(from..out.len());
                    }
                }
                Slot::ChannelSequence => write_integer(trade.id * 7 + 3, out),
                Slot::Sequence => write_integer(envelope.sequence, out),
                Slot::Price => {
                    template.price.write(trade.price, trade.id, out);
                    written.price = from..out.len();
                }
                Slot::Quantity => {
                    template.quantity.write(trade.quantity, trade.id / 4, out);
                    written.quantity = from..out.len();
                }
                Slot::Word(choice, [first, second]) => {
                    let is_first = match choice {
                        Choice::Taker => !trade.buyer_is_maker,
                        Choice::Maker => trade.buyer_is_maker,
                        Choice::Order => trade.id.is_multiple_of(3),
                    };
                    out.extend_from_slice(if is_first { first } else { second });
                }
            }
        }
        out.extend_from_slice(&template.trade.tail);
        self.written.push(written);
    }
}

fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the UUID that stands for `id`: another one for each id and salt, for all that matters here.
fn write_uuid(id: u64, salt: u64, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    // The finalizer of SplitMix64, a bijection.
    let mixed = |seed: u64| {
        let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    };
    let high = mixed(id);
    let low = mixed(high ^ salt);
    for (place, byte) in high.to_be_bytes().into_iter().chain(low.to_be_bytes()).enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRADE: Trade = Trade { id: 9_999_999_999, price: 123, quantity: 200_000_000, buyer_is_maker: false };
    const TIMED: TimedTrade = TimedTrade { trade: TRADE, trade_ns: 1_723_161_255_342_999_999, due_ns: 0 };
    const ENVELOPE: Envelope = Envelope { event_ns: 1_723_161_255_343_000_001, sequence: 5 };
    const FIXED: Spelling = Spelling::Fixed(8);

    fn written(text: &str, trades: &[TimedTrade]) -> (String, Vec<Written>) {
        let mut pen = Pen::default();
        pen.write(&Template::new(text, FIXED, FIXED), trades, &ENVELOPE);
        (String::from_utf8(pen.frame).unwrap(), pen.written)
    }

    #[test]
    fn slots_are_filled_and_found_again() {
        let (text, written) = written(
            r#"{"E":<event_us>,"T":<trade_ms>,"t":<id>,"p":"<price>","q":"<quantity>","m":<maker true|false>,"x":"<y>"}"#,
            &[TIMED],
        );
        assert_eq!(
            text,
            r#"{"E":1723161255343000,"T":1723161255342,"t":9999999999,"p":"0.00000123","q":"2.00000000","m":false,"x":"<y>"}"#
        );
        let [Written { id, price, quantity }] = &written[..] else { panic!("{written:?}") };
        assert_eq!(&text[id.clone().unwrap()], "9999999999");
        assert_eq!(&text[price.clone()], "0.00000123");
        assert_eq!(&text[quantity.clone()], "2.00000000");
    }

    #[test]
    fn a_frame_holds_several_trades() {
        let next = TimedTrade { trade: Trade { id: 10_000_000_000, buyer_is_maker: true, ..TRADE }, ..TIMED };
        let (text, written) = written(
            r#"{"at":"<event_iso>","no":<sequence>,"data":[<each>["<taker b|s>",<id>,"<trade_iso>","<trade_s>"]</each>]}"#,
            &[TIMED, next],
        );
        assert_eq!(
            text,
            "{\"at\":\"2024-08-08T23:54:15.343000001Z\",\"no\":5,\"data\":[\
             [\"b\",9999999999,\"2024-08-08T23:54:15.342999Z\",\"1723161255.342999\"],\
             [\"s\",10000000000,\"2024-08-08T23:54:15.342999Z\",\"1723161255.342999\"]]}"
        );
        assert_eq!(&text[written[1].id.clone().unwrap()], "10000000000");
    }

    #[test]
    fn uuids_differ_by_trade_and_by_order() {
        let next = TimedTrade { trade: Trade { id: 10_000_000_000, ..TRADE }, ..TIMED };
        let (text, written) = written("<each><uuid> <maker_uuid> <taker_uuid></each>", &[TIMED, next]);
        let uuids: Vec<&str> = text.split([' ', ',']).collect();
        let distinct: std::collections::HashSet<&&str> = uuids.iter().collect();
        assert_eq!((uuids.len(), distinct.len()), (6, 6), "{text}");
        assert!(uuids.iter().all(|uuid| uuid.len() == 36 && uuid.matches('-').count() == 4), "{text}");
        assert_eq!(&text[written[0].id.clone().unwrap()], uuids[0]);
    }
}
