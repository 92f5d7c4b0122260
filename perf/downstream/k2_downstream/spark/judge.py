"""Holds the tables to the sender's ledger."""

from dataclasses import dataclass, field
from pathlib import Path

from k2_downstream.spark import table
from k2_downstream.spark.sender import Ledger

Place = tuple[str, int, int]


@dataclass
class Verdict:
    """What is not as it was sent, by topic, partition and offset."""

    rows: int = 0
    rejects: int = 0
    twice: list[Place] = field(default_factory=list)
    missing: list[Place] = field(default_factory=list)
    different: list[Place] = field(default_factory=list)
    unknown: list[Place] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether all is there once, as it was sent."""
        return not (self.twice or self.missing or self.different or self.unknown)

    def __str__(self) -> str:
        """On a line."""
        counts = {kind: getattr(self, kind) for kind in ("twice", "missing", "different", "unknown")}
        wrong = ", ".join(f"{len(places)} {kind}" for kind, places in counts.items())
        examples = "".join(f"; {kind}: {places[:3]}" for kind, places in counts.items() if places)
        return f"{self.rows} rows and {self.rejects} rejects: {wrong}{examples}"


def judged(warehouse: Path, ledger: Ledger) -> Verdict:
    """All tables at once."""
    verdict = Verdict()
    found = table.tables(warehouse)
    for name in sorted(ledger.times):
        expected = ledger.good.get(name, {})
        rows = table.rows(found[table.table_of(name)], table.columns_of(table.table_of(name)))
        verdict.rows += len(rows)
        compare(verdict, name, rows, expected, table.table_of(name))
    rejects = table.rows(found["rejects"], table.columns_of("rejects"))
    verdict.rejects = len(rejects)
    for name in sorted(ledger.times):
        of_topic = [row for row in rejects if row["kafka_topic"] == name]
        compare(verdict, name, of_topic, ledger.poison.get(name, {}), "rejects")
    return verdict


def compare(
    verdict: Verdict, name: str, rows: list[dict[str, object]], expected: dict[tuple[int, int], bytes], of_table: str
) -> None:
    """The rows of a topic."""
    seen: set[tuple[int, int]] = set()
    for row in rows:
        at = (int(str(row["kafka_partition"])), int(str(row["kafka_offset"])))
        place = (str(row["kafka_topic"]), *at)
        if place[0] != name or at not in expected:
            verdict.unknown.append(place)
        elif at in seen:
            verdict.twice.append(place)
        elif table.digest_of(row, of_table) != expected[at]:
            verdict.different.append(place)
        seen.add(at)
    verdict.missing.extend((name, *at) for at in sorted(expected.keys() - seen))
