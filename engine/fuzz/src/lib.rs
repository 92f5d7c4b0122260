//! What must hold for any bytes an exchange could send.
//!
//! The fuzz targets look for bytes for which it does not; `tests/fuzz_corpus.rs` of the engine includes this file
//! and runs it over the committed corpus with the stable compiler.

pub mod decoder;
pub mod deframer;
