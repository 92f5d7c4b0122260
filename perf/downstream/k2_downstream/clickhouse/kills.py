"""Kills ClickHouse's engine while it consumes, and holds what it made of the trades to the sender's ledger."""

import argparse
import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from k2_downstream.clickhouse import checks
from k2_downstream.clickhouse.feed import Feed
from k2_downstream.clickhouse.server import ClickHouse
from k2_downstream.parts import Deadline, Kafka, Registry
from k2_downstream.trades import Sent
from k2_downstream.wire import Topics

PLANTED = ("none", "lost", "added")
KILL_WITHIN_S = 2.0
KILL_AT_ONCE_S = 0.05
# Until a member that was killed is missed, and what was sent meanwhile is read.
PROGRESS_S = 120


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--trades", type=int, default=300_000, help="different ones")
    parser.add_argument("--rate", type=float, default=2_000, help="records a second that are sent")
    parser.add_argument("--brief", action="store_true", help="without reading again, and replaying, what is there")
    parser.add_argument(
        "--planted",
        choices=PLANTED,
        default="none",
        help="a fault that must be found: lost: a trade is left out; added: bars are added to, not computed anew",
    )


def run(given: argparse.Namespace) -> int:
    """Gives the exit code: 0 if all held."""
    print(f"seed {given.seed}, {given.trades} trades, {given.kills} kills, planted: {given.planted}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="k2-clickhouse-") as folder,
        Kafka(Path(folder) / "kafka") as kafka,
        Registry(Path(folder) / "registry") as registry,
        ClickHouse(Path(folder) / "clickhouse", kafka, registry) as clickhouse,
    ):
        # The tables are there before the topics, as after a first `docker compose up`.
        clickhouse.tables("apply")
        print(f"ClickHouse {clickhouse.ask('SELECT version()')[0][0]} by chdb", flush=True)
        feed = Feed(Topics(kafka.servers), registry, given.seed, given.trades)
        return campaign(given, clickhouse, feed)


def campaign(given: argparse.Namespace, clickhouse: ClickHouse, feed: Feed) -> int:
    """Kills while records are sent, then looks."""
    report = checks.Report()
    if given.planted == "added":
        checks.add_to_bars(clickhouse)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(feed.run, given.rate, go_on=lambda: not stop.is_set())
        try:
            kill_often(clickhouse, feed, given)
        except BaseException:
            stop.set()
            raise
    sending.result()
    if given.planted == "lost":
        # In the ledger, and not on Kafka.
        feed.trades.append(feed.stray())
    checks.whole(report, clickhouse, feed, f"after {given.kills} kills")
    if given.planted != "none":
        return report.end()
    feed.send(Sent(feed.stray()))
    feed.topics.flush()
    checks.late(report, clickhouse, feed)
    # What is there already stays as it is.
    clickhouse.tables("apply")
    if not given.brief:
        clickhouse.tables("reread")
        checks.whole(report, clickhouse, feed, "read again, nothing dropped")
    clickhouse.tables("rebuild", "kafka")
    checks.whole(report, clickhouse, feed, "dropped and rebuilt from Kafka")
    if not given.brief:
        checks.replay(report, clickhouse, feed)
    checks.figures(report, clickhouse, feed)
    checks.guides(report, clickhouse)
    return report.end()


def kill_often(clickhouse: ClickHouse, feed: Feed, given: argparse.Namespace) -> None:
    """At moments by the seed, each after more records have come in."""
    rolls = random.Random(given.seed + 3)
    for kill in range(given.kills):
        wanted = given.trades * (kill + rolls.random()) / (given.kills + 1)
        deadline = Deadline(PROGRESS_S, f"kill {kill + 1}: fewer than {wanted:.0f} records within {PROGRESS_S} s")
        while (read := clickhouse.number("SELECT count() FROM bronze.trades")) < wanted:
            deadline.wait(0.02)
        # Every other one right after bronze was written, while the views behind it are not, and nothing is committed.
        time.sleep(rolls.random() * (KILL_WITHIN_S if kill % 2 else KILL_AT_ONCE_S))
        clickhouse.kill()
        clickhouse.start()
        again = checks.not_committed(clickhouse, feed)
        print(
            f"kill {kill + 1} of {given.kills}: {read} records in, {again} of them not committed, {feed.records} sent",
            flush=True,
        )
