-- The queues, and what reads them: after all that they write to, since a queue is read once it has a view, and a view
-- that comes later has missed what was read. Names in braces are filled in by tables.sh.

-- A column that is not in the record's schema is left empty, and a field that has no column is skipped: so older and
-- newer schemas mix.
CREATE TABLE IF NOT EXISTS bronze.trades_queue
(
    schema_version String,
    exchange String,
    symbol String,
    canonical_symbol String,
    trade_id String,
    price String,
    quantity String,
    quote_volume String,
    side String,
    timestamp Int64,
    exchange_timestamp Int64,
    `metadata.TradeMetadata.sequence_number` Nullable(Int64),
    `metadata.TradeMetadata.is_buyer_maker` Nullable(Bool),
    `metadata.TradeMetadata.buyer_order_id` Nullable(Int64),
    `metadata.TradeMetadata.seller_order_id` Nullable(Int64),
    exchange_timestamp_ns Nullable(Int64),
    received_timestamp_ns Nullable(Int64),
    connection Nullable(String)
)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '{brokers}',
    kafka_topic_list = '{trades_topics}',
    kafka_group_name = '{group}-trades',
    kafka_format = 'AvroConfluent',
    format_avro_schema_registry_url = '{registry}',
    input_format_avro_allow_missing_fields = 1,
    kafka_handle_error_mode = 'stream',
    kafka_flush_interval_ms = {flush_ms},
    kafka_num_consumers = 1,
    kafka_thread_per_consumer = 1;

CREATE TABLE IF NOT EXISTS bronze.frames_queue (frame String)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '{brokers}',
    kafka_topic_list = '{frames_topics}',
    kafka_group_name = '{group}-frames',
    kafka_format = 'RawBLOB',
    kafka_flush_interval_ms = {flush_ms},
    kafka_num_consumers = 1,
    kafka_thread_per_consumer = 1;

-- What is to be read again is written here (tables.sh replay).
CREATE TABLE IF NOT EXISTS bronze.replay (raw String)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '{brokers}',
    kafka_topic_list = '{replay_topic}',
    kafka_group_name = '{group}-replay',
    kafka_format = 'RawBLOB';

-- One view reads the queue, so that each record is read once; what becomes of it is in views from here.
CREATE TABLE IF NOT EXISTS bronze.arrivals
(
    schema_version String,
    exchange String,
    symbol String,
    canonical_symbol String,
    trade_id String,
    price String,
    quantity String,
    quote_volume String,
    side String,
    timestamp Int64,
    exchange_timestamp Int64,
    metadata Tuple(
        sequence_number Nullable(Int64),
        is_buyer_maker Nullable(Bool),
        buyer_order_id Nullable(Int64),
        seller_order_id Nullable(Int64)),
    exchange_timestamp_ns Nullable(Int64),
    received_timestamp_ns Nullable(Int64),
    connection Nullable(String),
    kafka_topic String,
    kafka_partition UInt64,
    kafka_offset UInt64,
    kafka_timestamp DateTime64(3, 'UTC'),
    key String,
    raw String,
    error String
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS bronze.arrived TO bronze.trades AS
SELECT * EXCEPT (key, raw, error) FROM bronze.arrivals WHERE error = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS bronze.undecoded TO bronze.rejects AS
SELECT
    'decode' AS stage, 'not decoded' AS reason, error, raw, key, kafka_topic, kafka_partition, kafka_offset,
    kafka_timestamp
FROM bronze.arrivals
WHERE error != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS bronze.read_frames TO bronze.frames AS
SELECT
    _headers.value[indexOf(_headers.name, 'exchange')] AS exchange,
    _headers.value[indexOf(_headers.name, 'connection')] AS connection,
    fromUnixTimestamp64Nano(toInt64OrZero(_headers.value[indexOf(_headers.name, 'received_ns')]), 'UTC') AS received_at,
    _key AS symbol,
    frame,
    _topic AS kafka_topic, _partition AS kafka_partition, _offset AS kafka_offset,
    ifNull(_timestamp_ms, toDateTime64(0, 3, 'UTC')) AS kafka_timestamp
FROM bronze.frames_queue;

CREATE MATERIALIZED VIEW IF NOT EXISTS bronze.read_trades TO bronze.arrivals AS
SELECT
    * EXCEPT (
        `metadata.TradeMetadata.sequence_number`, `metadata.TradeMetadata.is_buyer_maker`,
        `metadata.TradeMetadata.buyer_order_id`, `metadata.TradeMetadata.seller_order_id`),
    (
        `metadata.TradeMetadata.sequence_number`, `metadata.TradeMetadata.is_buyer_maker`,
        `metadata.TradeMetadata.buyer_order_id`, `metadata.TradeMetadata.seller_order_id`) AS metadata,
    _topic AS kafka_topic, _partition AS kafka_partition, _offset AS kafka_offset,
    ifNull(_timestamp_ms, toDateTime64(0, 3, 'UTC')) AS kafka_timestamp,
    _key AS key, _raw_message AS raw, _error AS error
FROM bronze.trades_queue;
