//! In which fields two Avro schemas differ, in words: registries tell the first fault at best.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What differs between `ours` and `theirs`, a sentence each; nothing if that does not matter to readers, such as `doc`.
pub(super) fn differences(ours: &str, theirs: &str) -> Result<Vec<String>, String> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
    let (ours, theirs) = (parse(ours)?, parse(theirs)?);
    let mut comparison =
        Comparison { ours: Side::of(&ours), theirs: Side::of(&theirs), met: Vec::new(), found: Vec::new() };
    comparison.types("", &ours, &theirs);
    Ok(comparison.found)
}

struct Comparison<'a> {
    ours: Side<'a>,
    theirs: Side<'a>,
    /// Records that are compared already: a type may hold itself.
    met: Vec<(&'a Value, &'a Value)>,
    found: Vec<String>,
}

/// The named types of a schema.
struct Side<'a>(BTreeMap<&'a str, &'a Value>);

impl<'a> Side<'a> {
    fn of(schema: &'a Value) -> Self {
        let mut side = Side(BTreeMap::new());
        side.take(schema);
        side
    }

    fn take(&mut self, schema: &'a Value) {
        match schema {
            Value::Array(branches) => branches.iter().for_each(|branch| self.take(branch)),
            Value::Object(object) => {
                if let Some(name) = object.get("name").and_then(Value::as_str).filter(|_| is_named(schema)) {
                    self.0.insert(simple(name), schema);
                }
                ["type", "items", "values"].iter().filter_map(|key| object.get(*key)).for_each(|of| self.take(of));
                fields(schema).for_each(|field| self.take(field));
            }
            _ => {}
        }
    }

    /// The type itself, whether it is written out, named, or wrapped in `{"type": …}`.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        match schema {
            Value::String(name) => self.0.get(simple(name)).copied().unwrap_or(schema),
            Value::Object(object) => match object.get("type") {
                Some(inner @ (Value::Object(_) | Value::Array(_))) => self.resolved(inner),
                Some(Value::String(name)) if self.0.contains_key(simple(name)) => self.0[simple(name)],
                _ => schema,
            },
            _ => schema,
        }
    }
}

impl<'a> Comparison<'a> {
    fn types(&mut self, path: &str, ours: &'a Value, theirs: &'a Value) {
        let (ours, theirs) = (self.ours.resolved(ours), self.theirs.resolved(theirs));
        match (kind(ours), kind(theirs)) {
            ("record", "record") => self.records(path, ours, theirs),
            ("enum", "enum") => self.symbols(path, ours, theirs),
            ("array", "array") => self.types(&format!("{path}[]"), &ours["items"], &theirs["items"]),
            ("map", "map") => self.types(&format!("{path}{{}}"), &ours["values"], &theirs["values"]),
            ("union", "union") => self.unions(path, ours, theirs),
            _ => self.differ(path, shown(&self.ours, ours), shown(&self.theirs, theirs)),
        }
    }

    fn differ(&mut self, path: &str, ours: String, theirs: String) {
        if ours != theirs {
            self.found.push(format!("{} is {ours} in ours and {theirs} in theirs", named(path)));
        }
    }

