-- Bronze: what came from Kafka, as it came. A record that Kafka hands out twice (after a crash of the consumer) is the
-- same row again by topic, partition and offset, and goes when parts are merged: FINAL counts it once.
CREATE DATABASE IF NOT EXISTS bronze;

-- The fields of schemas/normalized-trade.avsc by name and order, then where the record stood on Kafka: the columns of
-- the Iceberg tables too.
CREATE TABLE IF NOT EXISTS bronze.trades
(
    schema_version LowCardinality(String),
    exchange LowCardinality(String),
    symbol LowCardinality(String),
    canonical_symbol LowCardinality(String),
    trade_id String,
    price String,
    quantity String,
    quote_volume String,
    side LowCardinality(String),
    timestamp Int64,
    exchange_timestamp Int64,
    metadata Tuple(
        sequence_number Nullable(Int64),
        is_buyer_maker Nullable(Bool),
        buyer_order_id Nullable(Int64),
        seller_order_id Nullable(Int64)),
    exchange_timestamp_ns Nullable(Int64),
    received_timestamp_ns Nullable(Int64),
    connection LowCardinality(Nullable(String)),
    kafka_topic LowCardinality(String),
    kafka_partition UInt64,
    kafka_offset UInt64,
    kafka_timestamp DateTime64(3, 'UTC'),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(kafka_timestamp)
-- The time tells a topic that was made anew from the one before it.
ORDER BY (kafka_topic, kafka_partition, kafka_offset, kafka_timestamp)
TTL toDateTime(kafka_timestamp) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1;

-- What did not become a trade, and why. `raw` is the record's value where it could not be decoded, else its fields as
-- JSON: then the whole record is in bronze.trades.
CREATE TABLE IF NOT EXISTS bronze.rejects
(
    stage Enum8('decode' = 1, 'validate' = 2),
    reason LowCardinality(String),
    error String,
    raw String,
    key String,
    kafka_topic LowCardinality(String),
    kafka_partition UInt64,
    kafka_offset UInt64,
    kafka_timestamp DateTime64(3, 'UTC'),
    rejected_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(kafka_timestamp)
ORDER BY (kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, stage)
TTL toDateTime(kafka_timestamp) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1;

-- The raw topics: frames as the exchanges sent them, text or not.
CREATE TABLE IF NOT EXISTS bronze.frames
(
    exchange LowCardinality(String),
    connection LowCardinality(String),
    received_at DateTime64(9, 'UTC'),
    symbol LowCardinality(String),
    frame String CODEC(ZSTD(3)),
    kafka_topic LowCardinality(String),
    kafka_partition UInt64,
    kafka_offset UInt64,
    kafka_timestamp DateTime64(3, 'UTC'),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(kafka_timestamp)
ORDER BY (kafka_topic, kafka_partition, kafka_offset, kafka_timestamp)
TTL toDateTime(kafka_timestamp) + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1;
