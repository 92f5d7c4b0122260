//! The frames that a client sends: requests, answers to pings, and the close.

use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};

/// A text message, masked as RFC 6455 asks of a client.
pub fn text(text: &str) -> Vec<u8> {
    masked(Frame::message(text.as_bytes().to_vec(), OpCode::Data(Data::Text), true))
}

/// A binary message, masked.
pub fn binary(payload: &[u8]) -> Vec<u8> {
    masked(Frame::message(payload.to_vec(), OpCode::Data(Data::Binary), true))
}

/// The answer to a ping, masked.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    masked(Frame::pong(payload.to_vec()))
}

/// A close with a code, masked.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    masked(Frame::close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() })))
}

fn masked(mut frame: Frame) -> Vec<u8> {
    frame.header_mut().mask = Some(std::array::from_fn(|_| fastrand::u8(..)));
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing to a Vec cannot fail, and the frame's own length is consistent.
    frame.format(&mut bytes).expect("a frame formats into memory");
    bytes
}
