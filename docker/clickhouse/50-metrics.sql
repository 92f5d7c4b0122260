-- What Prometheus is told, in the columns of FORMAT Prometheus. metrics.xml serves it, to a user that may read this view
-- and nothing else: hence it reads as the user that made it.
CREATE VIEW IF NOT EXISTS gold.metrics DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
WITH
    now64(3, 'UTC') - INTERVAL 15 MINUTE AS since,
    (SELECT countIf(stage = 'decode') FROM bronze.rejects FINAL WHERE rejected_at > since) AS not_decoded,
    (SELECT countIf(stage = 'validate') FROM bronze.rejects FINAL WHERE rejected_at > since) AS not_valid,
    (SELECT max(ingested_at) FROM bronze.trades WHERE kafka_timestamp > now64(3, 'UTC') - INTERVAL 2 DAY) AS last_trade,
    (SELECT min(last_success_time) FROM system.view_refreshes WHERE database = 'gold') AS computed
SELECT metric.1 AS name, metric.2 AS help, 'gauge' AS type, metric.3 AS labels, assumeNotNull(metric.4) AS value
FROM (
    SELECT arrayJoin([
        ('k2_clickhouse_bars_computed_timestamp_seconds',
            'When bars were last computed, by the view that is furthest behind.',
            map()::Map(String, String), toFloat64(toUnixTimestamp(ifNull(computed, toDateTime(0))))),
        ('k2_clickhouse_bars_pending', 'Bars that are to be computed.',
            map(), toFloat64((SELECT count() FROM gold.pending))),
        ('k2_clickhouse_last_trade_timestamp_seconds', 'When a trade last came from Kafka.',
            map(), toUnixTimestamp64Milli(ifNull(last_trade, toDateTime64(0, 3))) / 1000),
        ('k2_clickhouse_recent_rejects', 'Records that were rejected within the last 15 minutes.',
            map('stage', 'decode'), toFloat64(not_decoded)),
        ('k2_clickhouse_recent_rejects', '', map('stage', 'validate'), toFloat64(not_valid))]) AS metric
)
ORDER BY name;
