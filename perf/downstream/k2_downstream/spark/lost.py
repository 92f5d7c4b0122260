"""The checkpoint is lost, and what snapshots say of offsets, too: a start writes nothing twice, and misses nothing."""

import argparse
import shutil
from pathlib import Path

from k2_downstream.parts import REPOSITORY, Deadline
from k2_downstream.spark import table
from k2_downstream.spark.job import Place, Stream, command
from k2_downstream.spark.judge import judged
from k2_downstream.spark.world import drained, world

BEFORE = 20_000
FOLDER = REPOSITORY / "target/spark-lost"


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--seed", type=int, default=2, help="[default: 2]")
    parser.add_argument("--rate", type=int, default=400, help="records a second, half of them frames [default: 400]")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="[default: target/spark-lost]")


def run(arguments: argparse.Namespace) -> int:
    """Gives the exit code."""
    shutil.rmtree(arguments.folder, ignore_errors=True)
    print(f"seed {arguments.seed}, {arguments.rate} records/s", flush=True)
    with world(arguments.folder, arguments.seed, arguments.rate) as found:
        place = found.place
        found.sender.start()
        stream = Stream(place)
        written(stream, BEFORE)
        stream.kill("both")
        shutil.rmtree(place.warehouse / "checkpoint")
        print("killed, and the checkpoint is gone", flush=True)
        print(command(place, "offsets"), flush=True)
        stream = Stream(place)
        written(stream, BEFORE)
        stream.kill("both")
        forget(place)
        shutil.rmtree(place.warehouse / "checkpoint")
        print("killed, the checkpoint is gone, and no snapshot says how far its table is", flush=True)
        stream = Stream(place)
        stream.ready()
        drained(stream, found.sender)
        code = stream.end()
        verdict = judged(place.warehouse, found.sender.ledger)
    print(f"{found.sender.ledger.count} records sent, stopped with {code}; {verdict}", flush=True)
    is_well = verdict.is_well and code == 0 and verdict.rejects > 0
    print("HELD: each record is there once, as it was sent" if is_well else "FAILED", flush=True)
    return 0 if is_well else 1


def written(stream: Stream, records: int) -> None:
    """Waits until the run has written so many."""
    deadline = Deadline(240, f"not {records} records are written, see {stream.log}")
    while (stream.metric("bronze_records_total") or 0) < records:
        stream.check()
        deadline.wait(0.2)


def forget(place: Place) -> None:
    """Takes offsets out of all snapshots, as if those that had them were expired behind a compaction."""
    count = 0
    for metadata in table.tables(place.warehouse).values():
        said = metadata.read_text()
        count += said.count(table.STAMP)
        metadata.write_text(said.replace(table.STAMP, f"not-{table.STAMP}"))
        checksum = metadata.with_name(f".{metadata.name}.crc")
        checksum.unlink(missing_ok=True)
    if count == 0:
        message = f"no snapshot has {table.STAMP}"
        raise RuntimeError(message)
