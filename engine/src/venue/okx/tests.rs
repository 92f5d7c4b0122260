//! Trades of derivatives and acknowledgements are from a recording of May 2022, the others are made up in the documents'
//! shapes (okx.com/docs-v5).

use super::*;
use crate::venue::testing::{Connection, refuses_symbols};

const FRAME: &str = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"674510826","px":"95634.9","sz":"0.00011186","side":"buy","ts":"1740394561685","count":"1"}]}"#;

fn okx() -> Connection<Okx> {
    Connection::of(&["BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"])
}

#[test]
fn trades() {
    let several = r#"{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[
        {"instId":"BTC-USDT","tradeId":"7","px":"30236","sz":"0.0002","side":"buy","ts":"1652459224818","source":"0","seqId":1},
        {"instId":"BTC-USDT","tradeId":"9","px":"30236.10","sz":"1","side":"sell","ts":"1652459224819","source":"0","seqId":2}]}"#;
    okx().has_trades(&[
        (FRAME, &["BTC-USDT (BTC/USDT) 674510826 BUY 0.00011186 @ 95634.9 at 1740394561685000000 ns, number 674510826"]),
        (
            r#"{"arg":{"channel":"trades","instId":"UNI-USD-SWAP"},"data":[{"instId":"UNI-USD-SWAP","tradeId":"12883020","px":"5.123","sz":"100","side":"sell","ts":"1652459215150"}]}"#,
            &["UNI-USD-SWAP (UNI/USD) 12883020 SELL 100 @ 5.123 at 1652459215150000000 ns, number 12883020"],
        ),
        (
            r#"{"arg":{"channel":"trades","instId":"BTC-USD-220527"},"data":[{"instId":"BTC-USD-220527","tradeId":"7849","px":"30218.8","sz":"1","side":"buy","ts":"1652459199958"}]}"#,
            &["BTC-USD-220527 (BTC/USD) 7849 BUY 1 @ 30218.8 at 1652459199958000000 ns, number 7849"],
        ),
        (
            several,
            &[
                "BTC-USDT (BTC/USDT) 7 BUY 0.0002 @ 30236 at 1652459224818000000 ns, number 7",
                "BTC-USDT (BTC/USDT) 9 SELL 1 @ 30236.10 at 1652459224819000000 ns, number 9",
            ],
        ),
        (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}"#, &[]),
    ]);
}

