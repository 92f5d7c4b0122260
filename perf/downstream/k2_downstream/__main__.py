"""Proofs that trades arrive downstream, each with one command."""

import argparse
import signal
import sys

from k2_downstream import handover, tail
from k2_downstream.clickhouse import kills as clickhouse_kills
from k2_downstream.clickhouse import measure as clickhouse_measure
from k2_downstream.spark import joined, kills, lost, rate

PROOFS = {
    "clickhouse-kills": clickhouse_kills,
    "clickhouse-measure": clickhouse_measure,
    "clickhouse-from-iceberg": handover,
    "spark-kills": kills,
    "spark-lost-checkpoint": lost,
    "spark-rate": rate,
    "spark-join": joined,
    "tail": tail,
}


def main() -> int:
    """Runs one, and gives its exit code."""
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, proof in PROOFS.items():
        proof.add(commands.add_parser(name, help=proof.__doc__, description=proof.__doc__))
    arguments = parser.parse_args()
    # As an exception, so that what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    code: int = PROOFS[arguments.command].run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
