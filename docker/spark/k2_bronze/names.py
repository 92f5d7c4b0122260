"""Topics and tables, and which belongs to which."""

import re
from dataclasses import dataclass

CATALOG = "k2"
NAMESPACE = "bronze"
REJECTS = f"{CATALOG}.{NAMESPACE}.rejects"


@dataclass(frozen=True)
class Topic:
    """One that is written to a table of its own."""

    name: str
    exchange: str
    is_raw: bool

    @property
    def table(self) -> str:
        """With catalog and namespace."""
        kind = "raw" if self.is_raw else "trades"
        return f"{CATALOG}.{NAMESPACE}.{kind}_{self.exchange.replace('-', '_')}"


def topics(prefix: str, exchanges: list[str]) -> dict[str, Topic]:
    """By name: of each exchange the trades, and the frames they came in."""
    both = [
        Topic(f"{prefix}{exchange}{'.raw' if is_raw else ''}", exchange, is_raw)
        for exchange in exchanges
        for is_raw in (False, True)
    ]
    return {topic.name: topic for topic in both}


def pattern(names: list[str]) -> str:
    """For Spark, which takes up topics that appear later only by a pattern."""
    return "|".join(re.escape(name) for name in names)
