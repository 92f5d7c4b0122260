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

use criterion::{Criterion, criterion_group, criterion_main};
use k2_benches::contest::Contest;
use k2_benches::fixture::FRAMES;
use k2_benches::pipeline::{Pipeline, Wire};
use k2_feed::ws::buffer::ReceiveBuffer;

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
