//! Trades and acknowledgements of XMR/USD and SC/EUR are from a recording of April 2021, all others are made up in its
//! shapes. The digests were computed apart from this code, by FNV-1a's definition.

use std::vec::Vec;

use super::*;
use crate::venue::testing::{Connection, refuses_symbols};

const FRAME: &str = r#"[993,[["354.11000000","0.89594024","1618678142.557535","s","l",""]],"trade","XMR/USD"]"#;

/// The third is configured by the name that others use.
fn v1() -> Connection<KrakenV1> {
    Connection::of(&["XMR/USD", "XBT/USD", "DOGE/XBT"])
}

#[test]
fn trades() {
    let several = r#"[119,[["6060.00000","0.02455000","1618678142.000000","b","l",""],["0.1","1","1618678142.1","b","m","x"]],"trade","XDG/XBT"]"#;
    v1().has_trades(&[
        (FRAME, &["XMR/USD (XMR/USD) 1618678142557535-bc96df3e89e7327f SELL 0.89594024 @ 354.11000000 at 1618678142557535000 ns"]),
        (
            &FRAME.replace("XMR/USD", "XBT/USD"),
            &["XBT/USD (BTC/USD) 1618678142557535-bc96df3e89e7327f SELL 0.89594024 @ 354.11000000 at 1618678142557535000 ns"],
        ),
        (
            several,
            &[
                "DOGE/XBT (DOGE/BTC) 1618678142000000-fd7de212fb0f7189 BUY 0.02455000 @ 6060.00000 at 1618678142000000000 ns",
                "DOGE/XBT (DOGE/BTC) 1618678142100000-299548cef3802ef4 BUY 1 @ 0.1 at 1618678142100000000 ns",
            ],
        ),
        (r#"[993,[],"trade","XMR/USD"]"#, &[]),
        // Without the deprecated channel's number, and with fields that are not known yet.
        (
            r#"[null,[["354.11000000","0.89594024","1618678142.557535","s","l","",7]],"trade","XMR/USD",{}]"#,
            &["XMR/USD (XMR/USD) 1618678142557535-bc96df3e89e7327f SELL 0.89594024 @ 354.11000000 at 1618678142557535000 ns"],
        ),
    ]);
}

#[test]
fn trades_that_are_alike_have_one_id_until_they_are_numbered() {
    let trade = |price: &str, time: &str| format!(r#"["{price}","0.15850568","{time}","s","l",""]"#);
    let (one, other) = (trade("5541.20000", "1618678142.557535"), trade("5541.30000", "1618678142.557535"));
    let later = trade("5541.20000", "1618678142.557536");
    let frame = format!(r#"[0,[{one},{other},{one},{one},{other},{later}],"trade","XBT/USD"]"#);
    let read = v1().read(&frame).unwrap();
    let ids: Vec<_> = read.iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(
        ids,
        [
            "1618678142557535-955c4d7e476a25a3",
            "1618678142557535-d624cb1dc0b73342",
            "1618678142557535-955c4d7e476a25a3",
            "1618678142557535-955c4d7e476a25a3",
            "1618678142557535-d624cb1dc0b73342",
            "1618678142557536-955c4d7e476a25a3",
        ]
    );
}

#[test]
fn each_part_of_a_trade_makes_its_id() {
    let id = |frame: &str| v1().read(frame).unwrap()[0].split(' ').nth(2).unwrap().to_string();
    let changes = [
        ("354.11", "354.12"),
        ("0.89", "0.88"),
        (".557535", ".557536"),
        (r#""s""#, r#""b""#),
        (r#""l""#, r#""m""#),
        (r#""""#, r#""x""#),
    ];
    let mut ids: Vec<_> = changes.iter().map(|(from, to)| id(&FRAME.replace(from, to))).chain([id(FRAME)]).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), changes.len() + 1);
    // Spelled otherwise it would be another trade, so that what is written in one part cannot move to the next.
    assert_ne!(id(&FRAME.replace(r#""l","""#, r#""","l""#)), id(FRAME));
}

#[test]
fn a_thousand_trades_in_one_frame() {
    let trades: Vec<_> =
        (0..1_000).map(|number| format!(r#"["354.1","{number}.5","1618678142.557535","s","l",""]"#)).collect();
    let read = v1().read(&format!(r#"[993,[{}],"trade","XMR/USD"]"#, trades.join(","))).unwrap();
    assert_eq!(read.len(), 1_000);
    for (number, line) in read.iter().enumerate() {
        assert!(line.contains(&format!(" SELL {number}.5 @ 354.1 ")), "{line}");
    }
}

#[test]
fn the_ring_has_room_for_the_shortest_trades() {
    Connection::<KrakenV1>::of(&["A/B"]).has_room_for(("[0,[", r#"],"trade","A/B"]"#), r#"["1","1","1","b"]"#);
}

#[test]
fn answers() {
    let refused = |about, words| Control::Refused { about, code: "", words };
    v1().has_controls(&[
        (
            r#"{"channelID":993,"channelName":"trade","event":"subscriptionStatus","pair":"XMR/USD","status":"subscribed","subscription":{"name":"trade"}}"#,
            Control::Acknowledged(About::Instruments(&[0])),
        ),
        (
            r#"{"channelID":119,"channelName":"trade","event":"subscriptionStatus","pair":"XDG/XBT","status":"subscribed","subscription":{"name":"trade"}}"#,
            Control::Acknowledged(About::Instruments(&[2])),
        ),
        (
            r#"{"errorMessage":"Exceeded msg rate","event":"subscriptionStatus","pair":"XBT/USD","status":"error","subscription":{"name":"trade"}}"#,
            refused(About::Instruments(&[1]), "Exceeded msg rate"),
        ),
        (
            r#"{"errorMessage":"Currency pair not supported NO/USD","event":"subscriptionStatus","pair":"NO/USD","status":"error","subscription":{"name":"trade"}}"#,
            refused(About::Unknown, "Currency pair not supported NO/USD"),
        ),
        (r#"{"event":"error","errorMessage":"Malformed request"}"#, refused(About::Unknown, "Malformed request")),
        (r#"{"event":"heartbeat"}"#, Control::Heartbeat),
        (r#"{"event":"pong","reqid":42}"#, Control::Heartbeat),
        (
            r#"{"connectionID":18239578009413566319,"event":"systemStatus","status":"online","version":"1.8.3"}"#,
            Control::Heartbeat,
        ),
        (r#"{"event":"subscriptionStatus","pair":"XMR/USD","status":"unsubscribed"}"#, Control::Unsubscribed(About::Instruments(&[0]))),
    ]);
}

#[test]
fn what_is_wrong_is_named() {
    v1().refuses_changed(
        FRAME,
        &[
            (r#""trade""#, r#""spread""#, r#"channel: is "spread", "trade" is expected"#),
            (r#""trade""#, r#"{"a":[]},"book-10""#, "channel: is an object, text is expected"),
            (r#","trade","XMR/USD""#, "", "channel: is missing"),
            (r#","XMR/USD""#, "", "pair: is missing"),
            ("XMR/USD", "XMR/EUR", r#"pair: "XMR/EUR" was not subscribed"#),
            ("354.11000000", "0.00000000", "price: is 0.00000000, no trade has a price of zero"),
            (r#""354.11000000""#, "354.11", "price: is 354.11, text is expected"),
            ("0.89594024", "", "volume: is empty, a decimal number is expected"),
            ("1618678142.557535", "1515707424000", "time: is 1515707424000, which is no time between 1970 and 2262"),
            (
                "1618678142.557535",
                "1618678142.5575351234",
                r#"time: is "1618678142.5575351234", seconds with a fraction is expected"#,
            ),
            (r#""1618678142.557535""#, "1618678142.557535", "time: is 1618678142.557535, text is expected"),
            (r#""s""#, r#""sell""#, r#"side: is "sell", "b" or "s" is expected"#),
            (r#""s","l","""#, "7", "side: is 7, text is expected"),
            (r#","s","l","""#, "", "side: is missing"),
            (r#","1618678142.557535","s","l","""#, "", "time: is missing"),
            (r#","0.89594024","1618678142.557535","s","l","""#, "", "volume: is missing"),
            (r#""354.11000000","0.89594024","1618678142.557535","s","l","""#, "", "price: is missing"),
            (
                r#"[["354.11000000","0.89594024","1618678142.557535","s","l",""]]"#,
                "{}",
                "trades: is an object, an array is expected",
            ),
            (
                r#"[["354.11000000","0.89594024","1618678142.557535","s","l",""]]"#,
                "[null]",
                "trades: is null, an array is expected",
            ),
        ],
    );
    v1().refuses(&[
        ("[]", "channel: is missing"),
        ("7", "frame: is 7, an object is expected"),
        ("{}", "event: is missing"),
        (r#"{"event":7}"#, "event: is 7, text is expected"),
        (r#"{"event":"unknown"}"#, r#"event: is "unknown", one that Kraken documents is expected"#),
    ]);
}

#[test]
fn requests() {
    let request =
        r#"{"event":"subscribe","pair":["XMR/USD","XBT/USD","XDG/XBT"],"subscription":{"name":"trade"},"reqid":1}"#;
    v1().asks(request, (r#""subscribe""#, r#""unsubscribe""#), "");
    assert_eq!(v1().url(), "wss://ws.kraken.com/");
    Connection::<KrakenV1>::splits(|number| format!("C{number}/USD"), 101, &[50, 50, 1]);
}

#[test]
fn symbols_in_wrong_forms() {
    refuses_symbols::<KrakenV1>(&[
        ("XBT-USD", r#"symbol "XBT-USD" is not in Kraken's form: write "XBT/USD""#),
        ("xbt/usd", r#"symbol "xbt/usd" is not in Kraken's form: write "XBT/USD""#),
        ("XBT", r#"symbol "XBT" is not in Kraken's form: write base and quote, such as "BTC/USD""#),
    ]);
}
