//! All frames are made up in the shapes of docs.kraken.com (2025); the first trade is the example from there.

use super::*;
use crate::venue::testing::{Connection, refuses_symbols};

const FRAME: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":59121.8,"qty":0.00022946,"ord_type":"market","trade_id":72823289,"timestamp":"2024-08-12T19:38:30.575191Z"}]}"#;

/// The second is configured by v1's name.
fn v2() -> Connection<KrakenV2> {
    Connection::of(&["BTC/USD", "XDG/USD", "币/USD"])
}

#[test]
fn trades() {
    let several = r#"{"channel":"trade","type":"snapshot","data":[
        {"symbol":"BTC/USD","side":"buy","price":59121.80,"qty":1,"ord_type":"limit","trade_id":7,"timestamp":"2024-08-12T19:38:30.575191Z"},
        {"symbol":"DOGE/USD","side":"sell","price":9.2E-7,"qty":20995.880,"ord_type":"limit","trade_id":9,"timestamp":"2024-08-12T19:38:31.000001Z"},
        {"symbol":"BTC/USD","side":"sell","price":59121.7,"qty":1e3,"ord_type":"market","trade_id":8,"timestamp":"2024-08-12T19:38:31Z"}]}"#;
    v2().has_trades(&[
        (FRAME, &["BTC/USD (BTC/USD) 72823289 SELL 0.00022946 @ 59121.8 at 1723491510575191000 ns, number 72823289"]),
        (
            several,
            &[
                "BTC/USD (BTC/USD) 7 BUY 1 @ 59121.80 at 1723491510575191000 ns, number 7",
                "XDG/USD (DOGE/USD) 9 SELL 20995.880 @ 9.2E-7 at 1723491511000001000 ns, number 9",
                "BTC/USD (BTC/USD) 8 SELL 1e3 @ 59121.7 at 1723491511000000000 ns, number 8",
            ],
        ),
        (
            &FRAME.replace("BTC/USD", "币/USD"),
            &["币/USD (币/USD) 72823289 SELL 0.00022946 @ 59121.8 at 1723491510575191000 ns, number 72823289"],
        ),
        (r#"{"channel":"trade","type":"update","data":[]}"#, &[]),
    ]);
}

/// The helper reads each frame as it is, with white space around all numbers, and with an escape, for the general reader.
#[test]
fn numbers_keep_their_digits() {
    let long = format!("{}.{}", "9".repeat(19), "0".repeat(19));
    for number in ["0.00022946", "59121.80", "9.2E-7", "9.2e-7", "1E+3", "1e3", "100", "0.10", &long] {
        let trade = |price: &str, quantity: &str| {
            format!("BTC/USD (BTC/USD) 72823289 SELL {quantity} @ {price} at 1723491510575191000 ns, number 72823289")
        };
        v2().has_trades(&[
            (&FRAME.replace("59121.8", number), &[&trade(number, "0.00022946")]),
            (&FRAME.replace("0.00022946", number), &[&trade("59121.8", number)]),
        ]);
    }
}

#[test]
fn a_thousand_trades_in_one_frame() {
    v2().carries(1_000, (r#"{"channel":"trade","type":"snapshot","data":["#, "]}"), |id| {
        format!(
            r#"{{"symbol":"BTC/USD","side":"sell","price":59121.8,"qty":0.1,"ord_type":"market","trade_id":{id},"timestamp":"2024-08-12T19:38:30.575191Z"}}"#
        )
    });
}

