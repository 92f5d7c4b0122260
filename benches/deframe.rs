//! Deframing: from received bytes to messages, before they are parsed.
//!
//! Both sides are given the same bytes by the same stream in reads of 8 KiB and find the same messages, 480 frames
//! a pass. tungstenite checks that text is UTF-8; ours leaves that to the JSON parser, which does so anyway.
//!
//! On an AMD EPYC virtual machine with two shared cores, by turns (`cargo bench -p k2-benches --bench deframe`), ns a
//! frame:
//!
//! | | |
//! |-|-|
//! | ours | 9.7, of which the read 1.5 |
//! | tungstenite | 85 (x 8.8) |

use std::hint::black_box;
use std::io::{self, Read, Write};

use criterion::{Criterion, criterion_group, criterion_main};
use k2_benches::contest::Contest;
use k2_benches::fixture::{self, FRAMES, Form};
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{Deframer, Message};
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

/// Bytes that one read gives at most.
const READ_BYTES: usize = 8 * 1024;
/// How often a pass goes through all frames.
const LAPS: usize = 12;

/// An in-memory stream that sends the same frames for ever.
struct Endless {
    bytes: Vec<u8>,
    at: usize,
}

impl Endless {
    fn new() -> Self {
        let frames = fixture::wire(&fixture::payloads(Form::Plain));
        Endless { bytes: frames.concat().repeat(LAPS), at: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = &self.bytes[self.at..];
        let len = left.len().min(out.len()).min(READ_BYTES);
        out[..len].copy_from_slice(&left[..len]);
        self.at = (self.at + len) % self.bytes.len();
        Ok(len)
    }
}

impl Write for Endless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn deframe(criterion: &mut Criterion) {
    let mut stream = Endless::new();
    let mut buffer = ReceiveBuffer::new(64 * 1024, 1024 * 1024);
    let mut deframer = Deframer::new(256 * 1024);
    let mut alone = Endless::new();
    let mut copied = [0; READ_BYTES];
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
    let mut tungstenite = WebSocket::from_raw_socket(Endless::new(), Role::Client, Some(config));
    Contest::new("deframe", FRAMES * LAPS)
        .enter("ours", || {
            let mut left = FRAMES * LAPS;
            while left > 0 {
                let received = stream.read(buffer.unfilled()).expect("memory can be read");
                buffer.fill(received);
                while let Some(message) = deframer.next(&mut buffer).expect("the frames are valid") {
                    let Message::Text(payload) = message else { panic!("not text: {message:?}") };
                    black_box(payload);
                    left -= 1;
                }
            }
        })
        .enter("the reads in both", || {
            let mut left = alone.bytes.len();
            while left > 0 {
                left -= alone.read(&mut copied).expect("memory can be read");
                black_box(&mut copied);
            }
        })
        .enter("tungstenite", || {
            for _ in 0..FRAMES * LAPS {
                black_box(tungstenite.read().expect("the frames are valid"));
            }
        })
        .run(criterion);
}

criterion_group!(benches, deframe);
criterion_main!(benches);
