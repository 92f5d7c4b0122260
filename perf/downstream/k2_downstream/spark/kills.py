"""The driver is killed again and again, beside maintenance; then every record is looked for in the tables."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq

from k2_downstream.parts import REPOSITORY, Deadline
from k2_downstream.spark import job, table
from k2_downstream.spark.job import Place, Stream
from k2_downstream.spark.judge import judged
from k2_downstream.spark.moments import moments, wait
from k2_downstream.spark.world import World, drained, world
from k2_downstream.wire import Writer, newer_schema, register

MAINTAIN = ["--older-than", "1m", "--retain-last", "20", "--orphans-older-than", "1d"]
AGED_S = 3 * 86400
AWAY_S = 180
FOLDER = REPOSITORY / "target/spark-kills"


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--seed", type=int, default=1, help="of trades, poison and kills [default: 1]")
    parser.add_argument("--kills", type=int, default=20, help="[default: 20]")
    parser.add_argument("--rate", type=int, default=400, help="records a second, half of them frames [default: 400]")
    parser.add_argument("--job", type=Path, default=job.SCRIPT, help="another copy of the job, such as a broken one")
    parser.add_argument("--plant", choices=["lost", "twice"], help="break a data file at the end: it is to be found")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="[default: target/spark-kills]")


def run(arguments: argparse.Namespace) -> int:
    """Gives the exit code."""
    job.SCRIPT = arguments.job
    shutil.rmtree(arguments.folder, ignore_errors=True)
    print(f"seed {arguments.seed}, {arguments.kills} kills, {arguments.rate} records/s", flush=True)
    with world(arguments.folder, arguments.seed, arguments.rate) as found:
        return campaign(found, arguments)


def campaign(found: World, arguments: argparse.Namespace) -> int:
    """All kills, and the count after them."""
    place, began = found.place, time.monotonic()
    found.sender.start()
    stream = Stream(place)
    stream.ready()
    upkeep = Upkeep(place)
    names = sorted(name for name in table.tables(place.warehouse) if name != "rejects")
    planned = moments(found.rolls, arguments.kills, names)
    for number, moment in enumerate(planned):
        wait(moment, place, stream)
        stream.kill(moment.whom)
        print(f"{time.monotonic() - began:5.0f} s  {number + 1}: {moment}", flush=True)
        stream = without_registry(found) if number == len(planned) // 2 else Stream(place)
        upkeep.turn(is_killed=number % 5 == 4)  # noqa: PLR2004
    upkeep.join()
    stream.ready()
    drained(stream, found.sender)
    code = stream.end()
    if arguments.plant:
        plant(place.warehouse, arguments.plant)
    verdict = judged(place.warehouse, found.sender.ledger)
    sent = found.sender.ledger.count
    print(
        f"{time.monotonic() - began:5.0f} s  {sent} records sent, {upkeep}, stopped with {code}; {verdict}", flush=True
    )
    is_well = verdict.is_well and code == 0 and upkeep.is_well and verdict.rejects > 0
    print("HELD: each record is there once, as it was sent" if is_well else "FAILED", flush=True)
    return 0 if is_well else 1


def without_registry(found: World) -> Stream:
    """A start while the registry does not answer, and with a schema on the topics that the job has never seen."""
    schema = newer_schema()
    schema["fields"].append({"name": "venue", "type": "string", "default": ""})
    url = found.place.registry
    found.sender.writers = [*found.sender.writers, Writer(schema, register(url, "newest-value", schema))]
    os.kill(found.registry.process.pid, signal.SIGSTOP)
    try:
        stream = Stream(found.place)
        deadline = Deadline(AWAY_S, f"the job does not wait for the registry, see {stream.log}")
        while not stream.metric("bronze_registry_waiting_seconds"):
            stream.check()
            deadline.wait(0.2)
    finally:
        os.kill(found.registry.process.pid, signal.SIGCONT)
    print("         the registry was away at the start, and a schema was new: the job waited", flush=True)
    return stream


class Upkeep:
    """Maintenance in the background, one at a time; now and then it is killed, too."""

    def __init__(self, place: Place) -> None:
        """None yet."""
        self.place = place
        self.log = place.folder / "maintain.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.kill: threading.Timer | None = None
        self.ended: list[int] = []

    def turn(self, *, is_killed: bool) -> None:
        """Begins one, if none runs. All files are made old, so that orphans of kills are removed, and nothing else."""
        if self.process is not None and self.process.poll() is None:
            return
        self.join()
        old = time.time() - AGED_S
        for path in self.place.warehouse.glob("bronze/*/data/**/*.parquet"):
            os.utime(path, (old, old))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(job.SCRIPT), "maintain", *MAINTAIN],
                env=self.place.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if is_killed:
            self.kill = threading.Timer(25, os.killpg, (self.process.pid, signal.SIGKILL))
            self.kill.start()

    def join(self) -> None:
        """Waits for it."""
        if self.process is not None:
            self.ended.append(self.process.wait(300))
            self.process = None
        if self.kill is not None:
            self.kill.cancel()
            self.kill = None

    @property
    def is_well(self) -> bool:
        """Whether it did its work, but where it was killed."""
        return 0 in self.ended and all(code in {0, -signal.SIGKILL} for code in self.ended)

    def __str__(self) -> str:
        """On a line."""
        return f"{len(self.ended)} times maintained, {self.ended.count(-signal.SIGKILL)} of them killed"


def plant(warehouse: Path, what: str) -> None:
    """Takes a row out of a data file, or puts one in again: what has to be found."""
    metadata = table.tables(warehouse)["trades_binance"]
    newest = max((metadata.parents[1] / "data").glob("**/*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    rows = pq.read_table(newest)
    pq.write_table(rows.slice(1) if what == "lost" else rows.take([0, *range(rows.num_rows)]), newest)
    print(f"planted: a row is {what} in {newest.name}", file=sys.stderr)