    fn records(&mut self, path: &str, ours: &'a Value, theirs: &'a Value) {
        if self.met.iter().any(|(one, other)| std::ptr::eq(*one, ours) && std::ptr::eq(*other, theirs)) {
            return;
        }
        self.met.push((ours, theirs));
        self.differ_in_name(path, ours, theirs);
        let by_name = |schema: &'a Value| -> BTreeMap<&str, &Value> {
            fields(schema).filter_map(|field| Some((field["name"].as_str()?, field))).collect()
        };
        let (of_ours, of_theirs) = (by_name(ours), by_name(theirs));
        for (name, mine) in fields(ours).filter_map(|field| Some((field["name"].as_str()?, field))) {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let Some(other) = of_theirs.get(name) else {
                self.found.push(format!("{path:?} is in ours only{}", default_missing(mine)));
                continue;
            };
            self.types(&path, &mine["type"], &other["type"]);
            match (mine.get("default"), other.get("default")) {
                (Some(_), None) => self.found.push(format!("{path:?} has a default in ours only")),
                (None, Some(_)) => self.found.push(format!("{path:?} has a default in theirs only")),
                _ => {}
            }
        }
        for (name, other) in of_theirs.iter().filter(|(name, _)| !of_ours.contains_key(*name)) {
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
            self.found.push(format!("{path:?} is in theirs only{}", default_missing(other)));
        }
    }

    /// Readers go by the last part of a type's name.
    fn differ_in_name(&mut self, path: &str, ours: &Value, theirs: &Value) {
        let name = |schema: &Value| schema["name"].as_str().map(|name| simple(name).to_owned()).unwrap_or_default();
        let (ours, theirs) = (name(ours), name(theirs));
        if ours != theirs {
            let what = if path.is_empty() { "the record".to_owned() } else { format!("the type of {path:?}") };
            self.found.push(format!("{what} is called {ours:?} in ours and {theirs:?} in theirs"));
        }
    }

    fn symbols(&mut self, path: &str, ours: &Value, theirs: &Value) {
        self.differ_in_name(path, ours, theirs);
        let of = |schema: &Value| -> BTreeSet<String> {
            let symbols = schema["symbols"].as_array().into_iter().flatten();
            symbols.filter_map(|symbol| symbol.as_str().map(str::to_owned)).collect()
        };
        let (ours, theirs) = (of(ours), of(theirs));
        for (one, other, whose) in [(&ours, &theirs, "ours"), (&theirs, &ours, "theirs")] {
            for symbol in one.difference(other) {
                self.found.push(format!("{} has the symbol {symbol:?} in {whose} only", named(path)));
            }
        }
    }

    /// Records are compared with each other, the other branches by what they are.
    fn unions(&mut self, path: &str, ours: &'a Value, theirs: &'a Value) {
        let (of_ours, of_theirs) = (self.ours.branches(ours), self.theirs.branches(theirs));
        let record = |branches: &[&'a Value]| branches.iter().copied().find(|branch| kind(branch) == "record");
        let plain = |side: &Side<'_>, branches: &[&Value]| -> BTreeSet<String> {
            let one = |branch: &&Value| if kind(branch) == "record" { "record".into() } else { shown(side, branch) };
            branches.iter().map(one).collect()
        };
        if plain(&self.ours, &of_ours) != plain(&self.theirs, &of_theirs) {
            self.differ(path, shown(&self.ours, ours), shown(&self.theirs, theirs));
        } else if let (Some(mine), Some(other)) = (record(&of_ours), record(&of_theirs)) {
            self.types(path, mine, other);
        }
    }
}

