"""What goes out: records, queues, the disk, the brokers."""

from k2_dashboard.panels import SWITCH, Look, Panel, Query, lines
from k2_dashboard.select import CORE, INSTANCE


def panels() -> list[Panel]:
    """Records, then where they wait, then the brokers."""
    return [
        lines(
            "Records by outcome",
            "A second. committed: made by feed cores; what is committed and not yet acked, failed or dropped waits.",
            "recps",
            Query(
                f"sum by (kind) (rate(k2_feed_records_committed_total{{{INSTANCE}}}[$__rate_interval]))",
                "{{kind}} committed",
            ),
            Query(
                f"sum by (kind, outcome) (rate(k2_feed_records_total{{{INSTANCE}}}[$__rate_interval]))",
                "{{kind}} {{outcome}}",
            ),
        ),
        lines(
            "Records that wait",
            "in flight: in the ring or with librdkafka; spilled: on disk.",
            "short",
            Query(f"sum by (instance) (k2_feed_records_in_flight{{{INSTANCE}}})", "{{instance}} in flight"),
            Query(f"sum by (instance) (k2_feed_records_spilled{{{INSTANCE}}})", "{{instance}} spilled"),
        ),
        lines(
            "Queue with librdkafka",
            "What the engine has handed over and not got back, beside its limit (kafka.queue_bytes). It is full,"
            " too, at kafka.queue_records.",
            "bytes",
            Query(f"k2_feed_queue_bytes{{{CORE}}}", "{{instance}} {{core}}"),
            Query(f"k2_feed_queue_limit_bytes{{{CORE}}}", "{{instance}} {{core}} limit"),
            across=3,
        ),
        lines(
            "On disk",
            "Beside its limit (spill.max_bytes); 0 where there is no state.dir.",
            "bytes",
            Query(f"k2_feed_spill_bytes{{{CORE}}}", "{{instance}} {{core}}"),
            Query(f"k2_feed_spill_limit_bytes{{{CORE}}}", "{{instance}} {{core}} limit"),
            across=3,
        ),
        lines(
            "Back-pressure",
            "A minute: librdkafka's queue was full, or the ring was; and producers that were made anew.",
            "cpm",
            Query(
                f"60 * rate(k2_feed_queue_full_total{{{CORE}}}[$__rate_interval])", "{{instance}} {{core}} queue full"
            ),
            Query(f"60 * rate(k2_feed_ring_full_total{{{CORE}}}[$__rate_interval])", "{{instance}} {{core}} ring full"),
            Query(
                f"60 * rate(k2_feed_kafka_clients_total{{{CORE}}}[$__rate_interval])",
                "{{instance}} {{core}} new producer",
            ),
            across=3,
            look=Look(at_least=1),
        ),
        lines(
            "Broker round trip",
            "As librdkafka measures it, p50 and p99 of its interval.",
            "s",
            Query(
                f"k2_feed_kafka_broker_rtt_seconds{{{CORE}}} > 0", "{{instance}} {{core}} {{broker}} p{{percentile}}"
            ),
            across=3,
            look=Look(log=True, points=True),
        ),
        lines(
            "Broker retries and errors",
            "A minute.",
            "cpm",
            Query(
                f"60 * rate(k2_feed_kafka_broker_retries_total{{{CORE}}}[$__rate_interval])",
                "{{instance}} {{core}} {{broker}} retries",
            ),
            Query(
                f"60 * rate(k2_feed_kafka_broker_errors_total{{{CORE}}}[$__rate_interval])",
                "{{instance}} {{core}} {{broker}} errors",
            ),
            across=3,
            look=Look(at_least=1),
        ),
        lines(
            "Brokers reached",
            "1: there is a connection.",
            "short",
            Query(f"k2_feed_kafka_broker_up{{{CORE}}}", "{{instance}} {{core}} {{broker}}"),
            across=3,
            look=SWITCH,
        ),
    ]
