-- Silver: trades that hold, exact, and each once by exchange, symbol and trade_id. What does not hold is in
-- bronze.rejects with its reason.
CREATE DATABASE IF NOT EXISTS silver;

-- Read it with FINAL: until parts are merged, a trade that was sent twice is there twice.
CREATE TABLE IF NOT EXISTS silver.trades
(
    exchange LowCardinality(String),
    symbol LowCardinality(String),
    canonical_symbol LowCardinality(String),
    trade_id String,
    price Decimal(38, 18),
    quantity Decimal(38, 18),
    quote_volume Decimal(76, 36),
    side Enum8('BUY' = 1, 'SELL' = 2),
    time DateTime64(9, 'UTC'),
    minute DateTime('UTC'),
    received_at Nullable(DateTime64(9, 'UTC')),
    kafka_topic LowCardinality(String),
    kafka_partition UInt64,
    kafka_offset UInt64,
    kafka_timestamp DateTime64(3, 'UTC'),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3),
    -- Of two records of a trade, the one that was first on Kafka stays, in whichever order they arrive here.
    precedence UInt128 MATERIALIZED
        bitNot(toUInt128(toUnixTimestamp64Milli(kafka_timestamp)) * toUInt128('18446744073709551616') + kafka_offset),
    INDEX by_minute minute TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY toDate(minute)
-- A shorter id comes first: numbers in their order, so that a part's granules are in order of time, too.
ORDER BY (exchange, symbol, length(trade_id), trade_id);

-- Every record of bronze with what it became, and `reason` where it does not hold.
CREATE TABLE IF NOT EXISTS silver.checked
(
    exchange LowCardinality(String),
    symbol LowCardinality(String),
    canonical_symbol LowCardinality(String),
    trade_id String,
    price Nullable(Decimal(38, 18)),
    quantity Nullable(Decimal(38, 18)),
    side LowCardinality(String),
    time_ns Int64,
    received_timestamp_ns Nullable(Int64),
    kafka_topic LowCardinality(String),
    kafka_partition UInt64,
    kafka_offset UInt64,
    kafka_timestamp DateTime64(3, 'UTC'),
    reason String,
    error String,
    raw String
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS silver.accept TO silver.trades AS
SELECT
    exchange, symbol, canonical_symbol, trade_id,
    assumeNotNull(checked.price) AS price,
    assumeNotNull(checked.quantity) AS quantity,
    -- Exact: 18 and 18 decimals are 36.
    toDecimal256(price, 18) * toDecimal256(quantity, 18) AS quote_volume,
    CAST(checked.side, 'Enum8(\'BUY\' = 1, \'SELL\' = 2)') AS side,
    fromUnixTimestamp64Nano(time_ns, 'UTC') AS time,
    toDateTime(intDiv(time_ns, 60000000000) * 60, 'UTC') AS minute,
    fromUnixTimestamp64Nano(received_timestamp_ns, 'UTC') AS received_at,
    kafka_topic, kafka_partition, kafka_offset, kafka_timestamp
FROM silver.checked AS checked
WHERE reason = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS silver.reject TO bronze.rejects AS
SELECT
    'validate' AS stage, reason, error, raw, symbol AS key, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp
FROM silver.checked
WHERE reason != '';

-- Last: it makes the others run.
CREATE MATERIALIZED VIEW IF NOT EXISTS silver.check TO silver.checked AS
WITH
    -- Exchanges that send numbers send some with an exponent. What has more digits than the columns is not rounded.
    '^([0-9]{1,38})(?:[.]([0-9]{1,38}))?(?:[eE]([+-]?[0-9]{1,2}))?$' AS decimal,
    extractGroups(trades.price, decimal) AS price_parts,
    extractGroups(trades.quantity, decimal) AS quantity_parts,
    parts -> length(parts) = 3
        AND length(parts[1]) + toInt32OrZero(parts[3]) <= 20
        AND length(parts[2]) - toInt32OrZero(parts[3]) <= 18 AS fits,
    90 * 86400000 AS late_ms,
    86400000 AS early_ms,
    toUnixTimestamp64Milli(trades.kafka_timestamp) AS sent_ms,
    ifNull(exchange_timestamp_ns, 0) AS exact_ns
SELECT
    exchange, symbol, canonical_symbol, trade_id,
    if(fits(price_parts), toDecimal128OrNull(trades.price, 18), NULL) AS price,
    if(fits(quantity_parts), toDecimal128OrNull(trades.quantity, 18), NULL) AS quantity,
    side,
    if(exact_ns != 0, exact_ns, exchange_timestamp * 1000000) AS time_ns,
    received_timestamp_ns, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp,
    multiIf(
        exchange = '', 'exchange is empty',
        symbol = '', 'symbol is empty',
        canonical_symbol = '', 'canonical_symbol is empty',
        trade_id = '', 'trade_id is empty',
        isNull(price), 'price is no decimal of 20 digits and 18 decimals',
        price = 0, 'price is 0',
        isNull(quantity), 'quantity is no decimal of 20 digits and 18 decimals',
        quantity = 0, 'quantity is 0',
        side NOT IN ('BUY', 'SELL'), 'side is neither BUY nor SELL',
        -- Bounded, or one block of records could make more partitions of silver than an insert may.
        exchange_timestamp < sent_ms - late_ms, 'exchange_timestamp is more than 90 days before the record',
        exchange_timestamp > sent_ms + early_ms, 'exchange_timestamp is more than a day after the record',
        exact_ns != 0 AND abs(intDiv(exact_ns, 1000000) - exchange_timestamp) > 1,
            'exchange_timestamp_ns is another time than exchange_timestamp',
        '') AS reason,
    if(reason = '', '', concat(reason, ': ', toString((
        exchange, symbol, canonical_symbol, trade_id, trades.price, trades.quantity, side, exchange_timestamp,
        exchange_timestamp_ns)))) AS error,
    if(reason = '', '', toJSONString(tuple(
        schema_version, exchange, symbol, canonical_symbol, trade_id, trades.price, trades.quantity, quote_volume, side,
        timestamp, exchange_timestamp, exchange_timestamp_ns, received_timestamp_ns, connection)
        ::Tuple(schema_version String, exchange String, symbol String, canonical_symbol String, trade_id String,
            price String, quantity String, quote_volume String, side String, timestamp Int64, exchange_timestamp Int64,
            exchange_timestamp_ns Nullable(Int64), received_timestamp_ns Nullable(Int64), connection Nullable(String)))
        ) AS raw
FROM bronze.trades AS trades;
