//! The `k2-feed` binary.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Both before the first thread: the clock's origin, and what glommio would otherwise stall for.
    k2_feed::clock::Nanos::now();
    k2_feed::feed::executor::prepare_process();
    k2_feed::cli::main()
}
