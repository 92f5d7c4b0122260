//! `decode` and `encode` together: from the bytes of a Binance trade to the bytes of its record.
//!
//! Ours parses in place, so the frame is copied anew before each parse. That copy is counted in ours.
//!
//! On an AMD EPYC virtual machine with two shared cores, by turns (`cargo bench -p k2-benches --bench decode_encode`), ns a
//! frame:
//!
//! | | `/ws` | `/stream` |
//! |-|-|-|
//! | ours | 203 | 201 |
//! | serde_json typed, `write_avro_datum_ref` | 965 (x 4.76) | 1,081 (x 5.39) |
//! | serde_json `Value`, `to_value`, `to_avro_datum` | 5,526 (x 27.2) | 5,886 (x 29.0) |

use std::hint::black_box;

use bumpalo::Bump;
use criterion::{Criterion, criterion_group, criterion_main};
use k2_benches::contest::Contest;
use k2_benches::fixture::{self, FRAMES, Form};
use k2_benches::reference;
use k2_feed::avro::{self, SymbolPrefix};
use k2_feed::venue::binance::Binance;
use k2_feed::venue::json::Json;
use k2_feed::venue::{Frame, Symbols, Venue};

/// Ours, with what a feed core keeps from frame to frame.
struct Ours {
    venue: Binance,
    symbols: Symbols,
    prefixes: [SymbolPrefix; fixture::SYMBOLS.len()],
    json: Json,
    arena: Bump,
    received: [u8; 512],
    claimed: [u8; 1024],
}

impl Ours {
    fn record(&mut self, payload: &[u8]) -> &[u8] {
        self.arena.reset();
        let frame = &mut self.received[..payload.len()];
        frame.copy_from_slice(payload);
        match self.venue.decode(frame, &self.symbols, &mut self.json, &self.arena) {
            Ok(Frame::Trades([trade])) => {
                let context = fixture::context(&self.prefixes[trade.instrument]);
                let claimed = &mut self.claimed[..avro::max_len(trade, &context)];
                let len = avro::write(trade, &context, claimed);
                &claimed[..len]
            }
            other => panic!("not a trade: {other:?}"),
        }
    }
}

fn decode_encode(criterion: &mut Criterion, group: &'static str, form: Form) {
    let (payloads, symbols) = (fixture::payloads(form), fixture::symbols());
    let mut ours = Ours {
        venue: fixture::binance(),
        symbols: fixture::symbols(),
        prefixes: fixture::prefixes(),
        json: Json::default(),
        arena: Bump::new(),
        received: [0; 512],
        claimed: [0; 1024],
    };
    let mut by_ref = reference::Encoder::new().expect("the schema is valid");
    let mut by_value = reference::Encoder::new().expect("the schema is valid");
    Contest::new(group, FRAMES)
        .enter("ours", || {
            for payload in &payloads {
                black_box(ours.record(payload));
            }
        })
        .enter("serde_json, write_avro_datum_ref", || {
            for payload in &payloads {
                let trade = reference::decode_typed(payload, form, &symbols).expect("the frame is a trade");
                black_box(by_ref.write_ref(&trade).expect("the trade fits the schema"));
            }
        })
        .enter("Value, to_value, to_avro_datum", || {
            for payload in &payloads {
                let value = reference::parse_value(payload).expect("the frame is JSON");
                let trade = reference::decode_value(&value, form, &symbols).expect("the frame is a trade");
                black_box(by_value.write_value(&trade).expect("the trade fits the schema"));
            }
        })
        .run(criterion);
}

fn plain(criterion: &mut Criterion) {
    decode_encode(criterion, "decode_encode", Form::Plain);
}

fn combined(criterion: &mut Criterion) {
    decode_encode(criterion, "decode_encode combined", Form::Combined);
}

criterion_group!(benches, plain, combined);
criterion_main!(benches);
