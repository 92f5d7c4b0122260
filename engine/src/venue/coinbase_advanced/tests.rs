//! All frames are made up in the shapes of docs.cdp.coinbase.com and nautilus_trader's test data; the first trade is
//! from there.

use std::vec::Vec;

use super::*;
use crate::venue::About;
use crate::venue::testing::{Connection, refuses_symbols};

const FRAME: &str = r#"{"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:02.9Z","sequence_num":5,"events":[{"type":"update","trades":[{"trade_id":"995098700","product_id":"BTC-USD","price":"68900.50","size":"0.00150000","side":"BUY","time":"2026-04-07T14:30:02.789012Z"}]}]}"#;

/// The second is a product whose trades come under another name.
fn advanced() -> Connection<CoinbaseAdvanced> {
    Connection::of(&["BTC-USD", "ETH-USDC"])
}

fn trade(id: &str, product: &str, side: &str, time: &str) -> String {
    format!(
        r#"{{"trade_id":"{id}","product_id":"{product}","price":"68900.50","size":"1.0","side":"{side}","time":"{time}"}}"#
    )
}

fn update(events: &[&[String]]) -> String {
    let events: Vec<_> =
        events.iter().map(|trades| format!(r#"{{"type":"update","trades":[{}]}}"#, trades.join(","))).collect();
    format!(
        r#"{{"channel":"market_trades","client_id":"","timestamp":"","sequence_num":0,"events":[{}]}}"#,
        events.join(",")
    )
}

#[test]
fn trades() {
    let usdc = update(&[&[trade("7", "ETH-USD", "SELL", "2026-04-07T14:30:02.1Z")]]);
    advanced().has_trades(&[
        (FRAME, &["BTC-USD (BTC/USD) 995098700 BUY 0.00150000 @ 68900.50 at 1775572202789012000 ns, number 995098700"]),
        (&usdc, &["ETH-USDC (ETH/USDC) 7 SELL 1.0 @ 68900.50 at 1775572202100000000 ns, number 7"]),
        (&update(&[]), &[]),
        (&update(&[&[]]), &[]),
    ]);
}

#[test]
fn what_comes_newest_first_is_put_in_order() {
    let (first, second, third) =
        ("2026-04-07T14:30:01.123456Z", "2026-04-07T14:30:02.1Z", "2026-04-07T14:30:02.789012Z");
    let bitcoin = |id, time| trade(id, "BTC-USD", "BUY", time);
    let ether = |id, time| trade(id, "ETH-USD", "SELL", time);
    // Ids are compared as numbers: 1000 comes behind 999.
    let expected = [
        "BTC-USD (BTC/USD) 998 BUY 1.0 @ 68900.50 at 1775572201123456000 ns, number 998",
        "BTC-USD (BTC/USD) 999 BUY 1.0 @ 68900.50 at 1775572202100000000 ns, number 999",
        "BTC-USD (BTC/USD) 1000 BUY 1.0 @ 68900.50 at 1775572202789012000 ns, number 1000",
        "ETH-USDC (ETH/USDC) 6 SELL 1.0 @ 68900.50 at 1775572201123456000 ns, number 6",
        "ETH-USDC (ETH/USDC) 7 SELL 1.0 @ 68900.50 at 1775572202100000000 ns, number 7",
    ];
    let snapshot = [bitcoin("1000", third), bitcoin("999", second), bitcoin("998", first)];
    let other = [ether("7", second), ether("6", first)];
    let mixed = [&snapshot[..1], &other[..1], &snapshot[1..], &other[1..]].concat();
    advanced().has_trades(&[
        (&update(&[&snapshot]), &expected[..3]),
        (&update(&[&snapshot, &other]), &expected),
        (&update(&[&mixed]), &expected),
        (&update(&[&[snapshot[2].clone(), snapshot[1].clone()], &snapshot[..1]]), &expected[..3]),
    ]);
}

#[test]
fn a_thousand_trades_in_one_frame() {
    let around = (r#"{"channel":"market_trades","events":[{"type":"update","trades":["#, "]}]}");
    advanced().carries(1_000, around, |id| trade(&id.to_string(), "BTC-USD", "BUY", "2026-04-07T14:30:02.1Z"));
}

#[test]
fn the_ring_has_room_for_the_shortest_trades() {
    let shortest =
        r#"{"trade_id":"1","product_id":"A-B","price":"1","size":"1","side":"BUY","time":"1970-01-01T00:00:00Z"}"#;
    let around = (r#"{"channel":"market_trades","events":[{"trades":["#, "]}]}");
    Connection::<CoinbaseAdvanced>::of(&["A-B"]).has_room_for(around, shortest);
}

#[test]
fn answers() {
    let refused = |words| Control::Refused { about: About::Unknown, code: "", words };
    advanced().has_controls(&[
        (
            r#"{"channel":"subscriptions","client_id":"","timestamp":"2026-04-07T14:30:02.9Z","sequence_num":1,"events":[{"subscriptions":{"market_trades":["ETH-USDC","BTC-USD"]}}]}"#,
            Control::Standing(&[1, 0]),
        ),
        (
            r#"{"channel":"subscriptions","sequence_num":2,"events":[{"subscriptions":{"market_trades":["ETH-USD"],"heartbeats":["heartbeats"]}}]}"#,
            Control::Standing(&[1]),
        ),
        (
            r#"{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{"heartbeats":["heartbeats"]}}]}"#,
            Control::Standing(&[]),
        ),
        (
            r#"{"channel":"heartbeats","client_id":"","timestamp":"2026-04-07T14:30:02.9Z","sequence_num":3,"events":[{"current_time":"2026-04-07 14:30:02.9","heartbeat_counter":3049}]}"#,
            Control::Heartbeat,
        ),
        (r#"{"type":"error","message":"authentication failure"}"#, refused("authentication failure")),
        (
            r#"{"type":"error","message":"failure to subscribe","reason":"NO-USD is not a valid product"}"#,
            refused("failure to subscribe: NO-USD is not a valid product"),
        ),
    ]);
}

#[test]
fn what_is_wrong_is_named() {
    advanced().refuses_changed(
        FRAME,
        &[
            ("market_trades", "ticker", r#"channel: is "ticker", "market_trades" is expected"#),
            ("68900.50", "0.00", "price: is 0.00, no trade has a price of zero"),
            (r#""68900.50""#, "68900.50", "price: is 68900.50, text is expected"),
            ("0.00150000", "1,5", r#"size: "1,5" is not an unsigned decimal number (byte 1)"#),
            (r#""995098700""#, "995098700", "trade_id: is 995098700, text is expected"),
            ("995098700", "x", r#"trade_id: is "x", a whole number is expected"#),
            ("995098700", "+5", r#"trade_id: is "+5", a whole number is expected"#),
            (
                "995098700",
                "9223372036854775808",
                "trade_id: is 9223372036854775808, the largest sequence is 9223372036854775807",
            ),
            (r#""BUY""#, r#""buy""#, r#"side: is "buy", "BUY" or "SELL" is expected"#),
            (r#""BUY""#, r#""UNKNOWN_ORDER_SIDE""#, r#"side: is "UNKNOWN_ORDER_SIDE", "BUY" or "SELL" is expected"#),
            ("BTC-USD", "SOL-USD", r#"product_id: "SOL-USD" was not subscribed"#),
            ("BTC-USD", "ETH-USDC", r#"product_id: "ETH-USDC" was not subscribed"#),
            (
                "2026-04-07T14:30:02.789012Z",
                "9999-04-07T14:30:02Z",
                "time: is 9999-04-07T14:30:02Z, which is no time between 1970 and 2262",
            ),
        ],
    );
    advanced().needs(FRAME, &["channel", "trade_id", "product_id", "price", "size", "side", "time"]);
    advanced().refuses(&[
        ("[]", "frame: is an array, an object is expected"),
        ("{}", "channel: is missing"),
        (r#"{"channel":"market_trades"}"#, "events: is missing"),
        (r#"{"channel":"market_trades","events":{}}"#, "events: is an object, an array is expected"),
        (r#"{"channel":"market_trades","events":[7]}"#, "events: is 7, an object is expected"),
        (r#"{"channel":"market_trades","events":[{"type":"update"}]}"#, "trades: is missing"),
        (r#"{"channel":"market_trades","events":[{"trades":[7]}]}"#, "trades: is 7, an object is expected"),
        (r#"{"channel":"subscriptions","events":[{}]}"#, "subscriptions: is missing"),
    ]);
}

#[test]
fn requests() {
    let request = r#"{"type":"subscribe","channel":"market_trades","product_ids":["BTC-USD","ETH-USDC"]}"#;
    advanced().asks(request, ("subscribe", "unsubscribe"), "");
    assert_eq!(CoinbaseAdvanced::FACTS.opening, Some(r#"{"type":"subscribe","channel":"heartbeats"}"#));
    assert_eq!(advanced().url(), "wss://advanced-trade-ws.coinbase.com/");
    // The last asks for heartbeats.
    Connection::<CoinbaseAdvanced>::splits(|number| format!("C{number}-USD"), 51, &[50, 1]);
}

#[test]
fn symbols_in_wrong_forms() {
    refuses_symbols::<CoinbaseAdvanced>(&[
        ("BTC/USD", r#"symbol "BTC/USD" is not in Coinbase's form: write "BTC-USD""#),
        ("BTCUSD", r#"symbol "BTCUSD" is not in Coinbase's form: write "BTC-USD""#),
        ("btc-usdc", r#"symbol "btc-usdc" is not in Coinbase's form: write "BTC-USDC""#),
    ]);
}
