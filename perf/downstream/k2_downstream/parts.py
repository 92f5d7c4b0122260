"""A real Kafka and a real schema registry, by the scripts of perf/real: they end when this process does."""

import random
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).parents[3]
READY_S = 120


class Part:
    """One program of perf/real: its folder is its own, and keeps its data for another start."""

    def __init__(self, script: str, folder: Path) -> None:
        """Starts it, and waits until it is ready."""
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        command = [str(REPOSITORY / "perf/real" / script), "run", str(self.port), str(self.folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said.startswith("ready"):
            message = f"{script} did not start, see {self.folder}/log: {said}"
            raise RuntimeError(message)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the program."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class Kafka(Part):
    """Apache Kafka: one node."""

    def __init__(self, folder: Path) -> None:
        """Starts it in the folder."""
        super().__init__("kafka.sh", folder)
        self.servers = f"127.0.0.1:{self.port}"


class Registry(Part):
    """Apicurio, with Confluent's interface below a path."""

    def __init__(self, folder: Path) -> None:
        """Starts it in the folder."""
        super().__init__("registry.sh", folder)
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"


def free_port() -> int:
    """A port below those that the system gives out, so that it stays free until it is used."""
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Deadline:
    """Time that is left for something to become so."""

    def __init__(self, seconds: float, what: str) -> None:
        """Begins now; `what` is named if it takes longer."""
        self.end = time.monotonic() + seconds
        self.what = what

    def wait(self, seconds: float = 0.05) -> None:
        """Waits for a moment, or raises `TimeoutError` when the time is over."""
        if time.monotonic() > self.end:
            raise TimeoutError(self.what)
        time.sleep(seconds)
