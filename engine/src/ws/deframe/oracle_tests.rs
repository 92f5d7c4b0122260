//! Against tungstenite's own reader: any sequence of frames, cut anywhere, comes to the same messages and ends
//! with the same close code.

use std::io::{self, Read, Write};

use proptest::prelude::*;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

use super::tests::{Event, LIMIT, data, read, wire};
use super::*;

/// The bytes of a server; what the client answers is not looked at.
struct Replay<'a>(&'a [u8]);

impl Read for Replay<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Replay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite makes of `bytes`, up to its first error or the close.
fn oracle(bytes: &[u8]) -> Vec<Event> {
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Replay(bytes), Role::Client, Some(config));
    let mut events = Vec::new();
    loop {
        let event = match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Event::Text(text.as_bytes().to_vec()),
            Ok(tungstenite::Message::Binary(bytes)) => Event::Binary(bytes.to_vec()),
            Ok(tungstenite::Message::Ping(payload)) => Event::Ping(payload.to_vec()),
            Ok(tungstenite::Message::Pong(payload)) => Event::Pong(payload.to_vec()),
            // Its words for a code that is not allowed; it answers with 1002.
            Ok(tungstenite::Message::Close(Some(close))) if close.reason == "Protocol violation" => Event::Failed(1002),
            Ok(tungstenite::Message::Close(close)) => {
                let (code, reason) = close.map_or((None, String::new()), |close| {
                    (Some(close.code.into()), close.reason.as_str().to_string())
                });
                Event::Close(code, reason)
            }
            Ok(other) => panic!("{other:?}"),
            Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => return events,
            Err(Error::Protocol(_)) => Event::Failed(1002),
            Err(Error::Capacity(_)) => Event::Failed(1009),
            Err(Error::Utf8(_)) => Event::Failed(1007),
            Err(other) => panic!("{other:?}"),
        };
        events.push(event);
        if let Some(Event::Failed(_) | Event::Close(..)) = events.last() {
            return events;
        }
    }
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), prop::collection::vec(any::<u8>(), 0..126)).prop_map(|(ping, payload)| match ping {
        true => wire(Frame::ping(payload)),
        false => wire(Frame::pong(payload)),
    })
}

fn payload() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,40}",
        4 => "\\PC{0,60}",
        1 => "[a-z]{120,130}",
        1 => "[a-z]{300,450}",
    ]
}

/// A message in one frame or in fragments, cut at any byte, with control frames between them.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(control())), 0..4);
    (any::<bool>(), payload(), cuts).prop_map(|(is_text, payload, cuts)| {
        let payload = payload.as_bytes();
        let mut ends: Vec<_> = cuts.into_iter().map(|(at, between)| (at.index(payload.len() + 1), between)).collect();
        ends.sort_by_key(|(end, _)| *end);
        let mut kind = if is_text { Data::Text } else { Data::Binary };
        let (mut bytes, mut start) = (Vec::new(), 0);
        for (end, between) in ends {
            bytes.extend(data(kind, false, &payload[start..end]));
            bytes.extend(between.into_iter().flatten());
            (kind, start) = (Data::Continue, end);
        }
        bytes.extend(data(kind, true, &payload[start..]));
        bytes
    })
}

/// What must not come, as whole frames: tungstenite looks at some of it only then.
fn violation() -> impl Strategy<Value = Vec<u8>> {
    let header = |first: u8, payload: &[u8]| [&[first, payload.len() as u8], payload].concat();
    let bits = (0x10u8..=0x70, 0usize..6, 0usize..100).prop_map(move |(bits, opcode, len)| {
        header(0x80 | (bits & 0x70) | [0x0, 0x1, 0x2, 0x8, 0x9, 0xA][opcode], &vec![b'r'; len])
    });
    let opcode = prop::sample::select(vec![3u8, 4, 5, 6, 7, 11, 12, 13, 14, 15])
        .prop_map(move |opcode| header(0x80 | opcode, b"undefined"));
    let masked = (payload(), any::<[u8; 4]>()).prop_map(|(payload, mask)| {
        let mut frame = Frame::message(payload.into_bytes(), OpCode::Data(Data::Text), true);
        frame.header_mut().mask = Some(mask);
        wire(frame)
    });
    let fragmented_control = prop::sample::select(vec![8u8, 9, 10]).prop_map(move |opcode| header(opcode, b""));
    let long_control = prop::sample::select(vec![8u8, 9, 10])
        .prop_map(|opcode| [vec![0x80 | opcode, 126, 0, 130], vec![b'c'; 130]].concat());
    let too_long = (LIMIT + 1..3 * LIMIT).prop_map(|len| data(Data::Text, true, &vec![b'x'; len]));
    let announced = any::<u64>().prop_map(|len| [&[0x82, 127][..], &len.max(70_000).to_be_bytes()].concat());
    let too_long_together = (LIMIT / 2 + 1..LIMIT).prop_map(|len| {
        [data(Data::Text, false, &vec![b'x'; len]), data(Data::Continue, false, &vec![b'y'; len])].concat()
    });
    let continuation = any::<bool>().prop_map(|fin| data(Data::Continue, fin, b"of what"));
    let nested = any::<bool>().prop_map(|fin| [data(Data::Text, false, b"a"), data(Data::Binary, fin, b"b")].concat());
    let not_utf8 = prop::collection::vec(any::<u8>(), 1..40).prop_map(|mut bytes| {
        bytes.push(0xFF);
        data(Data::Text, true, &bytes)
    });
    let close = (any::<u16>(), "\\PC{0,20}").prop_map(|(code, reason)| {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        [&[0x88, payload.len() as u8], &payload[..]].concat()
    });
    let known_close = (1000u16..1020).prop_map(move |code| header(0x88, &code.to_be_bytes()));
    let bad_close =
        prop::sample::select(vec![&b"\x88\x00"[..], b"\x88\x01\x03", b"\x88\x03\x03\xE8\xFF"]).prop_map(<[u8]>::to_vec);
    prop_oneof![
        prop_oneof![bits, opcode, masked, fragmented_control, long_control],
        prop_oneof![too_long, announced, too_long_together, continuation, nested, not_utf8],
        prop_oneof![close, known_close, bad_close],
    ]
}

/// `bytes` in pieces whose lengths go round `cuts`.
fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    for cut in cuts.iter().cycle() {
        let (now, later) = rest.split_at(rest.len().min(*cut));
        pieces.push(now);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn messages_and_violations_are_tungstenites(
        messages in prop::collection::vec(prop_oneof![5 => message(), 1 => control()], 0..12),
        end in prop::option::of(violation()),
        initial in 1usize..200,
        cuts in prop::collection::vec(1usize..300, 1..6),
    ) {
        let wire: Vec<u8> = messages.into_iter().flatten().chain(end.into_iter().flatten()).collect();
        let expected = oracle(&wire);
        prop_assert_eq!(&read(initial, &pieces(&wire, &cuts)), &expected);
        prop_assert_eq!(&read(initial, &[&wire]), &expected);
    }

    #[test]
    fn every_place_to_cut_gives_the_same(
        messages in prop::collection::vec(message(), 1..4),
        end in prop::option::of(violation()),
    ) {
        let wire: Vec<u8> = messages.into_iter().flatten().chain(end.into_iter().flatten()).collect();
        let expected = oracle(&wire);
        for at in (0..wire.len()).take(400) {
            let (front, back) = wire.split_at(at);
            prop_assert_eq!(&read(32, &[front, back]), &expected, "cut at {}", at);
        }
    }
}
