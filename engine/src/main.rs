//! The `k2-feed` binary.

fn main() {}
