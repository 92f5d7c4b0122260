"""Looks whether what is in ClickHouse is what the ledger says, to the last digit."""

import re
import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from k2_downstream.clickhouse.bars import WIDTHS_S, Bar, BarKey, bars
from k2_downstream.clickhouse.client import QueryError
from k2_downstream.clickhouse.feed import NOT_DECODED, Feed, Reject
from k2_downstream.clickhouse.server import ClickHouse
from k2_downstream.parts import REPOSITORY, Deadline
from k2_downstream.trades import EXCHANGES
from k2_downstream.wire import topic

ARRIVE_S = 120
FITS_IN_LINE = 80
UNREGISTERED = 3
TOPICS = [topic(exchange) for exchange in EXCHANGES]
UNSETTLED = "SELECT count() FROM gold.pending"


class Report:
    """What was held to what, line by line."""

    def __init__(self) -> None:
        """Nothing so far."""
        self.wrong = 0
        self.held = 0

    def equal(self, what: str, found: object, wanted: object) -> None:
        """Both are to be the same; what is long is not shown."""
        if found == wanted:
            self.ok(what, str(found) if len(str(found)) <= FITS_IN_LINE else "")
        else:
            self.fail(what, f"found {found}, not {wanted}")

    def ok(self, what: str, figure: str = "") -> None:
        """It holds."""
        self.held += 1
        print(f"held      {what}{figure and ': '}{figure}", flush=True)

    def fail(self, what: str, why: str) -> None:
        """It does not."""
        self.wrong += 1
        print(f"NOT HELD  {what}: {why}", flush=True)

    def end(self) -> int:
        """The last line, and the exit code."""
        print(f"{self.held} held, {self.wrong} did not")
        return 1 if self.wrong else 0


def found_bars(clickhouse: ClickHouse) -> dict[BarKey, Bar]:
    """As the views of gold show them."""
    found: dict[BarKey, Bar] = {}
    for width in WIDTHS_S:
        for row in clickhouse.ask(
            f"""SELECT exchange, symbol, toUnixTimestamp(start), open, high, low, close, volume, quote_volume, vwap,
                count
            FROM gold.ohlcv_{width}"""
        ):
            *prices, volume, quote_volume, vwap = (Decimal(text) for text in row[3:-1])
            bar = Bar(prices[0], prices[1], prices[2], prices[3], volume, quote_volume, int(row[-1]), vwap)
            key = (width, row[0], row[1], int(row[2]))
            assert key not in found, f"bar {key} is there twice"
            found[key] = bar
    return found


def difference(found: Mapping[BarKey, Bar], wanted: Mapping[BarKey, Bar]) -> str:
    """In words; empty if there is none."""
    kinds = {
        "missing": [key for key in wanted if key not in found],
        "not wanted": [key for key in found if key not in wanted],
        "different": [key for key in wanted if key in found and found[key] != wanted[key]],
    }
    told = [
        f"{len(keys)} {kind}, such as {key}: {found.get(key)}, not {wanted.get(key)}"
        for kind, keys in kinds.items()
        for key in keys[:1]
    ]
    return "; ".join(told)


def rejects(clickhouse: ClickHouse) -> Counter[Reject]:
    """By stage and reason."""
    rows = clickhouse.ask("SELECT stage, reason, count() FROM bronze.rejects FINAL GROUP BY stage, reason")
    return Counter({(stage, reason): int(count) for stage, reason, count in rows})


def arrive(clickhouse: ClickHouse, feed: Feed) -> None:
    """Waits until all records are in, and every bar is computed."""
    wanted = feed.records + sum(count for (stage, _), count in feed.rejects.items() if stage == "decode")
    sql = """SELECT (SELECT count() FROM bronze.trades FINAL)
        + (SELECT count() FROM bronze.rejects FINAL WHERE stage = 'decode')"""
    clickhouse.wait(sql, wanted, ARRIVE_S, "records in bronze")
    # Offsets are committed when all views are through: only then is it known what is due.
    deadline = Deadline(ARRIVE_S, "offsets are not committed")
    while feed.topics.lag(clickhouse.group(), TOPICS):
        deadline.wait()
    clickhouse.wait(UNSETTLED, 0, ARRIVE_S, "bars to be computed")


def not_committed(clickhouse: ClickHouse, feed: Feed) -> int:
    """Records that are in bronze, and will be read again."""
    rows = clickhouse.ask("SELECT kafka_topic, kafka_partition, max(kafka_offset) + 1 FROM bronze.trades GROUP BY ALL")
    committed = feed.topics.committed(clickhouse.group(), TOPICS)
    return sum(max(0, int(end) - committed[name, int(partition)]) for name, partition, end in rows)


