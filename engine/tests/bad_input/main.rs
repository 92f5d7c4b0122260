//! What comes of bad input on the wire: dead letters, close codes, new connections; and that all of it is counted.
#![allow(clippy::unwrap_used, reason = "the lint spares tests, not their helpers")]

mod exchange;
mod world;

use k2_feed::accounting::Accounting;
use k2_feed::record::Kind;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};

use exchange::{data, trade, wire};
use world::{World, log};

#[test]
fn what_cannot_be_decoded_is_a_dead_letter_and_stops_nothing() {
    let world = World::start();
    let mut peer = world.exchange.subscribed();
    let good = trade(1);
    let bad: [(&[u8], &str); 7] = [
        (br#"{"e":"trade","s":"BTCUSDT""#, "frame: is not JSON: Syntax at character 17 ('\"')"),
        (b"", "frame: is not JSON: Eof at character 0"),
        (br#"["trade"]"#, "frame: is an array, an object is expected"),
        (br#"{"e":"aggTrade","s":"BTCUSDT","p":"1"}"#, r#"e: is "aggTrade", the event "trade" is expected"#),
        (good[..].strip_suffix(r#","m":false,"M":true}"#).unwrap().as_bytes(), ""),
        (br#"{"e":"trade","s":"BTCUSDT","t":2,"q":"1","T":1763720000123,"m":true}"#, "p: is missing"),
        (
            br#"{"e":"trade","s":"DOGEUSDT","t":2,"p":"1","q":"1","T":1,"m":true}"#,
            r#"s: "DOGEUSDT" was not subscribed"#,
        ),
    ];
    let binary = b"\x00\xFF{\"e\":\"trade\"}";
    peer.text(&good);
    for (frame, _) in bad {
        peer.raw(&data(Data::Text, true, frame));
    }
    peer.raw(&data(Data::Binary, true, binary));
    peer.text(&trade(2));

    let mut expected: Vec<(Vec<u8>, &str)> = bad.map(|(frame, reason)| (frame.to_vec(), reason)).to_vec();
    expected.push((binary.to_vec(), "frame: is binary, text is expected"));
    expected.sort();
    let letters = world.read(Kind::Dlq, expected.len());
    for (letter, (frame, reason)) in letters.iter().zip(&expected) {
        assert_eq!(letter.value, *frame, "verbatim");
        let header = |name: &str| letter.headers[name].as_str();
        assert_eq!((header("exchange"), header("connection")), ("binance", "binance-0.1"));
        assert!(header("received_ns").parse::<i64>().unwrap() > 1_700_000_000_000_000_000);
        match *reason {
            "" => assert!(header("reason").starts_with("frame: is not JSON: "), "{letter:?}"),
            reason => assert_eq!(header("reason"), reason),
        }
    }

    let raw = world.read(Kind::Raw, 2);
    assert_eq!(raw.iter().map(|record| &record.value[..]).collect::<Vec<_>>(), [good.as_bytes(), trade(2).as_bytes()]);
    assert!(raw.iter().all(|record| record.key == b"BTCUSDT"));
    assert_eq!(world.read(Kind::Normalized, 2).len(), 2);
    peer.expect_pong(b"still there");

    let accounting = world.finish(peer);
    let frames = accounting.feed.frames;
    assert_eq!((frames.received, frames.decoded, frames.control, frames.rejected), (11, 2, 1, 8));
    assert_eq!(acked(&accounting), [2, 2, 8]);
    assert_eq!((accounting.feed.gaps, accounting.feed.reconnects), (0, 0));
}

#[test]
fn text_that_is_not_utf8_is_a_dead_letter_and_closes_with_1007() {
    let world = World::start();
    // In a string of good JSON, alone, cut at a character's middle, and where the JSON is broken, too.
    let bad: [&[u8]; 4] = [br#"{"e":"tr_de","s":"BTCUSDT"}"#, b"_", b"{\"s\":\"\xE2\x82", b"{\"s\":\"_"];
    let bad = bad.map(|frame| frame.iter().map(|byte| if *byte == b'_' { 0xFF } else { *byte }).collect::<Vec<u8>>());
    for (id, frame) in bad.iter().enumerate() {
        let mut peer = world.exchange.subscribed();
        peer.raw(&[data(Data::Text, true, trade(id as u64).as_bytes()), data(Data::Text, true, frame)].concat());
        assert_eq!(peer.expect_close(), 1007);
    }
    let peer = world.exchange.subscribed();
    let mut expected = bad.to_vec();
    expected.sort();
    let letters = world.read(Kind::Dlq, bad.len());
    assert_eq!(letters.iter().map(|letter| &letter.value).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    assert!(letters.iter().all(|letter| letter.headers["reason"] == "frame: is not UTF-8"), "{letters:?}");
    let connections: Vec<_> = letters.iter().map(|letter| letter.headers["connection"].clone()).collect();
    assert!((1..=4).all(|attempt| connections.contains(&format!("binance-0.{attempt}"))), "{connections:?}");

    let accounting = world.finish(peer);
    assert_eq!((accounting.feed.frames.rejected, accounting.feed.reconnects), (4, 4));
    assert_eq!(acked(&accounting), [4, 4, 4]);
}

#[test]
fn what_the_protocol_forbids_closes_with_its_code_and_a_new_connection_is_made() {
    let world = World::start();
    let too_long = (world.max_frame_bytes() as u64 + 1).to_be_bytes();
    let mut masked = Frame::message(b"{}".to_vec(), OpCode::Data(Data::Text), true);
    masked.header_mut().mask = Some([1, 2, 3, 4]);
    let violations = [
        // The announced length is enough: nothing of the payload is waited for.
        ([&[0x81, 127][..], &too_long].concat(), 1009),
        ([&[0x82, 127][..], &u64::MAX.to_be_bytes()].concat(), 1009),
        ([data(Data::Text, false, b"{"), [&[0x80, 127][..], &too_long].concat()].concat(), 1009),
        (wire(masked), 1002),
        (vec![0xC1, 0], 1002),
        (vec![0x83, 0], 1002),
        (vec![0x09, 0], 1002),
        (data(Data::Continue, true, b"of what"), 1002),
        (vec![0x88, 2, 0x03, 0xED], 1002),
    ];
    for (id, (bytes, code)) in violations.iter().enumerate() {
        let mut peer = world.exchange.subscribed();
        peer.text(&trade(id as u64));
        peer.raw(bytes);
        assert_eq!(peer.expect_close(), *code, "{bytes:02X?}");
    }
    let peer = world.exchange.subscribed();
    let count = violations.len();
    assert_eq!(world.read(Kind::Normalized, count).len(), count, "what came before is kept");
    let accounting = world.finish(peer);
    assert_eq!((accounting.feed.trades, accounting.feed.reconnects), (count as u64, count as u64));
    assert_eq!((accounting.feed.frames.rejected, accounting.records(Kind::Dlq).acked), (0, 0));
}

#[test]
fn fragments_become_one_frame_and_pings_are_answered_between_them() {
    let world = World::start();
    let mut peer = world.exchange.subscribed();
    let text = trade(1);
    let (front, back) = text.as_bytes().split_at(40);
    peer.raw(&data(Data::Text, false, front));
    peer.expect_pong(b"between");
    peer.raw(&data(Data::Continue, false, b""));
    peer.expect_pong(&[0xFF; 125]);
    peer.raw(&data(Data::Continue, true, back));
    // Byte by byte, each a segment of its own as far as the kernel lets them.
    for byte in data(Data::Text, true, trade(2).as_bytes()) {
        peer.raw(&[byte]);
    }
    peer.expect_pong(b"");

    let raw = world.read(Kind::Raw, 2);
    assert_eq!(raw.iter().map(|record| &record.value[..]).collect::<Vec<_>>(), [text.as_bytes(), trade(2).as_bytes()]);
    let accounting = world.finish(peer);
    assert_eq!((accounting.feed.trades, accounting.feed.frames.rejected), (2, 0));
}

#[test]
fn an_exchange_that_goes_is_connected_to_again() {
    let world = World::start();
    // With a code, which is said back; without one; with its notice; and without a word.
    let mut peer = world.exchange.subscribed();
    let close = CloseFrame { code: 1012.into(), reason: "restart".into() };
    peer.raw(&[data(Data::Text, true, trade(1).as_bytes()), wire(Frame::close(Some(close)))].concat());
    assert_eq!(peer.expect_close(), 1012);
    log().expect(&["binance-0.1", "the exchange closed it with code 1012", "restart"]);

    let mut peer = world.exchange.subscribed();
    peer.raw(&[data(Data::Text, true, trade(2).as_bytes()), wire(Frame::close(None))].concat());
    assert_eq!(peer.expect_close(), 1000);

    let mut peer = world.exchange.subscribed();
    peer.text(&trade(3));
    peer.text(r#"{"e":"serverShutdown","E":1770123456789}"#);
    // Another takes its place before it is left: nothing has been shown since, so a quiet second is enough.
    let mut next = world.exchange.subscribed();
    assert_eq!(peer.expect_close(), 1001);
    next.text(&trade(4));
    drop(next);

    let mut peer = world.exchange.subscribed();
    peer.text(&trade(5));
    assert_eq!(world.read(Kind::Normalized, 5).len(), 5);
    let accounting = world.finish(peer);
    assert_eq!((accounting.feed.trades, accounting.feed.gaps, accounting.feed.reconnects), (5, 0, 3));
    assert_eq!((accounting.feed.sessions.replaced, accounting.feed.sessions.failed), (1, 0));
    assert_eq!(accounting.feed.frames.control, 6);
}

#[test]
fn a_subscription_that_is_refused_is_logged_and_tried_again() {
    let world = World::start();
    let mut peer = world.exchange.accept();
    let mut refuse = |streams: &[&str]| {
        let id = peer.subscription_to(streams);
        peer.text(&format!(r#"{{"error":{{"code":2,"msg":"Invalid request: no such stream"}},"id":{id}}}"#));
    };
    // Both together, then each by itself.
    refuse(&["btcusdt@trade", "ethusdt@trade"]);
    log().expect(&["WARN", "binance-0.1", "code=2", "asked for in parts", "Invalid request: no such stream"]);
    refuse(&["btcusdt@trade"]);
    log().expect(&["ERROR", "binance-0.1", "code=2", "symbols=BTCUSDT", "Invalid request: no such stream"]);
    refuse(&["ethusdt@trade"]);
    log().expect(&["ERROR", "binance-0.1", "code=2", "symbols=ETHUSDT", "Invalid request: no such stream"]);
    assert_eq!(peer.expect_close(), 1001);
    log().expect(&["binance-0.1", "all subscriptions were refused"]);

    // The form without an id means the oldest request.
    let mut peer = world.exchange.accept();
    peer.subscription();
    peer.text(r#"{"code":0,"msg":"Unknown property","id":null}"#);
    peer.subscription_to(&["btcusdt@trade"]);
    peer.text(r#"{"code":0,"msg":"Unknown property","id":null}"#);
    log().expect(&["ERROR", "binance-0.2", "code=0", "symbols=BTCUSDT", "Unknown property"]);
    let id = peer.subscription_to(&["ethusdt@trade"]);
    peer.text(&format!(r#"{{"result":null,"id":{id}}}"#));
    log().expect(&["binance-0.2", "subscribed", "symbols=1"]);
    peer.text(&trade(1).replace("BTC", "ETH"));
    assert_eq!(world.read(Kind::Normalized, 1)[0].key, b"ETHUSDT");
    let accounting = world.finish(peer);
    assert_eq!((accounting.feed.frames.control, accounting.feed.frames.rejected), (6, 0));
}

#[test]
fn a_binary_message_does_not_end_the_connection() {
    let world = World::start();
    let mut peer = world.exchange.subscribed();
    peer.raw(&data(Data::Binary, true, b""));
    peer.raw(&wire(Frame::ping(b"1".to_vec())));
    assert_eq!(peer.read(), Message::Pong(b"1".to_vec().into()));
    let letter = &world.read(Kind::Dlq, 1)[0];
    assert_eq!(
        (&letter.value[..], letter.headers["reason"].as_str()),
        (&b""[..], "frame: is binary, text is expected")
    );
    let accounting = world.finish(peer);
    assert_eq!(accounting.feed.frames.rejected, 1);
}

/// Records acknowledged, by kind.
fn acked(accounting: &Accounting) -> [u64; Kind::ALL.len()] {
    Kind::ALL.map(|kind| accounting.records(kind).acked)
}
