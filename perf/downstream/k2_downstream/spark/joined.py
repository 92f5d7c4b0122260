"""The table and what is newer on Kafka, asked for while the stream writes: each trade once, up to that moment."""

import argparse
import json
import shutil
import subprocess
from pathlib import Path

from k2_downstream.parts import REPOSITORY, Deadline
from k2_downstream.spark.job import SCRIPT, Stream
from k2_downstream.spark.world import World, world
from k2_downstream.wire import topic

SQL = "SELECT symbol, trade_id, kafka_partition, kafka_offset FROM trades"
READY_S = 240
FOLDER = REPOSITORY / "target/spark-join"


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--seed", type=int, default=3, help="[default: 3]")
    parser.add_argument("--rate", type=int, default=400, help="records a second, half of them frames [default: 400]")
    parser.add_argument("--times", type=int, default=3, help="how often it is asked [default: 3]")
    parser.add_argument("--exchange", default="kraken", help="[default: kraken]")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="[default: target/spark-join]")


def run(arguments: argparse.Namespace) -> int:
    """Gives the exit code."""
    shutil.rmtree(arguments.folder, ignore_errors=True)
    print(f"seed {arguments.seed}, {arguments.rate} records/s", flush=True)
    with world(arguments.folder, arguments.seed, arguments.rate) as found:
        found.sender.start()
        stream = Stream(found.place)
        stream.ready()
        held = [asked(found, stream, arguments.exchange, []) for _ in range(arguments.times)]
        held.append(asked(found, stream, arguments.exchange, ["--last", "30s"]))
        stream.check()
        found.sender.stop()
    print("HELD: each trade once, without overlap or hole" if all(held) else "FAILED", flush=True)
    return 0 if all(held) else 1


def asked(found: World, stream: Stream, exchange: str, options: list[str]) -> bool:
    """Asks, and holds the answer to the ledger."""
    records = stream.metric("bronze_records_total")
    answer = subprocess.run(
        [str(SCRIPT), "query", "--exchange", exchange, "--format", "json", "--sql", SQL, *options],
        env=found.place.environment(),
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
    )
    if answer.returncode != 0:
        print(f"it ended with {answer.returncode}: {answer.stderr[-500:]}", flush=True)
        return False
    told = next(line for line in answer.stderr.splitlines() if '"from Kafka"' in line)
    said = json.loads(told.split(": ", 1)[1])
    tail = {int(one): (first, end) for one, (first, end) in said["from Kafka"].items()}
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    got = {(row["kafka_partition"], row["kafka_offset"]) for row in rows}
    name = topic(exchange)
    deadline = Deadline(30, "the sender has not heard of all records yet")
    while any((one, end - 1) not in found.sender.ledger.times[name] for one, (_, end) in tail.items() if end):
        deadline.wait()
    trades = dict(found.sender.ledger.trades[name])
    sent = {at for at, time_ms in trades.items() if at[1] < tail[at[0]][1] and time_ms >= said["since"]}
    newer = sum(first <= offset < end for one, offset in got for first, end in [tail[one]])
    print(
        f"{len(rows)} trades {' '.join(options)}, {newer} of them from Kafka; {len(sent - got)} missing, "
        f"{len(got - sent)} too many, {len(rows) - len(got)} twice; the stream wrote "
        f"{(stream.metric('bronze_records_total') or 0) - (records or 0):.0f} records meanwhile",
        flush=True,
    )
    return sent == got and len(rows) == len(got) and newer > 0 and len(rows) > newer