#[test]
fn the_ring_has_room_for_the_shortest_trades() {
    let shortest = r#"{"symbol":"A/B","side":"buy","price":1,"qty":1,"trade_id":1,"timestamp":"1970-01-01T00:00:00Z"}"#;
    Connection::<KrakenV2>::of(&["A/B"]).has_room_for((r#"{"channel":"trade","data":["#, "]}"), shortest);
}

#[test]
fn answers() {
    let refused = |about| Control::Refused { about, code: "", words: "Currency pair not supported" };
    v2().has_controls(&[
        (
            r#"{"method":"subscribe","result":{"channel":"trade","snapshot":false,"symbol":"DOGE/USD"},"success":true,"time_in":"2024-08-12T19:38:30.000000Z","time_out":"2024-08-12T19:38:30.000001Z","req_id":1}"#,
            Control::Acknowledged(About::Instruments(&[1])),
        ),
        (
            r#"{"method":"subscribe","error":"Currency pair not supported","success":false,"symbol":"BTC/USD","req_id":1}"#,
            refused(About::Instruments(&[0])),
        ),
        (
            r#"{"method":"subscribe","error":"Currency pair not supported","success":false,"symbol":"NO/USD","req_id":1}"#,
            refused(About::Unknown),
        ),
        (r#"{"channel":"heartbeat"}"#, Control::Heartbeat),
        (
            r#"{"channel":"status","type":"update","data":[{"api_version":"v2","connection_id":12345678901234567890,"system":"online","version":"2.0.0"}]}"#,
            Control::Heartbeat,
        ),
        (r#"{"method":"pong","req_id":101,"time_in":"2024-08-12T19:38:30.000000Z"}"#, Control::Heartbeat),
    ]);
}

#[test]
fn what_is_wrong_is_named() {
    const ID: &str = "a number from 0 to 18446744073709551615 is expected";
    v2().refuses_changed(
        FRAME,
        &[
            (r#""channel":"trade""#, r#""channel":"ticker""#, r#"channel: is "ticker", "trade" is expected"#),
            ("59121.8", "0.00", "price: is 0.00, no trade has a price of zero"),
            ("59121.8", "0e5", "price: is 0e5, no trade has a price of zero"),
            ("59121.8", r#""59121.8""#, r#"price: is "59121.8", a number is expected"#),
            ("59121.8", "-59121.8", r#"price: "-59121.8" is not an unsigned decimal number (byte 0)"#),
            ("59121.8", "1e65", r#"price: "1e65" has an exponent beyond 64"#),
            ("0.00022946", "null", "qty: is null, a number is expected"),
            (r#""sell""#, r#""Sell""#, r#"side: is "Sell", "buy" or "sell" is expected"#),
            (r#""sell""#, "1", "side: is 1, text is expected"),
            ("72823289", r#""72823289""#, &format!(r#"trade_id: is "72823289", {ID}"#)),
            ("72823289", "7.5", &format!("trade_id: is 7.5, {ID}")),
            (
                "72823289",
                "9223372036854775808",
                "trade_id: is 9223372036854775808, the largest sequence is 9223372036854775807",
            ),
            (
                r#""2024-08-12T19:38:30.575191Z""#,
                r#""+50000-08-12T19:38:30Z""#,
                r#"timestamp: is "+50000-08-12T19:38:30Z", a time such as 2024-08-12T19:38:30.575191Z is expected"#,
            ),
            ("2024-08", "9999-08", "timestamp: is 9999-08-12T19:38:30.575191Z, which is no time between 1970 and 2262"),
            (r#""2024-08-12T19:38:30.575191Z""#, "1723491510", "timestamp: is 1723491510, text is expected"),
            ("BTC/USD", "ETH/USD", r#"symbol: "ETH/USD" was not subscribed"#),
            ("BTC/USD", "XBT/USD", r#"symbol: "XBT/USD" was not subscribed"#),
        ],
    );
    v2().needs(FRAME, &["symbol", "side", "price", "qty", "trade_id", "timestamp"]);
    v2().refuses(&[
        ("[]", "frame: is an array, an object is expected"),
        ("{}", "channel: is missing"),
        (r#"{"channel":"trade","type":"update"}"#, "data: is missing"),
        (r#"{"channel":"trade","data":{}}"#, "data: is an object, an array is expected"),
        (r#"{"channel":"trade","data":[7]}"#, "data: is 7, an object is expected"),
        (r#"{"channel":7}"#, r#"channel: is 7, "trade" is expected"#),
        (r#"{"method":"unknown"}"#, "channel: is missing"),
        (r#"{"method":"subscribe","result":{"symbol":"BTC/USD"}}"#, "success: is missing"),
        (r#"{"method":"subscribe","success":"yes"}"#, r#"success: is "yes", true or false is expected"#),
    ]);
}

#[test]
fn requests() {
    let request = r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","DOGE/USD","币/USD"],"snapshot":false},"req_id":1}"#;
    v2().asks(request, ("subscribe", "unsubscribe"), r#","snapshot":false"#);
    assert_eq!(v2().url(), "wss://ws.kraken.com/v2");
    assert_eq!(Connection::<KrakenV2>::at("ws://127.0.0.1:9", &["BTC/USD"]).url(), "ws://127.0.0.1:9/v2");
    Connection::<KrakenV2>::splits(|number| format!("C{number}/USD"), 101, &[50, 50, 1]);
}

#[test]
fn symbols_in_wrong_forms() {
    refuses_symbols::<KrakenV2>(&[
        ("BTC-USD", r#"symbol "BTC-USD" is not in Kraken's form: write "BTC/USD""#),
        ("BTCUSD", r#"symbol "BTCUSD" is not in Kraken's form: write "BTC/USD""#),
        ("btc/usd", r#"symbol "btc/usd" is not in Kraken's form: write "BTC/USD""#),
        ("BTC/USD/X", r#"symbol "BTC/USD/X" is not in Kraken's form: write base and quote, such as "BTC/USD""#),
    ]);
}
