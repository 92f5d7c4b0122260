//! Frames that are well. The recorded forms are those of Binance's documentation and of recordings since 2023.

use super::*;
use crate::decimal::Decimal;
use crate::venue::time::{NANOS_PER_MICRO, NANOS_PER_MILLI};
use crate::venue::{About, TimeUnit};

/// Decodes as a connection does that carries BTCUSDT and ETHUSDT.
pub(super) fn decode_as<R>(time_unit: TimeUnit, text: &str, look: impl FnOnce(Result<Frame<'_>, Reject>) -> R) -> R {
    let instruments = ["BTCUSDT", "ETHUSDT"].map(|symbol| Binance::instrument(symbol, None).unwrap());
    let endpoint = Endpoint { url: DEFAULT_URL.parse().unwrap(), time_unit };
    let subscription = Binance::subscription(&endpoint, &instruments).unwrap();
    let (mut json, arena, mut frame) = (Json::default(), Bump::new(), text.as_bytes().to_vec());
    look(Binance::new(&subscription).decode(&mut frame, &Symbols::new(&instruments), &mut json, &arena))
}

fn decode<R>(text: &str, look: impl FnOnce(Result<Frame<'_>, Reject>) -> R) -> R {
    decode_as(TimeUnit::Millisecond, text, look)
}

fn expect_trade(time_unit: TimeUnit, text: &str, expected: Trade<'_>) {
    decode_as(time_unit, text, |frame| match frame {
        Ok(Frame::Trades([trade])) => assert_eq!(*trade, expected, "{text}"),
        other => panic!("{text}: {other:?}"),
    });
}

fn expect_control(text: &str, expected: Control<'_>) {
    decode(text, |frame| assert_eq!(frame, Ok(Frame::Control(expected)), "{text}"));
}

fn expected() -> Trade<'static> {
    Trade {
        instrument: 0,
        id: TradeId::Number(5_141_002_345),
        price: Decimal::parse("64123.10000000").unwrap(),
        quantity: Decimal::parse("0.00020000").unwrap(),
        side: Side::Buy,
        exchange_time_ns: 1_763_720_000_123 * NANOS_PER_MILLI,
        sequence: Some(5_141_002_345),
        is_buyer_maker: Some(false),
        buyer_order_id: None,
        seller_order_id: None,
    }
}

const PLAIN: &str = r#"{"e":"trade","E":1763720000124,"s":"BTCUSDT","t":5141002345,"p":"64123.10000000","q":"0.00020000","T":1763720000123,"m":false,"M":true}"#;

#[test]
fn a_plain_trade() {
    expect_trade(TimeUnit::Millisecond, PLAIN, expected());
}

#[test]
fn a_trade_of_a_combined_stream() {
    let frame = format!(r#"{{"stream":"btcusdt@trade","data":{PLAIN}}}"#);
    expect_trade(TimeUnit::Millisecond, &frame, expected());
    let reordered = format!(r#"{{"data":{PLAIN},"stream":"btcusdt@trade"}}"#);
    expect_trade(TimeUnit::Millisecond, &reordered, expected());
}

#[test]
fn times_in_microseconds() {
    let frame = PLAIN.replace("1763720000123", "1763720000123456").replace("1763720000124", "1763720000124001");
    let time = 1_763_720_000_123_456 * NANOS_PER_MICRO;
    expect_trade(TimeUnit::Microsecond, &frame, Trade { exchange_time_ns: time, ..expected() });
}

#[test]
fn the_time_is_the_trades_own() {
    let frame = PLAIN.replace(r#""E":1763720000124,"#, r#""E":1,"#);
    expect_trade(TimeUnit::Millisecond, &frame, expected());
}

#[test]
fn the_taker_sold_where_the_buyer_was_the_maker() {
    let frame = PLAIN.replace(r#""m":false"#, r#""m":true"#);
    let sold = Trade { side: Side::Sell, is_buyer_maker: Some(true), ..expected() };
    expect_trade(TimeUnit::Millisecond, &frame, sold);
}

#[test]
fn order_ids_of_older_recordings() {
    let frame = PLAIN.replace(r#""T":"#, r#""b":88,"a":9223372036854775807,"T":"#);
    let with_orders = Trade { buyer_order_id: Some(88), seller_order_id: Some(i64::MAX), ..expected() };
    expect_trade(TimeUnit::Millisecond, &frame, with_orders);
    let one = PLAIN.replace(r#""T":"#, r#""b":-1,"T":"#);
    expect_trade(TimeUnit::Millisecond, &one, Trade { buyer_order_id: Some(-1), ..expected() });
}

#[test]
fn keys_may_come_in_any_order_with_others_between_them() {
    let frame = r#" {"m" : false, "x":{"e":"kline","s":["ETHUSDT",{"p":1}],"t":{}}, "T":1763720000123,"q":"0.00020000",
        "X":[], "p":"64123.10000000", "M":null, "t":5141002345, "ee":1.5e300, "s":"BTCUSDT", "E":0, "e":"trade"} "#;
    expect_trade(TimeUnit::Millisecond, frame, expected());
}

#[test]
fn of_a_key_that_comes_twice_the_last_counts() {
    let frame = PLAIN.replace(r#""s":"BTCUSDT""#, r#""s":"NOSUCH","s":"BTCUSDT""#);
    expect_trade(TimeUnit::Millisecond, &frame, expected());
}

#[test]
fn text_may_be_escaped() {
    let frame = PLAIN.replace("BTCUSDT", r"\u0042TCUSD\u0054").replace("64123.1", r"64123\u002e1");
    expect_trade(TimeUnit::Millisecond, &frame, expected());
    let frame = PLAIN.replace("\"trade\"", "\"tr\\u0061de\"").replace("\"p\"", "\"\\u0070\"");
    expect_trade(TimeUnit::Millisecond, &frame, expected());
}

#[test]
fn the_instrument_is_the_symbols_place() {
    let frame = PLAIN.replace("BTCUSDT", "ETHUSDT");
    expect_trade(TimeUnit::Millisecond, &frame, Trade { instrument: 1, ..expected() });
}

#[test]
fn the_text_of_numbers_is_kept_and_long_ones_are_carried() {
    let sixty = format!("{}.{}", "9".repeat(30), "1".repeat(30));
    let sixty_four = "7".repeat(64);
    for price in ["1", "0.00000001", "64123.1", "064123.10", "9.2E-7", "1e+3", &sixty, &sixty_four] {
        let frame = PLAIN.replace("64123.10000000", price);
        expect_trade(TimeUnit::Millisecond, &frame, Trade { price: Decimal::parse(price).unwrap(), ..expected() });
        decode(&frame, |frame| match frame {
            Ok(Frame::Trades([trade])) => assert_eq!(trade.price.text(), price),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn the_extremes_of_ids_and_times() {
    for id in [0, i64::MAX] {
        let frame = PLAIN.replace("5141002345", &id.to_string());
        let trade = Trade { id: TradeId::Number(id as u64), sequence: Some(id), ..expected() };
        expect_trade(TimeUnit::Millisecond, &frame, trade);
    }
    // The last millisecond that nanoseconds in 64 bits can name: April 2262.
    let last = i64::MAX / NANOS_PER_MILLI;
    for time in [0, last] {
        let frame = PLAIN.replace("1763720000123", &time.to_string());
        expect_trade(TimeUnit::Millisecond, &frame, Trade { exchange_time_ns: time * NANOS_PER_MILLI, ..expected() });
    }
}

#[test]
fn acknowledgements() {
    expect_control(r#"{"result":null,"id":1}"#, Control::Acknowledged(About::Request(1)));
    expect_control(r#"{"id":18446744073709551615,"result":null}"#, Control::Acknowledged(About::Request(u64::MAX)));
    expect_control(r#"{"result":["btcusdt@trade"],"id":3}"#, Control::Acknowledged(About::Request(3)));
}

#[test]
fn errors_in_both_forms() {
    let words = "Invalid request: unknown variant";
    for (frame, expected) in [
        (
            r#"{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":7}"#,
            Control::Refused { about: About::Request(7), code: "2", words },
        ),
        (
            r#"{"id":7,"error":{"msg":"Invalid request: unknown variant","code":2}}"#,
            Control::Refused { about: About::Request(7), code: "2", words },
        ),
        (
            r#"{"code":0,"msg":"Invalid request: unknown variant","id":null}"#,
            Control::Refused { about: About::Oldest, code: "0", words },
        ),
        (
            r#"{"code":-1121,"msg":"Invalid request: unknown variant","id":9}"#,
            Control::Refused { about: About::Request(9), code: "-1121", words },
        ),
        (r#"{"error":{"code":3}}"#, Control::Refused { about: About::Oldest, code: "3", words: "" }),
    ] {
        expect_control(frame, expected);
    }
}

#[test]
fn the_shutdown_notice_in_both_forms() {
    expect_control(r#"{"e":"serverShutdown","E":1770123456789}"#, Control::ShuttingDown);
    let wrapped = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#;
    expect_control(wrapped, Control::ShuttingDown);
}

#[test]
fn a_parser_is_used_again_after_any_frame() {
    let instruments = [Binance::instrument("BTCUSDT", None).unwrap()];
    let endpoint = Endpoint { url: DEFAULT_URL.parse().unwrap(), time_unit: TimeUnit::Millisecond };
    let subscription = Binance::subscription(&endpoint, &instruments).unwrap();
    let (binance, known, mut json) = (Binance::new(&subscription), Symbols::new(&instruments), Json::default());
    let broken = PLAIN.replace(':', "");
    for text in [PLAIN, &broken, "", PLAIN, "[[[[", PLAIN, r#"{"a":{"b":[1,2,3]}}"#, PLAIN] {
        let (arena, mut frame) = (Bump::new(), text.as_bytes().to_vec());
        let decoded = binance.decode(&mut frame, &known, &mut json, &arena);
        match decoded {
            Ok(Frame::Trades([trade])) => assert_eq!((text, *trade), (PLAIN, expected())),
            other => assert_ne!(text, PLAIN, "{other:?}"),
        }
    }
}

/// Of a frame with white space before it the layout is another, so that the JSON reader has it.
fn agree(frame: &str) {
    for time_unit in [TimeUnit::Millisecond, TimeUnit::Microsecond] {
        let as_told = |frame: Result<Frame<'_>, Reject>| format!("{frame:?}");
        let by_json = decode_as(time_unit, &format!(" {frame}"), as_told);
        // Places in a frame that is no JSON are counted with the white space.
        if !by_json.contains("is not JSON") {
            assert_eq!(decode_as(time_unit, frame, as_told), by_json, "{frame}");
        } else {
            decode_as(time_unit, frame, |frame| assert!(frame.is_err(), "{frame:?}"));
        }
    }
}

#[test]
fn both_ways_to_read_a_trade_agree_on_every_frame_that_is_nearly_one() {
    let combined = format!(r#"{{"stream":"btcusdt@trade","data":{PLAIN}}}"#);
    for frame in [PLAIN, &combined] {
        assert!(layout::read(frame.as_bytes()).is_some());
        assert!(layout::read(format!(" {frame}").as_bytes()).is_none());
        for at in 0..frame.len() {
            for with in ["", "0", "9", "00", "\"", "\\", "\\u0030", " ", "-", ".", "e1", "é", "\u{1}", "}", ",", "{"] {
                agree(&format!("{}{with}{}", &frame[..at], &frame[at..]));
                agree(&format!("{}{with}{}", &frame[..at], &frame[at + 1..]));
            }
        }
        for (from, to) in [
            (":5141002345,", ":9223372036854775807,"),
            (":5141002345,", ":9223372036854775808,"),
            (":5141002345,", ":999999999999999999,"),
            (":1763720000123,", ":99999999999999999,"),
            ("BTCUSDT", "ETHUSDT"),
            ("BTCUSDT", "XYZUSDT"),
            (r#""m":false"#, r#""m":true"#),
            (r#""m":false"#, r#""m":null"#),
            (r#""M":true"#, r#""M":false"#),
        ] {
            assert!(frame.contains(from));
            agree(&frame.replace(from, to));
        }
    }
}
