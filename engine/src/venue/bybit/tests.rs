//! All frames are made up in the shapes of bybit-exchange.github.io/docs/v5.

use super::*;
use crate::venue::testing::{Connection, refuses_symbols};

const FRAME: &str = r#"{"topic":"publicTrade.BTCUSD","type":"snapshot","ts":1680673823566,"data":[{"T":1680673823564,"s":"BTCUSD","S":"Buy","v":"5823","p":"28560.50","L":"PlusTick","i":"0cbf2330-8f2c-5e5d-8a3b-0b5d3e1f2a4c","BT":false}]}"#;

fn bybit() -> Connection<Bybit> {
    Connection::of(&["BTCUSD", "BTCUSDT"])
}

#[test]
fn trades() {
    let several = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1680673823566,"data":[
        {"T":1680673823564,"s":"BTCUSDT","S":"Sell","v":"0.010","p":"28560.5","L":"MinusTick","i":"2290000000068683864","BT":false,"RPI":false,"seq":1},
        {"T":1680673823565,"s":"BTCUSDT","S":"Buy","v":"0.00012","p":"28561","L":"PlusTick","i":"2290000000068683863","BT":true,"RPI":true,"seq":1}]}"#;
    bybit().has_trades(&[
        (
            FRAME,
            &["BTCUSD (BTC/USD) 0cbf2330-8f2c-5e5d-8a3b-0b5d3e1f2a4c BUY 5823 @ 28560.50 at 1680673823564000000 ns"],
        ),
        (
            several,
            &[
                "BTCUSDT (BTC/USDT) 2290000000068683864 SELL 0.010 @ 28560.5 at 1680673823564000000 ns, number 1",
                "BTCUSDT (BTC/USDT) 2290000000068683863 BUY 0.00012 @ 28561 at 1680673823565000000 ns, number 1",
            ],
        ),
        (r#"{"topic":"publicTrade.BTCUSD","type":"snapshot","ts":1680673823566,"data":[]}"#, &[]),
    ]);
}

