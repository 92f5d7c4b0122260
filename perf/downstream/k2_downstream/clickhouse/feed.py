"""What is sent to ClickHouse, and what must become of it: the sender's own ledger."""

import copy
import dataclasses
import random
import struct
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from k2_downstream.parts import Registry
from k2_downstream.trades import EXCHANGES, Market, Sent, Trade, disturbed
from k2_downstream.wire import MAGIC, Fields, Headers, Topics, Writer, fields, newer_schema, register, schema, topic

NS = 1_000_000_000
DAY_NS = 86_400 * NS
FIELDS_OF_OLD = 12
# Within bronze's 30 days.
VERY_LATE_NS = 25 * DAY_NS
UNKNOWN_ID = 1_000_000
PARTITIONS = 3
SPOILED = 1 / 400

# exchange, connection, received_ns, symbol, bytes
Frame = tuple[str, str, int, str, bytes]
# stage and reason, as bronze.rejects has them
Reject = tuple[str, str]
NOT_DECODED: Reject = ("decode", "not decoded")


class Schemas:
    """Writers by the schemas that are on a topic together."""

    def __init__(self, registry: Registry) -> None:
        """Registers them."""
        today, newer = schema(), newer_schema()
        # The handlers' before this engine.
        older = copy.deepcopy(today)
        older["fields"] = older["fields"][:FIELDS_OF_OLD]
        unsided = copy.deepcopy(newer)
        side = next(field for field in unsided["fields"] if field["name"] == "side")
        side["type"]["symbols"].append("UNKNOWN")
        subject = topic("binance") + "-value"
        self.older, self.today, self.newer, self.unsided = (
            Writer(one, register(registry.url, subject, one)) for one in (older, today, newer, unsided)
        )
        # Of tomorrow: with the id that the registry will give next.
        self.next = copy.deepcopy(unsided)
        self.next["fields"].append({"name": "block_trade", "type": ["null", "boolean"], "default": None})
        self.next_id = struct.unpack(">bI", self.unsided.head)[1] + 1

    def register_next(self, registry: Registry) -> None:
        """Makes the schema of tomorrow known."""
        given = register(registry.url, topic("binance") + "-value", self.next)
        assert given == self.next_id, f"the registry gave id {given}, not {self.next_id}"


def bad_fields(now_ms: int) -> list[tuple[Fields, str]]:
    """Fields that a record of good Avro may have, and the reason that it is rejected for."""
    price, quantity = (f"{field} is no decimal of 20 digits and 18 decimals" for field in ("price", "quantity"))
    return [
        ({"price": "12,5"}, price),
        ({"price": ""}, price),
        ({"price": "-1.5"}, price),
        ({"price": "0.0000000000000000001"}, price),
        ({"price": "0.00"}, "price is 0"),
        ({"quantity": "NaN"}, quantity),
        ({"quantity": "123456789012345678901"}, quantity),
        ({"quantity": "1e-19"}, quantity),
        ({"price": "1.5E+20"}, price),
        ({"quantity": "0"}, "quantity is 0"),
        ({"exchange": ""}, "exchange is empty"),
        ({"symbol": ""}, "symbol is empty"),
        ({"canonical_symbol": ""}, "canonical_symbol is empty"),
        ({"trade_id": ""}, "trade_id is empty"),
        ({"side": "UNKNOWN"}, "side is neither BUY nor SELL"),
        ({"exchange_timestamp": 0}, "exchange_timestamp is more than 90 days before the record"),
        ({"exchange_timestamp": now_ms * 1000}, "exchange_timestamp is more than a day after the record"),
        ({"exchange_timestamp_ns": 5}, "exchange_timestamp_ns is another time than exchange_timestamp"),
    ]


def as_sent(trade: Trade, rolls: random.Random) -> Trade:
    """As its exchange writes it: Bybit's ids are UUIDs, Kraken's old ones are made up from the time."""
    if trade.exchange == "bybit":
        return dataclasses.replace(trade, trade_id=str(uuid.UUID(int=rolls.getrandbits(128))))
    if trade.exchange == "kraken":
        # It sends numbers, some with an exponent.
        quantity = f"{Decimal(trade.quantity):E}" if rolls.random() < 1 / 10 else trade.quantity
        trade_id = f"{trade.time_ns // 1_000_000}-{trade.trade_id}"
        return dataclasses.replace(trade, trade_id=trade_id, quantity=quantity)
    return trade


