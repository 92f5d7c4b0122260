"""How soon `k2-feed tail` shows the first of the last five minutes' trades, and how soon all."""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from k2_downstream import wire
from k2_downstream.figures import percentile
from k2_downstream.parts import REPOSITORY, Kafka, Registry
from k2_downstream.trades import EXCHANGES, Market

WINDOW_NS = 300 * 10**9


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--binary", type=Path, default=REPOSITORY / "target/release/k2-feed", help="%(default)s")
    parser.add_argument("--trades", type=int, default=300_000, help="of six exchanges (%(default)s)")
    parser.add_argument("--runs", type=int, default=30, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Prints the times of all runs. The exit code is 1 where a run did not show each trade."""
    print(f"seed {arguments.seed}, load {os.getloadavg()[0]:.1f}")
    with (
        tempfile.TemporaryDirectory() as folder,
        Kafka(Path(folder) / "kafka") as kafka,
        Registry(Path(folder) / "registry") as registry,
    ):
        send(kafka, registry, arguments.seed, arguments.trades)
        command = [arguments.binary, "tail", "--last", "10m", "--format", "json"]
        command += ["--bootstrap-servers", kafka.servers, "--schema-registry-url", registry.url]
        times = [one(command, arguments.trades) for _ in range(arguments.runs)]
    for what, of in (("first row", [first for first, _ in times]), ("all rows", [whole for _, whole in times])):
        ordered = sorted(of)
        parts = {"least": 0, "median": 0.5, "p90": 0.9, "most": 1}
        figures = (f"{name} {percentile(ordered, part):.1f} ms" for name, part in parts.items())
        print(f"{what:<10}", "  ".join(figures), flush=True)
    return 0


def send(kafka: Kafka, registry: Registry, seed: int, count: int) -> None:
    """Trades of the last five minutes, to six topics, in batches as small as those of an engine at such a rate."""
    topics = wire.Topics(kafka.servers, batch_num_messages=10)
    topics.create([wire.topic(exchange) for exchange in EXCHANGES])
    writers = {
        exchange: wire.Writer(
            wire.schema(), wire.register(registry.url, f"{wire.topic(exchange)}-value", wire.schema())
        )
        for exchange in EXCHANGES
    }
    market = Market(seed)
    begin = time.time_ns() - WINDOW_NS
    for place in range(count):
        trade = market.trade(begin + place * WINDOW_NS // count)
        value = writers[trade.exchange].record(trade)
        topics.send(wire.topic(trade.exchange), trade.symbol, value, time_ms=trade.time_ns // 1_000_000)
    topics.flush()


def one(command: list[str | Path], count: int) -> tuple[float, float]:
    """Milliseconds from the start of the process to its first row, and to its last."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        row = process.stdout.readline()
        first = time.monotonic() - began
        rows = 1 + sum(1 for _ in process.stdout)
        whole = time.monotonic() - began
    assert json.loads(row)["trade_id"]
    if process.returncode or rows != count:
        message = f"tail showed {rows} of {count} trades, and ended with {process.returncode}"
        raise SystemExit(message)
    return first * 1e3, whole * 1e3
