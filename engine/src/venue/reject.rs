//! Why a frame was not decoded.

use std::borrow::Cow;
use std::fmt;

use super::MAX_SHOWN;
use super::json::Value;
use crate::decimal::NotDecimal;

/// Why a frame was not decoded: the reason on the dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject(Box<Reason>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    field: &'static str,
    problem: Cow<'static, str>,
    not_utf8: bool,
}

impl Reject {
    /// `field` is wrong in this way.
    #[cold]
    pub fn new(field: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Reject(Box::new(Reason { field, problem: problem.into(), not_utf8: false }))
    }

    /// `field` is not there.
    #[cold]
    pub fn missing(field: &'static str) -> Self {
        Reject::new(field, "is missing")
    }

    /// `field` is there, but is no `expected`.
    #[cold]
    pub fn mistyped(field: &'static str, value: Value<'_, '_>, expected: &str) -> Self {
        Reject::new(field, format!("is {}, {expected} is expected", value.describe()))
    }

    /// `field` is text that is no `expected`.
    #[cold]
    pub fn not_as_expected(field: &'static str, text: &str, expected: &str) -> Self {
        Reject::new(field, format!("is {}, {expected} is expected", quoted(text, MAX_SHOWN)))
    }

    /// Whether the text is not UTF-8, which RFC 6455 has the connection closed for.
    pub fn is_not_utf8(&self) -> bool {
        self.0.not_utf8
    }

    /// `field` is text that is no decimal number.
    #[cold]
    pub fn not_decimal(field: &'static str, text: &str, problem: NotDecimal) -> Self {
        match text {
            "" => Reject::new(field, problem.to_string()),
            text => Reject::new(field, format!("{} {problem}", quoted(text, MAX_SHOWN / 2))),
        }
    }

    /// The text is not UTF-8.
    #[cold]
    pub fn not_utf8() -> Self {
        Reject(Box::new(Reason { field: "frame", problem: "is not UTF-8".into(), not_utf8: true }))
    }

    #[cold]
    pub(super) fn not_json(error: &simd_json::Error) -> Self {
        match error.error() {
            simd_json::ErrorType::InvalidUtf8 => Reject::not_utf8(),
            _ => Reject::new("frame", format!("is not JSON: {error}")),
        }
    }

    #[cold]
    pub(super) fn not_subscribed(field: &'static str, symbol: &str) -> Self {
        Reject::new(field, format!("{} was not subscribed", quoted(symbol, MAX_SHOWN)))
    }
}

/// `text` in quotes, cut after `most` characters.
pub(super) fn quoted(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.field, self.0.problem)
    }
}
