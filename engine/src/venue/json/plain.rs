//! The reader of plain frames: one pass over the bytes, JSON by RFC 8259 without escapes.
//!
//! It takes less than the grammar allows, and nothing that the grammar forbids: texts with a backslash, nesting
//! beyond [`MAX_DEPTH`], absurd numbers and everything malformed are left to the general reader. That the two agree on
//! all that this one takes is tested with generated values and fuzzed. Whether the bytes are UTF-8 is not looked at
//! here.
//!
//! Each function takes the place where it begins and returns the one behind its end, or nothing if the text is not for
//! this reader. The place is handed on in a register: kept in memory, it took the time of a store and a load for every
//! token (262 instead of 222 ns for a Binance trade, all of `decode`).

use super::{Kind, Node};
use crate::digits::{HIGHS, ONES};

/// Deepest nesting of containers. Exchanges' trades have four.
const MAX_DEPTH: usize = 16;
/// Longest number, in bytes, and digits of an exponent: what is beyond may be more than a double holds, which
/// simd-json refuses.
const MAX_NUMBER: usize = 128;
const MAX_EXPONENT_DIGITS: usize = 2;

/// Fills `tape` with the values of `text`; false, with any tape, if the text is not for this reader.
#[inline]
pub(super) fn read(text: &[u8], tape: &mut Vec<Node>) -> bool {
    tape.clear();
    let end = value(text, 0, MAX_DEPTH, tape).filter(|_| u32::try_from(text.len()).is_ok());
    end.is_some_and(|end| end + space(&text[end..]) == text.len())
}

#[inline(always)]
fn value(text: &[u8], at: usize, depth: usize, tape: &mut Vec<Node>) -> Option<usize> {
    let (byte, at) = token(text, at)?;
    match byte {
        b'"' => string(text, at, tape),
        b'-' | b'0'..=b'9' => number(text, at, tape),
        b'{' => object(text, at, depth.checked_sub(1)?, tape),
        b'[' => array(text, at, depth.checked_sub(1)?, tape),
        b't' => word(text, at, b"true", Kind::True, tape),
        b'f' => word(text, at, b"false", Kind::False, tape),
        b'n' => word(text, at, b"null", Kind::Null, tape),
        _ => None,
    }
}

#[inline(never)]
fn object(text: &[u8], at: usize, depth: usize, tape: &mut Vec<Node>) -> Option<usize> {
    let node = tape.len();
    leaf(tape, Kind::Object, at, at);
    let (mut byte, mut at) = token(text, at + 1)?;
    if byte == b'}' {
        return Some(at + 1);
    }
    for fields in 1.. {
        if byte != b'"' {
            return None;
        }
        (byte, at) = token(text, string(text, at, tape)?)?;
        if byte != b':' {
            return None;
        }
        (byte, at) = token(text, value(text, at + 1, depth, tape)?)?;
        if byte != b',' {
            return (byte == b'}').then(|| close(tape, node, fields, at));
        }
        (byte, at) = token(text, at + 1)?;
    }
    None
}

#[inline(never)]
fn array(text: &[u8], at: usize, depth: usize, tape: &mut Vec<Node>) -> Option<usize> {
    let node = tape.len();
    leaf(tape, Kind::Array, at, at);
    let (mut byte, mut at) = token(text, at + 1)?;
    if byte == b']' {
        return Some(at + 1);
    }
    for elements in 1.. {
        (byte, at) = token(text, value(text, at, depth, tape)?)?;
        if byte != b',' {
            return (byte == b']').then(|| close(tape, node, elements, at));
        }
        at += 1;
    }
    None
}

/// Completes the node of the container that ends at `at`.
#[inline]
fn close(tape: &mut [Node], node: usize, len: u32, at: usize) -> usize {
    let span = (tape.len() - node) as u32;
    (tape[node].len, tape[node].span) = (len, span);
    at + 1
}

#[inline]
fn leaf(tape: &mut Vec<Node>, kind: Kind, at: usize, end: usize) {
    tape.push(Node { kind, at: at as u32, len: (end - at) as u32, span: 1 });
}

#[inline]
fn word(text: &[u8], at: usize, word: &[u8], kind: Kind, tape: &mut Vec<Node>) -> Option<usize> {
    text[at..].starts_with(word).then_some(())?;
    leaf(tape, kind, at, at);
    Some(at + word.len())
}

#[inline]
fn string(text: &[u8], at: usize, tape: &mut Vec<Node>) -> Option<usize> {
    let end = end_of_string(text, at + 1)?;
    leaf(tape, Kind::Text, at + 1, end);
    Some(end + 1)
}

#[inline]
fn number(text: &[u8], at: usize, tape: &mut Vec<Node>) -> Option<usize> {
    let whole = at + usize::from(text[at] == b'-');
    let mut end = digits(text, whole)?;
    if text[whole] == b'0' && end > whole + 1 {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        end = digits(text, end + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let signed = matches!(text.get(end + 1), Some(b'+' | b'-'));
        let exponent = end + 1 + usize::from(signed);
        end = digits(text, exponent).filter(|end| end - exponent <= MAX_EXPONENT_DIGITS)?;
    }
    leaf(tape, Kind::Number, at, end);
    (end - at <= MAX_NUMBER).then_some(end)
}

/// The next byte that is no white space, and its place. Exchanges write none.
#[inline]
fn token(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let byte = *text.get(at)?;
    if byte > b' ' { Some((byte, at)) } else { token_behind_space(text, at) }
}

#[cold]
fn token_behind_space(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let at = at + space(&text[at..]);
    Some((*text.get(at)?, at))
}

/// How many bytes of white space `text` begins with.
fn space(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Passes over one digit or more.
#[inline]
fn digits(text: &[u8], at: usize) -> Option<usize> {
    let count = crate::digits::count(text.get(at..)?);
    (count > 0).then_some(at + count)
}

/// Where the string that begins at `at` has its closing quote; none if an escape or a control character comes first.
/// Eight bytes at a time: the lowest set bit of each test is exact, those above it need not be
/// (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>).
#[inline]
fn end_of_string(text: &[u8], mut at: usize) -> Option<usize> {
    // Short keys are common, and a branch that is foreseen is faster than to compute where the next token begins.
    if let Some([byte, b'"']) = text.get(at..at + 2)
        && !matches!(byte, b'"' | b'\\' | 0..0x20)
    {
        return Some(at + 1);
    }
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let quotes = has_zero(word ^ (ONES * u64::from(b'"')));
        let escapes = has_zero(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = quotes | escapes | controls;
        if found != 0 {
            let place = at + found.trailing_zeros() as usize / 8;
            return (text[place] == b'"').then_some(place);
        }
        at += 8;
    }
    let place = at + text.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
    (text[place] == b'"').then_some(place)
}