impl<'a> Side<'a> {
    fn branches(&self, union: &'a Value) -> Vec<&'a Value> {
        union.as_array().into_iter().flatten().map(|branch| self.resolved(branch)).collect()
    }
}

fn fields(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("fields").and_then(Value::as_array).into_iter().flatten()
}

fn is_named(schema: &Value) -> bool {
    matches!(schema.get("type").and_then(Value::as_str), Some("record" | "enum" | "fixed" | "error"))
}

/// The last part of a name.
fn simple(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn kind(schema: &Value) -> &str {
    match schema {
        Value::Array(_) => "union",
        Value::String(name) => name,
        _ => schema["type"].as_str().unwrap_or("nothing"),
    }
}

/// A type in a word or two.
fn shown(side: &Side<'_>, schema: &Value) -> String {
    let schema = side.resolved(schema);
    match kind(schema) {
        "union" => {
            let branches = schema.as_array().into_iter().flatten().map(|branch| shown(side, branch));
            format!("[{}]", branches.collect::<Vec<_>>().join(", "))
        }
        "array" => format!("array of {}", shown(side, &schema["items"])),
        "map" => format!("map of {}", shown(side, &schema["values"])),
        kind if is_named(schema) => format!("{kind} {}", simple(schema["name"].as_str().unwrap_or_default())),
        kind => kind.to_owned(),
    }
}

fn named(path: &str) -> String {
    if path.is_empty() { "the schema".into() } else { format!("{path:?}") }
}

/// Without a default, a reader that has the field cannot read what has it not.
fn default_missing(field: &Value) -> &'static str {
    if field.get("default").is_some() { "" } else { ", without a default" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::NORMALIZED_TRADE;

    #[test]
    fn what_no_reader_sees_is_no_difference() {
        let mut other: Value = serde_json::from_str(NORMALIZED_TRADE).unwrap();
        other["doc"] = "something else".into();
        other["fields"][1]["type"] = serde_json::json!({ "type": "string" });
        other["fields"].as_array_mut().unwrap().swap(2, 3);
        assert_eq!(differences(NORMALIZED_TRADE, &other.to_string()), Ok(Vec::new()));
    }

    #[test]
    fn each_difference_is_told_with_its_field() {
        let mut other: Value = serde_json::from_str(NORMALIZED_TRADE).unwrap();
        let fields = other["fields"].as_array_mut().unwrap();
        fields[0].as_object_mut().unwrap().shift_remove("default");
        fields.remove(1); // exchange
        fields[4]["type"] = "double".into(); // price
        fields[7]["type"]["symbols"] = serde_json::json!(["BUY", "SELL", "NONE"]); // side
        fields[8]["default"] = 0.into(); // timestamp
        fields[10]["type"][1]["fields"][1]["type"][1] = "long".into(); // metadata
        fields[10]["type"][1]["fields"].as_array_mut().unwrap().remove(0);
        fields[11]["type"] = "long".into(); // exchange_timestamp_ns
        fields.push(serde_json::json!({ "name": "venue", "type": "string" }));
        fields.push(serde_json::json!({ "name": "note", "type": "string", "default": "" }));
        assert_eq!(
            differences(NORMALIZED_TRADE, &other.to_string()).unwrap(),
            [
                "\"schema_version\" has a default in ours only",
                "\"exchange\" is in ours only, without a default",
                "\"price\" is string in ours and double in theirs",
                "\"side\" has the symbol \"NONE\" in theirs only",
                "\"timestamp\" has a default in theirs only",
                "\"metadata.sequence_number\" is in ours only",
                "\"metadata.is_buyer_maker\" is [null, boolean] in ours and [null, long] in theirs",
                "\"exchange_timestamp_ns\" is [null, long] in ours and long in theirs",
                "\"note\" is in theirs only",
                "\"venue\" is in theirs only, without a default",
            ]
        );
    }

    #[test]
    fn types_that_are_named_or_hold_others_are_looked_into() {
        let record = |name: &str, fields: &str| format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#);
        let tree = r#"{"name":"next","type":["null","Node"]},{"name":"all","type":{"type":"array","items":"int"}},
            {"name":"by","type":{"type":"map","values":"int"}},{"name":"id","type":{"type":"fixed","name":"Id","size":4}}"#;
        let ours = record("a.b.Node", tree);
        assert_eq!(differences(&ours, &record("Node", tree)), Ok(Vec::new()), "recursive, and ends");
        let theirs = record("Leaf", &tree.replace("\"int\"", "\"long\"").replace("Node", "Leaf"));
        assert_eq!(
            differences(&ours, &theirs).unwrap(),
            [
                "the record is called \"Node\" in ours and \"Leaf\" in theirs",
                "\"all[]\" is int in ours and long in theirs",
                "\"by{}\" is int in ours and long in theirs",
            ]
        );
        assert_eq!(
            differences(&ours, "\"string\"").unwrap(),
            ["the schema is record Node in ours and string in theirs"]
        );
        assert!(differences(&ours, "{").is_err());
    }
}
