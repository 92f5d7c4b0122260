"""What can be set: by a flag, or by a variable of the environment."""

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXCHANGES = "binance,binance-usdm,bybit,coinbase,kraken,okx"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
HIGHEST_PORT = 65535
#: Of the two settings that decide about rate and latency; README.md says how they were found.
PRESETS = {"default": {"trigger": "2s", "max_offsets": "100000"}, "record": {"trigger": "5s", "max_offsets": "5000"}}
RECORD = (
    "preset 'record' has the decision record's 5 s and 5,000 offsets: that is 1,000 records/s at most, where the "
    "record asks for 10,000, and a record waits up to 5 s before its batch begins, where p99 is to be below 5 s"
)


@dataclass(frozen=True)
class Setting:
    """One of them, under its two names."""

    flag: str
    variable: str
    default: str | None
    says: str
    value: Callable[[str], Any] = str

    def add(self, parser: argparse.ArgumentParser) -> None:
        """To what the parser knows. A wrong value is told with both names."""

        def value(text: str) -> object:
            try:
                return self.value(text)
            except ValueError as error:
                message = f"{error} (or its variable {self.variable})"
                raise argparse.ArgumentTypeError(message) from error

        default = os.environ.get(self.variable) or self.default
        says = f"{self.says} [env: {self.variable}]"
        if self.default:
            says += f" [default: {self.default}]"
        metavar = self.flag.strip("-").upper().replace("-", "_")
        parser.add_argument(
            self.flag, metavar=metavar, type=value, default=default, required=default is None, help=says
        )


def seconds(text: str) -> float:
    """A duration."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if found is None:
        message = f"'{text}' is no duration: write it as 500ms, 2s, 5m, 1h or 3d"
        raise ValueError(message)
    return float(found[1]) * UNITS[found[2]]


def more_than_0(text: str) -> int:
    """A whole number."""
    if not re.fullmatch(r"[1-9]\d*", text):
        message = f"'{text}' is no whole number above 0"
        raise ValueError(message)
    return int(text)


def address(text: str) -> tuple[str, int]:
    """Host and port to listen on."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > HIGHEST_PORT:
        message = f"'{text}' is no address: write it as 127.0.0.1:8000"
        raise ValueError(message)
    return host, int(port)


def port(text: str) -> int:
    """A port, or 0."""
    if not text.isdecimal() or int(text) > HIGHEST_PORT:
        message = f"'{text}' is no port: write 0 to {HIGHEST_PORT}"
        raise ValueError(message)
    return int(text)


def exchanges(text: str) -> list[str]:
    """Names, each once."""
    names = [name.strip() for name in text.split(",")]
    wrong = [name for name in names if not re.fullmatch(r"[a-z][a-z0-9-]*", name)]
    if wrong or len(set(names)) < len(names):
        message = f"'{text}' is no list of exchanges: write each once, as {EXCHANGES}"
        raise ValueError(message)
    return names


def file(text: str) -> Path:
    """One that is there."""
    path = Path(text).absolute()
    if not path.is_file():
        message = f"there is no file '{text}'"
        raise ValueError(message)
    return path


def folder(text: str) -> Path:
    """One that is there, or will be."""
    path = Path(text).absolute()
    if path.exists() and not path.is_dir():
        message = f"'{text}' is no folder"
        raise ValueError(message)
    return path


def url(text: str) -> str:
    """Of the registry, with its path."""
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        message = f"'{text}' is no URL of http or https"
        raise ValueError(message)
    return text.rstrip("/")


WAREHOUSE = Setting("--warehouse", "K2_BRONZE_WAREHOUSE", None, "folder of tables and catalog", folder)
ENGINE = [
    WAREHOUSE,
    Setting("--jars", "K2_BRONZE_JARS", None, "folder with the jars of pom.xml", folder),
    Setting("--cores", "K2_BRONZE_CORES", "2", "tasks at once", more_than_0),
    Setting("--driver-memory", "K2_BRONZE_DRIVER_MEMORY", "1g", "the heap, as Java writes it"),
    Setting("--shuffle-partitions", "K2_BRONZE_SHUFFLE_PARTITIONS", "12", "tasks of a shuffle", more_than_0),
    Setting("--ui-port", "K2_BRONZE_UI_PORT", "0", "of Spark's own page; 0: none", port),
]
KAFKA = [
    Setting("--kafka", "K2_KAFKA_BOOTSTRAP_SERVERS", None, "brokers, as host:port,…"),
    Setting("--topic-prefix", "K2_BRONZE_TOPIC_PREFIX", "market.crypto.trades.", "of topics, before the exchange"),
    Setting("--exchanges", "K2_BRONZE_EXCHANGES", EXCHANGES, "those to write", exchanges),
]
REGISTRY = [
    Setting("--registry", "K2_KAFKA_SCHEMA_REGISTRY_URL", None, "schema registry, with its path if it has one", url),
    Setting("--schema", "K2_BRONZE_SCHEMA", None, "normalized-trade.avsc, by which trades are read", file),
]
STREAM = [
    Setting("--checkpoint", "K2_BRONZE_CHECKPOINT", "", "Spark's scratch; may be lost; beside the tables by default"),
    Setting("--trigger", "K2_BRONZE_TRIGGER", "", "a batch begins so often; the preset's by default"),
    Setting("--max-offsets", "K2_BRONZE_MAX_OFFSETS_PER_TRIGGER", "", "records of a batch; the preset's by default"),
    Setting("--metrics", "K2_BRONZE_METRICS", "127.0.0.1:8000", "where Prometheus reads", address),
]


@dataclass(frozen=True)
class Pace:
    """How often, and how much at once."""

    trigger_s: float
    max_offsets: int


def add_preset(parser: argparse.ArgumentParser) -> None:
    """Names for two settings at once."""
    variable = "K2_BRONZE_PRESET"
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        default=os.environ.get(variable) or "default",
        help=f"trigger and max-offsets: 2s and 100000, or the decision record's 5s and 5000 [env: {variable}]",
    )


def pace(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> Pace:
    """The preset's, but for what is set."""
    preset = PRESETS.get(arguments.preset)
    if preset is None:
        parser.error(
            f"argument --preset (or its variable K2_BRONZE_PRESET): '{arguments.preset}' is none of {sorted(PRESETS)}"
        )
    try:
        return Pace(
            seconds(arguments.trigger or preset["trigger"]), more_than_0(arguments.max_offsets or preset["max_offsets"])
        )
    except ValueError as error:
        parser.error(f"arguments --trigger and --max-offsets (or their variables): {error}")
