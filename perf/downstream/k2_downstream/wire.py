"""Trades as records on Kafka: Confluent's framing, by a writer of Avro that is not the engine's."""

import io
import json
import struct
import time
import urllib.request
from contextlib import closing
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from k2_downstream.parts import REPOSITORY
from k2_downstream.trades import Trade

MAGIC = 0
#: As a record's time: the client takes that of its sending.
NOW = 0
TIMEOUT_S = 30

Schema = dict[str, Any]
Fields = dict[str, Any]
Headers = list[tuple[str, str | bytes | None]]


def schema() -> Schema:
    """Of normalized trades: the only copy."""
    found: Schema = json.loads((REPOSITORY / "schemas/normalized-trade.avsc").read_text())
    return found


def newer_schema() -> Schema:
    """As it may be one day: with a field that nobody downstream knows."""
    newer = schema()
    newer["fields"].append({"name": "liquidation", "type": ["null", "boolean"], "default": None})
    return newer


def topic(exchange: str) -> str:
    """Of normalized trades."""
    return f"market.crypto.trades.{exchange}"


def register(registry: str, subject: str, schema: Schema) -> int:
    """Registers the schema, and gives its id."""
    request = urllib.request.Request(
        f"{registry}/subjects/{subject}/versions",
        json.dumps({"schema": json.dumps(schema)}).encode(),
        {"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        return int(json.load(answer)["id"])


def fields(trade: Trade) -> Fields:
    """Of the record of a trade, received now."""
    now = time.time_ns()
    return {
        "schema_version": "1.0.0",
        "exchange": trade.exchange,
        "symbol": trade.symbol,
        "canonical_symbol": trade.canonical_symbol,
        "trade_id": trade.trade_id,
        "price": trade.price,
        "quantity": trade.quantity,
        "quote_volume": trade.quote_volume,
        "side": trade.side,
        "timestamp": now // 1_000_000,
        "exchange_timestamp": trade.time_ns // 1_000_000,
        "metadata": None,
        "exchange_timestamp_ns": trade.time_ns,
        "received_timestamp_ns": now,
        "connection": f"{trade.exchange}-0",
    }


class Writer:
    """Writes trades by one schema."""

    def __init__(self, schema: Schema, schema_id: int) -> None:
        """The id is the registry's."""
        self.schema = fastavro.parse_schema(schema)
        self.head = struct.pack(">bI", MAGIC, schema_id)

    def record(self, trade: Trade) -> bytes:
        """The value of a record."""
        return self.encoded(fields(trade))

    def encoded(self, fields: Fields) -> bytes:
        """The value of a record with these fields, whatever they say."""
        out = io.BytesIO(self.head)
        out.seek(len(self.head))
        fastavro.schemaless_writer(out, self.schema, fields)
        return out.getvalue()


class Topics:
    """Sends records, and waits until all of them are acknowledged."""

    def __init__(self, servers: str, **settings: str | float) -> None:
        """To this broker, with settings of librdkafka, `_` for `.`, beside its own."""
        self.servers = servers
        self.failed: list[str] = []
        self.producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                # A broker that is ended before its client is no news.
                "log_level": 2,
            }
            | {name.replace("_", "."): value for name, value in settings.items()}
        )

    def create(self, names: list[str], partitions: int = 3) -> None:
        """Makes the topics; those that are there stay."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        made = admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names])
        for name, outcome in made.items():
            error = outcome.exception(timeout=TIMEOUT_S)
            if error is not None and error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                message = f"topic {name}: {error}"
                raise RuntimeError(message)

    def committed(self, group: str, names: list[str]) -> dict[tuple[str, int], int]:
        """Of each partition of these topics, the offset that the consumer group goes on from."""
        with closing(self._consumer(group)) as consumer:
            return self._committed(consumer, names)

    def lag(self, group: str, names: list[str]) -> int:
        """Records of these topics that the consumer group has not committed."""
        with closing(self._consumer(group)) as consumer:
            lag = 0
            for (name, partition), offset in self._committed(consumer, names).items():
                _, end = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=TIMEOUT_S)
                lag += end - offset
            return lag

    def _consumer(self, group: str) -> Consumer:
        return Consumer({"bootstrap.servers": self.servers, "group.id": group, "enable.auto.commit": False})

    def _committed(self, consumer: Consumer, names: list[str]) -> dict[tuple[str, int], int]:
        found = consumer.list_topics(timeout=TIMEOUT_S).topics
        partitions = [TopicPartition(name, at) for name in names for at in found[name].partitions]
        committed = consumer.committed(partitions, timeout=TIMEOUT_S)
        return {(at.topic, at.partition): max(0, at.offset) for at in committed}

    def send(
        self, name: str, key: str, value: bytes | None, headers: Headers | None = None, time_ms: int = NOW
    ) -> None:
        """Hands a record to the client, and waits where its queue is full."""
        while True:
            try:
                self.producer.produce(
                    name, value, key, on_delivery=self._delivered, headers=headers or [], timestamp=time_ms
                )
            except BufferError:
                self.producer.poll(0.1)
            else:
                self.producer.poll(0)
                return

    def flush(self) -> None:
        """Waits until the broker has all; raises where it does not."""
        left = self.producer.flush(TIMEOUT_S)
        if left or self.failed:
            message = f"{left} records not sent, {len(self.failed)} refused: {self.failed[:1]}"
            raise RuntimeError(message)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