class Feed:
    """Sends, and keeps what must be found."""

    def __init__(self, topics: Topics, registry: Registry, seed: int, count: int, spoiled: float = SPOILED) -> None:
        """`count` different trades, over the last two days and a few weeks before, and a part that are none."""
        self.spoiled = spoiled
        self.topics = topics
        self.registry = registry
        self.schemas = Schemas(registry)
        self.rolls = random.Random(seed + 1)
        self.seed = seed
        self.count = count
        self.end_ns = time.time_ns()
        # In the order they were sent in.
        self.trades: list[Trade] = []
        self.rejects: Counter[Reject] = Counter()
        self.frames: list[Frame] = []
        self.records = 0
        self.strays = 0
        topics.create([topic(exchange) + raw for exchange in EXCHANGES for raw in ("", ".raw")], PARTITIONS)

    def run(self, rate: float, *, go_on: Callable[[], bool] = lambda: True) -> None:
        """Sends all, no faster than this many a second; stops early where it is not to go on."""
        begun = time.monotonic()
        for at, sent in enumerate(disturbed(self._trades(), self.seed + 2)):
            if at % 100 == 0:
                if not go_on():
                    return
                time.sleep(max(0, begun + at / rate - time.monotonic()))
            self.send(sent)
            if self.rolls.random() < self.spoiled:
                self.spoil(sent.trade)
            if at % 50 == 0:
                self.send_frame(sent.trade)
        self.topics.flush()

    def send(self, sent: Sent) -> None:
        """One record, by one of the schemas."""
        trade, writer = sent.trade, self.schemas.today
        late_in_run = len(self.trades) > self.count / 3
        roll = self.rolls.random()
        if late_in_run and roll < 1 / 2:
            writer = self.schemas.newer
        elif not late_in_run and roll < 1 / 4:
            writer = self.schemas.older
            trade = dataclasses.replace(trade, time_ns=trade.time_ns // 1_000_000 * 1_000_000)
        if sent.again and self.rolls.random() < 1 / 10:
            # Of two that differ, the first counts.
            trade = dataclasses.replace(trade, price=trade.price + "1", time_ns=trade.time_ns + 90 * NS)
        self.trades.append(trade)
        self.records += 1
        self.topics.send(topic(trade.exchange), trade.symbol, writer.record(trade))

    def send_frame(self, trade: Trade) -> None:
        """One frame, of bytes that are no text."""
        frame = self.rolls.randbytes(self.rolls.randrange(1, 400)) + b"\0\n\t'\xff"
        at = (trade.exchange, f"{trade.exchange}-0", trade.time_ns, trade.symbol, frame)
        self.frames.append(at)
        headers: Headers = [("exchange", at[0]), ("connection", at[1]), ("received_ns", str(at[2]))]
        self.topics.send(topic(trade.exchange) + ".raw", trade.symbol, frame, headers)

    def spoil(self, trade: Trade) -> None:
        """One record that must become no trade, and must not stop anything."""
        good = self.schemas.today.record(trade)
        undecodable = [
            b"garbage",
            b"\0\0",
            struct.pack(">bI", MAGIC, UNKNOWN_ID) + good[5:],
            good[: len(good) // 2],
        ]
        bad = bad_fields(time.time_ns() // 1_000_000)
        roll = self.rolls.randrange(len(undecodable) + len(bad) + 1)
        name = topic(trade.exchange)
        if roll < len(undecodable):
            self.rejects[NOT_DECODED] += 1
            self.topics.send(name, trade.symbol, undecodable[roll])
        elif roll < len(undecodable) + len(bad):
            values, reason = bad[roll - len(undecodable)]
            self.rejects[("validate", reason)] += 1
            self.records += 1
            fresh = dataclasses.replace(trade, trade_id=f"bad-{self.records}")
            self.topics.send(name, trade.symbol, self.schemas.unsided.encoded(fields(fresh) | values))
        else:
            # A record without a value is nothing.
            self.topics.send(name, trade.symbol, None)

    def send_unregistered(self) -> Trade:
        """One record of a schema that the registry does not have yet."""
        trade = self.stray()
        writer = Writer(self.schemas.next, self.schemas.next_id)
        self.topics.send(topic(trade.exchange), "unregistered", writer.record(trade))
        return trade

    def stray(self) -> Trade:
        """A trade of yesterday that nobody has sent yet."""
        self.strays += 1
        day = Market(self.seed + self.strays).trade(self.end_ns - DAY_NS)
        return dataclasses.replace(day, trade_id=f"stray-{self.strays}")

    def _trades(self) -> Iterator[Trade]:
        market = Market(self.seed)
        step = 2 * DAY_NS // self.count
        for at in range(self.count):
            time_ns = self.end_ns - 2 * DAY_NS + at * step
            roll = self.rolls.random()
            if roll < 1 / 1000:
                time_ns -= self.rolls.randrange(VERY_LATE_NS)
            elif roll < 1 / 2:
                # Many at the same nanosecond: open and close are decided by the id.
                time_ns = time_ns // (10 * NS) * 10 * NS
            yield as_sent(market.trade(time_ns), self.rolls)
