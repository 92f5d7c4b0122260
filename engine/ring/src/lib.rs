//! A single-producer, single-consumer ring of variable-length byte records.
