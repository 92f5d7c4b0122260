//! Instructions of `decode` and `encode` of each protocol's usual frames: what `venues` measures, without the machine's
//! noise.
//!
//! Needs valgrind, and the runner in the version of `Cargo.lock`:
//!
//!     cargo install gungraun-runner --version 0.20.0
//!     cargo bench -p k2-benches --features instructions --bench instructions
//!
//! A count is of one pass through 40 trades.

// The macros write items of their own.
#![allow(missing_docs, unreachable_pub)]

use gungraun::prelude::*;
use k2_benches::venue::{BATCH, pass};
use k2_feed::venue::Protocol;

type Pass = Box<dyn FnMut()>;

#[library_benchmark]
#[bench::binance_spot(pass(Protocol::BinanceSpot, 1))]
#[bench::binance_usdm(pass(Protocol::BinanceUsdm, 1))]
#[bench::kraken_v2(pass(Protocol::KrakenV2, 1))]
#[bench::kraken_v1(pass(Protocol::KrakenV1, 1))]
#[bench::coinbase_advanced(pass(Protocol::CoinbaseAdvanced, 1))]
#[bench::coinbase_exchange(pass(Protocol::CoinbaseExchange, 1))]
#[bench::bybit(pass(Protocol::Bybit, 1))]
#[bench::okx(pass(Protocol::Okx, 1))]
fn one_trade_a_frame(mut pass: Pass) -> Pass {
    pass();
    pass
}

#[library_benchmark]
#[bench::kraken_v2(pass(Protocol::KrakenV2, BATCH))]
#[bench::kraken_v1(pass(Protocol::KrakenV1, BATCH))]
#[bench::coinbase_advanced(pass(Protocol::CoinbaseAdvanced, BATCH))]
#[bench::bybit(pass(Protocol::Bybit, BATCH))]
#[bench::okx(pass(Protocol::Okx, BATCH))]
fn ten_trades_a_frame(mut pass: Pass) -> Pass {
    pass();
    pass
}

library_benchmark_group!(name = venues, benchmarks = [one_trade_a_frame, ten_trades_a_frame]);
main!(library_benchmark_groups = venues);
