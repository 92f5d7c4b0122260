"""The tables, and how far each is: its snapshots carry the offsets they were written from."""

import json
from typing import Any

from pyspark.sql import functions as f
from pyspark.sql.types import StructType

from k2_bronze.kafka import Offsets
from k2_bronze.names import REJECTS, Topic
from k2_bronze.session import Session

#: In the summary of a snapshot: the offset that comes next, by topic and partition, in the form of Spark's
#: startingOffsets. It is committed with the data, so neither is there without the other.
STAMP = "k2.kafka-offsets"

KAFKA = {
    "kafka_topic": "string",
    "kafka_partition": "int",
    "kafka_offset": "bigint",
    "kafka_timestamp": "timestamp",
    "ingested_at": "timestamp",
}
RAW = {"exchange": "string", "connection": "string", "received_ns": "bigint", "kafka_key": "string", "frame": "binary"}
REJECT = {"error": "string", "kafka_key": "binary", "value": "binary"}
PROPERTIES = {
    "format-version": "2",
    # Of a day there is one partition, or two around midnight: a shuffle to gather them would be for nothing.
    "write.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    # Maintenance commits between batches.
    "commit.retry.num-retries": "20",
    # Whoever expires snapshots, and however.
    "history.expire.min-snapshots-to-keep": "20",
}


def create(session: Session, topics: list[Topic], trade: StructType) -> None:
    """Makes tables that are missing, and columns that a newer schema has."""
    of_trades = {field.name: field.dataType.simpleString() for field in trade.fields}
    for topic in topics:
        _create(session, topic.table, (RAW if topic.is_raw else of_trades) | KAFKA)
    _create(session, REJECTS, REJECT | KAFKA)


def _create(session: Session, name: str, columns: dict[str, str]) -> None:
    spark = session.spark
    if not spark.catalog.tableExists(name):
        listed = ", ".join(f"`{column}` {kind}" for column, kind in columns.items())
        properties = ", ".join(f"'{key}' = '{value}'" for key, value in PROPERTIES.items())
        # By the day it came to Kafka: a batch is one partition's, and a day that is over is not written again.
        spark.sql(
            f"CREATE TABLE {name} ({listed}) USING iceberg "
            f"PARTITIONED BY (days(kafka_timestamp)) TBLPROPERTIES ({properties})"
        )
        return
    there = set(spark.table(name).columns)
    for column, kind in columns.items():
        if column not in there:
            spark.sql(f"ALTER TABLE {name} ADD COLUMN `{column}` {kind}")


def exists(session: Session, name: str) -> bool:
    """Whether the table is there."""
    return bool(session.spark.catalog.tableExists(name))


def committed(session: Session, name: str) -> tuple[int | None, Offsets]:
    """The snapshot that is current, and how far it is by its newest ancestor that says so.

    Maintenance makes snapshots that do not say, and may have expired all that do: then the rows say it.
    """
    table = session.table(name)
    newest = table.currentSnapshot()
    if newest is None:
        return None, {}
    current = int(newest.snapshotId())
    snapshot = newest
    while snapshot is not None:
        stamp = snapshot.summary().get(STAMP)
        if stamp is not None:
            return current, parse(stamp)
        parent = snapshot.parentId()
        snapshot = None if parent is None else table.snapshot(parent)
    return current, _counted(session, name, current)


def _counted(session: Session, name: str, snapshot: int) -> Offsets:
    found: Offsets = {}
    rows = (
        at(session, name, snapshot).groupBy("kafka_topic", "kafka_partition").agg(f.max("kafka_offset").alias("last"))
    )
    for row in rows.collect():
        found.setdefault(row["kafka_topic"], {})[row["kafka_partition"]] = row["last"] + 1
    return found


def at(session: Session, name: str, snapshot: int) -> Any:  # noqa: ANN401
    """The table as it was then."""
    return session.spark.read.option("versionAsOf", snapshot).table(name)


def parse(stamp: str) -> Offsets:
    """From a summary."""
    return {
        topic: {int(one): offset for one, offset in offsets.items()} for topic, offsets in json.loads(stamp).items()
    }


def written(offsets: Offsets) -> str:
    """For a summary, and for Spark."""
    return json.dumps({topic: {str(one): offset for one, offset in by.items()} for topic, by in offsets.items()})