def whole(report: Report, clickhouse: ClickHouse, feed: Feed, when: str) -> None:
    """Everything, at this point."""
    begun = time.monotonic()
    try:
        arrive(clickhouse, feed)
    except TimeoutError as error:
        report.fail(when, str(error))
    print(f"-- {when}: settled after {time.monotonic() - begun:.1f} s", flush=True)
    report.equal("records in bronze", clickhouse.number("SELECT count() FROM bronze.trades FINAL"), feed.records)
    report.equal("rejects, by reason", rejects(clickhouse), feed.rejects)
    unique = len({trade.key for trade in feed.trades})
    report.equal("trades in silver", clickhouse.number("SELECT count() FROM silver.trades FINAL"), unique)
    same_bars(report, clickhouse, feed)
    same_frames(report, clickhouse, feed)


def same_frames(report: Report, clickhouse: ClickHouse, feed: Feed) -> None:
    """Of the raw topics: bytes and headers."""
    try:
        clickhouse.wait("SELECT count() FROM bronze.frames FINAL", len(feed.frames), ARRIVE_S, "frames")
    except TimeoutError as error:
        report.fail("frames", str(error))
    rows = clickhouse.ask(
        "SELECT exchange, connection, toUnixTimestamp64Nano(received_at), symbol, hex(frame) FROM bronze.frames FINAL"
    )
    found = sorted((row[0], row[1], int(row[2]), row[3], bytes.fromhex(row[4])) for row in rows)
    report.equal(f"{len(found)} frames, by bytes and headers", found == sorted(feed.frames), wanted=True)


def same_bars(report: Report, clickhouse: ClickHouse, feed: Feed) -> None:
    """Of each width."""
    found, wanted = found_bars(clickhouse), bars(feed.trades)
    for width in WIDTHS_S:
        of_found, of_wanted = ({key: bar for key, bar in all_.items() if key[0] == width} for all_ in (found, wanted))
        if wrong := difference(of_found, of_wanted):
            report.fail(f"bars of {width}", wrong)
        else:
            report.ok(f"bars of {width}", f"{len(of_found)} equal, to the last digit")


def late(report: Report, clickhouse: ClickHouse, feed: Feed) -> None:
    """The trade that was sent last is one for an old bar: until it is in the bar of a minute, and of a day."""
    trade = feed.trades[-1]
    wanted = bars(one for one in feed.trades if (one.exchange, one.symbol) == (trade.exchange, trade.symbol))
    begun = time.monotonic()
    for width in ("1m", "1d"):
        start = trade.time_ns // 1_000_000_000 // WIDTHS_S[width] * WIDTHS_S[width]
        count = wanted[(width, trade.exchange, trade.symbol, start)].count
        where = f"exchange = '{trade.exchange}' AND symbol = '{trade.symbol}' AND toUnixTimestamp(start) = {start}"
        sql = f"SELECT sum(count) FROM gold.ohlcv_{width} WHERE {where}"
        try:
            clickhouse.wait(sql, count, ARRIVE_S, f"trades in the bar of {width}")
        except TimeoutError as error:
            report.fail("a late trade corrects its bar", str(error))
        else:
            report.ok(f"a late trade corrects its bar of {width}", f"after {time.monotonic() - begun:.1f} s")


def replay(report: Report, clickhouse: ClickHouse, feed: Feed) -> None:
    """Records of a schema that the registry does not have yet are rejected; once it does, they are taken again."""
    print("-- rejects taken again", flush=True)
    trades = [feed.send_unregistered() for _ in range(UNREGISTERED)]
    feed.topics.flush()
    before = feed.rejects.total()
    clickhouse.wait("SELECT count() FROM bronze.rejects FINAL", before + UNREGISTERED, ARRIVE_S, "rejects")
    feed.schemas.register_next(feed.registry)
    clickhouse.tables("replay", "stage = 'decode' AND key = 'unregistered'")
    feed.trades += trades
    feed.records += UNREGISTERED
    whole(report, clickhouse, feed, "records of a schema that was registered late")
    # What is bad stays bad: all are rejected again.
    clickhouse.tables("replay")
    again = "SELECT count() FROM bronze.rejects FINAL WHERE stage = 'decode' AND kafka_topic LIKE '%.replay'"
    try:
        clickhouse.wait(again, feed.rejects[NOT_DECODED], ARRIVE_S, "undecodable records rejected again")
    except TimeoutError as error:
        report.fail("poison that is taken again", str(error))
    report.equal("rejects, by reason, all taken again", rejects(clickhouse), feed.rejects)