#[test]
fn a_thousand_trades_in_one_frame() {
    okx().carries(1_000, (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":["#, "]}"), |id| {
        format!(r#"{{"instId":"BTC-USDT","tradeId":"{id}","px":"95634.9","sz":"1","side":"buy","ts":"1740394561685","count":"1"}}"#)
    });
}

#[test]
fn the_ring_has_room_for_the_shortest_trades() {
    let shortest = r#"{"instId":"A-B","tradeId":"1","px":"1","sz":"1","side":"buy","ts":"0"}"#;
    Connection::<Okx>::of(&["A-B"]).has_room_for((r#"{"arg":{"channel":"trades"},"data":["#, "]}"), shortest);
}

#[test]
fn answers() {
    let refused = |about, code, words| Control::Refused { about, code, words };
    okx().decode("pong", |frame| assert_eq!(frame, Ok(Frame::Control(Control::Heartbeat))));
    okx().has_controls(&[
        (
            r#"{"event":"subscribe","arg":{"channel":"trades","instId":"UNI-USD-SWAP"}}"#,
            Control::Acknowledged(About::Instruments(&[1])),
        ),
        (
            r#"{"event":"subscribe","arg":{"channel":"trades","instId":"NO-USD"},"connId":"a4d3ae55"}"#,
            Control::Acknowledged(About::Unknown),
        ),
        (
            r#"{"event":"error","code":"60012","msg":"Invalid request: {\"op\": \"subscribe\"}","connId":"a4d3ae55"}"#,
            refused(About::Unknown, "60012", "Invalid request: {\"op\": \"subscribe\"}"),
        ),
        (
            r#"{"event":"error","arg":{"channel":"trades","instId":"BTC-USDT"},"code":"60018","msg":"no such instrument"}"#,
            refused(About::Instruments(&[0]), "60018", "no such instrument"),
        ),
        (
            r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect."}"#,
            Control::ShuttingDown,
        ),
        (r#"{"event":"notice","code":"64000","msg":"maintenance"}"#, Control::Heartbeat),
        (
            r#"{"event":"channel-conn-count","channel":"trades","connCount":"2","connId":"abcd1234"}"#,
            Control::Heartbeat,
        ),
        (r#"{"event":"unsubscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#, Control::Unsubscribed(About::Instruments(&[0]))),
    ]);
}

#[test]
fn what_is_wrong_is_named() {
    okx().refuses_changed(
        FRAME,
        &[
            (r#""trades""#, r#""tickers""#, r#"channel: is "tickers", "trades" is expected"#),
            (r#""channel":"trades","#, "", "channel: is missing"),
            (r#""arg":{"channel":"trades","instId":"BTC-USDT"},"#, "", "arg: is missing"),
            (r#"{"channel":"trades","instId":"BTC-USDT"}"#, "7", "arg: is 7, an object is expected"),
            ("95634.9", "0", "px: is 0, no trade has a price of zero"),
            (r#""95634.9""#, "95634.9", "px: is 95634.9, text is expected"),
            ("0.00011186", ".5", r#"sz: ".5" is not an unsigned decimal number (byte 0)"#),
            (r#""buy""#, r#""Buy""#, r#"side: is "Buy", "buy" or "sell" is expected"#),
            ("1740394561685", "1515707424000000", "ts: is 1515707424000000, which is no time between 1970 and 2262"),
            (r#""1740394561685""#, "1740394561685", "ts: is 1740394561685, text is expected"),
            ("1740394561685", "now", r#"ts: is "now", a number of milliseconds is expected"#),
            ("1740394561685", "+5", r#"ts: is "+5", a number of milliseconds is expected"#),
            (r#""674510826""#, "674510826", "tradeId: is 674510826, text is expected"),
            ("674510826", "-5", r#"tradeId: is "-5", a whole number is expected"#),
            ("674510826", "+5", r#"tradeId: is "+5", a whole number is expected"#),
            (
                "674510826",
                "9223372036854775808",
                "tradeId: is 9223372036854775808, the largest sequence is 9223372036854775807",
            ),
            (r#"[{"instId":"BTC-USDT""#, r#"[{"instId":"XRP-USDT""#, r#"instId: "XRP-USDT" was not subscribed"#),
        ],
    );
    okx().needs(FRAME, &["instId", "tradeId", "px", "sz", "side", "ts"]);
    okx().refuses(&[
        ("[]", "frame: is an array, an object is expected"),
        ("{}", "data: is missing"),
        (r#"{"arg":{"channel":"trades"},"data":{}}"#, "data: is an object, an array is expected"),
        (r#"{"arg":{"channel":"trades"},"data":[7]}"#, "data: is 7, an object is expected"),
        (r#"{"event":"login"}"#, r#"event: is "login", one that OKX documents is expected"#),
    ]);
    for text in ["ping", "PONG", " pong", "pong\n"] {
        okx().decode(text, |frame| assert!(frame.unwrap_err().to_string().starts_with("frame: is not JSON")));
    }
}

#[test]
fn requests() {
    let both = ["BTC-USDT", "UNI-USD-SWAP"];
    let fills = r#"{"op":"subscribe","args":[{"channel":"trades-all","instId":"BTC-USDT"},{"channel":"trades-all","instId":"UNI-USD-SWAP"}]}"#;
    let trades = fills.replace("trades-all", "trades");
    for (url, address, request) in [
        (Okx::FACTS.url, "wss://ws.okx.com:8443/ws/v5/public", &*trades),
        ("ws://127.0.0.1:9", "ws://127.0.0.1:9/ws/v5/public", &*trades),
        ("wss://ws.okx.com:8443/ws/v5/business", "wss://ws.okx.com:8443/ws/v5/business", fills),
    ] {
        let connection = Connection::<Okx>::at(url, &both);
        assert_eq!(connection.url(), address);
        connection.asks(request, ("subscribe", "unsubscribe"), "");
    }
    Connection::<Okx>::splits(|number| format!("C{number}-USDT"), 101, &[50, 50, 1]);
}

#[test]
fn symbols_in_wrong_forms() {
    refuses_symbols::<Okx>(&[
        ("BTC/USDT", r#"symbol "BTC/USDT" is not in OKX's form: write "BTC-USDT""#),
        ("BTCUSDT", r#"symbol "BTCUSDT" is not in OKX's form: write "BTC-USDT""#),
        ("btc-usdt", r#"symbol "btc-usdt" is not in OKX's form: write "BTC-USDT""#),
    ]);
}
