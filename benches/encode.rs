//! The `encode` hop: from a checked trade to a Confluent-framed Avro record.
//!
//! The exact `quote_volume` and the text of the id are part of the work for everyone.
//!
//! On an AMD EPYC virtual machine with two shared cores, by turns (`cargo bench -p k2-benches --bench encode`), ns a
//! frame:
//!
//! | | |
//! |-|-|
//! | ours | 49 |
//! | `write_avro_datum_ref` | 601 (x 12.2) |
//! | `to_value`, `to_avro_datum` | 4,122 (x 84) |

use std::hint::black_box;

use bumpalo::Bump;
use criterion::{Criterion, criterion_group, criterion_main};
use k2_benches::contest::Contest;
use k2_benches::fixture::{self, FRAMES, Form};
use k2_benches::reference;
use k2_feed::avro;
use k2_feed::venue::json::Json;
use k2_feed::venue::{Frame, Venue};

fn encode(criterion: &mut Criterion) {
    let (payloads, symbols, prefixes) = (fixture::payloads(Form::Plain), fixture::symbols(), fixture::prefixes());
    let (mut frames, venue) = (payloads.clone(), fixture::binance());
    let (mut json, arena) = (Json::default(), Bump::new());
    let decoded = frames.iter_mut().map(|frame| match venue.decode(frame, &symbols, &mut json, &arena) {
        Ok(Frame::Trades([trade])) => *trade,
        other => panic!("not a trade: {other:?}"),
    });
    let trades: Vec<_> = decoded.collect();
    let usual: Vec<_> = payloads
        .iter()
        .map(|payload| reference::decode_typed(payload, Form::Plain, &symbols).expect("the frame is a trade"))
        .collect();
    let mut by_ref = reference::Encoder::new().expect("the schema is valid");
    let mut by_value = reference::Encoder::new().expect("the schema is valid");
    let mut claimed = [0; 1024];

    for (ours, usual) in trades.iter().zip(&usual) {
        let len = avro::write(ours, &fixture::context(&prefixes[ours.instrument]), &mut claimed);
        assert_eq!(by_ref.write_ref(usual).expect("the trade fits the schema"), &claimed[..len]);
        assert_eq!(by_value.write_value(usual).expect("the trade fits the schema"), &claimed[..len]);
    }

    Contest::new("encode", FRAMES)
        .enter("ours", || {
            for trade in &trades {
                let context = fixture::context(&prefixes[trade.instrument]);
                let claimed = &mut claimed[..avro::max_len(trade, &context)];
                let len = avro::write(trade, &context, claimed);
                black_box(&claimed[..len]);
            }
        })
        .enter("write_avro_datum_ref", || {
            for trade in &usual {
                black_box(by_ref.write_ref(trade).expect("the trade fits the schema"));
            }
        })
        .enter("to_value, to_avro_datum", || {
            for trade in &usual {
                black_box(by_value.write_value(trade).expect("the trade fits the schema"));
            }
        })
        .run(criterion);
}

criterion_group!(benches, encode);
criterion_main!(benches);
