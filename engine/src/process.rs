//! What the process does before it starts its first thread.

use nix::sys::prctl;

use crate::clock::Nanos;

/// To be called first in `main`.
pub fn prepare() {
    // Fixes the clock's origin.
    Nanos::now();
    register_barriers();
    // With huge pages the allocator's arenas take 2 MiB for every few bytes: at 5,000 trades/s the process had 51 MiB
    // resident with them and has 30 MiB without. Where the kernel refuses, it is only larger.
    let _ = prctl::set_thp_disable(true);
}

/// Registers the process for the memory barriers that glommio uses when it sleeps. Done before other threads run,
/// it is free; else its first sleep stalls for some 10 ms.
fn register_barriers() {
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
    // SAFETY: the call takes two numbers. A kernel without it answers with an error, which only costs the stall.
    unsafe { libc::syscall(libc::SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0) };
}
