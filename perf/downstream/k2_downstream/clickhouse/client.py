"""Stands in for clickhouse-client: sends its standard input to the engine at a socket, and prints the outcome."""

import argparse
import socket
import sys
from pathlib import Path

from k2_downstream.clickhouse.engine import DONE

QUERY_S = 180


class QueryError(RuntimeError):
    """What the engine says against a query."""


def query(address: Path, sql: str) -> str:
    """The outcome, as text with tabs; raises `QueryError`, and `OSError` where the engine is gone."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(QUERY_S)
        connection.connect(str(address))
        connection.sendall(sql.encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            outcome = answer.read()
    if not outcome:
        message = "the engine is gone"
        raise ConnectionResetError(message)
    text = outcome[1:].decode(errors="replace")
    if outcome[:1] != DONE:
        raise QueryError(text)
    return text


def main() -> int:
    """Exit code 1 where the engine refuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket", type=Path)
    given = parser.parse_args()
    try:
        print(query(given.socket, sys.stdin.read()), end="")
    except (QueryError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
