"""One batch: rejects first, then each table, and never what a table has already."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timezone

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as f

from k2_bronze import tables
from k2_bronze.decode import decoded
from k2_bronze.kafka import Offsets
from k2_bronze.metrics import Metrics
from k2_bronze.names import REJECTS, Topic
from k2_bronze.registry import Registry

WRITERS = 4
#: Of a batch's times the first, third, fifth … of 200 equal parts.
POINTS = [(2 * point + 1) / 200 for point in range(100)]


@dataclass
class Progress:
    """How far this run is."""

    #: The offset that comes next, as read.
    position: Offsets
    #: The same as each table has it: what is before is not written to it again.
    tables: dict[str, Offsets]
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Batches:
    """Writes them, one after the other."""

    topics: Mapping[str, Topic]
    registry: Registry
    reader: str
    cores: int
    progress: Progress
    metrics: Metrics
    #: Gives back what the batch held in memory.
    free: Callable[[], None]
    #: For good: each of its threads has one of the JVM's.
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WRITERS))
    #: Held while a batch is written.
    writing: threading.Lock = field(default_factory=threading.Lock)

    def write(self, records: DataFrame, _: int) -> None:
        """All that the batch has. What raises ends the job; the next start goes on from what the tables say."""
        with self.writing:
            frame, ranges = self._learned(records)
            by_topic: dict[str, list[Row]] = {}
            for row in ranges:
                by_topic.setdefault(row["topic"], []).append(row)
            try:
                self._check(ranges)
                rejects = self.pool.submit(self._reject, frame, [row for row in ranges if row["rejects"]])
                appends = [self.pool.submit(self._append, frame, *one, rejects) for one in by_topic.items()]
                for done in wait([rejects, *appends]).done:
                    done.result()
            finally:
                self.free()
            for row in ranges:
                self.progress.position.setdefault(row["topic"], {})[row["partition"]] = row["last"] + 1

    def _learned(self, records: DataFrame) -> tuple[DataFrame, list[Row]]:
        """Decoded and kept in memory, with a row for each partition; once more if there were new schemas."""
        while True:
            # A local checkpoint rather than a cache: the plan of decoding, which is long, is not gone through again for
            # each table. It would not bear that at the same time either: options of from_avro are built in place.
            frame = decoded(records.coalesce(self.cores), self.topics, self.registry.known, self.reader)
            frame = frame.localCheckpoint(eager=False)
            ranges = (
                frame.groupBy("topic", "partition")
                .agg(
                    f.count("*").alias("records"),
                    f.min("offset").alias("first"),
                    f.max("offset").alias("last"),
                    f.count("error").alias("rejects"),
                    f.collect_set("unknown").alias("unknown"),
                    f.percentile_approx(f.unix_millis("timestamp"), POINTS, 1000).alias("times"),
                )
                .collect()
            )
            unknown = {schema_id for row in ranges for schema_id in row["unknown"]}
            if not unknown:
                return frame, ranges
            self.free()
            for schema_id in sorted(unknown):
                self.registry.learn(schema_id)

    def _check(self, ranges: list[Row]) -> None:
        """Offsets go on from where they were."""
        for row in ranges:
            expected = self.progress.position.get(row["topic"], {}).get(row["partition"], 0)
            if row["first"] < expected:
                message = (
                    f"{row['topic']}/{row['partition']} went back from {expected} to {row['first']}: was it made anew?"
                )
                raise RuntimeError(message)
            if row["first"] > expected:
                self.metrics.missing(row["topic"], row["partition"], expected, row["first"])

    def _new(self, table: str, ranges: list[Row]) -> str | None:
        """What the table has not, of one topic or more; None if it has all."""
        parts = []
        for topic in sorted({row["topic"] for row in ranges}):
            has = self.progress.tables.get(table, {}).get(topic, {})
            of_topic = [row for row in ranges if row["topic"] == topic]
            if all(has.get(row["partition"], 0) > row["last"] for row in of_topic):
                continue
            part = [f"topic = '{topic}'"]
            for row in of_topic:
                start = has.get(row["partition"], 0)
                if start > row["first"]:
                    part.append(f"(partition != {row['partition']} OR offset >= {start})")
            parts.append(" AND ".join(part))
        return " OR ".join(parts) or None

    def _commit(self, rows: DataFrame, columns: list[str], table: str, ranges: list[Row]) -> None:
        """Rows and offsets at once."""
        with self.progress.lock:
            has = self.progress.tables.setdefault(table, {})
            stamp = {topic: dict(offsets) for topic, offsets in has.items()}
        for row in ranges:
            offsets = stamp.setdefault(row["topic"], {})
            offsets[row["partition"]] = max(offsets.get(row["partition"], 0), row["last"] + 1)
        # One file: there are more tables than cores.
        writer = rows.coalesce(1).selectExpr(*columns, *place(), now()).writeTo(table)
        writer.option(f"snapshot-property.{tables.STAMP}", tables.written(stamp)).append()
        with self.progress.lock:
            self.progress.tables[table] = stamp

    def _reject(self, frame: DataFrame, ranges: list[Row]) -> None:
        new = self._new(REJECTS, ranges)
        if new is None:
            return
        rejects = frame.where(f"error IS NOT NULL AND ({new})")
        self._commit(rejects, ["error", "key AS kafka_key", "value"], REJECTS, ranges)
        for row in ranges:
            self.metrics.rejected(row["topic"], row["rejects"])

    def _append(self, frame: DataFrame, name: str, ranges: list[Row], rejects: Future[None]) -> None:
        topic = self.topics[name]
        if any(row["rejects"] for row in ranges):
            # They are first: a start goes on from where the trades end, and would not find them again.
            rejects.result()
        new = self._new(topic.table, ranges)
        if new is not None and any(row["records"] > row["rejects"] for row in ranges):
            rows = frame.where(f"error IS NULL AND ({new})")
            self._commit(rows, raw() if topic.is_raw else ["trade.*"], topic.table, ranges)
        at = time.time()
        for row in ranges:
            self.metrics.committed(name, row["records"], [at - time_ms / 1000 for time_ms in row["times"]])


# In SQL: in Python each column and function would be looked up in all jars, again in each batch.


def now() -> str:
    """As text that depends on a column: a number would be a constant of the code that Spark compiles for each batch."""
    text = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%fZ")
    return f"CAST(concat('{text}', substring(topic, 1, 0)) AS TIMESTAMP) AS ingested_at"


def place() -> list[str]:
    """Where a record is on Kafka."""
    return [f"{name} AS kafka_{name}" for name in ("topic", "partition", "offset", "timestamp")]


def raw() -> list[str]:
    """A frame as received, and what the engine says of it in headers."""

    def header(name: str) -> str:
        return f"CAST(try_element_at(filter(headers, one -> one.key = '{name}'), 1).value AS STRING)"

    return [
        f"{header('exchange')} AS exchange",
        f"{header('connection')} AS connection",
        f"TRY_CAST({header('received_ns')} AS BIGINT) AS received_ns",
        "CAST(key AS STRING) AS kafka_key",
        "value AS frame",
    ]