def figures(report: Report, clickhouse: ClickHouse, feed: Feed) -> None:
    """What Prometheus is told, and that Compose pins the line of versions that is looked at here."""
    rows = clickhouse.ask("SELECT name, labels['stage'], value FROM gold.metrics")
    told = {(name, stage): float(value) for name, stage, value in rows}
    stages = {stage for stage, _ in feed.rejects}
    report.equal("stages with rejects", {stage for (_, stage), value in told.items() if stage and value}, stages)
    last, computed = (told[f"k2_clickhouse_{what}_timestamp_seconds", ""] for what in ("last_trade", "bars_computed"))
    report.equal("trades and bars are of now", min(last, computed) > time.time() - ARRIVE_S, wanted=True)
    version = clickhouse.ask("SELECT version()")[0][0].split(".")[:2]
    pinned = re.search(r"^CLICKHOUSE_VERSION=(\d+)\.(\d+)\.", (REPOSITORY / ".env").read_text(), re.MULTILINE)
    report.equal("line of versions in .env", pinned and list(pinned.groups()), version)


def add_to_bars(clickhouse: ClickHouse) -> None:
    """A fault: bars that every insert is added to, as if no record ever came twice."""
    clickhouse.ask("""
        CREATE TABLE gold.added (
            width UInt32, exchange String, symbol String, canonical_symbol String, start DateTime('UTC'),
            open AggregateFunction(argMin, Decimal(38, 18), Tuple(DateTime64(9, 'UTC'), UInt64, String)),
            high SimpleAggregateFunction(max, Decimal(38, 18)), low SimpleAggregateFunction(min, Decimal(38, 18)),
            close AggregateFunction(argMax, Decimal(38, 18), Tuple(DateTime64(9, 'UTC'), UInt64, String)),
            volume SimpleAggregateFunction(sum, Decimal(76, 18)),
            quote_volume SimpleAggregateFunction(sum, Decimal(76, 36)), count SimpleAggregateFunction(sum, UInt64)
        ) ENGINE = AggregatingMergeTree ORDER BY (width, exchange, symbol, canonical_symbol, start);
        CREATE MATERIALIZED VIEW gold.add TO gold.added AS
        SELECT arrayJoin([60, 300, 900, 1800, 3600, 86400])::UInt32 AS width, exchange, symbol, canonical_symbol,
            toDateTime(intDiv(toUnixTimestamp(minute), width) * width, 'UTC') AS start,
            argMinState(price, (time, length(trade_id), trade_id)) AS open, max(price) AS high, min(price) AS low,
            argMaxState(price, (time, length(trade_id), trade_id)) AS close,
            sum(toDecimal256(quantity, 18)) AS volume, sum(trades.quote_volume) AS quote_volume, count() AS count
        FROM silver.trades AS trades GROUP BY width, exchange, symbol, canonical_symbol, start;
        CREATE OR REPLACE VIEW gold.ohlcv AS
        SELECT transform(width, [60, 300, 900, 1800, 3600, 86400]::Array(UInt32),
                ['1m', '5m', '15m', '30m', '1h', '1d'], '') AS width,
            exchange, symbol, canonical_symbol, start, argMinMerge(added.open) AS open, max(added.high) AS high,
            min(added.low) AS low, argMaxMerge(added.close) AS close, sum(added.volume) AS volume,
            sum(added.quote_volume) AS quote_volume, sum(added.count) AS count,
            divideDecimal(quote_volume, volume, 18) AS vwap
        FROM gold.added AS added GROUP BY added.width, exchange, symbol, canonical_symbol, start
    """)


def guides(report: Report, clickhouse: ClickHouse) -> None:
    """Each query that the guides tell of runs."""
    for guide in ("docker/README.md", "docker/clickhouse/README.md"):
        blocks = re.findall(r"```sql\n(.*?)```", (REPOSITORY / guide).read_text(), re.DOTALL)
        queries = [query.strip() for block in blocks for query in block.split(";\n") if query.strip()]
        assert queries, f"{guide} has no query"
        for query in queries:
            try:
                clickhouse.ask(query)
            except QueryError as error:
                report.fail(f"a query of {guide}", f"{query}: {error}")
        report.ok(f"queries of {guide}", str(len(queries)))
