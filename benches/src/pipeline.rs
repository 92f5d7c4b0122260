//! The feed core from the receive buffer to the ring, and the ring's other side, in one thread.

use std::hint::black_box;
use std::sync::Arc;

use k2_feed::bell::Bell;
use k2_feed::clock::{Nanos, unix_now_ns};
use k2_feed::feed::{FeedCore, Line, Outcome};
use k2_feed::interval::{FeedMeasured, pair};
use k2_feed::record::Record;
use k2_feed::venue::binance::Binance;
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{Deframer, Message};

use crate::fixture::{self, CONNECTION, FIRST_ID, FRAMES, Form, TRADES_PER_SYMBOL};

/// Capacity of the ring.
const RING_BYTES: usize = 1024 * 1024;
/// Records that the consumer takes at once.
const BATCH: usize = 1024;

/// What comes in: the frames, whose ids move on with every pass.
pub struct Wire {
    frames: Vec<Vec<u8>>,
    /// Where each frame's id has its tens: a symbol has ten trades a pass.
    tens: Vec<usize>,
}

impl Wire {
    /// All frames, with their first ids.
    #[expect(clippy::new_without_default, reason = "it is no value like others")]
    pub fn new() -> Self {
        assert_eq!(TRADES_PER_SYMBOL, 10);
        let frames = fixture::wire(&fixture::payloads(Form::Plain));
        let id_len = FIRST_ID.to_string().len();
        let find =
            |frame: &Vec<u8>| frame.windows(4).position(|text| text == b"\"t\":").expect("every trade has an id");
        let tens = frames.iter().map(|frame| find(frame) + 4 + id_len - 2).collect();
        Wire { frames, tens }
    }

    /// Receives frame number `index`.
    pub fn receive(&mut self, index: usize, buffer: &mut ReceiveBuffer) {
        let frame = &mut self.frames[index];
        let mut digit = self.tens[index];
        while frame[digit] == b'9' {
            frame[digit] = b'0';
            digit -= 1;
        }
        frame[digit] += 1;
        buffer.extend(frame);
    }
}

/// A feed core with one connection, and the other side of its ring.
pub struct Pipeline {
    wire: Wire,
    buffer: ReceiveBuffer,
    deframer: Deframer,
    /// What it has counted.
    pub core: FeedCore,
    line: Line<Binance>,
    consumer: k2_ring::Consumer,
    kernel_ns: i64,
}

impl Pipeline {
    /// One that has received nothing yet.
    #[expect(clippy::new_without_default, reason = "it is no value like others")]
    pub fn new() -> Self {
        let (producer, consumer) = k2_ring::ring(RING_BYTES).expect("there is memory");
        let bell = Arc::new(Bell::new().expect("there is a file descriptor"));
        let (recorder, _) = pair(FeedMeasured::feed(), FeedMeasured::feed());
        let mut core = FeedCore::new(producer, bell, recorder);
        let line = core.line(&fixture::subscription(), 0, 0, CONNECTION.into(), &fixture::prefixes());
        Pipeline {
            wire: Wire::new(),
            buffer: ReceiveBuffer::new(64 * 1024, 1024 * 1024),
            deframer: Deframer::new(256 * 1024),
            core,
            line,
            consumer,
            kernel_ns: unix_now_ns(),
        }
    }

    /// All frames, `per_receive` of them at a time.
    pub fn pass(&mut self, per_receive: usize) {
        for first in (0..FRAMES).step_by(per_receive) {
            for index in first..first + per_receive {
                self.wire.receive(index, &mut self.buffer);
            }
            let received = Nanos::now();
            self.core.received(Some(self.kernel_ns), received);
            while let Some(message) = self.deframer.next(&mut self.buffer).expect("the frames are valid") {
                let Message::Text(payload) = message else { panic!("not text: {message:?}") };
                assert!(self.core.has_room(&self.line, payload));
                assert_eq!(self.core.text(&mut self.line, payload, received), Outcome::Data);
            }
            self.core.batch_done();
            let batch = self.consumer.batch(BATCH);
            for bytes in batch.iter() {
                black_box(Record::read(bytes));
            }
            let records = batch.len();
            assert_eq!(records, 2 * per_receive);
            batch.release(records);
        }
    }
}
