"""The pinned cores and the process."""

from k2_dashboard.panels import SWITCH, Panel, Query, lines
from k2_dashboard.select import CORE, INSTANCE


def panels() -> list[Panel]:
    """CPU, what stands still, and what the process takes."""
    return [
        lines(
            "CPU of each core",
            "Share of its CPU; 1 where cores.wait is spin.",
            "percentunit",
            Query(
                f"sum by (instance, core, cpu) (rate(k2_feed_core_cpu_seconds_total{{{CORE}}}[$__rate_interval]))",
                "{{instance}} {{core}} on CPU {{cpu}}",
            ),
            across=3,
        ),
        lines(
            "Busy share of each core",
            "Time in which it had something to do, however it waits. Near 1 it does not keep up.",
            "percentunit",
            Query(f"rate(k2_feed_core_busy_seconds_total{{{CORE}}}[$__rate_interval])", "{{instance}} {{core}}"),
            across=3,
        ),
        lines(
            "CPU of the process",
            "All threads, librdkafka's included, in CPUs, over two minutes: it is counted in whole seconds.",
            "short",
            Query(f'rate(process_cpu_seconds_total{{{INSTANCE},job="feed"}}[2m])', "{{instance}}"),
            across=3,
        ),
        lines(
            "Cores that are stuck",
            "1: no sign of life for 3 s.",
            "short",
            Query(f"k2_feed_core_stuck{{{CORE}}}", "{{instance}} {{core}}"),
            across=3,
            look=SWITCH,
        ),
        lines(
            "Frames by outcome",
            "A second, of each feed core.",
            "eps",
            Query(f"rate(k2_feed_frames_total{{{CORE}}}[$__rate_interval])", "{{instance}} {{core}} {{outcome}}"),
            across=3,
        ),
        lines(
            "Memory of the process",
            "Resident.",
            "bytes",
            Query(f'process_resident_memory_bytes{{{INSTANCE},job="feed"}}', "{{instance}}"),
            across=3,
        ),
    ]
