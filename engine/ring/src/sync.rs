//! What the ring takes from the standard library, in one place, so that the loom test can put
//! loom's counterparts under the same names.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Told of every access to the ring's memory, by 8-byte word, on past the wrap. Loom cannot see raw memory: its
/// counterpart keeps one tracked cell a word and fails on accesses no ordering separates. Here
/// it is nothing and compiles to nothing.
#[derive(Debug)]
pub(crate) struct Shadow;

impl Shadow {
    pub(crate) fn new(_words: usize) -> Self {
        Shadow
    }

    #[inline(always)]
    pub(crate) fn read(&self, _word: usize, _words: usize) {}

    #[inline(always)]
    pub(crate) fn write(&self, _word: usize, _words: usize) {}
}
