//! Finds the messages in a receive buffer, in place (RFC 6455, section 5).
//!
//! Text is handed out before its UTF-8 is checked: the JSON parser checks it anyway. Whoever parses otherwise
//! has to check it ([`Violation::Utf8`]).

use std::fmt;

use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::buffer::ReceiveBuffer;

/// Most bytes of a control frame's payload.
const MAX_CONTROL_LEN: u64 = 125;
/// Most bytes of a frame header from a server: two, and eight of length.
pub const MAX_HEADER_LEN: usize = 10;

/// A message, or a control frame, as it lies in the buffer.
#[derive(Debug, PartialEq)]
pub enum Message<'buffer> {
    /// Text, not yet checked to be UTF-8, to be parsed in place.
    Text(&'buffer mut [u8]),
    /// Binary data.
    Binary(&'buffer mut [u8]),
    /// To be answered with the same payload.
    Ping(&'buffer [u8]),
    /// An answer to our ping.
    Pong(&'buffer [u8]),
    /// The server closes, for this reason.
    Close(Option<u16>, &'buffer str),
}

/// What a server must not do. The connection is closed with [`Violation::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A frame from the server is masked (5.1).
    Masked,
    /// A reserved bit is set, though no extension was agreed on (5.2).
    ReservedBit,
    /// An opcode that is not defined (5.2).
    Opcode(u8),
    /// A control frame is fragmented, or longer than 125 bytes (5.5).
    ControlFrame,
    /// A continuation without a beginning, or a new message inside another (5.4).
    Continuation,
    /// A close frame whose code is malformed or not for the wire (7.4).
    CloseCode,
    /// Text that is not UTF-8 (8.1).
    Utf8,
    /// A message longer than the limit.
    TooLong {
        /// Its length in bytes, as far as it was announced.
        len: u64,
        /// The limit in bytes.
        limit: usize,
    },
}

impl Violation {
    /// The close code that says so (7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Violation::Utf8 => CloseCode::Invalid.into(),
            Violation::TooLong { .. } => CloseCode::Size.into(),
            _ => CloseCode::Protocol.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Masked => f.write_str("the server sent a masked frame"),
            Violation::ReservedBit => f.write_str("a frame has a reserved bit set"),
            Violation::Opcode(code) => write!(f, "a frame has the undefined opcode {code}"),
            Violation::ControlFrame => f.write_str("a control frame is fragmented or longer than 125 bytes"),
            Violation::Continuation => f.write_str("fragments are out of order"),
            Violation::CloseCode => f.write_str("a close frame has an invalid code"),
            Violation::Utf8 => f.write_str("a text message is not UTF-8"),
            Violation::TooLong { len, limit } => {
                write!(f, "a message of {len} bytes is longer than max_frame_bytes = {limit}")
            }
        }
    }
}

/// The state between two messages: what of the buffer is spoken for.
///
/// While a message comes in fragments, those received are moved together at the front of the buffer
/// (`assembled` bytes), so that the whole message lies in one piece at the end, too.
#[derive(Debug)]
pub struct Deframer {
    max_message: usize,
    /// Bytes at the front that the last message took, consumed at the next call.
    taken: usize,
    /// Bytes at the front that are fragments of the message under way.
    assembled: usize,
    /// What the message under way is.
    fragmented: Option<Data>,
    /// The message last handed out: its kind, and where it lies from the front of the buffer.
    last: (Data, usize, usize),
    /// Whether it is to be handed out again.
    again: bool,
}

impl Deframer {
    /// For messages of at most `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        let last = (Data::Text, 0, 0);
        Deframer { max_message, taken: 0, assembled: 0, fragmented: None, last, again: false }
    }

    /// How large the buffer must be able to grow: the assembled message, and a control frame between fragments
    /// or the next fragment's header.
    pub fn buffer_needed(max_message: usize) -> usize {
        max_message + MAX_HEADER_LEN + MAX_CONTROL_LEN as usize
    }

    /// The next whole message, or `None` until more bytes are received.
    ///
    /// # Errors
    /// The server's [`Violation`]: the connection is to be closed.
    #[inline]
    pub fn next<'buffer>(&mut self, buffer: &'buffer mut ReceiveBuffer) -> Result<Option<Message<'buffer>>, Violation> {
        if self.again {
            self.again = false;
            return Ok(Some(self.hand_out(buffer)));
        }
        loop {
            if self.taken > 0 {
                self.release(buffer);
            }
            let Some(frame) = self.whole_frame(&buffer.filled()[self.assembled..])? else {
                return Ok(None);
            };
            match frame.opcode {
                OpCode::Data(kind) if frame.is_final && kind != Data::Continue && self.fragmented.is_none() => {
                    self.taken = frame.header + frame.payload;
                    self.last = (kind, frame.header, self.taken);
                    return Ok(Some(self.hand_out(buffer)));
                }
                OpCode::Data(kind) => {
                    if self.append(buffer, kind, &frame)? {
                        return Ok(Some(self.hand_out(buffer)));
                    }
                }
                OpCode::Control(kind) => {
                    let start = self.assembled + frame.header;
                    self.taken = frame.header + frame.payload;
                    return control_message(kind, &buffer.filled()[start..start + frame.payload]).map(Some);
                }
            }
        }
    }

    /// The text or binary message just handed out, untouched, is to be handed out again by the next call.
    pub fn put_back(&mut self) {
        self.again = true;
    }

    #[inline]
    fn hand_out<'buffer>(&self, buffer: &'buffer mut ReceiveBuffer) -> Message<'buffer> {
        let (kind, start, end) = self.last;
        let payload = &mut buffer.filled_mut()[start..end];
        match kind {
            Data::Text => Message::Text(payload),
            _ => Message::Binary(payload),
        }
    }

    /// Gives back what the last message took. Fragments that wait in front of it are moved up.
    #[inline]
    fn release(&mut self, buffer: &mut ReceiveBuffer) {
        if self.assembled > 0 {
            buffer.filled_mut().copy_within(..self.assembled, self.taken);
        }
        buffer.consume(self.taken);
        self.taken = 0;
    }

    /// The frame at the start of `bytes`, if all of it is there.
    #[inline]
    fn whole_frame(&self, bytes: &[u8]) -> Result<Option<FrameAt>, Violation> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let (opcode, is_final) = (opcode(first & 0x0F)?, first & 0x80 != 0);
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBit);
        }
        if second & 0x80 != 0 {
            return Err(Violation::Masked);
        }
        let Some((header, payload)) = lengths(second, bytes) else { return Ok(None) };
        let is_control = matches!(opcode, OpCode::Control(_));
        if is_control && (payload > MAX_CONTROL_LEN || !is_final) {
            return Err(Violation::ControlFrame);
        }
        let len = payload.saturating_add(self.assembled as u64);
        if !is_control && len > self.max_message as u64 {
            return Err(Violation::TooLong { len, limit: self.max_message });
        }
        let frame = FrameAt { opcode, is_final, header, payload: payload as usize };
        Ok((bytes.len() >= header + frame.payload).then_some(frame))
    }

    /// Adds a fragment to the message under way; whether it is whole now.
    #[cold]
    fn append(&mut self, buffer: &mut ReceiveBuffer, kind: Data, frame: &FrameAt) -> Result<bool, Violation> {
        let kind = match (self.fragmented, kind) {
            (Some(kind), Data::Continue) => kind,
            (None, kind) if kind != Data::Continue => kind,
            _ => return Err(Violation::Continuation),
        };
        // The header goes: what is assembled moves up to the new payload.
        buffer.filled_mut().copy_within(..self.assembled, frame.header);
        buffer.consume(frame.header);
        self.assembled += frame.payload;
        self.fragmented = Some(kind);
        if frame.is_final {
            self.fragmented = None;
            self.taken = std::mem::take(&mut self.assembled);
            self.last = (kind, 0, self.taken);
        }
        Ok(frame.is_final)
    }
}

