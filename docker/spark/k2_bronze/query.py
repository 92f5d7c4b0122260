"""Trades of an exchange up to this moment: the table's as of one snapshot, and from Kafka exactly what comes after."""

import argparse
import csv
import json
import sys
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from pyspark.sql.window import Window

from k2_bronze import names, settings, tables
from k2_bronze.batch import now, place
from k2_bronze.decode import decoded, trade_type, wrong_schema
from k2_bronze.kafka import Kafka, Offsets
from k2_bronze.names import Topic
from k2_bronze.registry import Registry
from k2_bronze.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A trade is on Kafka after it took place, by clocks that differ by less.
CLOCKS = timedelta(hours=1)
KEY = ["exchange", "symbol", "trade_id"]
WANTED = "SELECT * FROM trades ORDER BY exchange_timestamp_ns, kafka_partition, kafka_offset"


def add(parser: argparse.ArgumentParser) -> None:
    """Its own arguments."""
    parser.add_argument("--exchange", required=True, help="whose trades")
    parser.add_argument(
        "--last", type=settings.seconds, help="trades that took place within, as 5m or 1d; all by default"
    )
    parser.add_argument("--symbol", help="of this symbol alone, as the exchange writes it")
    parser.add_argument("--sql", default=WANTED, help=f"what to ask of view `trades` [default: {WANTED}]")
    parser.add_argument("--format", choices=["table", "json", "csv"], default="table", help="[default: table]")


def run(arguments: argparse.Namespace) -> int:
    """Prints what was asked for. The exit code is 1 if Kafka has thrown away what comes after the table."""
    topic = names.topics(arguments.topic_prefix, [arguments.exchange])[f"{arguments.topic_prefix}{arguments.exchange}"]
    session = Session(arguments, "query")
    since = datetime.now(timezone.utc) - timedelta(seconds=arguments.last) if arguments.last else None
    snapshot, has = tables.committed(session, topic.table) if tables.exists(session, topic.table) else (None, {})
    kafka = Kafka(arguments.kafka)
    partitions = kafka.partitions([topic.name])
    begins, ends = kafka.begins(partitions), kafka.ends(partitions)
    starts, is_whole = after(topic, has, begins)
    newer = tail(session, arguments, topic, starts, ends)
    parts = [newer] if snapshot is None else [table(session, topic, snapshot, since), newer]
    trades = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1], allowMissingColumns=True)
    since_ms = int(since.timestamp() * 1000) if since else 0
    trades = trades.where(f.col("exchange_timestamp") >= since_ms)
    if arguments.symbol is not None:
        trades = trades.where(f.col("symbol") == arguments.symbol)
    once(trades).createOrReplaceTempView("trades")
    told = {
        "since": since_ms,
        "snapshot": snapshot,
        "from Kafka": {one: [starts[one], ends[topic.name][one]] for one in starts},
    }
    print(f"{topic.table}: {json.dumps(told)}", file=sys.stderr, flush=True)
    show(session.spark.sql(arguments.sql), arguments.format)
    return 0 if is_whole else 1


def after(topic: Topic, has: Offsets, begins: Offsets) -> tuple[dict[int, int], bool]:
    """Where Kafka goes on from the table, by partition; and whether it does."""
    starts, is_whole = {}, True
    for one, first in begins.get(topic.name, {}).items():
        at = has.get(topic.name, {}).get(one, first)
        if at < first:
            print(
                f"warning: {topic.name}/{one}: offsets {at} to {first - 1} are neither in the table nor on Kafka",
                file=sys.stderr,
            )
            is_whole = False
        starts[one] = max(at, first)
    return starts, is_whole


def table(session: Session, topic: Topic, snapshot: int, since: datetime | None) -> DataFrame:
    """As of a snapshot, whatever is committed meanwhile."""
    rows: DataFrame = tables.at(session, topic.table, snapshot)
    # Days are left out by Kafka's time, which is never much before the trade's.
    return rows if since is None else rows.where(f.col("kafka_timestamp") >= f.lit(since - CLOCKS))


def tail(
    session: Session, arguments: argparse.Namespace, topic: Topic, starts: dict[int, int], ends: Offsets
) -> DataFrame:
    """What Kafka has from there to its present end, decoded as the stream does; what cannot be is left out."""
    reader = arguments.schema.read_text()
    registry = Registry(arguments.registry, lambda text: wrong_schema(session.jvm, text), threading.Event())
    if not starts:
        nothing = session.spark.createDataFrame([], trade_type(session.spark, reader))
        return nothing.withColumns({name: f.lit(None).cast(kind) for name, kind in tables.KAFKA.items()})
    records = (
        session.spark.read.format("kafka")
        .option("kafka.bootstrap.servers", arguments.kafka)
        .option("subscribe", topic.name)
        .option("startingOffsets", tables.written({topic.name: starts}))
        .option(
            "endingOffsets",
            tables.written({topic.name: {one: max(ends[topic.name][one], starts[one]) for one in starts}}),
        )
        .load()
        .coalesce(arguments.cores)
        .localCheckpoint()
    )
    while True:
        frame = decoded(records, {topic.name: topic}, registry.known, reader)
        asked = frame.agg(f.collect_set("unknown").alias("unknown"), f.count("error").alias("rejects")).collect()[0]
        if not asked["unknown"]:
            break
        for schema_id in asked["unknown"]:
            registry.learn(schema_id)
    if asked["rejects"]:
        print(f"warning: {asked['rejects']} records cannot be read, and are left out", file=sys.stderr)
    return frame.where(f.col("error").isNull()).selectExpr("trade.*", *place(), now())


def once(trades: DataFrame) -> DataFrame:
    """Each trade as it came first: the engine may have sent it twice."""
    order = Window.partitionBy(*KEY).orderBy("kafka_timestamp", "kafka_partition", "kafka_offset")
    return trades.withColumn("turn", f.row_number().over(order)).where("turn = 1").drop("turn")


def show(rows: DataFrame, how: str) -> None:
    """To the standard output."""
    if how == "table":
        rows.show(1000, truncate=False)
        return
    found: Iterator[dict[str, object]] = (row.asDict(recursive=True) for row in rows.toLocalIterator())
    if how == "json":
        for one in found:
            print(json.dumps(one, default=str))
        return
    writer = csv.writer(sys.stdout)
    writer.writerow(rows.columns)
    for one in found:
        writer.writerow(one.values())
