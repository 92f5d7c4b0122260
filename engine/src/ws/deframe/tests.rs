//! Each rule by itself. Frames are written as bytes where tungstenite would not write them.

use tungstenite::protocol::frame::{CloseFrame, Frame};

use super::*;

/// What came out, owned.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The connection is closed with this code.
    Failed(u16),
}

pub(super) const LIMIT: usize = 1000;

/// Reads as a connection does: chunk after chunk, all messages of each, up to the first violation. Text is
/// checked here as the JSON parser checks it.
pub(super) fn read(initial: usize, chunks: &[&[u8]]) -> Vec<Event> {
    let mut buffer = ReceiveBuffer::new(initial, Deframer::buffer_needed(LIMIT));
    let mut deframer = Deframer::new(LIMIT);
    let mut events = Vec::new();
    for mut chunk in chunks.iter().copied() {
        while !chunk.is_empty() {
            let room = buffer.unfilled();
            let (now, later) = chunk.split_at(chunk.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            buffer.fill(now.len());
            chunk = later;
            loop {
                let event = match deframer.next(&mut buffer) {
                    Ok(None) => break,
                    Ok(Some(message)) => event(message),
                    Err(violation) => Event::Failed(violation.close_code()),
                };
                events.push(event);
                if let Some(Event::Failed(_) | Event::Close(..)) = events.last() {
                    return events;
                }
            }
        }
    }
    events
}

fn event(message: Message<'_>) -> Event {
    match message {
        Message::Text(text) if std::str::from_utf8(text).is_err() => Event::Failed(Violation::Utf8.close_code()),
        Message::Text(text) => Event::Text(text.to_vec()),
        Message::Binary(bytes) => Event::Binary(bytes.to_vec()),
        Message::Ping(payload) => Event::Ping(payload.to_vec()),
        Message::Pong(payload) => Event::Pong(payload.to_vec()),
        Message::Close(code, reason) => Event::Close(code, reason.to_string()),
    }
}

pub(super) fn wire(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

pub(super) fn data(kind: Data, is_final: bool, payload: &[u8]) -> Vec<u8> {
    wire(Frame::message(payload.to_vec(), OpCode::Data(kind), is_final))
}

fn text(payload: &str) -> Vec<u8> {
    data(Data::Text, true, payload.as_bytes())
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    wire(Frame::close(Some(CloseFrame { code: code.into(), reason: reason.into() })))
}

/// What all of `frames`, received at once, come to.
fn at_once(frames: &[Vec<u8>]) -> Vec<Event> {
    read(64, &[&frames.concat()])
}

fn violation(bytes: &[u8]) -> Violation {
    let mut buffer = ReceiveBuffer::new(64, Deframer::buffer_needed(LIMIT));
    buffer.extend(bytes);
    Deframer::new(LIMIT).next(&mut buffer).expect_err("a violation")
}

#[test]
fn whole_messages_come_out_as_they_went_in() {
    let frames = [
        text("one"),
        text(""),
        data(Data::Binary, true, &[0xFF, 0]),
        wire(Frame::ping(b"are you there".to_vec())),
        wire(Frame::pong(b"".to_vec())),
        text(&"x".repeat(125)),
        text(&"y".repeat(126)),
        text(&"z".repeat(LIMIT)),
        close(1000, "bye"),
    ];
    let expected = [
        Event::Text(b"one".to_vec()),
        Event::Text(Vec::new()),
        Event::Binary(vec![0xFF, 0]),
        Event::Ping(b"are you there".to_vec()),
        Event::Pong(Vec::new()),
        Event::Text(vec![b'x'; 125]),
        Event::Text(vec![b'y'; 126]),
        Event::Text(vec![b'z'; LIMIT]),
        Event::Close(Some(1000), "bye".into()),
    ];
    assert_eq!(at_once(&frames), expected);
}

#[test]
fn fragments_are_put_together_with_control_frames_between_them() {
    let frames = [
        data(Data::Text, false, b"{\"e\":"),
        wire(Frame::ping(b"1".to_vec())),
        data(Data::Continue, false, b""),
        data(Data::Continue, false, b"\"tra"),
        wire(Frame::ping(vec![b'2'; 125])),
        wire(Frame::pong(b"3".to_vec())),
        data(Data::Continue, true, b"de\"}"),
        text("next"),
        data(Data::Binary, false, b"\x01"),
        data(Data::Continue, true, b"\x02"),
    ];
    let expected = [
        Event::Ping(b"1".to_vec()),
        Event::Ping(vec![b'2'; 125]),
        Event::Pong(b"3".to_vec()),
        Event::Text(b"{\"e\":\"trade\"}".to_vec()),
        Event::Text(b"next".to_vec()),
        Event::Binary(vec![1, 2]),
    ];
    assert_eq!(at_once(&frames), expected);
}

#[test]
fn a_message_may_consist_of_empty_fragments() {
    let frames = [
        data(Data::Text, false, b""),
        data(Data::Continue, false, b""),
        data(Data::Continue, true, b""),
        text("next"),
        data(Data::Text, false, b""),
        data(Data::Continue, true, b"late"),
    ];
    assert_eq!(at_once(&frames), [&b""[..], b"next", b"late"].map(|text| Event::Text(text.to_vec())));
}

#[test]
fn a_character_may_be_split_over_fragments() {
    let euro = "€".as_bytes();
    let frames = [data(Data::Text, false, &euro[..1]), data(Data::Continue, true, &euro[1..])];
    assert_eq!(at_once(&frames), [Event::Text(euro.to_vec())]);
    assert_eq!(at_once(&frames[..1]), []);
    let broken = [data(Data::Text, false, &euro[..1]), data(Data::Continue, true, &euro[..1])];
    assert_eq!(at_once(&broken), [Event::Failed(1007)]);
}

#[test]
fn fragments_out_of_order_are_refused() {
    for frames in [
        vec![data(Data::Continue, true, b"of what")],
        vec![data(Data::Continue, false, b"")],
        vec![data(Data::Text, false, b"one"), text("two")],
        vec![data(Data::Text, false, b"one"), data(Data::Binary, false, b"two")],
        vec![data(Data::Text, false, b""), data(Data::Text, false, b"")],
    ] {
        assert_eq!(at_once(&frames), [Event::Failed(1002)], "{frames:?}");
    }
    assert_eq!(violation(&data(Data::Continue, true, b"")), Violation::Continuation);
}

#[test]
fn a_masked_frame_is_refused() {
    assert_eq!(violation(&[0x81, 0x83, 1, 2, 3, 4, 0, 0, 0]), Violation::Masked);
    // The ping's header tells, whatever else is missing.
    assert_eq!(violation(&[0x89, 0x80]), Violation::Masked);
}

#[test]
fn reserved_bits_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        for opcode in [0x0, 0x1, 0x2, 0x8, 0x9, 0xA] {
            assert_eq!(violation(&[0x80 | bit | opcode, 0]), Violation::ReservedBit, "{bit:x} {opcode:x}");
        }
    }
}

