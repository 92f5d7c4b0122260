#!/usr/bin/env bash
# Makes the tables of this folder's *.sql in a ClickHouse, and makes them again from where their rows came from.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat >&2 <<'USAGE'
usage: tables.sh COMMAND
  apply             make what is not there yet; what is there stays as it is
  replay [CONDITION]
                    take rejected records again, as after a cause was mended: all, or those of bronze.rejects for which
                    CONDITION holds; what still does not hold is rejected again
  reread            read the topics again from their beginning, with another consumer group: fills holes, adds nothing twice
  rebuild kafka     drop trades and bars, and read the topics again from their beginning: as far as Kafka goes back
  rebuild iceberg WAREHOUSE
                    the same, and fill in what Kafka has no more from the Iceberg tables bronze.trades_* of the bronze
                    job's WAREHOUSE, a folder that the server may read
  rebuild bars      compute all bars again from silver
environment:
  K2_CLICKHOUSE                  what takes SQL on its standard input (clickhouse-client)
  K2_KAFKA_BOOTSTRAP_SERVERS     brokers (redpanda:9092)
  K2_KAFKA_SCHEMA_REGISTRY_URL   registry, with its path if it has one (http://redpanda:8081)
  K2_CLICKHOUSE_GROUP            consumer group, to begin with (k2-clickhouse)
  K2_CLICKHOUSE_FLUSH_MS         how long records are gathered for an insert (250)
Brokers, registry and flush time of a queue that is there stay; reread and rebuild make the queues anew.
USAGE
  exit 2
}

die() { echo "tables.sh: $*" >&2; exit 1; }

EXCHANGES=(binance binance-usdm bybit coinbase kraken okx)
# The topic that `replay` writes to, and that is read like the others.
REPLAY=market.crypto.trades.replay
GROUP=${K2_CLICKHOUSE_GROUP:-k2-clickhouse}

read -ra CLIENT <<<"${K2_CLICKHOUSE:-clickhouse-client}"
client() { "${CLIENT[@]}"; }

# list PREFIX SUFFIX: of each exchange, with commas between.
list() {
  local all
  printf -v all "$1%s$2," "${EXCHANGES[@]}"
  echo "${all%,}"
}

