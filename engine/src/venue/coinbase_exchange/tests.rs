//! Trades are from a recording of April 2021, where the maker's side was told by `ticker`s of the same trades; answers
//! are made up in the recording's shapes.

use super::*;
use crate::venue::About;
use crate::venue::testing::{Connection, refuses_symbols};

const FRAME: &str = r#"{"type":"match","trade_id":280232,"maker_order_id":"ddfa1ca7-b7bb-412a-900b-9ce9278af455","taker_order_id":"305c4e4e-d18d-41f4-8a72-22273538671f","side":"sell","size":"985","price":"0.00001305","product_id":"SKL-BTC","sequence":177100030,"time":"2021-04-17T16:43:37.089723Z"}"#;
const LAST: &str = r#"{"type":"last_match","trade_id":881613,"maker_order_id":"27fff20b-af29-4f45-8744-56dd1ef57dc0","taker_order_id":"1da6ce16-c8da-4732-9f71-6049f4c6aaf8","side":"buy","size":"0.04","price":"14.7775","product_id":"BAND-GBP","sequence":333938798,"time":"2021-04-17T16:43:30.244075Z"}"#;

fn exchange() -> Connection<CoinbaseExchange> {
    Connection::of(&["SKL-BTC", "BAND-GBP"])
}

#[test]
fn trades() {
    exchange().has_trades(&[
        // The maker sold, so the taker bought.
        (
            FRAME,
            &["SKL-BTC (SKL/BTC) 280232 BUY 985 @ 0.00001305 at 1618677817089723000 ns, number 280232, maker sold"],
        ),
        (
            LAST,
            &["BAND-GBP (BAND/GBP) 881613 SELL 0.04 @ 14.7775 at 1618677810244075000 ns, number 881613, maker bought"],
        ),
    ]);
}

#[test]
fn answers() {
    let refused = |words| Control::Refused { about: About::Unknown, code: "", words };
    exchange().has_controls(&[
        (
            r#"{"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["SKL-BTC"]},{"name":"matches","product_ids":["BAND-GBP","SKL-BTC","NU-GBP"]}]}"#,
            Control::Standing(&[1, 0]),
        ),
        // What stands yet is no match.
        (
            r#"{"type":"subscriptions","channels":[{"name":"level2","product_ids":["SKL-BTC"]}]}"#,
            Control::Standing(&[]),
        ),
        (r#"{"type":"subscriptions","channels":[]}"#, Control::Standing(&[])),
        (
            r#"{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"SKL-BTC","time":"2014-11-07T08:19:28.464459Z"}"#,
            Control::Heartbeat,
        ),
        (
            r#"{"type":"error","message":"Failed to subscribe","reason":"NO-USD is not a valid product"}"#,
            refused("Failed to subscribe: NO-USD is not a valid product"),
        ),
        (r#"{"type":"error","message":"error message"}"#, refused("error message")),
    ]);
}

#[test]
fn what_is_wrong_is_named() {
    const ID: &str = "a number from 0 to 18446744073709551615 is expected";
    exchange().refuses_changed(
        FRAME,
        &[
            (r#""match""#, r#""ticker""#, r#"type: is "ticker", "match" is expected"#),
            (r#""match""#, "7", "type: is 7, text is expected"),
            ("0.00001305", "0.0", "price: is 0.0, no trade has a price of zero"),
            (r#""0.00001305""#, "0.00001305", "price: is 0.00001305, text is expected"),
            ("985", "NaN", r#"size: "NaN" is not an unsigned decimal number (byte 0)"#),
            ("280232", r#""280232""#, &format!(r#"trade_id: is "280232", {ID}"#)),
            (
                "280232",
                "9223372036854775808",
                "trade_id: is 9223372036854775808, the largest sequence is 9223372036854775807",
            ),
            (r#""sell""#, r#""SELL""#, r#"side: is "SELL", "buy" or "sell" is expected"#),
            ("SKL-BTC", "SKL-USD", r#"product_id: "SKL-USD" was not subscribed"#),
            ("2021-", "9999-", "time: is 9999-04-17T16:43:37.089723Z, which is no time between 1970 and 2262"),
            (
                "2021-",
                "50000-",
                r#"time: is "50000-04-17T16:43:37.089723Z", a time such as 2024-08-12T19:38:30.575191Z is expected"#,
            ),
        ],
    );
    exchange().needs(FRAME, &["type", "trade_id", "side", "size", "price", "product_id", "time"]);
    exchange().refuses(&[
        ("[]", "frame: is an array, an object is expected"),
        ("{}", "type: is missing"),
        (r#"{"type":"subscriptions"}"#, "channels: is missing"),
        (r#"{"type":"subscriptions","channels":["matches"]}"#, r#"channels: is "matches", an object is expected"#),
    ]);
}

#[test]
fn requests() {
    let request = r#"{"type":"subscribe","product_ids":["SKL-BTC","BAND-GBP"],"channels":["matches","heartbeat"]}"#;
    exchange().asks(request, (r#""subscribe""#, r#""unsubscribe""#), "");
    assert_eq!(exchange().url(), "wss://ws-feed.exchange.coinbase.com/");
    Connection::<CoinbaseExchange>::splits(|number| format!("C{number}-USD"), 100, &[100]);
}

#[test]
fn symbols_in_wrong_forms() {
    refuses_symbols::<CoinbaseExchange>(&[
        ("BTC/USD", r#"symbol "BTC/USD" is not in Coinbase's form: write "BTC-USD""#),
        ("BTCUSD", r#"symbol "BTCUSD" is not in Coinbase's form: write "BTC-USD""#),
        ("btc-usd", r#"symbol "btc-usd" is not in Coinbase's form: write "BTC-USD""#),
    ]);
}
