"""Where the topics begin and end."""

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

TIMEOUT_S = 20

#: By topic and partition: the offset of the next record.
Offsets = dict[str, dict[int, int]]


class Kafka:
    """The brokers, asked and not read."""

    def __init__(self, servers: str) -> None:
        """Does not connect yet."""
        self.servers = servers
        self.admin = AdminClient({"bootstrap.servers": servers, "log_level": 2})

    def partitions(self, names: list[str]) -> dict[str, list[int]]:
        """Of those topics that there are."""
        known = self.admin.list_topics(timeout=TIMEOUT_S).topics
        return {name: sorted(known[name].partitions) for name in names if name in known}

    def begins(self, partitions: dict[str, list[int]]) -> Offsets:
        """Of the oldest records that are kept."""
        return self._offsets(partitions, OffsetSpec.earliest())

    def ends(self, partitions: dict[str, list[int]]) -> Offsets:
        """Of the records that come next."""
        return self._offsets(partitions, OffsetSpec.latest())

    def _offsets(self, partitions: dict[str, list[int]], spec: OffsetSpec) -> Offsets:
        asked = {TopicPartition(name, one): spec for name, all_of in partitions.items() for one in all_of}
        if not asked:
            return {}
        found: Offsets = {name: {} for name in partitions}
        for partition, answer in self.admin.list_offsets(asked, request_timeout=TIMEOUT_S).items():
            found[partition.topic][partition.partition] = int(answer.result(timeout=TIMEOUT_S).offset)
        return found
