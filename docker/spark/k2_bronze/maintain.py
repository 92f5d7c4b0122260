"""Compaction, expiry of snapshots, and removal of orphans, beside the stream."""

import argparse
import signal
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark.errors import PySparkException

from k2_bronze import settings
from k2_bronze.names import CATALOG, NAMESPACE
from k2_bronze.session import Session

#: What the stream goes on from is in snapshots, and a batch may have files that no snapshot has yet. Iceberg itself
#: refuses to remove orphans that are younger than a day.
LEAST_SNAPSHOTS = 20
LEAST_AGE_S = 60.0
LEAST_ORPHAN_AGE_S = 86400.0
#: Columns of what the procedures answer, and how they are told.
TOLD = {
    "rewritten_data_files_count": "files compacted",
    "added_data_files_count": "into",
    "rewritten_manifests_count": "manifests rewritten",
    "deleted_data_files_count": "files of expired snapshots removed",
}


def older(least: float, what: str) -> Any:  # noqa: ANN401
    """A duration that must not be less."""

    def value(text: str) -> float:
        found = settings.seconds(text)
        if found < least:
            message = f"'{text}' is too short: {what} need at least {least:g} s, or a batch in writing breaks"
            raise ValueError(message)
        return found

    return value


def kept(text: str) -> int:
    """How many snapshots."""
    found = settings.more_than_0(text)
    if found < LEAST_SNAPSHOTS:
        message = (
            f"'{text}' is too few: the newest {LEAST_SNAPSHOTS} snapshots are needed, which say how far a table is"
        )
        raise ValueError(message)
    return found


AGE, ORPHAN_AGE = older(LEAST_AGE_S, "snapshots"), older(LEAST_ORPHAN_AGE_S, "orphans")
SETTINGS = [
    settings.Setting("--older-than", "K2_BRONZE_EXPIRE_OLDER_THAN", "1h", "snapshots to expire", AGE),
    settings.Setting("--retain-last", "K2_BRONZE_RETAIN_LAST", "100", "snapshots to keep in any case", kept),
    settings.Setting("--orphans-older-than", "K2_BRONZE_ORPHANS_OLDER_THAN", "3d", "orphans to remove", ORPHAN_AGE),
    settings.Setting("--file-mib", "K2_BRONZE_FILE_MIB", "128", "size to compact files to", settings.more_than_0),
    settings.Setting("--every", "K2_BRONZE_MAINTAIN_EVERY", "", "begin again so often, until a signal; else once"),
]


def run(arguments: argparse.Namespace) -> int:
    """Once, or until a signal. The exit code is 1 if anything failed in the last turn."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    every = settings.seconds(arguments.every) if arguments.every else None
    session = Session(arguments, "maintain")
    lock = session.lock("maintain")
    while True:
        began = time.monotonic()
        names = [row["tableName"] for row in session.spark.sql(f"SHOW TABLES IN {CATALOG}.{NAMESPACE}").collect()]
        results = [maintain(session, f"{NAMESPACE}.{name}", arguments) for name in names if not stop.is_set()]
        if stop.is_set() or every is None or stop.wait(max(0.0, every - (time.monotonic() - began))):
            break
    lock.release()
    return 0 if all(results) else 1


def maintain(session: Session, table: str, arguments: argparse.Namespace) -> bool:
    """All of one table. What fails, as on a conflict with the stream, leaves the table as it was."""
    size = f"'target-file-size-bytes', '{arguments.file_mib * 2**20}'"
    steps = {
        "rewrite_data_files": f"options => map({size}, 'min-input-files', '10', 'partial-progress.enabled', 'true')",
        "rewrite_manifests": "use_caching => false",
        "expire_snapshots": f"older_than => {before(arguments.older_than)}, retain_last => {arguments.retain_last}",
        "remove_orphan_files": f"older_than => {before(arguments.orphans_older_than)}",
    }
    told, is_well = [], True
    for step, options in steps.items():
        try:
            rows = session.spark.sql(f"CALL {CATALOG}.system.{step}(table => '{CATALOG}.{table}', {options})").collect()
        except PySparkException as error:
            print(f"error: {table}: {step}: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
            is_well = False
            continue
        if step == "remove_orphan_files":
            told.append(f"{len(rows)} orphans removed")
        else:
            found = rows[0].asDict() if rows else {}
            told.extend(f"{found[column]} {says}" for column, says in TOLD.items() if column in found)
    print(f"{table}: {', '.join(told)}", flush=True)
    return is_well


def before(seconds: float) -> str:
    """A time for SQL."""
    at = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'"
