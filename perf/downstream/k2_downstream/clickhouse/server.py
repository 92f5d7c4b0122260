"""The engine, as who starts, asks and kills it sees it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from k2_downstream.clickhouse.client import query
from k2_downstream.parts import REPOSITORY, Deadline, Kafka, Registry

TABLES = REPOSITORY / "docker/clickhouse"
READY_S = 60


class ClickHouse:
    """One engine on one folder."""

    def __init__(self, folder: Path, kafka: Kafka, registry: Registry) -> None:
        """Starts it, without tables."""
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.address = self.folder / "socket"
        self.environment = os.environ | {
            "K2_CLICKHOUSE": f"{sys.executable} -m k2_downstream.clickhouse.client {self.address}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "K2_KAFKA_BOOTSTRAP_SERVERS": kafka.servers,
            "K2_KAFKA_SCHEMA_REGISTRY_URL": registry.url,
        }
        self.start()

    def start(self) -> None:
        """Starts it, or starts it again on what it left."""
        self.address.unlink(missing_ok=True)
        command = [sys.executable, "-m", "k2_downstream.clickhouse.engine", str(self.folder / "data")]
        command += [str(TABLES / "kafka.xml"), str(self.address)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=self.environment
            )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            message = f"the engine did not start, see {self.folder}/log"
            raise RuntimeError(message)

    def kill(self) -> None:
        """Ends it as kill -9 does: in the midst of whatever it does."""
        self.process.kill()
        self.process.communicate()

    def ask(self, sql: str) -> list[list[str]]:
        """Rows, each a list of texts."""
        return [line.split("\t") for line in query(self.address, sql).splitlines()]

    def number(self, sql: str) -> int:
        """Of a query with one number."""
        return int(self.ask(sql)[0][0])

    def group(self) -> str:
        """The consumer group that reads trades now: another after they are read again."""
        made = self.ask("SELECT engine_full FROM system.tables WHERE database = 'bronze' AND name = 'trades_queue'")
        found = re.search(r"kafka_group_name = \\?'([^'\\]+)", made[0][0])
        assert found, made
        return found[1]

    def tables(self, *command: str) -> None:
        """Runs docker/clickhouse/tables.sh, as somebody at a shell does."""
        subprocess.run([TABLES / "tables.sh", *command], env=self.environment, check=True)

    def memory_mib(self) -> int:
        """Of the process, now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024

    def wait(self, sql: str, wanted: int, seconds: float, what: str) -> None:
        """Until a query gives the number; the number it gave last is told when the time is over."""
        deadline = Deadline(seconds, what)
        while (got := self.number(sql)) != wanted:
            deadline.what = f"{what}: {got}, not {wanted}, after {seconds:.0f} s"
            deadline.wait(0.2)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends it."""
        self.kill()
