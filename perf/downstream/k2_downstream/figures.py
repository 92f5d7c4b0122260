"""What is said of many figures."""

from collections.abc import Sequence


def percentile(ordered: Sequence[float], part: float) -> float:
    """Of figures in their order."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