#[test]
fn a_thousand_trades_in_one_frame() {
    bybit().carries(1_000, (r#"{"topic":"publicTrade.BTCUSD","type":"snapshot","ts":1,"data":["#, "]}"), |id| {
        format!(r#"{{"T":1680673823564,"s":"BTCUSD","S":"Buy","v":"1","p":"28560.50","L":"PlusTick","i":"{id}","BT":false}}"#)
    });
}

#[test]
fn the_ring_has_room_for_the_shortest_trades() {
    // No name can be shorter than with its canonical one configured.
    let shortest = r#"{"T":0,"s":"X","S":"Buy","v":"1","p":"1","i":"1"}"#;
    let pair = Some(Pair { base: "X", quote: "Y" });
    let connection = Connection::<Bybit>::with(Bybit::FACTS.url, &[("X", pair)]);
    connection.has_room_for((r#"{"topic":"publicTrade.","data":["#, "]}"), shortest);
}

#[test]
fn answers() {
    let refused = |about, words| Control::Refused { about, code: "", words };
    bybit().has_controls(&[
        (
            r#"{"success":true,"ret_msg":"","conn_id":"2324d924-aa4d-45b0-a858-7b8be29ab52b","req_id":"2","op":"subscribe"}"#,
            Control::Acknowledged(About::Request(2)),
        ),
        (
            r#"{"success":true,"ret_msg":"subscribe","conn_id":"2324d924-aa4d-45b0-a858-7b8be29ab52b","op":"subscribe"}"#,
            Control::Acknowledged(About::Oldest),
        ),
        (
            r#"{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.NOUSDT","conn_id":"","req_id":"1","op":"subscribe"}"#,
            refused(About::Request(1), "error:handler not found,topic:publicTrade.NOUSDT"),
        ),
        // Spot's answer to a ping, and that of the others.
        (
            r#"{"success":true,"ret_msg":"pong","conn_id":"0970e817-426e-429a-a679-ff7f55e0b16a","op":"ping"}"#,
            Control::Heartbeat,
        ),
        (
            r#"{"req_id":"100001","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0-1b"}"#,
            Control::Heartbeat,
        ),
    ]);
}

#[test]
fn what_is_wrong_is_named() {
    bybit().refuses_changed(
        FRAME,
        &[
            (
                r#""publicTrade.BTCUSD""#,
                r#""orderbook.1.BTCUSD""#,
                r#"topic: is "orderbook.1.BTCUSD", "publicTrade." is expected"#,
            ),
            (r#""publicTrade.BTCUSD""#, "7", "topic: is 7, text is expected"),
            ("28560.50", "0", "p: is 0, no trade has a price of zero"),
            (r#""28560.50""#, "28560.50", "p: is 28560.50, text is expected"),
            ("5823", "5e", r#"v: "5e" is not an unsigned decimal number (byte 2)"#),
            (r#""Buy""#, r#""buy""#, r#"S: is "buy", "Buy" or "Sell" is expected"#),
            (r#""s":"BTCUSD""#, r#""s":"ETHUSD""#, r#"s: "ETHUSD" was not subscribed"#),
            ("1680673823564", "1515707424000000", "T: is 1515707424000000, which is no time between 1970 and 2262"),
            ("1680673823564", r#""1680673823564""#, r#"T: is "1680673823564", a whole number is expected"#),
            (r#""0cbf2330-8f2c-5e5d-8a3b-0b5d3e1f2a4c""#, "7", "i: is 7, text is expected"),
            ("0cbf2330-8f2c-5e5d-8a3b-0b5d3e1f2a4c", "", r#"i: is "", an id is expected"#),
            (r#""BT":false"#, r#""seq":"1""#, r#"seq: is "1", a whole number is expected"#),
        ],
    );
    bybit().needs(FRAME, &["T", "s", "S", "v", "p", "i"]);
    bybit().refuses(&[
        ("[]", "frame: is an array, an object is expected"),
        ("{}", "topic: is missing"),
        (r#"{"topic":"publicTrade.BTCUSD"}"#, "data: is missing"),
        (r#"{"topic":"publicTrade.BTCUSD","data":{}}"#, "data: is an object, an array is expected"),
        (r#"{"topic":"publicTrade.BTCUSD","data":[7]}"#, "data: is 7, an object is expected"),
        (r#"{"op":"auth","success":true}"#, r#"op: is "auth", "subscribe" or "ping" is expected"#),
        (r#"{"op":"subscribe"}"#, "success: is missing"),
    ]);
}

#[test]
fn requests() {
    let request = r#"{"op":"subscribe","args":["publicTrade.BTCUSD","publicTrade.BTCUSDT"],"req_id":"1"}"#;
    bybit().asks(request, ("subscribe", "unsubscribe"), "");
    for (url, address) in [
        (Bybit::FACTS.url, "wss://stream.bybit.com/v5/public/spot"),
        ("wss://stream.bybit.com/v5/public/inverse", "wss://stream.bybit.com/v5/public/inverse"),
        ("ws://127.0.0.1:9", "ws://127.0.0.1:9/v5/public/spot"),
    ] {
        assert_eq!(Connection::<Bybit>::at(url, &["BTCUSD"]).url(), address);
    }
    Connection::<Bybit>::splits(|number| format!("C{number}USDT"), 21, &[10, 10, 1]);
}

#[test]
fn symbols_in_wrong_forms() {
    refuses_symbols::<Bybit>(&[
        ("BTC-USDT", r#"symbol "BTC-USDT" is not in Bybit's form: write "BTCUSDT""#),
        ("btcusdt", r#"symbol "btcusdt" is not in Bybit's form: write "BTCUSDT""#),
        ("", r#"symbol "" is not in Bybit's form: write """#),
        (
            "BTCXYZ",
            r#"symbol "BTCXYZ" ends in no quote asset that is known: say what it is by canonical = { "BTCXYZ" = "BASE/QUOTE" }"#,
        ),
    ]);
}
