//! JSON in place: simd-json's tape with buffers that are kept from frame to frame, and a walk over it.
//!
//! `fill_tape` with reused buffers is simd-json's one way that does not allocate. The walk goes over the nodes
//! in the order of the text, once, instead of looking each key up.

use std::mem;

use simd_json::{Buffers, Node, StaticNode, Tape};

use super::{MAX_SHOWN, Reject};

/// A JSON parser with the buffers it reuses.
pub struct Json {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Json {
    fn default() -> Self {
        Json { buffers: Buffers::default(), tape: Tape(Vec::new()) }
    }
}

impl Json {
    /// Parses `frame` in place, which changes it, and hands the value to `read`.
    ///
    /// # Errors
    /// A [`Reject`] if the text is not JSON, or what `read` returns.
    #[inline]
    pub fn parse<'frame, R>(
        &mut self,
        frame: &'frame mut [u8],
        read: impl FnOnce(Value<'_, 'frame>) -> Result<R, Reject>,
    ) -> Result<R, Reject> {
        let mut tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let outcome = match simd_json::fill_tape(frame, &mut self.buffers, &mut tape) {
            Ok(()) => read(Value(&tape.0)),
            Err(error) => Err(Reject::not_json(&error)),
        };
        self.tape = tape.reset();
        outcome
    }
}

/// A value on the tape: its first node and those after it.
#[derive(Clone, Copy)]
pub struct Value<'tape, 'frame>(&'tape [Node<'frame>]);

impl<'tape, 'frame> Value<'tape, 'frame> {
    /// The text of a string.
    #[inline]
    pub fn text(self) -> Option<&'frame str> {
        match self.0.first() {
            Some(Node::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A number that is whole and not negative.
    #[inline]
    pub fn unsigned(self) -> Option<u64> {
        match self.0.first() {
            Some(Node::Static(StaticNode::U64(number))) => Some(*number),
            Some(Node::Static(StaticNode::I64(number))) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A number that is whole and fits an `i64`.
    #[inline]
    pub fn signed(self) -> Option<i64> {
        match self.0.first() {
            Some(Node::Static(StaticNode::I64(number))) => Some(*number),
            Some(Node::Static(StaticNode::U64(number))) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// `true` or `false`.
    #[inline]
    pub fn boolean(self) -> Option<bool> {
        match self.0.first() {
            Some(Node::Static(StaticNode::Bool(value))) => Some(*value),
            _ => None,
        }
    }

    /// The fields of an object, in the order of the text.
    #[inline]
    pub fn object(self) -> Option<Fields<'tape, 'frame>> {
        match self.0.first() {
            Some(Node::Object { len, .. }) => Some(Fields { nodes: &self.0[1..], left: *len }),
            _ => None,
        }
    }

    /// How many nodes the value takes.
    #[inline]
    fn nodes(self) -> usize {
        match self.0[0] {
            Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
            Node::String(_) | Node::Static(_) => 1,
        }
    }

    /// The value as a person would write it, shortened: for the reason on a dead letter.
    pub fn describe(self) -> String {
        match self.0.first() {
            Some(Node::String(text)) if text.chars().count() > MAX_SHOWN => {
                format!("{:?}…", text.chars().take(MAX_SHOWN).collect::<String>())
            }
            Some(Node::String(text)) => format!("{text:?}"),
            Some(Node::Static(value)) => value.to_string(),
            Some(Node::Object { .. }) => "an object".into(),
            Some(Node::Array { .. }) => "an array".into(),
            None => "nothing".into(),
        }
    }
}

/// Walks an object's fields.
pub struct Fields<'tape, 'frame> {
    nodes: &'tape [Node<'frame>],
    left: usize,
}

impl<'tape, 'frame> Iterator for Fields<'tape, 'frame> {
    type Item = (&'frame str, Value<'tape, 'frame>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (key, rest) = self.nodes.split_first()?;
        let value = Value(rest);
        self.nodes = &rest[value.nodes()..];
        Some((Value(std::slice::from_ref(key)).text()?, value))
    }
}
