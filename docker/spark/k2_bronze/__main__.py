"""Trades and raw frames from Kafka to Iceberg."""

import argparse
import sys

from k2_bronze import maintain, offsets, query, settings, stream


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m k2_bronze", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, says: str, *groups: list[settings.Setting]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=says, description=says[:1].upper() + says[1:] + ".")
        for setting in [one for group in (settings.ENGINE, *groups) for one in group]:
            setting.add(added)
        return added

    of_stream = command(
        "stream", "write what comes in, until a signal", settings.KAFKA, settings.REGISTRY, settings.STREAM
    )
    settings.add_preset(of_stream)
    command("offsets", "show how far each table is, and so where the stream begins", settings.KAFKA)
    command("maintain", "compact, expire snapshots, remove orphans; beside the stream", maintain.SETTINGS)
    of_query = command("query", "trades up to this moment, from the table and Kafka", settings.KAFKA, settings.REGISTRY)
    query.add(of_query)

    arguments = parser.parse_args()
    try:
        if arguments.command == "stream":
            return stream.run(arguments, settings.pace(arguments, of_stream))
        return {"offsets": offsets.run, "maintain": maintain.run, "query": query.run}[arguments.command](arguments)
    except (FileNotFoundError, InterruptedError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
