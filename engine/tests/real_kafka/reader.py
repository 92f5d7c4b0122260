"""Reads a raw topic and a normalized one as a consumer of k2-feed would, and prints what it found as JSON.

usage: reader.py BOOTSTRAP_SERVERS REGISTRY_URL RAW_TOPIC NORMALIZED_TOPIC
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

PATIENCE_S = 30


def messages(servers, topic):
    """All messages that the topic has now, each partition in its order."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "python", "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
    ends = {}
    for partition in partitions:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE_S)
        if end > 0:
            ends[partition] = end
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
    while ends:
        message = consumer.poll(PATIENCE_S)
        if message is None:
            raise TimeoutError(f"{topic}: nothing came for {PATIENCE_S} s, missing up to {ends}")
        if message.error():
            raise RuntimeError(message.error())
        if message.offset() + 1 == ends[message.partition()]:
            del ends[message.partition()]
        yield message
    consumer.close()


def main(servers, registry, raw_topic, normalized_topic):
    raw = [
        {
            "key": message.key().decode(),
            "headers": {name: value.decode() for name, value in message.headers()},
            "frame": message.value().decode(),
        }
        for message in messages(servers, raw_topic)
    ]
    read = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    context = SerializationContext(normalized_topic, MessageField.VALUE)
    normalized = [
        {"key": message.key().decode(), "trade": read(message.value(), context)}
        for message in messages(servers, normalized_topic)
    ]
    json.dump({"raw": raw, "normalized": normalized}, sys.stdout)


main(*sys.argv[1:])
