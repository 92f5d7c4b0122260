//! What requests of several exchanges have in common.

use serde_json::{Map, Value};

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
