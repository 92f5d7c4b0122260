//! Market data from exchange WebSockets to Kafka, on pinned cores.
