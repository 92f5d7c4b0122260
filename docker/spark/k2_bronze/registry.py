"""Schemas by their ids, from the registry; while it is away, there is nothing to do but to wait."""

import http
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

TIMEOUT_S = 5
AGAIN_S = 1.0


@dataclass(frozen=True)
class Schema:
    """What an id stands for: Avro, or what is wrong with it."""

    text: str | None
    error: str | None = None


class Registry:
    """Confluent's interface. What an id stands for never changes, so it is asked for once."""

    def __init__(self, url: str, wrong: Callable[[str], str | None], stopped: threading.Event) -> None:
        """`wrong` judges a schema; `stopped` ends waiting."""
        self.url = url
        self.wrong = wrong
        self.stopped = stopped
        self.known: dict[int, Schema] = {}
        self.waiting_since: float | None = None

    def learn(self, schema_id: int) -> None:
        """Asks until there is an answer."""
        while schema_id not in self.known:
            why = self._tried(schema_id)
            if why is None:
                self.waiting_since = None
                return
            if self.waiting_since is None:
                self.waiting_since = time.time()
                print(f"waiting for the registry, schema {schema_id}: {why}", file=sys.stderr, flush=True)
            if self.stopped.wait(AGAIN_S):
                message = f"stopped while the registry was away: {why}"
                raise InterruptedError(message)

    def _tried(self, schema_id: int) -> str | None:
        """Why there was no answer, if there was none."""
        try:
            self.known[schema_id] = self._ask(schema_id)
        except (OSError, ValueError) as error:
            return str(error)
        return None

    def _ask(self, schema_id: int) -> Schema:
        try:
            with urllib.request.urlopen(f"{self.url}/schemas/ids/{schema_id}", timeout=TIMEOUT_S) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.NOT_FOUND or not is_registrys(error):
                raise
            return Schema(None, " is not in the registry")
        if found.get("schemaType", "AVRO") != "AVRO":
            return Schema(None, f" is {found['schemaType']}, not Avro")
        error_of = self.wrong(found["schema"])
        if error_of is not None:
            return Schema(None, f" cannot be used: {error_of}")
        return Schema(found["schema"])


def is_registrys(error: urllib.error.HTTPError) -> bool:
    """Whether the registry itself says so, and not something before it, such as a proxy without it."""
    try:
        said = json.load(error)
    except ValueError:
        return False
    return isinstance(said, dict) and "error_code" in said
