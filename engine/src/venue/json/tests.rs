//! The two readers against each other, and both against serde_json.

use super::*;
use proptest::prelude::*;
use serde_json::Value as Judge;

/// A tape with the spellings in place of the places.
type Spelled = Vec<(Kind, String, u32)>;

fn spelled(tape: &[Node], text: &str) -> Spelled {
    tape.iter()
        .map(|node| match node.kind {
            Kind::Text | Kind::Number => {
                let spelling = &text[node.at as usize..(node.at + node.len) as usize];
                (node.kind, spelling.to_string(), node.span)
            }
            kind => (kind, node.len.to_string(), node.span),
        })
        .collect()
}

fn by_plain(text: &str) -> Option<Spelled> {
    let mut tape = Vec::new();
    plain::read(text.as_bytes(), &mut tape).then(|| spelled(&tape, text))
}

fn by_general(text: &str) -> Result<Spelled, Reject> {
    let (mut general, mut tape, arena) = (General::default(), Vec::new(), Bump::new());
    let mut frame = text.as_bytes().to_vec();
    let text = general.read(&mut frame, &mut tape, &arena)?;
    Ok(spelled(&tape, text))
}

/// Checks that a text means the same to both readers, or that the plain one leaves it alone.
fn agree(text: &str) {
    match (by_plain(text), by_general(text)) {
        (Some(plain), Ok(general)) => assert_eq!(plain, general, "{text}"),
        (Some(_), Err(error)) => panic!("the plain reader took {text:?}, the general one says {error}"),
        (None, _) => {}
    }
}

/// A value as serde_json has it, numbers by their digits.
fn walk(value: Value<'_, '_>) -> Judge {
    match value.node().kind {
        Kind::Text => value.text().unwrap().into(),
        Kind::Number => serde_json::from_str(value.number().unwrap()).unwrap(),
        Kind::True | Kind::False => value.boolean().unwrap().into(),
        Kind::Null => Judge::Null,
        Kind::Array => value.array().unwrap().map(walk).collect(),
        Kind::Object => value.object().unwrap().map(|(key, value)| (key.to_string(), walk(value))).collect(),
    }
}

#[test]
fn numbers_keep_their_digits_in_either_reader() {
    const NUMBERS: [&str; 8] = [
        "59121.80",
        "0.00022946",
        "9.2E-7",
        "-0",
        "1e+3",
        "0.10",
        "18446744073709551616",
        "100182534526255757567432481",
    ];
    let list = NUMBERS.join(", ");
    for text in [format!("[{list}]"), format!(r#"["\u0031", "a\"2", {list}]"#)] {
        let mut frame = text.clone().into_bytes();
        let arena = Bump::new();
        let numbers = |root: Value<'_, '_>| {
            let spelled = |value: Value<'_, '_>| value.number().map(String::from);
            Ok(root.array().expect("an array").filter_map(spelled).collect::<Vec<_>>())
        };
        assert_eq!(Json::default().parse(&mut frame, &arena, numbers).unwrap(), NUMBERS, "{text}");
    }
}

#[test]
fn which_reader_takes_what() {
    for text in [r#"{"a":[1,"b",true,null,{}],"c":false}"#, " [ ] ", r#""币""#, "-1.5e9", "0", r#"{"":{"":[]}}"#] {
        assert!(by_plain(text).is_some(), "{text}");
        agree(text);
    }
    // Well, but for the other reader.
    for text in [r#""\n""#, r#"{"a\u0000":1}"#, &format!("{}{}", "[".repeat(17), "]".repeat(17))] {
        assert!(by_plain(text).is_none(), "{text}");
        assert!(by_general(text).is_ok(), "{text}");
    }
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "[1 2]",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "nul",
        "truee",
        "\"",
        "\"a\nb\"",
        "[1]]",
        "1 2",
        "{1:2}",
        "'a'",
        "NaN",
        "--1",
        "1-2",
        "0x1",
    ] {
        assert!(by_plain(text).is_none(), "{text}");
        assert!(by_general(text).is_err(), "{text}");
    }
}

#[test]
fn a_string_ends_at_its_quote_wherever_that_stands() {
    for len in 0..40 {
        let text = format!("\"{}\"", "x".repeat(len));
        assert_eq!(by_plain(&text), Some(vec![(Kind::Text, "x".repeat(len), 1)]));
        for (at, evil) in (0..len).flat_map(|at| ["\\", "\u{1}", "\u{1f}"].map(|evil| (at, evil))) {
            let mut text = text.clone();
            text.replace_range(1 + at..2 + at, evil);
            assert_eq!(by_plain(&text), None, "{text:?}");
        }
        for (at, fine) in (0..len).flat_map(|at| [" ", "!", "#", "\u{7f}", "é", "币"].map(|fine| (at, fine))) {
            let mut text = text.clone();
            text.replace_range(1 + at..2 + at, fine);
            assert!(by_plain(&text).is_some(), "{text:?}");
        }
    }
}

#[test]
fn a_number_ends_at_the_first_byte_that_is_no_digit() {
    for len in 1..30 {
        let digits = "9".repeat(len);
        for end in [",", "]", "/", ":", "\u{0}", "a", "\u{7f}", "é"] {
            let text = format!("[{digits}{end}");
            assert_eq!(
                by_plain(&text),
                (end == "]").then(|| vec![(Kind::Array, "1".into(), 2), (Kind::Number, digits.clone(), 1)])
            );
        }
    }
}

fn json() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?";
    let string = "\"([ -!#-\\[\\]-~éб币]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-c][0-9a-f]{3}){0,20}\"";
    let leaf = prop_oneof![number, string, Just("true".into()), Just("false".into()), Just("null".into())];
    let space = || "[ \t\n\r]{0,2}";
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let padded = (space(), inner, space()).prop_map(|(a, value, b)| a + &value + &b);
        let field =
            (space(), string, space(), padded.clone()).prop_map(|(a, key, b, value)| a + &key + &b + ":" + &value);
        prop_oneof![
            prop::collection::vec(padded, 0..6).prop_map(|elements| format!("[{}]", elements.join(","))),
            prop::collection::vec(field, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_json_reads_as_serde_json_reads_it(text in json()) {
        agree(&text);
        let (mut frame, arena) = (text.clone().into_bytes(), Bump::new());
        let read = Json::default().parse(&mut frame, &arena, |root| Ok(walk(root)));
        // Half a surrogate pair is no text to serde_json, and keys that repeat are one.
        if let Ok(judge) = serde_json::from_str::<Judge>(&text) {
            prop_assert_eq!(read, Ok(judge));
        }
    }

    #[test]
    fn what_is_nearly_json_is_taken_by_both_readers_or_none(text in json(), at in any::<prop::sample::Index>(), with in "[-\"\\\\{}\\[\\],:0-9.eEtfn \n\u{1}é]{0,2}") {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let (start, mut changed) = (*at.get(&places), text.clone());
        let end = start + changed[start..].chars().next().map_or(0, char::len_utf8);
        changed.replace_range(start..end, &with);
        agree(&changed);
    }
}
