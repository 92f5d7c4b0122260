"""Bars of trades, computed by nothing that ClickHouse has a part in."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, localcontext

from k2_downstream.trades import Trade

WIDTHS_S = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "1d": 86400}
NS = 1_000_000_000
# More digits than any sum has, so that nothing is rounded.
EXACT = Context(prec=200)
VWAP_STEP = Decimal(1).scaleb(-18)

# width, exchange, symbol, start in seconds since 1970
BarKey = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; equal to another only to the last digit."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    count: int
    vwap: Decimal


def order(trade: Trade) -> tuple[int, int, bytes]:
    """Of trades in a bar: by time, then by length of the id, then by the id."""
    text = trade.trade_id.encode()
    return (trade.time_ns, len(text), text)


def bar(trades: list[Trade]) -> Bar:
    """Of these trades, which are all of it."""
    ordered = sorted(trades, key=order)
    prices = [Decimal(trade.price) for trade in ordered]
    quantities = [Decimal(trade.quantity) for trade in ordered]
    volume = sum(quantities, Decimal(0))
    quote_volume = sum((price * quantity for price, quantity in zip(prices, quantities, strict=True)), Decimal(0))
    vwap = (quote_volume / volume).quantize(VWAP_STEP, ROUND_DOWN)
    return Bar(prices[0], max(prices), min(prices), prices[-1], volume, quote_volume, len(ordered), vwap)


def bars(trades: Iterable[Trade]) -> dict[BarKey, Bar]:
    """Of all widths. Of a trade that is there more than once, the first counts."""
    once: dict[tuple[str, str, str], Trade] = {}
    for trade in trades:
        once.setdefault(trade.key, trade)
    parts: dict[BarKey, list[Trade]] = {}
    for trade in once.values():
        for width, seconds in WIDTHS_S.items():
            start = trade.time_ns // NS // seconds * seconds
            parts.setdefault((width, trade.exchange, trade.symbol, start), []).append(trade)
    with localcontext(EXACT):
        return {key: bar(part) for key, part in parts.items()}
