"""ClickHouse's engine in a process of its own, so that it can be killed: SQL comes by a socket, one query at a time."""

import argparse
import os
import socket
import sys
import threading
from pathlib import Path

from chdb.session import Session

DONE = b"+"
FAILED = b"-"


def answer(session: Session, connection: socket.socket) -> None:
    """One client: SQL up to the end of what it sends, then a mark and the outcome."""
    with connection, connection.makefile("rb") as asked:
        sql = asked.read().decode()
        try:
            outcome = DONE + session.query(sql, "TSV").bytes()
        except RuntimeError as error:
            outcome = FAILED + str(error).encode()
        connection.sendall(outcome)


def end_with_parent() -> None:
    """Ends the process when nobody holds the other end of its standard input any more."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Serves until it is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the tables")
    parser.add_argument("config", type=Path, help="ClickHouse's configuration")
    parser.add_argument("socket", type=Path, help="where to listen")
    given = parser.parse_args()
    threading.Thread(target=end_with_parent, daemon=True).start()
    session = Session(f"{given.data}?config-file={given.config}")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(given.socket))
        listening.listen()
        print("ready", flush=True)
        while True:
            answer(session, listening.accept()[0])


if __name__ == "__main__":
    main()
