//! Criterion benchmarks, one file a hop.
