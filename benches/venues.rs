//! `decode` and `encode` of each protocol's usual frame, a trade: from the bytes of the frame to the bytes of the record.
//!
//! Frames are parsed in place, so each is copied anew before. That copy is counted. Binance spot has one layout, which is
//! read without a parser; the others go by the JSON tape, whose part grows with the frame. The goal is at most 2.5 times
//! Binance spot's.
//!
//! On an AMD EPYC virtual machine with two shared cores, by turns (`cargo bench -p k2-benches --bench venues`), ns a
//! trade, and instructions a trade (`instructions`):
//!
//! | | one trade a frame | instructions | ten trades a frame | instructions |
//! |-|-|-|-|-|
//! | Binance spot | 185 | 3,144 | | |
//! | Binance USD-M | 359 (x 1.94) | 5,496 | | |
//! | Kraken v2 | 373 (x 2.02) | 6,390 | 308 (x 1.64) | 5,220 |
//! | Kraken v1 | 341 (x 1.85) | 5,133 | 281 (x 1.50) | 4,215 |
//! | Coinbase Advanced | 421 (x 2.28) | 7,354 | 283 (x 1.52) | 4,918 |
//! | Coinbase Exchange | 387 (x 2.10) | 6,505 | | |
//! | Bybit v5 | 378 (x 2.05) | 6,027 | 269 (x 1.44) | 4,462 |
//! | OKX v5 | 350 (x 1.89) | 5,978 | 270 (x 1.45) | 4,643 |

use criterion::{Criterion, criterion_group, criterion_main};
use k2_benches::contest::Contest;
use k2_benches::venue::{BATCH, TRADES, has_batches, pass};
use k2_feed::venue::Protocol;

fn contest(criterion: &mut Criterion, group: &'static str, per_frame: usize, protocols: &[Protocol]) {
    let first = Contest::new(group, TRADES).counting("trade").enter("binance spot", pass(Protocol::BinanceSpot, 1));
    let enter =
        |contest: Contest<'static>, protocol: &Protocol| contest.enter(name(*protocol), pass(*protocol, per_frame));
    protocols.iter().fold(first, enter).run(criterion);
}

/// The protocol's name, for as long as the bench runs.
fn name(protocol: Protocol) -> &'static str {
    protocol.to_string().leak()
}

fn one_a_frame(criterion: &mut Criterion) {
    let others: Vec<_> = Protocol::ALL.iter().copied().filter(|other| *other != Protocol::BinanceSpot).collect();
    contest(criterion, "venues, one trade a frame", 1, &others);
}

fn ten_a_frame(criterion: &mut Criterion) {
    let batching: Vec<_> = Protocol::ALL.iter().copied().filter(|protocol| has_batches(*protocol)).collect();
    contest(criterion, "venues, ten trades a frame", BATCH, &batching);
}

criterion_group!(benches, one_a_frame, ten_a_frame);
criterion_main!(benches);
