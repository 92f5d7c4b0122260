//! Requests, and what those of several exchanges have in common.

use serde_json::{Map, Value};

/// A client's message, and what an answer may depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) text: &'a str,
    /// The number of the connection.
    pub(crate) connection: u64,
    /// In nanoseconds since 1970.
    pub(crate) now_ns: i64,
    /// The symbols that exist; if none is listed, whichever is asked for does.
    pub(crate) symbols: &'a [String],
    /// Symbols that are refused all the same.
    pub(crate) rejected: &'a [String],
}

impl Request<'_> {
    pub(crate) fn exists(&self, symbol: &str) -> bool {
        let is_among = |symbols: &[String]| symbols.iter().any(|known| known == symbol);
        (self.symbols.is_empty() || is_among(self.symbols)) && !is_among(self.rejected)
    }
}

/// The texts in a list; what is no text there is left out.
pub(super) fn texts(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// An object of these fields, in this order, without those that are null.
pub(super) fn object<const N: usize>(fields: [(&str, Value); N]) -> String {
    let present = fields.into_iter().filter(|(_, value)| !value.is_null());
    let object: Map<String, Value> = present.map(|(name, value)| (name.to_owned(), value)).collect();
    Value::Object(object).to_string()
}

/// A field of a request, to be repeated in the answer; null if it is not there.
pub(super) fn repeated(request: &Value, name: &str) -> Value {
    request.get(name).cloned().unwrap_or(Value::Null)
}
