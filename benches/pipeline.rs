//! The feed core from the receive buffer to the ring, per frame, without the socket: what `Connection` does with
//! each batch of received frames, and then one batch on the ring's other side, in the same thread.
//!
//! Each frame becomes two records, the raw one and the Avro one. Ids rise by one, as sequences do; the copy into
//! the receive buffer, which a socket would make, is counted, and measured alone, too.
//!
//! On an AMD EPYC virtual machine with two shared cores, by turns (`cargo bench -p k2-benches --bench pipeline`), ns a
//! frame:
//!
//! | frames a receive | |
//! |-|-|
//! | 1 | 357 to 358 |
//! | 8 | 326 to 334 |
//! | 40 | 326 to 337 |
//!
//! The copy into the buffer and the new id are 11 of that.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use k2_benches::contest::Contest;
use k2_benches::fixture::{self, CONNECTION, FIRST_ID, FRAMES, Form, TRADES_PER_SYMBOL};
use k2_feed::bell::Bell;
use k2_feed::clock::{Nanos, unix_now_ns};
use k2_feed::feed::{FeedCore, Line, Outcome};
use k2_feed::interval::{FeedMeasured, pair};
use k2_feed::record::Record;
use k2_feed::venue::binance::Binance;
use k2_feed::ws::buffer::ReceiveBuffer;
use k2_feed::ws::deframe::{Deframer, Message};

/// Capacity of the ring.
const RING_BYTES: usize = 1024 * 1024;
/// Records that the consumer takes at once.
const BATCH: usize = 1024;

/// What comes in: the frames, whose ids move on with every pass.
struct Wire {
    frames: Vec<Vec<u8>>,
    /// Where each frame's id has its tens: a symbol has ten trades a pass.
    tens: Vec<usize>,
}

impl Wire {
    fn new() -> Self {
        assert_eq!(TRADES_PER_SYMBOL, 10);
        let frames = fixture::wire(&fixture::payloads(Form::Plain));
        let id_len = FIRST_ID.to_string().len();
        let find =
            |frame: &Vec<u8>| frame.windows(4).position(|text| text == b"\"t\":").expect("every trade has an id");
        let tens = frames.iter().map(|frame| find(frame) + 4 + id_len - 2).collect();
        Wire { frames, tens }
    }

    /// Receives frame number `index`.
    fn receive(&mut self, index: usize, buffer: &mut ReceiveBuffer) {
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
struct Pipeline {
    wire: Wire,
    buffer: ReceiveBuffer,
    deframer: Deframer,
    core: FeedCore,
    line: Line<Binance>,
    consumer: k2_ring::Consumer,
    kernel_ns: i64,
}

impl Pipeline {
    fn new() -> Self {
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
    fn pass(&mut self, per_receive: usize) {
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

fn pipeline(criterion: &mut Criterion) {
    let (mut one, mut eight, mut all) = (Pipeline::new(), Pipeline::new(), Pipeline::new());
    let (mut wire, mut buffer) = (Wire::new(), ReceiveBuffer::new(64 * 1024, 1024 * 1024));
    Contest::new("pipeline", FRAMES)
        .enter("1 frame a receive", || one.pass(1))
        .enter("8 frames a receive", || eight.pass(8))
        .enter("40 frames a receive", || all.pass(FRAMES))
        .enter("the copy into the buffer", || {
            for index in 0..FRAMES {
                wire.receive(index, &mut buffer);
                black_box(buffer.filled());
                buffer.clear();
            }
        })
        .run(criterion);
    for pipeline in [&mut one, &mut eight, &mut all] {
        let tally = pipeline.core.tally();
        assert_eq!((tally.gaps, tally.duplicates, tally.dropped()), (0, 0, [0; 3]));
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
