"""The streaming job, from what the tables say to the end."""

import argparse
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from pyspark.sql.streaming.query import StreamingQuery

from k2_bronze import names, tables
from k2_bronze.batch import Batches, Progress
from k2_bronze.decode import trade_type, wrong_schema
from k2_bronze.kafka import Kafka, Offsets
from k2_bronze.metrics import Metrics
from k2_bronze.names import REJECTS, Topic
from k2_bronze.registry import Registry
from k2_bronze.session import Session
from k2_bronze.settings import RECORD, Pace

LOOK_S = 0.5
LAG_S = 5
AGAIN_S = 2
#: A batch that is being written is waited for.
DRAIN_S = 25


def run(arguments: argparse.Namespace, pace: Pace) -> int:
    """Until a signal, which gives 0, or a failure."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if arguments.preset == "record":
        print(f"warning: {RECORD}", file=sys.stderr, flush=True)
    metrics = Metrics(pace.trigger_s)
    metrics.serve(arguments.metrics)
    topics = names.topics(arguments.topic_prefix, arguments.exchanges)
    metrics.begin(topics)

    session = Session(arguments, "stream")
    lock = session.lock("stream")
    reader = arguments.schema.read_text()
    tables.create(session, list(topics.values()), trade_type(session.spark, reader))
    kafka = Kafka(arguments.kafka)
    registry = Registry(arguments.registry, lambda text: wrong_schema(session.jvm, text), stop)
    partitions = found(kafka, topics, stop)
    if partitions is None:
        return 0
    has = {
        table: tables.committed(session, table)[1] for table in [*(topic.table for topic in topics.values()), REJECTS]
    }
    progress = Progress(start(kafka, topics, partitions, has, metrics), has)
    batches = Batches(topics, registry, reader, arguments.cores, progress, metrics, session.free)
    query = begin(session, arguments, pace, batches)
    threading.Thread(target=watch, args=(kafka, topics, progress, registry, metrics), daemon=True).start()
    print(f"reading {len(partitions)} topics every {pace.trigger_s:g} s, up to {pace.max_offsets} records", flush=True)
    code = follow(query, batches, metrics, stop)
    lock.release()
    return code


def found(kafka: Kafka, topics: Mapping[str, Topic], stop: threading.Event) -> dict[str, list[int]] | None:
    """Partitions of the topics that there are, as soon as there is one; the others are taken up when they appear."""
    why = ""
    while True:
        try:
            partitions = kafka.partitions(list(topics))
            said = f"none of {len(topics)} topics is there yet, such as {next(iter(topics))}"
        except KafkaException as error:
            partitions, said = {}, str(error)
        if partitions:
            return partitions
        if said != why:
            print(f"waiting for Kafka at {kafka.servers}: {said}", file=sys.stderr, flush=True)
            why = said
        if stop.wait(AGAIN_S):
            return None


def start(
    kafka: Kafka,
    topics: Mapping[str, Topic],
    partitions: dict[str, list[int]],
    has: dict[str, Offsets],
    metrics: Metrics,
) -> Offsets:
    """Where each table ends, or else where the topic begins."""
    begins, ends = kafka.begins(partitions), kafka.ends(partitions)
    offsets: Offsets = {}
    for name, all_of in partitions.items():
        for one in all_of:
            first, end = begins[name][one], ends[name][one]
            at = has[topics[name].table].get(name, {}).get(one)
            if at is not None and at > end:
                message = (
                    f"{topics[name].table} has {name}/{one} up to offset {at}, and Kafka only up to {end}: the topic "
                    "was made anew. Rename the table, so that a new one begins, and start again"
                )
                raise RuntimeError(message)
            if at is not None and at < first:
                metrics.missing(name, one, at, first)
            offsets.setdefault(name, {})[one] = first if at is None else max(at, first)
    return offsets


def begin(session: Session, arguments: argparse.Namespace, pace: Pace, batches: Batches) -> StreamingQuery:
    """Spark's query. Its checkpoint is made anew: the tables know how far they are, and nothing else has to."""
    checkpoint = Path(arguments.checkpoint or session.warehouse / "checkpoint").absolute()
    shutil.rmtree(checkpoint, ignore_errors=True)
    records = (
        session.spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", arguments.kafka)
        .option("subscribePattern", names.pattern(list(batches.topics)))
        .option("startingOffsets", tables.written(batches.progress.position))
        .option("maxOffsetsPerTrigger", pace.max_offsets)
        .option("includeHeaders", "true")
        # What Kafka has thrown away is counted and told, and does not stand in the way of what it still has.
        .option("failOnDataLoss", "false")
        .load()
    )
    return (
        records.writeStream.foreachBatch(batches.write)
        .trigger(processingTime=f"{round(pace.trigger_s * 1000)} milliseconds")
        .option("checkpointLocation", checkpoint.as_uri())
        .queryName("bronze")
        .start()
    )


def follow(query: StreamingQuery, batches: Batches, metrics: Metrics, stop: threading.Event) -> int:
    """Until it ends, or is to."""
    while query.isActive:
        metrics.progress(query.recentProgress)
        if stop.wait(LOOK_S):
            is_drained = batches.writing.acquire(timeout=DRAIN_S)
            query.stop()
            print(
                f"stopped{'' if is_drained else ', within a batch: the next start writes the rest of it'}", flush=True
            )
            return 0
    if stop.is_set():
        return 0
    print(f"error: the query has ended: {query.exception()}", file=sys.stderr, flush=True)
    return 1


def watch(kafka: Kafka, topics: Mapping[str, Topic], progress: Progress, registry: Registry, metrics: Metrics) -> None:
    """Shows the lag, whether or not batches come to an end."""
    while True:
        metrics.waiting.set(0 if registry.waiting_since is None else time.time() - registry.waiting_since)
        try:
            ends = kafka.ends(kafka.partitions(list(topics)))
        except KafkaException as error:
            print(f"the lag is not known: {error}", file=sys.stderr, flush=True)
            ends = {}
        for name, by in ends.items():
            at = progress.position.get(name, {})
            metrics.lag.labels(name).set(sum(max(0, end - at.get(one, 0)) for one, end in by.items()))
        metrics.looks.inc(bool(ends))
        time.sleep(LAG_S)
