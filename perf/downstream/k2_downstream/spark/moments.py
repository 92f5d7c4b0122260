"""When a driver is killed: at moments of a batch that can be seen from outside."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from k2_downstream.parts import Deadline
from k2_downstream.spark import table
from k2_downstream.spark.job import Place, Stream

SEEN_S = 90
#: What is waited for, and for how long after it at most.
KINDS = {
    "start-up": 12.0,
    "batch planned": 1.5,
    "data file written": 0.2,
    "metadata written": 0.005,
    "table committed": 0.05,
    "rejects committed": 0.05,
    "batch committed": 0.05,
}


@dataclass(frozen=True)
class Moment:
    """One of them."""

    kind: str
    table: str
    after_s: float
    whom: str

    def __str__(self) -> str:
        """As it is told."""
        of = f" ({self.table})" if self.kind in {"data file written", "metadata written", "table committed"} else ""
        return f"kill -9 of {self.whom} {self.after_s * 1000:.0f} ms after '{self.kind}'{of}"


def moments(rolls: random.Random, count: int, names: list[str]) -> list[Moment]:
    """Each kind about as often, in an order by the seed."""
    kinds = [list(KINDS)[number % len(KINDS)] for number in range(count)]
    rolls.shuffle(kinds)
    return [
        Moment(
            kind, rolls.choice(names), rolls.random() * KINDS[kind], rolls.choice(["both", "both", "python", "java"])
        )
        for kind in kinds
    ]


def wait(moment: Moment, place: Place, stream: Stream) -> None:
    """Until it is there."""
    if moment.kind != "start-up":
        stream.ready()
        sign = _sign(moment, place)
        before, deadline = sign(), Deadline(SEEN_S, f"no sign of '{moment.kind}'")
        while sign() == before:
            deadline.wait(0.001)
    time.sleep(moment.after_s)


def _sign(moment: Moment, place: Place) -> Callable[[], object]:
    """What changes at the moment."""
    folder = place.warehouse / "bronze" / moment.table

    def changed(path: Path) -> Callable[[], object]:
        return lambda: path.stat().st_mtime_ns

    def committed(name: str) -> Callable[[], object]:
        return lambda: table.tables(place.warehouse).get(name)

    def data() -> object:
        return [day.stat().st_mtime_ns for day in sorted((folder / "data").glob("*"))]

    return {
        "batch planned": changed(place.warehouse / "checkpoint/offsets"),
        "batch committed": changed(place.warehouse / "checkpoint/commits"),
        "data file written": data,
        "metadata written": changed(folder / "metadata"),
        "table committed": committed(moment.table),
        "rejects committed": committed("rejects"),
    }[moment.kind]