#[test]
fn undefined_opcodes_are_refused_by_number() {
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        assert_eq!(violation(&[0x80 | opcode, 0]), Violation::Opcode(opcode));
        assert_eq!(Violation::Opcode(opcode).to_string(), format!("a frame has the undefined opcode {opcode}"));
    }
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [0x8, 0x9, 0xA] {
        assert_eq!(violation(&[opcode, 0]), Violation::ControlFrame, "fragmented {opcode:x}");
        assert_eq!(violation(&[0x80 | opcode, 126, 0, 126]), Violation::ControlFrame, "long {opcode:x}");
        assert_eq!(violation(&[0x80 | opcode, 127, 0, 0, 0, 1, 0, 0, 0, 0]), Violation::ControlFrame);
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused_by_its_announced_length() {
    for len in [LIMIT as u64 + 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let header = [&[0x82, 127][..], &len.to_be_bytes()].concat();
        assert_eq!(violation(&header), Violation::TooLong { len, limit: LIMIT });
    }
    let short = [0x81, 126, 0x03, 0xE9];
    assert_eq!(violation(&short), Violation::TooLong { len: 1001, limit: LIMIT });
    assert_eq!(violation(&short).to_string(), "a message of 1001 bytes is longer than max_frame_bytes = 1000");
}

#[test]
fn fragments_are_bounded_together() {
    let frames = [data(Data::Text, false, &[b'x'; 600]), data(Data::Continue, true, &[b'x'; 400])];
    assert_eq!(at_once(&frames), [Event::Text(vec![b'x'; LIMIT])]);
    let frames = [data(Data::Text, false, &[b'x'; 600]), data(Data::Continue, true, &[b'x'; 401])];
    assert_eq!(at_once(&frames), [Event::Failed(1009)]);
    // The largest that must fit: all of a message, and a control frame before its last, empty fragment.
    let frames =
        [data(Data::Text, false, &[b'x'; LIMIT]), wire(Frame::ping(vec![b'p'; 125])), data(Data::Continue, true, b"")];
    assert_eq!(at_once(&frames), [Event::Ping(vec![b'p'; 125]), Event::Text(vec![b'x'; LIMIT])]);
    let announced = [data(Data::Text, false, b"abc"), [&[0x00, 127][..], &u64::MAX.to_be_bytes()].concat()];
    assert_eq!(at_once(&announced), [Event::Failed(1009)]);
}

#[test]
fn close_codes_are_those_for_the_wire() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999] {
        assert_eq!(at_once(&[close(code, "why")]), [Event::Close(Some(code), "why".into())]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(violation(&close(code, "why")), Violation::CloseCode, "{code}");
    }
    assert_eq!(at_once(&[wire(Frame::close(None))]), [Event::Close(None, String::new())]);
    assert_eq!(violation(&[0x88, 1, 3]), Violation::CloseCode);
    assert_eq!(violation(&[0x88, 3, 3, 0xE8, 0xFF]), Violation::Utf8);
}

