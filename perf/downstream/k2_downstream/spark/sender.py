"""Sends trades, the frames they came in, and poison; and keeps a ledger of what the broker has."""

import hashlib
import json
import random
import threading
import time
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from k2_downstream.trades import Market, Trade
from k2_downstream.wire import TIMEOUT_S, Writer, topic

Headers = list[tuple[str, str | bytes | None]]

#: Topic, key, value, headers.
Ready = tuple[str, str, bytes, Headers]

POOL = 10_000
#: Of a thousand records, so many are poison.
POISON = 5


def digest(*parts: object) -> bytes:
    """Of a row, short."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()


def digest_of(trade: Trade) -> bytes:
    """Of what a table must have of it."""
    return digest(*trade.key, trade.price, trade.quantity, trade.quote_volume, trade.side, trade.time_ns)


def raw(trade: Trade) -> bytes:
    """A frame in which it may have come."""
    said = {"s": trade.symbol, "t": trade.trade_id, "p": trade.price, "q": trade.quantity, "T": trade.time_ns // 10**6}
    return json.dumps({"e": "trade", "x": trade.exchange, **said}).encode()


def headers(trade: Trade) -> Headers:
    """What the engine says of a frame."""
    return [("exchange", trade.exchange.encode()), ("connection", b"one"), ("received_ns", b"%d" % trade.time_ns)]


def poisons(good: bytes, rolls: random.Random) -> bytes:
    """A record that is none: unframed, cut, of another schema's id, or a frame with nothing of Avro in it."""
    kinds = [
        b"{}",
        good[: rolls.randrange(5, 20)],
        good[:1] + (10**6 + rolls.randrange(9)).to_bytes(4, "big") + good[5:],
        good[:5] + b"\xff" * rolls.randrange(12, 60),
        b"",
    ]
    return rolls.choice(kinds)


@dataclass(frozen=True, slots=True)
class Sending:
    """A record on its way."""

    digest: bytes
    is_good: bool = True
    #: Of a trade: when it took place, in milliseconds.
    trade_ms: int | None = None


@dataclass
class Ledger:
    """What the broker has acknowledged, by partition and offset: a digest, and when it came by Kafka's own time."""

    good: dict[str, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    poison: dict[str, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    times: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict)
    trades: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def delivered(self, sent: "Sending", error: KafkaError | None, message: Message) -> None:
        """By the client, of one record."""
        if error is not None:
            self.refused.append(str(error))
            return
        name, at = str(message.topic()), (int(message.partition() or 0), int(message.offset() or 0))
        (self.good if sent.is_good else self.poison).setdefault(name, {})[at] = sent.digest
        self.times.setdefault(name, {})[at] = message.timestamp()[1]
        if sent.trade_ms is not None:
            self.trades.setdefault(name, {})[at] = sent.trade_ms

    @property
    def count(self) -> int:
        """All records."""
        return sum(len(by) for kind in (self.good, self.poison) for by in kind.values())


class Sender:
    """Sends at a rate, in the background, until it is to end."""

    def __init__(self, servers: str, market: Market, writers: list[Writer], seed: int, rate: int) -> None:
        """`rate` counts all records a second: half of them trades, half frames."""
        self.ledger = Ledger()
        self.market = market
        self.writers = writers
        self.rolls = random.Random(seed)
        self.rate = rate
        self.poison = POISON
        self.producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "log_level": 2,
            }
        )
        self.pool: list[Ready] = []
        self.pool_at = 0
        self.stopped = threading.Event()
        self.failed: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """From now on."""
        self.thread.start()

    def stop(self) -> None:
        """Ends, with all of it on Kafka."""
        self.stopped.set()
        self.thread.join()
        if self.failed is not None:
            raise self.failed
        if self.producer.flush(TIMEOUT_S) or self.ledger.refused:
            message = f"the broker has not all of it: {self.ledger.refused[:1]}"
            raise RuntimeError(message)

    def pace(self, rate: int, *, from_pool: bool = False) -> None:
        """Another rate; from a pool of records made before, without ledger: sending takes little CPU."""
        trades = [self.market.trade(time.time_ns()) for _ in range(POOL if from_pool else 0)]
        self.pool = [ready for trade in trades for ready in self._ready(trade)]
        self.rate = rate

    def _ready(self, trade: Trade) -> list[Ready]:
        name, key = topic(trade.exchange), trade.symbol
        return [
            (name, key, self.rolls.choice(self.writers).record(trade), []),
            (f"{name}.raw", key, raw(trade), headers(trade)),
        ]

    def _run(self) -> None:
        try:
            last, due = time.monotonic(), 0.0
            while not self.stopped.is_set():
                now = time.monotonic()
                due += (now - last) * self.rate
                last = now
                while due > 1:
                    if self.pool:
                        name, key, value, with_it = self.pool[self.pool_at % len(self.pool)]
                        self.producer.produce(name, value, key, headers=with_it)
                        self.pool_at += 1
                        due -= 1
                    else:
                        self.send()
                        due -= 2
                self.producer.poll(0)
                time.sleep(0.005)
        except Exception as error:  # noqa: BLE001
            self.failed = error

    def send(self) -> None:
        """A trade, or poison in its place, and a frame."""
        trade = self.market.trade(time.time_ns())
        good = self.rolls.choice(self.writers).record(trade)
        name = topic(trade.exchange)
        if self.rolls.randrange(1000) < self.poison:
            bad = poisons(good, self.rolls)
            self._produce(name, trade.symbol, bad, Sending(digest(bad.hex()), is_good=False))
        else:
            self._produce(name, trade.symbol, good, Sending(digest_of(trade), trade_ms=trade.time_ns // 10**6))
        frame = raw(trade)
        self._produce(f"{name}.raw", trade.symbol, frame, Sending(digest(frame.decode())), headers(trade))

    def _produce(self, name: str, key: str, value: bytes, sent: Sending, with_it: Headers | None = None) -> None:
        told = partial(self.ledger.delivered, sent)
        while True:
            try:
                self.producer.produce(name, value, key, headers=with_it or [], on_delivery=told)
            except BufferError:
                self.producer.poll(0.1)
            else:
                return
