-- Gold: bars of 1m, 5m, 15m, 30m, 1h and 1d (UTC), exact.
--
-- A bar is never added to: it is computed anew, whole, when something has arrived for it: a minute from the trades of
-- silver FINAL, a wider bar from its minutes. So a record that is read twice changes nothing, and one that is late
-- changes its bar, however late.
CREATE DATABASE IF NOT EXISTS gold;

-- open and close are the first and last trade by time; of those at the same nanosecond, by length of trade_id, then by
-- trade_id: numbers in their order, other texts as text.
CREATE TABLE IF NOT EXISTS gold.bars
(
    width UInt32 COMMENT 'seconds',
    exchange LowCardinality(String),
    symbol LowCardinality(String),
    start DateTime('UTC'),
    canonical_symbol LowCardinality(String),
    open Decimal(38, 18),
    high Decimal(38, 18),
    low Decimal(38, 18),
    close Decimal(38, 18),
    volume Decimal(76, 18),
    quote_volume Decimal(76, 36),
    count UInt64,
    computed_at DateTime64(6, 'UTC'),
    seen UInt64 COMMENT 'the touches that were there when it was computed',
    settled Bool COMMENT 'the touches had been the same the time before'
)
ENGINE = ReplacingMergeTree(computed_at)
PARTITION BY toYYYYMM(start)
ORDER BY (width, exchange, symbol, start);