#[test]
fn violations_say_what_and_have_their_close_code() {
    assert_eq!(Violation::Utf8.close_code(), 1007);
    assert_eq!(Violation::TooLong { len: 2, limit: 1 }.close_code(), 1009);
    for other in [
        Violation::Masked,
        Violation::ReservedBit,
        Violation::Opcode(3),
        Violation::ControlFrame,
        Violation::Continuation,
        Violation::CloseCode,
    ] {
        assert_eq!(other.close_code(), 1002, "{other}");
    }
}

/// Takes every message twice.
fn read_twice(bytes: &[u8], chunk: usize) -> Vec<Event> {
    let mut buffer = ReceiveBuffer::new(16, Deframer::buffer_needed(LIMIT));
    let mut deframer = Deframer::new(LIMIT);
    let mut events = Vec::new();
    for chunk in bytes.chunks(chunk) {
        buffer.extend(chunk);
        while let Some(message) = deframer.next(&mut buffer).unwrap() {
            let first = event(message);
            if matches!(first, Event::Text(_) | Event::Binary(_)) {
                deframer.put_back();
                // Room for more bytes may be made meanwhile, which moves all that is there.
                assert!(!buffer.unfilled().is_empty());
                let again = deframer.next(&mut buffer).unwrap().map(event);
                assert_eq!(again.as_ref(), Some(&first));
            }
            events.push(first);
        }
    }
    events
}

#[test]
fn what_is_put_back_comes_again_and_only_once() {
    let frames = [
        text("first"),
        data(Data::Text, false, b"frag"),
        wire(Frame::ping(b"p".to_vec())),
        data(Data::Continue, true, b"ments"),
        data(Data::Text, false, b""),
        data(Data::Continue, true, b""),
        data(Data::Binary, true, b"\x00"),
        text("last"),
    ]
    .concat();
    let expected = read(64, &[&frames]);
    assert_eq!(expected.len(), 6);
    for chunk in 1..=frames.len() {
        assert_eq!(read_twice(&frames, chunk), expected, "chunks of {chunk}");
    }
}

#[test]
fn a_message_may_be_changed_where_it_lies() {
    let mut buffer = ReceiveBuffer::new(64, 64);
    buffer.extend(&[text("abc"), text("def")].concat());
    let mut deframer = Deframer::new(32);
    let Some(Message::Text(payload)) = deframer.next(&mut buffer).unwrap() else { panic!("text") };
    payload.fill(0xFF);
    assert_eq!(deframer.next(&mut buffer).unwrap().map(event), Some(Event::Text(b"def".to_vec())));
    assert_eq!(deframer.next(&mut buffer), Ok(None));
    assert_eq!(buffer.filled(), b"");
}
