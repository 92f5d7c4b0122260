//! The `decode` hop: a Binance trade from bytes in the buffer to a checked trade.
//!
//! Ours parses in place, so the frame is copied anew before each parse. That copy is counted in ours, to which it
//! would not belong, and measured alone, too.
//!
//! On an AMD EPYC virtual machine with two shared cores, by turns (`cargo bench -p k2-benches --bench decode`), ns a
//! frame:
//!
//! | | `/ws` | `/stream` |
//! |-|-|-|
//! | ours | 129 | 136 |
//! | serde_json, typed | 343 (x 2.66) | 417 (x 3.06) |
//! | serde_json, `Value` | 1,236 (x 9.6) | 1,518 (x 11) |
//!
//! Frames in another layout, by the JSON reader, take 222 and 267; 3.5 is the copy.

use std::hint::black_box;

use bumpalo::Bump;
use criterion::{Criterion, criterion_group, criterion_main};
use k2_benches::contest::Contest;
use k2_benches::fixture::{self, FRAMES, Form};
use k2_benches::reference;
use k2_feed::venue::Venue;
use k2_feed::venue::json::Json;

fn decode(criterion: &mut Criterion, group: &'static str, form: Form) {
    let (payloads, symbols, venue) = (fixture::payloads(form), fixture::symbols(), fixture::binance());
    let (mut json, mut arena, mut buffer, mut copied) = (Json::default(), Bump::new(), [0; 512], [0; 512]);
    Contest::new(group, FRAMES)
        .enter("ours", || {
            for payload in &payloads {
                arena.reset();
                let frame = &mut buffer[..payload.len()];
                frame.copy_from_slice(payload);
                black_box(venue.decode(frame, &symbols, &mut json, &arena).expect("the frame is a trade"));
            }
        })
        .enter("the copy in ours", || {
            for payload in &payloads {
                copied[..payload.len()].copy_from_slice(payload);
                black_box(&mut copied);
            }
        })
        .enter("serde_json, typed", || {
            for payload in &payloads {
                black_box(reference::decode_typed(payload, form, &symbols).expect("the frame is a trade"));
            }
        })
        .enter("serde_json, Value", || {
            for payload in &payloads {
                let value = reference::parse_value(payload).expect("the frame is JSON");
                black_box(reference::decode_value(&value, form, &symbols).expect("the frame is a trade"));
            }
        })
        .run(criterion);
}

fn plain(criterion: &mut Criterion) {
    decode(criterion, "decode", Form::Plain);
}

fn combined(criterion: &mut Criterion) {
    decode(criterion, "decode combined", Form::Combined);
}

criterion_group!(benches, plain, combined);
criterion_main!(benches);
