//! JSON where it was received: a tape of places in the frame, and a walk over it.
//!
//! A frame is read by one of two readers that fill the same tape. `plain` takes the frames that exchanges really
//! send (no escapes in any text, no deep nesting) in one pass: a Binance trade's `decode` takes 222 ns by it
//! and 284 by simd-json. Whatever it does not take, well or ill, goes to simd-json (`general`), which also finds the
//! words for what is wrong. Numbers stay text, since a price must reach Kafka digit for digit. The walk goes over the
//! nodes in the order of the text, once, instead of looking each key up.

mod general;
mod plain;

use bumpalo::Bump;

use super::{MAX_SHOWN, Reject};
use crate::digits;
use general::General;

/// A JSON parser with the buffers it reuses.
#[derive(Default)]
pub struct Json {
    tape: Vec<Node>,
    general: General,
}

/// A value's place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    kind: Kind,
    /// Where a text (without its quotes) or number begins, in bytes.
    at: u32,
    /// Bytes of a text or number; how many elements, or fields, a container has.
    len: u32,
    /// Nodes of the value, this one included.
    span: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    True,
    False,
    Null,
    Object,
    Array,
}

impl Json {
    /// Parses `frame`, which may change it, and hands the value to `read`.
    ///
    /// # Errors
    /// A [`Reject`] if the text is not JSON, or what `read` returns.
    #[inline]
    pub fn parse<'frame, R>(
        &mut self,
        frame: &'frame mut [u8],
        arena: &'frame Bump,
        read: impl FnOnce(Value<'_, 'frame>) -> Result<R, Reject>,
    ) -> Result<R, Reject> {
        let text = if plain::read(frame, &mut self.tape) {
            std::str::from_utf8(frame).map_err(|_| Reject::not_utf8())?
        } else {
            self.general.read(frame, &mut self.tape, arena)?
        };
        read(Value { nodes: &self.tape, text })
    }
}

/// A value on the tape: its node and those after it.
#[derive(Clone, Copy)]
pub struct Value<'tape, 'frame> {
    nodes: &'tape [Node],
    text: &'frame str,
}

impl<'tape, 'frame> Value<'tape, 'frame> {
    #[inline]
    fn node(self) -> &'tape Node {
        &self.nodes[0]
    }

    #[inline]
    fn spelling(self) -> &'frame str {
        let Node { at, len, .. } = *self.node();
        &self.text[at as usize..(at + len) as usize]
    }

    /// The text of a string.
    #[inline]
    pub fn text(self) -> Option<&'frame str> {
        (self.node().kind == Kind::Text).then(|| self.spelling())
    }

    /// A number as it is written.
    #[inline]
    pub fn number(self) -> Option<&'frame str> {
        (self.node().kind == Kind::Number).then(|| self.spelling())
    }

    /// A number that is whole and not negative.
    #[inline]
    pub fn unsigned(self) -> Option<u64> {
        digits::whole(self.number()?)
    }

    /// A number that is whole and fits an `i64`.
    #[inline]
    pub fn signed(self) -> Option<i64> {
        match self.unsigned() {
            Some(value) => i64::try_from(value).ok(),
            None => self.number()?.parse().ok(),
        }
    }

    /// `true` or `false`.
    #[inline]
    pub fn boolean(self) -> Option<bool> {
        match self.node().kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// The fields of an object, in the order of the text.
    #[inline]
    pub fn object(self) -> Option<Fields<'tape, 'frame>> {
        (self.node().kind == Kind::Object).then(|| Fields(self.children()))
    }

    /// The elements of an array.
    #[inline]
    pub fn array(self) -> Option<Elements<'tape, 'frame>> {
        (self.node().kind == Kind::Array).then(|| self.children())
    }

    #[inline]
    fn children(self) -> Elements<'tape, 'frame> {
        let Node { len, span, .. } = *self.node();
        Elements { nodes: &self.nodes[1..span as usize], text: self.text, left: len }
    }

    /// The value as a person would write it, shortened: for the reason on a dead letter.
    pub fn describe(self) -> String {
        let shortened = |text: &str| match text.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => (text[..end].to_string(), "…"),
            None => (text.to_string(), ""),
        };
        match self.node().kind {
            Kind::Text => {
                let (text, rest) = shortened(self.spelling());
                format!("{text:?}{rest}")
            }
            Kind::Number => {
                let (text, rest) = shortened(self.spelling());
                format!("{text}{rest}")
            }
            Kind::True => "true".into(),
            Kind::False => "false".into(),
            Kind::Null => "null".into(),
            Kind::Object => "an object".into(),
            Kind::Array => "an array".into(),
        }
    }
}

/// Walks an array's elements.
#[derive(Clone, Copy)]
pub struct Elements<'tape, 'frame> {
    nodes: &'tape [Node],
    text: &'frame str,
    left: u32,
}

impl Elements<'_, '_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.left as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl<'tape, 'frame> Iterator for Elements<'tape, 'frame> {
    type Item = Value<'tape, 'frame>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let value = Value { nodes: self.nodes, text: self.text };
        self.nodes = &self.nodes[self.nodes.first()?.span as usize..];
        self.left = self.left.saturating_sub(1);
        Some(value)
    }
}

/// Walks an object's fields.
#[derive(Clone, Copy)]
pub struct Fields<'tape, 'frame>(Elements<'tape, 'frame>);

impl<'tape, 'frame> Iterator for Fields<'tape, 'frame> {
    type Item = (&'frame str, Value<'tape, 'frame>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?.spelling(), self.0.next()?))
    }
}

#[cfg(test)]
mod tests;