/// Where a frame's parts are, counted from its first byte.
struct FrameAt {
    opcode: OpCode,
    is_final: bool,
    header: usize,
    payload: usize,
}

#[inline]
fn opcode(code: u8) -> Result<OpCode, Violation> {
    Ok(match code {
        0x0 => OpCode::Data(Data::Continue),
        0x1 => OpCode::Data(Data::Text),
        0x2 => OpCode::Data(Data::Binary),
        0x8 => OpCode::Control(Control::Close),
        0x9 => OpCode::Control(Control::Ping),
        0xA => OpCode::Control(Control::Pong),
        _ => return Err(Violation::Opcode(code)),
    })
}

/// The lengths of the header and the payload of the frame at the start of `bytes`, once the header is there.
/// Read here because tungstenite's parser, which goes through `io::Read`, doubles the time of a whole frame.
#[inline]
fn lengths(second: u8, bytes: &[u8]) -> Option<(usize, u64)> {
    match second {
        127 => bytes.get(2..)?.first_chunk().map(|len| (10, u64::from_be_bytes(*len))),
        126 => bytes.get(2..)?.first_chunk().map(|len| (4, u16::from_be_bytes(*len).into())),
        len => Some((2, len.into())),
    }
}

#[cold]
fn control_message(kind: Control, payload: &[u8]) -> Result<Message<'_>, Violation> {
    match kind {
        Control::Ping => Ok(Message::Ping(payload)),
        Control::Pong => Ok(Message::Pong(payload)),
        _ => close_message(payload),
    }
}

fn close_message(payload: &[u8]) -> Result<Message<'_>, Violation> {
    match payload {
        [] => Ok(Message::Close(None, "")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(Violation::CloseCode);
            }
            let reason = std::str::from_utf8(reason).map_err(|_| Violation::Utf8)?;
            Ok(Message::Close(Some(code), reason))
        }
        [_] => Err(Violation::CloseCode),
    }
}

#[cfg(test)]
mod header_tests;
#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;
