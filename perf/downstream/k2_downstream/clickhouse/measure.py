"""Measures ClickHouse with the tables of docker/clickhouse: rate, latency, memory, and how soon a bar is corrected."""

import argparse
import os
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from k2_downstream.clickhouse.bars import NS, WIDTHS_S
from k2_downstream.clickhouse.feed import PARTITIONS, Schemas
from k2_downstream.clickhouse.server import ClickHouse
from k2_downstream.figures import percentile
from k2_downstream.parts import Deadline, Kafka, Registry
from k2_downstream.trades import EXCHANGES, Market, Trade
from k2_downstream.wire import Topics, topic

PATIENCE_S = 600
CORRECTIONS = 20


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--records", type=int, default=300_000, help="on Kafka before it starts to read, for the rate")
    parser.add_argument("--rate", type=int, default=800, help="records a second, for the latency")
    parser.add_argument("--for", type=int, default=60, dest="seconds", help="seconds, for the latency")


def run(given: argparse.Namespace) -> int:
    """Prints the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="k2-clickhouse-") as folder,
        Kafka(Path(folder) / "kafka") as kafka,
        Registry(Path(folder) / "registry") as registry,
        ClickHouse(Path(folder) / "clickhouse", kafka, registry) as clickhouse,
    ):
        sender = Sender(Topics(kafka.servers), Schemas(registry))
        told("load of the machine before", " ".join(f"{load:.1f}" for load in os.getloadavg()))
        told("memory at rest", f"{clickhouse.memory_mib()} MiB")
        rate(given.records, clickhouse, sender)
        latency(given.rate, given.seconds, clickhouse, sender)
        correction(clickhouse, sender)
    return 0


def told(what: str, figure: str) -> None:
    """One line."""
    print(f"{what:<45} {figure}", flush=True)


class Sender:
    """Sends trades that take place now."""

    def __init__(self, topics: Topics, schemas: Schemas) -> None:
        """To all exchanges."""
        self.topics = topics
        self.writer = schemas.today
        self.market = Market(1)
        topics.create([topic(exchange) for exchange in EXCHANGES], PARTITIONS)

    def send(self, time_ns: int) -> Trade:
        """The next trade, which took place then."""
        trade = self.market.trade(time_ns)
        self.topics.send(topic(trade.exchange), trade.symbol, self.writer.record(trade))
        return trade

    def steadily(self, rate: int, seconds: int) -> None:
        """So many a second."""
        begun = time.monotonic()
        for at in range(rate * seconds):
            time.sleep(max(0, begun + at / rate - time.monotonic()))
            self.send(time.time_ns())
        self.topics.flush()


def rate(records: int, clickhouse: ClickHouse, sender: Sender) -> None:
    """Of all that is on Kafka already, an hour of trades: to bronze, and to bars that are computed."""
    begin = time.time_ns() - 3600 * NS
    for at in range(records):
        sender.send(begin + at * 3600 * NS // records)
    sender.topics.flush()
    clickhouse.tables("apply")
    memory = 0
    deadline = Deadline(PATIENCE_S, "records in bronze")
    # What came first tells when it was there, and not when it was begun: so the rate is that of all after it.
    first, begun = 0, 0.0
    while (read := clickhouse.number("SELECT count() FROM silver.trades")) < records:
        memory = max(memory, clickhouse.memory_mib())
        if read and not first:
            first, begun = read, time.monotonic()
        deadline.wait()
    in_silver = time.monotonic()
    in_bars = "SELECT (SELECT sum(count) FROM gold.ohlcv_1d) * ((SELECT count() FROM gold.pending) = 0)"
    clickhouse.wait(in_bars, records, PATIENCE_S, "trades in bars")
    memory = max(memory, clickhouse.memory_mib())
    settled_s = time.monotonic() - begun
    told(f"{records - first} records to bronze and silver", f"{(records - first) / (in_silver - begun):,.0f} records/s")
    told("the same, to bars of all widths, settled", f"{(records - first) / settled_s:,.0f} records/s")
    told("memory meanwhile, at most", f"{memory} MiB")


def latency(rate: int, seconds: int, clickhouse: ClickHouse, sender: Sender) -> None:
    """From the record's time on Kafka until a query finds it in bronze."""
    before = clickhouse.number("SELECT count() FROM bronze.trades")
    # Where each partition stood, and when that was seen.
    seen: list[tuple[int, dict[tuple[str, str], int]]] = []
    memory = 0
    with ThreadPoolExecutor(1) as threads:
        sending: Future[None] = threads.submit(sender.steadily, rate, seconds)
        deadline = Deadline(seconds + PATIENCE_S, "records in bronze")
        count = 0
        while count < before + rate * seconds:
            rows = clickhouse.ask("""SELECT kafka_topic, kafka_partition, max(kafka_offset), count() FROM bronze.trades
                GROUP BY kafka_topic, kafka_partition""")
            seen.append((time.time_ns() // 1_000_000, {(row[0], row[1]): int(row[2]) for row in rows}))
            count = sum(int(row[3]) for row in rows)
            memory = max(memory, clickhouse.memory_mib())
            deadline.wait(0.02)
        sending.result()
    took = sorted(latencies(clickhouse, seen))
    told(f"Kafka to bronze at {rate}/s for {seconds} s, p50", f"{percentile(took, 0.5)} ms")
    told("the same, p99", f"{percentile(took, 0.99)} ms")
    told("memory meanwhile, at most", f"{memory} MiB")


def latencies(clickhouse: ClickHouse, seen: list[tuple[int, dict[tuple[str, str], int]]]) -> list[int]:
    """In ms, of the records that came after the first look."""
    # Sorted by partition and offset, so that the looks are gone through once for each partition.
    took = []
    partition, look = ("", ""), 0
    for name, at, offset, sent_ms in clickhouse.ask(
        """SELECT kafka_topic, kafka_partition, kafka_offset, toUnixTimestamp64Milli(kafka_timestamp) FROM bronze.trades
        ORDER BY kafka_topic, kafka_partition, kafka_offset"""
    ):
        if partition != (name, at):
            partition, look = (name, at), 0
        if int(offset) <= seen[0][1].get(partition, -1):
            continue
        while seen[look][1].get(partition, -1) < int(offset):
            look += 1
        took.append(seen[look][0] - int(sent_ms))
    return took


def correction(clickhouse: ClickHouse, sender: Sender) -> None:
    """From sending a late trade until its bar of a minute, and of a day, shows it."""
    took: dict[str, list[float]] = {"1m": [], "1d": []}
    for _ in range(CORRECTIONS):
        late_ns = time.time_ns() - 1800 * NS
        counts = {width: count(clickhouse, width, late_ns) for width in took}
        sender.send(late_ns)
        sender.topics.flush()
        sent = time.monotonic()
        for width, seconds in took.items():
            deadline = Deadline(PATIENCE_S, f"a late trade in its bar of {width}")
            while count(clickhouse, width, late_ns) == counts[width]:
                deadline.wait(0.02)
            seconds.append(time.monotonic() - sent)
    for width, all_seconds in took.items():
        ordered = sorted(all_seconds)
        figure = f"p50 {percentile(ordered, 0.5):.1f} s, at most {ordered[-1]:.1f} s"
        told(f"a late trade in its bar of {width}, {CORRECTIONS} times", figure)


def count(clickhouse: ClickHouse, width: str, time_ns: int) -> int:
    """Of trades, in all symbols' bars of that time."""
    start = time_ns // NS // WIDTHS_S[width] * WIDTHS_S[width]
    return clickhouse.number(f"SELECT sum(count) FROM gold.ohlcv_{width} WHERE toUnixTimestamp(start) = {start}")
