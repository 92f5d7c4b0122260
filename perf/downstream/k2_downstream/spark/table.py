"""The tables by another reader than Spark: the catalog's file, Iceberg's own JSON, and ClickHouse's engine."""

import json
import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import chdb

from k2_downstream.spark.sender import digest
from k2_downstream.wire import topic

if TYPE_CHECKING:
    import pyarrow as pa

#: What a snapshot's summary calls the offsets up to which it has its topic.
STAMP = "k2.kafka-offsets"
TRADE = ["exchange", "symbol", "trade_id", "price", "quantity", "quote_volume", "side", "exchange_timestamp_ns"]


def tables(warehouse: Path) -> dict[str, Path]:
    """The newest metadata of each."""
    with sqlite3.connect(f"file:{warehouse}/catalog.db?mode=ro", uri=True, timeout=30) as catalog:
        rows = catalog.execute("SELECT table_name, metadata_location FROM iceberg_tables").fetchall()
    return {name: Path(urlparse(location).path) for name, location in rows}


def snapshots(metadata: Path) -> list[dict[str, Any]]:
    """From the oldest that is kept to the current one."""
    found = json.loads(metadata.read_text())
    by_id = {one["snapshot-id"]: one for one in found.get("snapshots", [])}
    chain, at = [], found.get("current-snapshot-id")
    while at in by_id:
        chain.append(by_id[at])
        at = by_id[at].get("parent-snapshot-id")
    return chain[::-1]


def source(metadata: Path) -> str:
    """The table for ClickHouse, as the catalog has it: the newest file may be of a commit that was killed."""
    folder = metadata.parents[1]
    return f"icebergLocal('{folder}/', SETTINGS iceberg_metadata_file_path = '{metadata.relative_to(folder)}')"


def rows(metadata: Path, columns: Iterable[str]) -> list[dict[str, Any]]:
    """All of the table, in its order on Kafka."""
    query = f"""
        SELECT kafka_topic, kafka_partition, kafka_offset, {", ".join(columns)} FROM {source(metadata)}
        ORDER BY kafka_topic, kafka_partition, kafka_offset
    """
    found: pa.Table = chdb.query(query, "ArrowTable")
    return [] if found is None else found.to_pylist()


def counted(metadata: Path) -> list[tuple[int, int, int, int]]:
    """Rows, different offsets and the last offset of each partition."""
    query = f"""
        SELECT kafka_partition, count(), uniqExact(kafka_offset), max(kafka_offset) FROM {source(metadata)}
        GROUP BY kafka_topic, kafka_partition
    """
    found = json.loads(str(chdb.query(query, "JSONCompact")))["data"]
    return [(int(one), int(count), int(distinct), int(last)) for one, count, distinct, last in found]


def exchange_of(name: str) -> str:
    """Of a topic."""
    return re.sub(r"\.raw$", "", name).removeprefix(topic(""))


def table_of(name: str) -> str:
    """Of a topic."""
    kind = "raw" if name.endswith(".raw") else "trades"
    return f"{kind}_{exchange_of(name).replace('-', '_')}"


def text(value: object) -> str:
    """Of a column that is text or bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def digest_of(row: dict[str, Any], table: str) -> bytes:
    """As the ledger has it."""
    if table == "rejects":
        return digest(row["value_hex"])
    if table.startswith("raw_"):
        return digest(text(row["frame"]))
    return digest(*(text(row[column]) for column in TRADE))


def columns_of(table: str) -> list[str]:
    """Those that are compared."""
    if table == "rejects":
        return ["lower(hex(value)) AS value_hex", "error"]
    return ["frame"] if table.startswith("raw_") else TRADE
