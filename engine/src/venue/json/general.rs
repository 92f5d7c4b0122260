//! The reader of all other frames: simd-json, in place, its tape turned into ours.

use std::mem;

use bumpalo::Bump;
use simd_json::{Buffers, StaticNode, Tape};

use super::super::Reject;
use super::{Kind, Node};

/// simd-json with the buffers it reuses. `fill_tape` with reused buffers is its one way that does not allocate.
pub(super) struct General {
    buffers: Buffers,
    tape: Tape<'static>,
    /// All numbers of the frame, one after the other: the parser tells their values, we need their digits.
    numbers: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// All texts, unescaped, and numbers, one after the other.
    texts: String,
}

impl Default for General {
    fn default() -> Self {
        let (numbers, ends, texts) = (String::new(), Vec::new(), String::new());
        General { buffers: Buffers::default(), tape: Tape(Vec::new()), numbers, ends, texts }
    }
}

impl General {
    /// Fills `tape` and returns the text that its places are in.
    ///
    /// # Errors
    /// That the frame is not UTF-8, or no JSON.
    #[cold]
    pub(super) fn read<'frame>(
        &mut self,
        frame: &mut [u8],
        tape: &mut Vec<Node>,
        arena: &'frame Bump,
    ) -> Result<&'frame str, Reject> {
        self.note_numbers(std::str::from_utf8(frame).map_err(|_| Reject::not_utf8())?);
        let mut parsed = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let outcome =
            simd_json::fill_tape(frame, &mut self.buffers, &mut parsed).map_err(|error| Reject::not_json(&error));
        let outcome = outcome.and_then(|()| self.translate(&parsed.0, tape));
        self.tape = parsed.reset();
        outcome.map(|()| &*arena.alloc_str(&self.texts))
    }

    /// Takes the numbers' digits before the parser writes over the frame. Of text that is no JSON it takes anything,
    /// to no end.
    fn note_numbers(&mut self, mut text: &str) {
        self.numbers.clear();
        self.ends.clear();
        while let Some(at) = text.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
            let (is_string, rest) = (text.as_bytes()[at] == b'"', &text[at..]);
            let end = if is_string { 1 + end_of_string(&rest[1..]) } else { end_of_number(rest) };
            if !is_string {
                self.numbers.push_str(&rest[..end]);
                self.ends.push(self.numbers.len());
            }
            text = &rest[end..];
        }
    }

    /// simd-json lets some text pass that is no JSON; then the numbers may not be those that were noted.
    fn translate(&mut self, parsed: &[simd_json::Node<'_>], tape: &mut Vec<Node>) -> Result<(), Reject> {
        tape.clear();
        self.texts.clear();
        let (mut ends, mut start) = (self.ends.iter(), 0);
        for node in parsed {
            let at = self.texts.len();
            let (kind, len, span) = match *node {
                simd_json::Node::String(text) => {
                    self.texts.push_str(text);
                    (Kind::Text, text.len(), 1)
                }
                simd_json::Node::Object { len, count } => (Kind::Object, len, count + 1),
                simd_json::Node::Array { len, count } => (Kind::Array, len, count + 1),
                simd_json::Node::Static(StaticNode::Null) => (Kind::Null, 0, 1),
                simd_json::Node::Static(StaticNode::Bool(true)) => (Kind::True, 0, 1),
                simd_json::Node::Static(StaticNode::Bool(false)) => (Kind::False, 0, 1),
                simd_json::Node::Static(_) => {
                    let end = *ends.next().ok_or_else(misplaced)?;
                    self.texts.push_str(&self.numbers[start..end]);
                    (Kind::Number, end - mem::replace(&mut start, end), 1)
                }
            };
            tape.push(Node { kind, at: at as u32, len: len as u32, span: span as u32 });
        }
        if ends.next().is_some() { Err(misplaced()) } else { Ok(()) }
    }
}

fn misplaced() -> Reject {
    Reject::new("frame", "is not JSON: a number stands where none can")
}

/// Bytes of the string's content and its closing quote, or of all that is there.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let quote = text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    quote.map_or(text.len(), |quote| quote + 1)
}

/// Bytes of the number that `text` begins with.
fn end_of_number(text: &str) -> usize {
    let ends = |c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'));
    text.find(ends).unwrap_or(text.len())
}
