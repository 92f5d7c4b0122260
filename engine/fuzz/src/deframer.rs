//! Any bytes, however they are cut, come to the same messages and the same end.

use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{Deframer, Message, Violation};

/// Small, so that few bytes reach the limit.
const MAX_MESSAGE: usize = 200;

/// What came out, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(Violation),
}

/// Deframes what follows the first two bytes, which say how it is cut.
pub fn check(input: &[u8]) {
    let Some(([first, second], bytes)) = input.split_first_chunk() else { return };
    let whole = read(bytes, &[bytes.len().max(1)], MAX_MESSAGE, false);
    let cuts = [usize::from(first % 16) + 1, usize::from(second % 64) + 1];
    for (cuts, initial, again) in [(&[1][..], 1, false), (&cuts, 16, false), (&cuts, 64, true)] {
        assert_eq!(read(bytes, cuts, initial, again), whole, "cut by {cuts:?}");
    }
}

/// Reads as a connection does, in pieces of the lengths in `cuts`. With `again`, each message is put back once.
fn read(bytes: &[u8], cuts: &[usize], initial: usize, again: bool) -> Vec<Event> {
    let mut buffer = ReceiveBuffer::new(initial, Deframer::buffer_needed(MAX_MESSAGE));
    let mut deframer = Deframer::new(MAX_MESSAGE);
    let (mut events, mut rest, mut cuts) = (Vec::new(), bytes, cuts.iter().cycle());
    while !rest.is_empty() {
        let cut = cuts.next().map_or(1, |cut| rest.len().min(*cut));
        let room = buffer.unfilled();
        let cut = cut.min(room.len());
        room[..cut].copy_from_slice(&rest[..cut]);
        buffer.fill(cut);
        rest = &rest[cut..];
        while let Some(event) = next(&mut deframer, &mut buffer) {
            if again && matches!(event, Event::Text(_) | Event::Binary(_)) {
                deframer.put_back();
                assert!(!buffer.unfilled().is_empty());
                assert_eq!(next(&mut deframer, &mut buffer).as_ref(), Some(&event));
            }
            let is_end = matches!(event, Event::Close(..) | Event::Failed(_));
            events.push(event);
            // A frame takes two bytes at least: whoever finds more does not come to an end.
            assert!(events.len() <= bytes.len() / 2 + 1);
            if is_end {
                return events;
            }
        }
    }
    events
}

fn next(deframer: &mut Deframer, buffer: &mut ReceiveBuffer) -> Option<Event> {
    let message = match deframer.next(buffer) {
        Ok(message) => message?,
        Err(violation) => return Some(Event::Failed(violation)),
    };
    Some(match message {
        Message::Text(text) => Event::Text(text.to_vec()),
        Message::Binary(bytes) => Event::Binary(bytes.to_vec()),
        Message::Ping(payload) => Event::Ping(payload.to_vec()),
        Message::Pong(payload) => Event::Pong(payload.to_vec()),
        Message::Close(code, reason) => Event::Close(code, reason.to_string()),
    })
}