-- Which bars to compute. Every insert that has something for a bar adds a random number to `touches`, so that they are
-- another number than the one that the bar was last computed with (`last`). A bar is computed until two computations
-- after another have seen the same touches: the second began after the first had seen them, so that it saw the trades,
-- too, which are there before their touch is. No clock decides, and no count: an insert that is repeated after a crash
-- means one computation more.
CREATE TABLE IF NOT EXISTS gold.due
(
    width UInt32,
    exchange LowCardinality(String),
    symbol LowCardinality(String),
    start DateTime('UTC'),
    touches SimpleAggregateFunction(groupBitXor, UInt64),
    last AggregateFunction(argMax, Tuple(UInt64, Bool), DateTime64(6, 'UTC')),
    marked_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (width, exchange, symbol, start)
-- What is forgotten is what was computed long ago. A part of it forgotten means one computation more.
TTL marked_at + INTERVAL 7 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS gold.touch TO gold.due AS
SELECT
    60 AS width, exchange, symbol, minute AS start,
    groupBitXor(rand64()) AS touches,
    argMaxState((toUInt64(0), false), toDateTime64(0, 6, 'UTC')) AS last,
    now('UTC') AS marked_at
FROM silver.trades
GROUP BY exchange, symbol, minute;

-- What was computed, and, for a minute, that its wider bars are due. One insert, so that both are there or neither.
CREATE MATERIALIZED VIEW IF NOT EXISTS gold.computed TO gold.due AS
WITH if(bars.width = 60, [60, 300, 900, 1800, 3600, 86400], [bars.width]) AS widths
SELECT
    arrayJoin(widths)::UInt32 AS width, exchange, symbol,
    toDateTime(intDiv(toUnixTimestamp(bars.start), width) * width, 'UTC') AS start,
    groupBitXor(if(bars.width = 60 AND width != 60, rand64(), 0)) AS touches,
    argMaxState(
        if(width = bars.width, (seen, settled), (toUInt64(0), false)),
        if(width = bars.width, computed_at, toDateTime64(0, 6, 'UTC'))) AS last,
    now('UTC') AS marked_at
FROM gold.bars AS bars
GROUP BY width, exchange, symbol, start;

CREATE VIEW IF NOT EXISTS gold.pending AS
SELECT width, exchange, symbol, start, groupBitXor(touches) AS touched, touched = argMaxMerge(last).1 AS settled
FROM gold.due
GROUP BY width, exchange, symbol, start
HAVING (touched, true) != argMaxMerge(last);

-- The newest first, and no more at once than fit into memory: while much is due, as in a rebuild, the minutes of now
-- are computed all the same.
CREATE MATERIALIZED VIEW IF NOT EXISTS gold.compute_minutes REFRESH EVERY 2 SECOND APPEND TO gold.bars AS
WITH
    (
        SELECT groupArray((exchange, symbol, start, touched, settled))
        FROM (SELECT * FROM gold.pending WHERE width = 60 ORDER BY start DESC LIMIT 20000)
    ) AS due
SELECT
    60 AS width, one.1 AS exchange, one.2 AS symbol, one.3 AS start,
    canonical_symbol, open, high, low, close, volume, quote_volume, count,
    now64(6, 'UTC') AS computed_at, one.4 AS seen, one.5 AS settled
FROM (SELECT arrayJoin(due) AS one) AS bar
LEFT JOIN (
    SELECT
        exchange, symbol, minute,
        any(trades.canonical_symbol) AS canonical_symbol,
        argMin(price, (time, length(trade_id), trade_id)) AS open,
        max(price) AS high,
        min(price) AS low,
        argMax(price, (time, length(trade_id), trade_id)) AS close,
        sum(toDecimal256(quantity, 18)) AS volume,
        sum(trades.quote_volume) AS quote_volume,
        count() AS count
    FROM silver.trades AS trades FINAL
    WHERE (exchange, symbol, minute) IN (SELECT one.1, one.2, one.3 FROM (SELECT arrayJoin(due) AS one))
    GROUP BY exchange, symbol, minute
) AS made ON made.exchange = one.1 AND made.symbol = one.2 AND made.minute = one.3;

CREATE MATERIALIZED VIEW IF NOT EXISTS gold.compute_wider REFRESH EVERY 2 SECOND APPEND TO gold.bars AS
WITH
    (
        SELECT groupArray((width, exchange, symbol, start, touched, settled))
        FROM (SELECT * FROM gold.pending WHERE width != 60 ORDER BY start DESC LIMIT 20000)
    ) AS due
SELECT
    one.1 AS width, one.2 AS exchange, one.3 AS symbol, one.4 AS start,
    canonical_symbol, open, high, low, close, volume, quote_volume, count,
    now64(6, 'UTC') AS computed_at, one.5 AS seen, one.6 AS settled
FROM (SELECT arrayJoin(due) AS one) AS bar
LEFT JOIN (
    SELECT
        exchange, symbol, wider,
        toDateTime(intDiv(toUnixTimestamp(minutes.start), wider) * wider, 'UTC') AS begin,
        argMax(minutes.canonical_symbol, minutes.start) AS canonical_symbol,
        argMin(minutes.open, minutes.start) AS open,
        max(minutes.high) AS high,
        min(minutes.low) AS low,
        argMax(minutes.close, minutes.start) AS close,
        sum(minutes.volume) AS volume,
        sum(minutes.quote_volume) AS quote_volume,
        sum(minutes.count) AS count
    FROM gold.bars AS minutes FINAL
    ARRAY JOIN [300, 900, 1800, 3600, 86400]::Array(UInt32) AS wider
    WHERE width = 60 AND minutes.count > 0
        AND (exchange, symbol, toDate(minutes.start))
            IN (SELECT one.2, one.3, toDate(one.4) FROM (SELECT arrayJoin(due) AS one))
    GROUP BY exchange, symbol, wider, begin
) AS made ON made.wider = one.1 AND made.exchange = one.2 AND made.symbol = one.3 AND made.begin = one.4;

-- What people ask. VWAP is quote volume by volume, cut after 18 decimals.
CREATE VIEW IF NOT EXISTS gold.ohlcv AS
SELECT
    transform(
        width, [60, 300, 900, 1800, 3600, 86400]::Array(UInt32), ['1m', '5m', '15m', '30m', '1h', '1d'], '') AS width,
    exchange, symbol, canonical_symbol, start, open, high, low, close, volume, quote_volume, count,
    divideDecimal(quote_volume, volume, 18) AS vwap
FROM gold.bars FINAL
WHERE count > 0;

CREATE VIEW IF NOT EXISTS gold.ohlcv_1m AS SELECT * EXCEPT (width) FROM gold.ohlcv WHERE width = '1m';
CREATE VIEW IF NOT EXISTS gold.ohlcv_5m AS SELECT * EXCEPT (width) FROM gold.ohlcv WHERE width = '5m';
CREATE VIEW IF NOT EXISTS gold.ohlcv_15m AS SELECT * EXCEPT (width) FROM gold.ohlcv WHERE width = '15m';
CREATE VIEW IF NOT EXISTS gold.ohlcv_30m AS SELECT * EXCEPT (width) FROM gold.ohlcv WHERE width = '30m';
CREATE VIEW IF NOT EXISTS gold.ohlcv_1h AS SELECT * EXCEPT (width) FROM gold.ohlcv WHERE width = '1h';
CREATE VIEW IF NOT EXISTS gold.ohlcv_1d AS SELECT * EXCEPT (width) FROM gold.ohlcv WHERE width = '1d';
