//! Ids, versions and levels of the store.

use super::*;

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

#[test]
fn the_same_schema_has_one_id_whatever_its_spelling() {
    let mut store = Store::new();
    let id = store.register("a", r#"{"name":"R","type":"record","fields":[]}"#).unwrap();
    let spelled = r#"{ "type": "record", "doc": "same", "name": "R", "fields": [] }"#;
    assert_eq!(store.register("a", spelled), Ok(id));
    assert_eq!(store.versions("a"), Ok(vec![1]));
    assert_eq!(store.register("b", spelled), Ok(id));
    let primitive = store.register("c", r#"{"type":"string"}"#).unwrap();
    assert_eq!(store.register("c", r#""string""#), Ok(primitive));
    // A default means something to readers, a field called doc is a field.
    let no_default = record(r#"{"name":"doc","type":"long"}"#);
    let with_default = record(r#"{"name":"doc","type":"long","default":0}"#);
    let first = store.register("d", &no_default).unwrap();
    assert_ne!(store.register("d", &with_default), Ok(first));
}

#[test]
fn each_level_refuses_its_direction() {
    let old = record(r#"{"name":"a","type":"string"}"#);
    let more = record(r#"{"name":"a","type":"string"},{"name":"b","type":"long"}"#);
    let less = record("");
    let refused = |level: &str, new: &str| {
        let mut store = Store::new();
        store.global = Level::named(level).unwrap();
        store.register("s", &old).unwrap();
        let checked = !store.check("s", None, new).unwrap().is_empty();
        let registered = matches!(store.register("s", new), Err(Refused::Incompatible(..)));
        assert_eq!(checked, registered, "{level}");
        registered
    };
    assert!(refused("backward", &more) && !refused("BACKWARD", &less));
    assert!(!refused("FORWARD", &more) && refused("FORWARD", &less));
    assert!(refused("FULL", &more) && refused("FULL", &less));
    assert!(!refused("NONE", &more) && !refused("NONE", &less));
}

#[test]
fn transitive_levels_look_at_all_versions() {
    let a_string = record(r#"{"name":"a","type":"string","default":""}"#);
    let no_a = record("");
    let a_long = record(r#"{"name":"a","type":"long","default":0}"#);
    let mut store = Store::new();
    store.register("s", &a_string).unwrap();
    store.register("s", &no_a).unwrap();
    store.global = Level::named("BACKWARD_TRANSITIVE").unwrap();
    assert!(matches!(store.register("s", &a_long), Err(Refused::Incompatible(..))));
    store.levels.insert("s".to_owned(), Level::named("BACKWARD").unwrap());
    assert!(store.register("s", &a_long).is_ok());
}

#[test]
fn a_reason_names_the_field() {
    let mut store = Store::new();
    store.register("s", &record(r#"{"name":"price","type":"string"}"#)).unwrap();
    let new = record(r#"{"name":"price","type":"double"}"#);
    let reasons = store.check("s", None, &new).unwrap();
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains("'price'") && reasons[0].contains("version 1"), "{reasons:?}");
}
