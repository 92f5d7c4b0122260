//! WebSocket frames as the simulated exchange writes and reads them (RFC 6455), by tungstenite.

use std::io::Cursor;

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

/// A frame on the wire.
fn bytes(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

/// A text message in one frame.
pub(crate) fn text(text: &str) -> Vec<u8> {
    bytes(Frame::message(text.as_bytes().to_vec(), OpCode::Data(Data::Text), true))
}

pub(crate) fn ping() -> Vec<u8> {
    bytes(Frame::ping(b"1".to_vec()))
}

pub(crate) fn close(code: u16) -> Vec<u8> {
    bytes(Frame::close(Some(CloseFrame { code: code.into(), reason: "drill".into() })))
}

/// What a client has said.
pub(crate) enum Said {
    Text(String),
    Close,
    Pong,
}

/// Takes the next whole frame of a client out of `bytes`.
pub(crate) fn next(bytes: &mut Vec<u8>) -> Option<Said> {
    let mut cursor = Cursor::new(&bytes[..]);
    let (header, len) = FrameHeader::parse(&mut cursor).unwrap()?;
    let (start, len) = (cursor.position() as usize, len as usize);
    if bytes.len() < start + len {
        return None;
    }
    let mask = header.mask.expect("a client masks");
    let payload: Vec<u8> = bytes[start..start + len].iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
    bytes.drain(..start + len);
    Some(match header.opcode {
        OpCode::Data(Data::Text) => Said::Text(String::from_utf8(payload).unwrap()),
        OpCode::Control(tungstenite::protocol::frame::coding::Control::Close) => Said::Close,
        OpCode::Control(tungstenite::protocol::frame::coding::Control::Pong) => Said::Pong,
        other => panic!("a client says {other:?}"),
    })
}
