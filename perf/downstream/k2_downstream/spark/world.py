"""Kafka, a registry, topics and a sender: what all proofs begin with."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from k2_downstream.parts import Deadline, Kafka, Registry
from k2_downstream.spark.job import Place, Stream
from k2_downstream.spark.sender import Sender
from k2_downstream.trades import EXCHANGES, Market
from k2_downstream.wire import Topics, Writer, newer_schema, register, schema, topic


@dataclass
class World:
    """What there is."""

    place: Place
    registry: Registry
    sender: Sender
    rolls: random.Random


@contextmanager
def world(folder: Path, seed: int, rate: int, *, is_short: bool = True) -> Iterator[World]:
    """A new one, in a folder that is empty."""
    # Scripts that are given it have working folders of their own.
    folder = folder.absolute()
    folder.mkdir(parents=True)
    with Kafka(folder / "kafka") as kafka, Registry(folder / "registry") as registry:
        trades = [topic(exchange) for exchange in EXCHANGES]
        Topics(kafka.servers).create([*trades, *(f"{name}.raw" for name in trades)])
        writers = [
            Writer(one, register(registry.url, f"{kind}-value", one))
            for kind, one in (("today", schema()), ("newer", newer_schema()))
        ]
        sender = Sender(kafka.servers, Market(seed), writers, seed, rate)
        try:
            yield World(
                Place(kafka.servers, registry.url, folder, is_short=is_short), registry, sender, random.Random(seed)
            )
        finally:
            sender.stopped.set()
            Stream.end_all()


def drained(stream: Stream, sender: Sender, seconds: float = 120) -> None:
    """Waits until the job says that all which was sent is written."""
    sender.stop()
    deadline = Deadline(seconds, f"the stream is behind by {stream.metric('bronze_lag_records')}, see {stream.log}")
    calm = 0
    # The lag is looked at every 5 s: it has to be seen after the last record was sent.
    while calm < 2:  # noqa: PLR2004
        stream.check()
        before = stream.metric("bronze_lag_looks_total")
        while stream.metric("bronze_lag_looks_total") == before:
            deadline.wait(0.2)
        calm = calm + 1 if stream.metric("bronze_lag_records") == 0 else 0
