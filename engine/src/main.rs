//! The `k2-feed` binary.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    k2_feed::process::prepare();
    k2_feed::cli::main()
}