# fill NAME VALUE: puts the value where SQL has the name in braces.
fill() {
  [[ $2 != *[\'\\]* ]] || die "$1 has a quote or backslash: $2"
  SQL=${SQL//"{$1}"/"$2"}
}

# The SQL of a file, filled in.
filled() {
  local SQL
  SQL=$(<"$1")
  fill brokers "${K2_KAFKA_BOOTSTRAP_SERVERS:-redpanda:9092}"
  fill registry "${K2_KAFKA_SCHEMA_REGISTRY_URL:-http://redpanda:8081}"
  fill flush_ms "${K2_CLICKHOUSE_FLUSH_MS:-250}"
  fill group "$GROUP"
  fill trades_topics "$(list market.crypto.trades. ''),$REPLAY"
  fill frames_topics "$(list market.crypto.trades. .raw)"
  fill replay_topic "$REPLAY"
  printf '%s\n' "$SQL"
}

apply() {
  local file
  for file in [0-9]*.sql; do filled "$file"; done | client
}

# Stops reading. What was read and not committed is read again by whoever comes next in the group. Not SYNC: a queue has
# stopped when its DROP returns, and chdb would wait for ever.
drop_queues() {
  client <<'SQL'
DROP TABLE IF EXISTS bronze.read_trades;
DROP TABLE IF EXISTS bronze.read_frames;
DROP TABLE IF EXISTS bronze.trades_queue;
DROP TABLE IF EXISTS bronze.frames_queue;
DROP TABLE IF EXISTS bronze.replay;
SQL
}

new_group() { GROUP=$GROUP-$(date --utc +%Y%m%dT%H%M%S.%N); }

reread() {
  drop_queues
  new_group
  apply
}

drop_trades() {
  drop_queues
  # Those that write come before those that are written to.
  client <<'SQL'
DROP DATABASE IF EXISTS gold;
DROP DATABASE IF EXISTS silver;
DROP TABLE IF EXISTS bronze.arrived;
DROP TABLE IF EXISTS bronze.undecoded;
DROP TABLE IF EXISTS bronze.arrivals;
DROP TABLE IF EXISTS bronze.trades;
DROP TABLE IF EXISTS bronze.rejects;
SQL
}

# A row of Iceberg is the row that Kafka would give, by topic, partition and offset: what is in both is there once. The
# catalog says which metadata hold: after a crash the newest file may be of a commit that never was.
fill_from_iceberg() {
  local warehouse=$1 exchange name metadata
  for exchange in "${EXCHANGES[@]}"; do
    name=trades_${exchange//-/_}
    metadata=$(client <<<"SELECT metadata_location FROM sqlite('$warehouse/catalog.db', 'iceberg_tables')
      WHERE table_namespace = 'bronze' AND table_name = '$name'")
    if [[ -z $metadata ]]; then
      echo "$name: the catalog has no such table"
      continue
    fi
    echo "$name: ${metadata##*/}"
    client <<SQL
INSERT INTO bronze.trades (
  schema_version, exchange, symbol, canonical_symbol, trade_id, price, quantity, quote_volume, side, timestamp,
  exchange_timestamp, metadata, exchange_timestamp_ns, received_timestamp_ns, connection, kafka_topic, kafka_partition,
  kafka_offset, kafka_timestamp)
SELECT
  schema_version, exchange, symbol, canonical_symbol, trade_id, price, quantity, quote_volume, side, timestamp,
  exchange_timestamp, metadata, exchange_timestamp_ns, received_timestamp_ns, connection, kafka_topic, kafka_partition,
  kafka_offset, kafka_timestamp
FROM icebergLocal(
  '$warehouse/bronze/$name', SETTINGS iceberg_metadata_file_path = 'metadata/${metadata##*/}')
SETTINGS max_partitions_per_insert_block = 0;
SQL
  done
}

# Bytes go to the topic of their own, and through the queue again; whole records are in bronze and go into it again, to
# the same row. What was rejected before is forgotten: what does not hold now either is rejected anew.
replay() {
  local until these
  until=$(client <<<'SELECT now64(3)')
  these="rejected_at <= '$until' AND (${1:-true})"
  client <<SQL
INSERT INTO bronze.replay SELECT raw FROM bronze.rejects FINAL WHERE stage = 'decode' AND $these;
INSERT INTO bronze.trades SELECT * EXCEPT (ingested_at), now64(3) FROM bronze.trades FINAL
WHERE (kafka_topic, kafka_partition, kafka_offset, kafka_timestamp) IN (
  SELECT kafka_topic, kafka_partition, kafka_offset, kafka_timestamp FROM bronze.rejects
  WHERE stage = 'validate' AND $these);
DELETE FROM bronze.rejects WHERE $these;
SQL
}

# Every minute is touched, and touches the wider bars when it is computed.
rebuild_bars() {
  client <<'SQL'
INSERT INTO gold.due
SELECT
  60, exchange, symbol, minute, groupBitXor(rand64()), argMaxState((toUInt64(0), false), toDateTime64(0, 6, 'UTC')),
  now('UTC')
FROM silver.trades
GROUP BY exchange, symbol, minute;
SQL
}

rebuild() {
  case ${1:-} in
    kafka) drop_trades; new_group; apply ;;
    iceberg)
      [[ ${2:-} == /* ]] || die "WAREHOUSE is a folder from the root on: '${2:-}'"
      client <<<"SELECT count() FROM sqlite('$2/catalog.db', 'iceberg_tables')" >/dev/null ||
        die "the server cannot read the catalog $2/catalog.db; nothing was dropped"
      drop_trades
      new_group
      apply
      fill_from_iceberg "$2"
      ;;
    bars) rebuild_bars ;;
    *) usage ;;
  esac
}

case ${1:-} in
  apply) apply ;;
  replay) replay "${2:-}" ;;
  reread) reread ;;
  rebuild) rebuild "${@:2}" ;;
  *) usage ;;
esac
