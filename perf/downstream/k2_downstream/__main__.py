"""The command: each of its subcommands is a module that adds itself."""

import argparse
import sys

from k2_downstream.clickhouse import kills, measure

SUBCOMMANDS = [
    kills.add,
    measure.add,
]


def main() -> int:
    """Runs the subcommand, and gives its exit code."""
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in SUBCOMMANDS:
        add(commands)
    chosen = parser.parse_args()
    code: int = chosen.run(chosen)
    return code


if __name__ == "__main__":
    sys.exit(main())
