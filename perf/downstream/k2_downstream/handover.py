"""ClickHouse is made anew from the tables that Spark wrote, where Kafka has nothing any more: the same bars."""

import argparse
import shutil
import time
from pathlib import Path

from k2_downstream.clickhouse.checks import Report, rejects, same_bars
from k2_downstream.clickhouse.feed import Feed
from k2_downstream.clickhouse.server import ClickHouse
from k2_downstream.parts import REPOSITORY, Deadline, Kafka, Registry
from k2_downstream.spark.job import Place, Stream
from k2_downstream.wire import Topics

FOLDER = REPOSITORY / "target/clickhouse-from-iceberg"
WRITTEN_S = 240
SETTLED_S = 240


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--seed", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--trades", type=int, default=20_000, help="different ones (%(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="(%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Gives the exit code: 0 if all held."""
    folder: Path = arguments.folder
    shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {arguments.seed}, {arguments.trades} trades", flush=True)
    with Registry(folder / "registry") as registry:
        with Kafka(folder / "kafka") as kafka:
            # What is no trade is not handed over: the job keeps it aside.
            feed = Feed(Topics(kafka.servers), registry, arguments.seed, arguments.trades, spoiled=0)
            feed.run(rate=5_000)
            place = Place(kafka.servers, registry.url, folder)
            to_iceberg(place)
        with (
            Kafka(folder / "empty-kafka") as empty,
            ClickHouse(folder / "clickhouse", empty, registry) as clickhouse,
        ):
            return held(clickhouse, feed, place)


def to_iceberg(place: Place) -> None:
    """Has the job write all that is on Kafka."""
    stream = Stream(place)
    try:
        stream.ready()
        deadline = Deadline(WRITTEN_S, f"not all is written, see {stream.log}")
        while stream.metric("bronze_lag_records") != 0:
            stream.check()
            deadline.wait(0.2)
        assert stream.end() == 0, f"the stream did not end well, see {stream.log}"
    finally:
        Stream.end_all()


def held(clickhouse: ClickHouse, feed: Feed, place: Place) -> int:
    """Rebuilds, and looks."""
    report = Report()
    begun = time.monotonic()
    clickhouse.tables("rebuild", "iceberg", str(place.warehouse))
    clickhouse.wait("SELECT count() FROM bronze.trades FINAL", feed.records, SETTLED_S, "records in bronze")
    clickhouse.wait("SELECT count() FROM gold.pending", 0, SETTLED_S, "bars to be computed")
    print(f"-- rebuilt and settled after {time.monotonic() - begun:.1f} s", flush=True)
    report.equal("records in bronze", clickhouse.number("SELECT count() FROM bronze.trades FINAL"), feed.records)
    report.equal("rejects, by reason", rejects(clickhouse), feed.rejects)
    same_bars(report, clickhouse, feed)
    return report.end()
