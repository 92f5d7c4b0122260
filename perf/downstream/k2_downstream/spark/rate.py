"""The rate that is held, and how long records take at a lower one: by Kafka's time and that of the snapshots."""

import argparse
import json
import os
import resource
import shutil
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from k2_downstream.figures import percentile
from k2_downstream.parts import REPOSITORY, Deadline
from k2_downstream.spark import table
from k2_downstream.spark.job import Stream
from k2_downstream.spark.sender import Ledger
from k2_downstream.spark.world import World, drained, world

PARTITIONS = 3
P99_S = 5.0
#: Lag that is no sign of falling behind: what comes in within so many seconds.
ROOM_S = 15
SETTLED_S = 180
FOLDER = REPOSITORY / "target/spark-rate"


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--seed", type=int, default=4, help="[default: 4]")
    parser.add_argument(
        "--rate", type=int, default=10_000, help="records a second, half of them frames [default: 10000]"
    )
    parser.add_argument("--for", dest="held_s", type=int, default=180, help="seconds at that rate [default: 180]")
    parser.add_argument("--low", type=int, default=1000, help="the rate at which latency counts [default: 1000]")
    parser.add_argument("--low-for", dest="low_s", type=int, default=120, help="seconds at that rate [default: 120]")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="[default: target/spark-rate]")
    parser.add_argument("--options", default="", help="of the stream, such as '--preset record'")


def run(arguments: argparse.Namespace) -> int:
    """Gives the exit code."""
    shutil.rmtree(arguments.folder, ignore_errors=True)
    print(f"seed {arguments.seed}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}", flush=True)
    with world(arguments.folder, arguments.seed, arguments.low, is_short=False) as found:
        found.sender.poison = 0
        stream = Stream(found.place, *arguments.options.split())
        found.sender.start()
        settled(stream, arguments.low)
        is_quick = quick(found, stream, arguments.low_s)
        found.sender.pace(arguments.rate, from_pool=True)
        is_held = held(stream, arguments.rate, arguments.held_s)
        found.sender.pace(arguments.low)
        drained(stream, found.sender)
        stream.end()
        is_whole = whole(found)
    print(f"load {os.getloadavg()[0]:.1f}; {'HELD' if is_quick and is_held and is_whole else 'FAILED'}", flush=True)
    return 0 if is_quick and is_held and is_whole else 1


def settled(stream: Stream, rate: int) -> None:
    """Waits until it has caught up after its start, and its code is compiled."""
    deadline = Deadline(SETTLED_S, "it does not catch up with the lower rate")
    since = time.monotonic()
    while time.monotonic() < since + 60:
        stream.check()
        lag = stream.metric("bronze_lag_records")
        if lag is None or lag > ROOM_S * rate:
            since = time.monotonic()
        deadline.wait(0.5)


def quick(found: World, stream: Stream, seconds: int) -> bool:
    """From Kafka's time of a record to the time of the snapshot that has it."""
    from_ms = time.time() * 1000
    burnt = cpu(stream)
    time.sleep(seconds)
    burnt = (cpu(stream) - burnt) / seconds
    to_ms = time.time() * 1000
    time.sleep(4 * P99_S)
    latencies = sorted(taken(found.place.warehouse, found.sender.ledger, from_ms, to_ms))
    p50, p99, most = (percentile(latencies, at) for at in (0.5, 0.99, 1))
    own = [stream.metric(f'bronze_ingestion_latency_seconds{{quantile="{at}"}}') for at in (0.5, 0.99)]
    print(
        f"{len(latencies) / seconds:.0f}/s for {seconds} s: p50 {p50:.2f}, p99 {p99:.2f}, most {most:.2f} s; by its "
        f"own metrics p50 {own[0]:.2f}, p99 {own[1]:.2f} s; {burnt:.2f} CPUs; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return p99 < P99_S


def held(stream: Stream, rate: int, seconds: int) -> bool:
    """The lag, looked at every few seconds, is no larger at the end than before."""
    lags: list[float] = []
    burnt, written, began = cpu(stream), stream.metric("bronze_records_total") or 0, time.monotonic()
    while time.monotonic() < began + seconds:
        stream.check()
        time.sleep(5)
        lags.append(stream.metric("bronze_lag_records") or 0)
    took = time.monotonic() - began
    written = ((stream.metric("bronze_records_total") or 0) - written) / took
    burnt = (cpu(stream) - burnt) / took
    third = len(lags) // 3
    middle, last = (percentile(sorted(part), 0.5) for part in (lags[third : 2 * third], lags[-third:]))
    print(
        f"{rate}/s for {took:.0f} s: {written:.0f}/s written; lag in the middle third {middle:.0f}, in the "
        f"last {last:.0f}, at most {max(lags):.0f} records ({max(lags) / rate:.1f} s); {burnt:.2f} CPUs, "
        f"{resident(stream) / 2**20:.0f} MiB; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return last < max(1.25 * middle, ROOM_S * rate / 3) and written > rate * 0.95


def whole(found: World) -> bool:
    """Every offset of every topic is in its table, once."""
    rows = sent = 0
    consumer = Consumer({"bootstrap.servers": found.place.kafka, "group.id": "rate"})
    for name in found.sender.ledger.times:
        metadata = table.tables(found.place.warehouse)[table.table_of(name)]
        got = table.counted(metadata)
        ends = {one: consumer.get_watermark_offsets(TopicPartition(name, one))[1] for one in range(PARTITIONS)}
        rows += sum(count for _, count, _, _ in got)
        sent += sum(ends.values())
        if any(not count == distinct == last + 1 == ends[one] for one, count, distinct, last in got):
            print(f"{name}: partitions, rows, offsets and last offsets are {got}, and Kafka's ends {ends}", flush=True)
            return False
    consumer.close()
    print(f"{sent} records on Kafka, {rows} rows, no offset twice", flush=True)
    return rows == sent


def taken(warehouse: Path, ledger: Ledger, from_ms: float, to_ms: float) -> list[float]:
    """Seconds of all records of that time. A snapshot's time is taken just before the catalog has it."""
    found = []
    for name, times in ledger.times.items():
        before: dict[int, int] = {}
        for snapshot in table.snapshots(table.tables(warehouse)[table.table_of(name)]):
            stamp = json.loads(snapshot["summary"].get(table.STAMP, "{}")).get(name, {})
            for one, end in ((int(one), end) for one, end in stamp.items()):
                for offset in range(before.get(one, 0), end):
                    at = times.get((one, offset))
                    if at is not None and from_ms <= at < to_ms:
                        found.append((snapshot["timestamp-ms"] - at) / 1000)
                before[one] = end
    return found


def processes(stream: Stream) -> list[int]:
    """Python's and Java's."""
    java = stream.java()
    return [stream.process.pid] if java is None else [stream.process.pid, java]


def cpu(stream: Stream) -> float:
    """Seconds of CPU that it has taken."""
    ticks = 0
    for pid in processes(stream):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident(stream: Stream) -> int:
    """Bytes in memory."""
    return (
        sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes(stream))
        * resource.getpagesize()
    )
