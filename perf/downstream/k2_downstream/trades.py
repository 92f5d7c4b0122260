"""Trades by a seed: what is sent, and so what must be found downstream."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

# symbol, canonical symbol, decimals of the price, decimals of the quantity, price to begin with
Instrument = tuple[str, str, int, int, str]

EXCHANGES: dict[str, list[Instrument]] = {
    "binance": [("BTCUSDT", "BTC/USDT", 8, 8, "87123.45"), ("SHIBUSDT", "SHIB/USDT", 8, 2, "0.00001234")],
    "binance-usdm": [("ETHUSDT", "ETH/USDT", 2, 3, "2811.40")],
    "bybit": [("SOLUSDT", "SOL/USDT", 2, 3, "131.07")],
    "coinbase": [("BTC-USD", "BTC/USD", 2, 8, "87120.01"), ("DOGE-USD", "DOGE/USD", 5, 1, "0.14211")],
    "kraken": [("XBT/USD", "BTC/USD", 1, 8, "87119.9"), ("PEPE/USD", "PEPE/USD", 9, 5, "0.000004321")],
    "okx": [("BTC-USDT", "BTC/USDT", 1, 8, "87125.3")],
}


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade, in the words of the normalized schema; `time_ns` since 1970."""

    exchange: str
    symbol: str
    canonical_symbol: str
    trade_id: str
    price: str
    quantity: str
    side: str
    time_ns: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others."""
        return (self.exchange, self.symbol, self.trade_id)

    @property
    def quote_volume(self) -> str:
        """Price times quantity, exact."""
        return format(Decimal(self.price) * Decimal(self.quantity), "f")


class Market:
    """Trades of all instruments, without end. The same seed gives the same trades."""

    def __init__(self, seed: int, exchanges: list[str] | None = None) -> None:
        """Of these exchanges, or of all."""
        self.random = random.Random(seed)
        self.instruments = [
            (exchange, instrument) for exchange in exchanges or EXCHANGES for instrument in EXCHANGES[exchange]
        ]
        self.ids = [self.random.randrange(10**9) for _ in self.instruments]
        self.prices = [Decimal(instrument[4]) for _, instrument in self.instruments]

    def trade(self, time_ns: int) -> Trade:
        """The next trade, which took place then."""
        at = self.random.randrange(len(self.instruments))
        exchange, (symbol, canonical, decimals, quantity_decimals, _) = self.instruments[at]
        tick = Decimal(1).scaleb(-decimals)
        self.prices[at] = max(tick, self.prices[at] + tick * self.random.randrange(-50, 51))
        self.ids[at] += 1
        quantity = Decimal(self.random.randrange(1, 10**9)).scaleb(-quantity_decimals)
        return Trade(
            exchange=exchange,
            symbol=symbol,
            canonical_symbol=canonical,
            trade_id=str(self.ids[at]),
            price=format(self.prices[at].quantize(tick), "f"),
            quantity=format(quantity, "f"),
            side=self.random.choice(("BUY", "SELL")),
            time_ns=time_ns,
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """A trade on its way to Kafka, perhaps not for the first time."""

    trade: Trade
    again: bool = False
    late: bool = False


def disturbed(trades: Iterator[Trade], seed: int, twice: float = 0.02, late: float = 0.02) -> Iterator[Sent]:
    """The trades as an engine with crashes and repaired gaps sends them: some twice, some much later than others."""
    rolls = random.Random(seed)
    held: list[Trade] = []
    for trade in trades:
        if rolls.random() < late:
            held.append(trade)
            continue
        yield Sent(trade)
        if rolls.random() < twice:
            yield Sent(trade, again=True)
        if held and rolls.random() < late / 2:
            yield from (Sent(one, late=True) for one in held)
            held.clear()
    yield from (Sent(one, late=True) for one in held)
