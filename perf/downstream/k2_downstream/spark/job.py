"""The job as a process: started, asked for its metrics, killed."""

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from k2_downstream.parts import REPOSITORY, Deadline, free_port

READY_S = 120
ENDED_S = 60
SCRIPT = REPOSITORY / "docker/spark/bronze.sh"


@dataclass(frozen=True)
class Place:
    """What the job works on."""

    kafka: str
    registry: str
    folder: Path
    #: Java's compiler: quick to be warm rather than fast for hours.
    is_short: bool = True

    @property
    def warehouse(self) -> Path:
        """Of its tables."""
        return self.folder / "warehouse"

    def environment(self) -> dict[str, str]:
        """For all its commands."""
        # A driver that is killed leaves its temporary files.
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        java = [f"-Djava.io.tmpdir={temporary}", *(["-XX:TieredStopAtLevel=1"] if self.is_short else [])]
        return {
            **os.environ,
            "TMPDIR": str(temporary),
            "JAVA_TOOL_OPTIONS": " ".join(java),
            "K2_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "K2_KAFKA_SCHEMA_REGISTRY_URL": self.registry,
            "K2_BRONZE_WAREHOUSE": str(self.warehouse),
        }


def command(place: Place, name: str, *options: str, timeout_s: float = 300) -> str:
    """Runs one that ends by itself, and gives what it prints."""
    ended = subprocess.run(
        [str(SCRIPT), name, *options],
        env=place.environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    (place.folder / f"{name}.log").write_text(ended.stderr)
    if ended.returncode != 0:
        message = f"{name} ended with {ended.returncode}: {ended.stdout[-500:]}, see {place.folder}/{name}.log"
        raise RuntimeError(message)
    return ended.stdout


class Stream:
    """The driver: a Python, and the JVM that it starts."""

    #: All that were started: none is left behind.
    started: ClassVar[list["Stream"]] = []

    def __init__(self, place: Place, *options: str) -> None:
        """Starts it, and does not wait."""
        self.log = place.folder / "stream.log"
        self.port = free_port()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(SCRIPT), "stream", "--metrics", f"127.0.0.1:{self.port}", *options],
                env=place.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Its processes are a group, and can be killed at once.
                start_new_session=True,
            )

        self.started.append(self)

    @classmethod
    def end_all(cls) -> None:
        """Kills what is left of all of them."""
        for stream in cls.started:
            with suppress(ProcessLookupError):
                os.killpg(stream.process.pid, signal.SIGKILL)

    def metric(self, name: str) -> float | None:
        """The sum over its labels; nothing if it does not answer, or has none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return None
        found = re.findall(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found)) if found else None

    def ready(self) -> None:
        """Waits until it has written something."""
        deadline = Deadline(READY_S, f"the stream has written nothing, see {self.log}")
        while not self.metric("bronze_records_total"):
            self.check()
            deadline.wait(0.2)

    def check(self) -> None:
        """Raises if it has ended."""
        code = self.process.poll()
        if code is not None:
            message = f"the stream ended with {code}, see {self.log}"
            raise RuntimeError(message)

    def kill(self, whom: str) -> None:
        """Kill -9: of `both`, or of its `python` or its `java` alone, after which the other has to end by itself."""
        java = self.java()
        if whom == "both":
            os.killpg(self.process.pid, signal.SIGKILL)
        elif whom == "python" or java is None:
            self.process.kill()
        else:
            os.kill(java, signal.SIGKILL)
        self.process.wait(ENDED_S)

    def java(self) -> int | None:
        """Its JVM, if it has one already."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        names = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in listed}
        return next((pid for pid, name in names.items() if name == "java"), None)

    def end(self) -> int:
        """By a signal, as an operator does; gives the exit code."""
        self.process.terminate()
        return self.process.wait(ENDED_S)
