//! The first trade is from a recording of August 2024, the others and all answers are made up in the documents' shapes.

use super::*;
use crate::venue::About;
use crate::venue::testing::{Connection, refuses_symbols};

const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#;
const AGGREGATE: &str = r#"{"e":"aggTrade","E":1626992741450,"s":"ETHUSDT","a":16599292,"p":"1.01100","q":"10","f":23961322,"l":23961324,"T":1626992741421,"m":true}"#;

fn usdm() -> Connection<BinanceUsdm> {
    Connection::of(&["BTCUSDT", "ETHUSDT"])
}

#[test]
fn trades() {
    let bought =
        "BTCUSDT (BTC/USDT) 5266583935 BUY 0.006 @ 61800.30 at 1723161256322000000 ns, number 5266583935, maker sold";
    let at_top_level = TRADE.replace(r#"{"stream":"btcusdt@trade","data":"#, "").replace("}}", "}");
    usdm().has_trades(&[
        (TRADE, &[bought]),
        (&at_top_level, &[bought]),
        (&TRADE.replace(r#""X":"MARKET","#, ""), &[bought]),
        (
            &TRADE.replace(r#""m":false"#, r#""m":true"#),
            &["BTCUSDT (BTC/USDT) 5266583935 SELL 0.006 @ 61800.30 at 1723161256322000000 ns, number 5266583935, maker bought"],
        ),
        (
            AGGREGATE,
            &["ETHUSDT (ETH/USDT) 16599292 SELL 10 @ 1.01100 at 1626992741421000000 ns, number 16599292, maker bought"],
        ),
    ]);
}

#[test]
fn trades_outside_the_market_only_use_up_their_number() {
    for kind in [r#""INSURANCE_FUND""#, r#""ADL""#, r#""NA""#, "null", "7"] {
        let frame = TRADE.replace(r#""MARKET""#, kind).replace("61800.30", "0");
        let number = Some(5_266_583_935);
        usdm().decode(&frame, |read| assert_eq!(read, Ok(Frame::NoTrade { instrument: 0, number }), "{frame}"));
    }
    let other = TRADE.replace("MARKET", "NA");
    usdm().refuses(&[
        (&other.replace(r#""t":5266583935,"#, ""), "t: is missing"),
        (
            &other.replace("5266583935", "9223372036854775808"),
            "t: is 9223372036854775808, the largest sequence is 9223372036854775807",
        ),
        (&other.replace("BTCUSDT", "XRPUSDT"), r#"s: "XRPUSDT" was not subscribed"#),
    ]);
}

#[test]
fn answers() {
    usdm().has_controls(&[
        (r#"{"result":null,"id":2}"#, Control::Acknowledged(About::Request(2))),
        (
            r#"{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":3}"#,
            Control::Refused { about: About::Request(3), code: "2", words: "Invalid request: unknown variant" },
        ),
        (
            r#"{"code":3,"msg":"Invalid JSON"}"#,
            Control::Refused { about: About::Oldest, code: "3", words: "Invalid JSON" },
        ),
        (r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#, Control::ShuttingDown),
    ]);
}

#[test]
fn what_is_wrong_is_named() {
    usdm().refuses_changed(
        TRADE,
        &[
            (r#""e":"trade""#, r#""e":"bookTicker""#, r#"e: is "bookTicker", the event "trade" is expected"#),
            ("61800.30", "0.00", "p: is 0.00, no trade has a price of zero"),
            (r#""61800.30""#, "61800.30", "p: is 61800.30, text is expected"),
            ("0.006", "-1", r#"q: "-1" is not an unsigned decimal number (byte 0)"#),
            (
                r#""T":1723161256322"#,
                r#""T":1515707424000000"#,
                "T: is 1515707424000000, which is no time between 1970 and 2262",
            ),
            (r#""m":false"#, r#""m":"no""#, r#"m: is "no", true or false is expected"#),
            (r#""t":5266583935"#, r#""t":"5""#, r#"t: is "5", a number from 0 to 18446744073709551615 is expected"#),
            ("BTCUSDT", "XRPUSDT", r#"s: "XRPUSDT" was not subscribed"#),
        ],
    );
    usdm().needs(TRADE, &["e", "s", "t", "p", "q", "T", "m"]);
    usdm().needs(AGGREGATE, &["e", "s", "a", "p", "q", "T", "m"]);
    usdm().refuses(&[
        ("[]", "frame: is an array, an object is expected"),
        (r#"{"stream":"btcusdt@trade","data":[]}"#, "data: is an array, an object is expected"),
        ("{}", "e: is missing"),
    ]);
}

#[test]
fn requests() {
    let both = ["BTCUSDT", "ETHUSDT"];
    for (url, address, request) in [
        (
            BinanceUsdm::FACTS.url,
            "wss://fstream.binance.com/public/stream",
            r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}"#,
        ),
        (
            "wss://fstream.binance.com/market/stream",
            "wss://fstream.binance.com/market/stream",
            r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","ethusdt@aggTrade"],"id":1}"#,
        ),
        (
            "ws://127.0.0.1:9",
            "ws://127.0.0.1:9/public/ws",
            r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}"#,
        ),
    ] {
        let connection = Connection::<BinanceUsdm>::at(url, &both);
        assert_eq!(connection.url(), address);
        connection.asks(request, ("SUBSCRIBE", "UNSUBSCRIBE"), "");
    }
    let by_address = Connection::<BinanceUsdm>::at("wss://fstream.binance.com/public/stream?streams=", &both);
    let address = "wss://fstream.binance.com/public/stream?streams=btcusdt@trade/ethusdt@trade";
    assert_eq!((by_address.url(), by_address.requests()), (address, Vec::new()));
    Connection::<BinanceUsdm>::splits(|number| format!("C{number}USDT"), 401, &[200, 200, 1]);
}

#[test]
fn symbols_in_wrong_forms() {
    refuses_symbols::<BinanceUsdm>(&[
        ("BTC-USDT", r#"symbol "BTC-USDT" is not in Binance's form: write "BTCUSDT""#),
        ("btcusdt", r#"symbol "btcusdt" is not in Binance's form: write "BTCUSDT""#),
        (
            "BTCXYZ",
            r#"symbol "BTCXYZ" ends in no quote asset that is known: say what it is by canonical = { "BTCXYZ" = "BASE/QUOTE" }"#,
        ),
    ]);
}
