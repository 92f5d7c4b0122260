"""Where the time goes, hop by hop."""

from k2_dashboard.panels import LOG, Panel, Query, heat, lines
from k2_dashboard.select import CORE, INSTANCE

#: Buckets of the hop that is chosen at the top.
CHOSEN = f'k2_feed_hop_seconds_bucket{{{CORE},hop="$hop"}}'
#: How many there are in all of them.
COUNTED = f'k2_feed_hop_seconds_count{{{CORE},hop="$hop"}}'


def panels() -> list[Panel]:
    """Percentiles of all hops and of one, its heat map, and the budget."""
    return [
        lines(
            "p99 by hop",
            "Over the last minute, all cores of an engine. `total` is from the socket to the acknowledgement. Lines end"
            " where nothing is acknowledged, and at 10 s: longer times are told apart by the mean alone.",
            "s",
            Query(f"hop:k2_feed_hop_seconds:p99{{{INSTANCE}}}", "{{instance}} {{hop}}"),
            look=LOG,
        ),
        lines(
            "p99.9 by hop",
            "Over the last minute, all cores of an engine.",
            "s",
            Query(f"hop:k2_feed_hop_seconds:p99_9{{{INSTANCE}}}", "{{instance}} {{hop}}"),
            look=LOG,
        ),
        lines(
            "$hop: percentiles",
            "Of the hop chosen at the top, over the last minute; the budget is that of `total` at p99.",
            "s",
            Query(f'hop:k2_feed_hop_seconds:p50{{{INSTANCE},hop="$hop"}}', "{{instance}} p50"),
            Query(f'hop:k2_feed_hop_seconds:p99{{{INSTANCE},hop="$hop"}}', "{{instance}} p99"),
            Query(f'hop:k2_feed_hop_seconds:p99_9{{{INSTANCE},hop="$hop"}}', "{{instance}} p99.9"),
            Query("k2_feed:total_p99_budget:seconds", "budget of total"),
            look=LOG,
        ),
        heat(
            "$hop: how many took how long",
            "Of the hop and the cores chosen at the top, as shares. Bounds grow by 1, 2.5 and 5.",
            Query(
                f"sum by (le) (rate({CHOSEN}[$__rate_interval])) / scalar(sum(rate({COUNTED}[$__rate_interval])))",
                "{{le}}",
            ),
        ),
        lines(
            "$hop: p99 by core",
            "Of the hop and the cores chosen at the top: is it one core?",
            "s",
            Query(
                f"histogram_quantile(0.99, sum by (instance, core, le) (rate({CHOSEN}[$__rate_interval])))",
                "{{instance}} {{core}}",
            ),
            look=LOG,
        ),
        lines(
            "$hop: mean by core",
            "Exact and without a bound, where percentiles are read from buckets that end at 10 s.",
            "s",
            Query(
                f'sum by (instance, core) (rate(k2_feed_hop_seconds_sum{{{CORE},hop="$hop"}}[$__rate_interval]))'
                f' / sum by (instance, core) (rate(k2_feed_hop_seconds_count{{{CORE},hop="$hop"}}[$__rate_interval]))',
                "{{instance}} {{core}}",
            ),
            look=LOG,
        ),
    ]
