//! Frames that are not well: each has its reason, which names the field.

use super::tests::decode_as;
use super::*;
use crate::venue::TimeUnit;

const PLAIN: &str =
    r#"{"e":"trade","E":2,"s":"BTCUSDT","t":7,"p":"1.5","q":"0.2","T":1763720000123,"m":false,"M":true}"#;

fn reason(text: &str) -> String {
    decode_as(TimeUnit::Millisecond, text, |frame| match frame {
        Ok(frame) => panic!("{text} was decoded: {frame:?}"),
        Err(reject) => {
            assert!(!reject.is_not_utf8());
            reject.to_string()
        }
    })
}

fn changed(from: &str, to: &str) -> String {
    assert!(PLAIN.contains(from), "{from}");
    reason(&PLAIN.replace(from, to))
}

#[test]
fn what_is_no_json() {
    for (text, expected) in [
        ("", "frame: is not JSON: Eof at character 0"),
        ("  ", "frame: is not JSON: Eof at character 0"),
        ("not json", "frame: is not JSON: ExpectedNull at character 0 ('n')"),
        ("{", "frame: is not JSON: Syntax at character 0 ('{')"),
        (r#"{"e":"trade""#, "frame: is not JSON: Syntax at character 5 ('\"')"),
        (r#"{"e":"trade"#, "frame: is not JSON: Syntax at character 0"),
        (r#"{"e":"trade",}"#, "frame: is not JSON: ExpectedObjectKey at character 13 ('}')"),
        (r#"{"e":"trade"}}"#, "frame: is not JSON: InternalError(TapeError) at character 12 ('}')"),
    ] {
        assert_eq!(reason(text), expected, "{text}");
    }
}

#[test]
fn a_frame_that_was_cut_anywhere() {
    for end in 0..PLAIN.len() {
        let reason = reason(&PLAIN[..end]);
        assert!(reason.starts_with("frame: is not JSON: "), "{end}: {reason}");
    }
}

fn decode_bytes(frame: &mut [u8]) -> Reject {
    let instruments = [Binance::instrument("BTCUSDT", None).unwrap()];
    let endpoint = Endpoint { url: DEFAULT_URL.parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let subscription = Binance::subscription(&endpoint, &instruments).unwrap();
    let arena = Bump::new();
    let decoded = Binance::new(&subscription).decode(frame, &Symbols::new(&instruments), &mut Json::default(), &arena);
    decoded.unwrap_err()
}

#[test]
fn bad_utf8_is_told_apart() {
    let mut frame = PLAIN.replace("BTCUSDT", "B_CUSDT").into_bytes();
    let at = frame.iter().position(|byte| *byte == b'_').unwrap();
    frame[at] = 0xFF;
    let reject = decode_bytes(&mut frame);
    assert!(reject.is_not_utf8());
    assert_eq!(reject.to_string(), "frame: is not UTF-8");
}

#[test]
fn frames_that_are_no_object() {
    for (text, expected) in [
        ("[]", "frame: is an array, an object is expected"),
        (r#"[{"e":"trade"}]"#, "frame: is an array, an object is expected"),
        (r#""trade""#, r#"frame: is "trade", an object is expected"#),
        ("null", "frame: is null, an object is expected"),
        ("-1.5", "frame: is -1.5, an object is expected"),
        (r#"{"stream":"btcusdt@trade","data":[1]}"#, "data: is an array, an object is expected"),
        (r#"{"stream":"btcusdt@trade","data":null}"#, "data: is null, an object is expected"),
    ] {
        assert_eq!(reason(text), expected, "{text}");
    }
}

#[test]
fn deep_nesting_is_only_passed_over() {
    const DEPTH: usize = 14_000;
    let nest = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(DEPTH), close.repeat(DEPTH));
    assert_eq!(reason(&nest("[", "", "]")), "frame: is an array, an object is expected");
    assert_eq!(reason(&nest(r#"{"x":"#, "1", "}")), "e: is missing");
    assert_eq!(reason(&nest(r#"{"data":"#, "1", "}")), "e: is missing");
    assert_eq!(reason(&nest(r#"{"error":"#, "1", "}")), "code: is missing");
    assert_eq!(reason(&nest(r#"{"e":"#, "1", "}")), "e: is an object, the event \"trade\" is expected");
}

#[test]
fn events_that_are_not_known() {
    for (text, expected) in [
        ("{}", "e: is missing"),
        (r#"{"result":null}"#, "e: is missing"),
        (r#"{"id":1}"#, "e: is missing"),
        (r#"{"result":null,"id":"one"}"#, "e: is missing"),
        (r#"{"stream":"btcusdt@trade"}"#, "e: is missing"),
        (r#"{"e":"aggTrade","s":"BTCUSDT"}"#, r#"e: is "aggTrade", the event "trade" is expected"#),
        (r#"{"data":{"e":"kline"}}"#, r#"e: is "kline", the event "trade" is expected"#),
        (r#"{"e":null}"#, r#"e: is null, the event "trade" is expected"#),
        // Half of a surrogate pair: simd-json takes it for a NUL.
        (r#"{"e":"\ud800"}"#, r#"e: is "\0", the event "trade" is expected"#),
        (r#"{"e":7}"#, r#"e: is 7, the event "trade" is expected"#),
        (r#"{"code":"2","msg":"no"}"#, r#"code: is "2", a number is expected"#),
        (r#"{"error":"no","id":1}"#, r#"error: is "no", an object is expected"#),
        (r#"{"error":{"msg":"no"},"id":1}"#, "code: is missing"),
    ] {
        assert_eq!(reason(text), expected, "{text}");
    }
}

#[test]
fn each_field_that_is_missing() {
    for (field, written) in [
        ("e", r#""e":"trade","#),
        ("s", r#""s":"BTCUSDT","#),
        ("t", r#""t":7,"#),
        ("p", r#""p":"1.5","#),
        ("q", r#""q":"0.2","#),
        ("T", r#""T":1763720000123,"#),
        ("m", r#""m":false,"#),
    ] {
        assert_eq!(changed(written, ""), format!("{field}: is missing"));
        let wrapped = format!(r#"{{"stream":"btcusdt@trade","data":{}}}"#, PLAIN.replace(written, ""));
        assert_eq!(reason(&wrapped), format!("{field}: is missing"));
    }
}

#[test]
fn each_field_of_another_type() {
    const UNSIGNED: &str = "a number from 0 to 18446744073709551615";
    for (field, written, other, expected) in [
        ("e", r#""trade""#, "true", r#"is true, the event "trade""#),
        ("s", r#""BTCUSDT""#, "7", "is 7, text"),
        ("s", r#""BTCUSDT""#, "null", "is null, text"),
        ("t", ":7,", r#":"7","#, &format!(r#"is "7", {UNSIGNED}"#)),
        ("t", ":7,", ":-7,", &format!("is -7, {UNSIGNED}")),
        ("t", ":7,", ":7.5,", &format!("is 7.5, {UNSIGNED}")),
        ("t", ":7,", ":{},", &format!("is an object, {UNSIGNED}")),
        ("p", r#""1.5""#, "1.5", "is 1.5, text"),
        ("p", r#""1.5""#, r#"["1.5"]"#, "is an array, text"),
        ("q", r#""0.2""#, "false", "is false, text"),
        ("T", "1763720000123", r#""1763720000123""#, r#"is "1763720000123", a whole number"#),
        ("T", "1763720000123", "1763720000123.5", "is 1763720000123.5, a whole number"),
        ("T", "1763720000123", "18446744073709551615", "is 18446744073709551615, a whole number"),
        ("m", "false", "0", "is 0, true or false"),
        ("m", "false", r#""false""#, r#"is "false", true or false"#),
    ] {
        assert_eq!(changed(written, other), format!("{field}: {expected} is expected"));
    }
    for field in ["b", "a"] {
        let frame = PLAIN.replace(r#""T""#, &format!(r#""{field}":"88","T""#));
        assert_eq!(reason(&frame), format!(r#"{field}: is "88", a whole number is expected"#));
    }
}

#[test]
fn numbers_that_are_none() {
    let (sixty_five, long) = ("7".repeat(65), format!("{}€", "x".repeat(50)));
    for (price, expected) in [
        ("", "is empty, a decimal number is expected".to_string()),
        ("NaN", "\"NaN\" is not an unsigned decimal number (byte 0)".into()),
        ("-1.5", "\"-1.5\" is not an unsigned decimal number (byte 0)".into()),
        ("+1.5", "\"+1.5\" is not an unsigned decimal number (byte 0)".into()),
        (" 1.5", "\" 1.5\" is not an unsigned decimal number (byte 0)".into()),
        ("1.5 ", "\"1.5 \" is not an unsigned decimal number (byte 3)".into()),
        ("1,5", "\"1,5\" is not an unsigned decimal number (byte 1)".into()),
        (".5", "\".5\" is not an unsigned decimal number (byte 0)".into()),
        ("5.", "\"5.\" is not an unsigned decimal number (byte 2)".into()),
        ("Infinity", "\"Infinity\" is not an unsigned decimal number (byte 0)".into()),
        ("1e65", "\"1e65\" has an exponent beyond 64".into()),
        ("٣", "\"٣\" is not an unsigned decimal number (byte 0)".into()),
        (&sixty_five, format!("\"{}\"… has 65 digits, at most 64 are carried", "7".repeat(40))),
        (&long, format!("\"{}\"… is not an unsigned decimal number (byte 0)", "x".repeat(40))),
    ] {
        assert_eq!(changed(r#""1.5""#, &format!("{price:?}")), format!("p: {expected}"));
        assert_eq!(changed(r#""0.2""#, &format!("{price:?}")), format!("q: {expected}"));
    }
}

#[test]
fn a_price_of_zero_is_none() {
    for zero in ["0", "0.00000000", "0e5"] {
        assert_eq!(changed("1.5", zero), format!("p: is {zero}, no trade has a price of zero"));
    }
}

#[test]
fn ids_and_times_out_of_range() {
    let beyond = "is 9223372036854775808, the largest sequence is 9223372036854775807";
    assert_eq!(changed(":7,", ":9223372036854775808,"), format!("t: {beyond}"));
    let beyond = "is 18446744073709551616, a number from 0 to 18446744073709551615 is expected";
    assert_eq!(changed(":7,", ":18446744073709551616,"), format!("t: {beyond}"));
    // The year 50000.
    let expected = "T: is 1515707424000000, which is no time between 1970 and 2262";
    assert_eq!(changed("1763720000123", "1515707424000000"), expected);
    assert_eq!(changed("1763720000123", "-1"), "T: is -1, which is no time between 1970 and 2262");
    let microseconds = PLAIN.replace("1763720000123", "1515707424000000000");
    decode_as(TimeUnit::Microsecond, &microseconds, |frame| {
        let reason = frame.unwrap_err().to_string();
        assert_eq!(reason, "T: is 1515707424000000000, which is no time between 1970 and 2262");
    });
}

#[test]
fn symbols_that_were_not_asked_for() {
    assert_eq!(changed("BTCUSDT", "DOGEUSDT"), r#"s: "DOGEUSDT" was not subscribed"#);
    assert_eq!(changed("BTCUSDT", "btcusdt"), r#"s: "btcusdt" was not subscribed"#);
    assert_eq!(changed("BTCUSDT", ""), r#"s: "" was not subscribed"#);
    let long = "币".repeat(1000);
    assert_eq!(changed("BTCUSDT", &long), format!("s: \"{}\"… was not subscribed", "币".repeat(80)));
}
