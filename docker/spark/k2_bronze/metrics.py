"""What Prometheus reads."""

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

WINDOW_S = 60
QUANTILES = (0.5, 0.99)


class Summary(Collector):
    """Quantiles of what was observed within the last minute; of nothing, they are no number."""

    def __init__(self, name: str, says: str) -> None:
        """Empty."""
        self.name = name
        self.says = says
        self.lock = threading.Lock()
        self.recent: deque[tuple[float, float, float]] = deque()
        self.count = 0.0
        self.sum = 0.0

    def observe(self, values: Iterable[float], weight: float = 1.0) -> None:
        """Values of now; a weight is how many each of them stands for."""
        with self.lock:
            now = time.monotonic()
            for value in values:
                self.recent.append((now, value, weight))
                self.count += weight
                self.sum += value * weight
            self._forget(now)

    def quantiles(self) -> dict[float, float]:
        """By share."""
        with self.lock:
            self._forget(time.monotonic())
            values = sorted((value, weight) for _, value, weight in self.recent)
        total = sum(weight for _, weight in values)
        found = {}
        for quantile in QUANTILES:
            left = quantile * total
            found[quantile] = math.nan
            for value, weight in values:
                found[quantile] = value
                left -= weight
                if left <= 0:
                    break
        return found

    def _forget(self, now: float) -> None:
        while self.recent and self.recent[0][0] < now - WINDOW_S:
            self.recent.popleft()

    def collect(self) -> Iterator[Metric]:
        """As Prometheus has summaries."""
        metric = Metric(self.name, self.says, "summary")
        for quantile, value in self.quantiles().items():
            metric.add_sample(self.name, {"quantile": str(quantile)}, value)
        metric.add_sample(f"{self.name}_sum", {}, self.sum)
        metric.add_sample(f"{self.name}_count", {}, self.count)
        yield metric


class Metrics:
    """All of the job."""

    def __init__(self, trigger_s: float) -> None:
        """Of a job that has done nothing yet."""
        self.registry = CollectorRegistry()
        self.trigger_s = trigger_s
        self.latency = Summary(
            "bronze_ingestion_latency_seconds", "From the record's time in Kafka to the commit, of the last minute."
        )
        self.processing = Summary(
            "bronze_trigger_processing_time_seconds", "What a batch took, from its trigger on, of the last minute."
        )
        self.delay = Summary("bronze_scheduling_delay_seconds", "How late batches began, of the last minute.")
        for summary in (self.latency, self.processing, self.delay):
            self.registry.register(summary)
        self.lag = Gauge(
            "bronze_lag_records", "Records on the topic that are not in its table.", ["topic"], registry=self.registry
        )
        self.records = Counter("bronze_records", "Records that were read.", ["topic"], registry=self.registry)
        self.rejects = Counter("bronze_rejects", "Records that were kept aside.", ["topic"], registry=self.registry)
        self.gone = Counter(
            "bronze_missing_records", "Offsets that Kafka did not have any more.", ["topic"], registry=self.registry
        )
        self.last_commit = Gauge(
            "bronze_last_commit_timestamp_seconds",
            "When a table was last written, or the job began.",
            registry=self.registry,
        )
        self.last_commit.set(time.time())
        self.looks = Counter("bronze_lag_looks", "How often the lag was looked at.", registry=self.registry)
        self.waiting = Gauge(
            "bronze_registry_waiting_seconds", "How long the registry has been asked in vain.", registry=self.registry
        )
        self.batch = -1
        self.due = 0.0
        self.ended = 0.0

    def serve(self, address: tuple[str, int]) -> None:
        """In the background, as long as the process lives."""
        start_http_server(address[1], address[0], self.registry)

    def begin(self, topics: Iterable[str]) -> None:
        """Counts are there before they count."""
        for topic in topics:
            for counter in (self.records, self.rejects, self.gone):
                counter.labels(topic)

    def committed(self, topic: str, records: int, latencies: list[float]) -> None:
        """Of one partition; each latency stands for an equal part of the records."""
        self.records.labels(topic).inc(records)
        self.latency.observe(latencies, records / len(latencies))
        self.last_commit.set(time.time())

    def rejected(self, topic: str, records: int) -> None:
        """Kept aside."""
        self.rejects.labels(topic).inc(records)
        print(f"{topic}: {records} records kept aside in the table of rejects", file=sys.stderr, flush=True)

    def missing(self, topic: str, partition: int, expected: int, found: int) -> None:
        """Kafka has thrown away what was not read yet (or a transaction of a producer left marks there)."""
        self.gone.labels(topic).inc(found - expected)
        print(f"{topic}/{partition}: offsets {expected} to {found - 1} are not on Kafka", file=sys.stderr, flush=True)

    def progress(self, recent: Iterable[Any]) -> None:
        """Of batches, as Spark tells them."""
        for one in recent:
            # Where there is nothing to read, the next batch's number is told for nothing.
            if one["batchId"] <= self.batch or one["numInputRows"] == 0:
                continue
            began = datetime.fromisoformat(one["timestamp"].replace("Z", "+00:00")).timestamp()
            took = one["durationMs"]["triggerExecution"] / 1000
            self.processing.observe([took])
            # Triggers are multiples of the interval. One due while the batch before it ran is late by the rest.
            if self.batch < 0 or self.ended <= self.due:
                self.due = began // self.trigger_s * self.trigger_s
            self.delay.observe([max(0.0, began - self.due)])
            self.batch = one["batchId"]
            self.ended = began + took
            self.due = (began // self.trigger_s + 1) * self.trigger_s
