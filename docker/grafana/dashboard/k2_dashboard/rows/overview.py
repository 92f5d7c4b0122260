"""Is all well: rate, latency, losses, gaps, and what fires."""

from k2_dashboard.panels import Limits, Look, Panel, Query, figure, lines
from k2_dashboard.select import INSTANCE, SYMBOL

LOST = f'k2_feed_records_total{{{INSTANCE},outcome=~"failed|dropped"}}'


def panels() -> list[Panel]:
    """Six figures, then the rate and what was lost."""
    return [
        figure(
            "Trades",
            "Trades decoded a second, duplicates included.",
            "eps",
            Query(f"sum(rate(k2_feed_trades_total{{{SYMBOL}}}[$__rate_interval])) or vector(0)"),
            Limits(least=0.001),
        ),
        figure(
            "p99 total",
            "From the socket to the acknowledgement, over the last minute, of the slowest engine. Red: over the budget"
            " (docker/prometheus/rules.yml); orange: over half of it.",
            "s",
            Query(f'max(hop:k2_feed_hop_seconds:p99{{{INSTANCE},hop="total"}})'),
            Limits(orange=0.025, red=0.05),
            nothing="none acked",
        ),
        figure(
            "Lost",
            "Records that failed or were dropped within the time shown.",
            "short",
            Query(f"round(sum(increase({LOST}[$__range])))"),
            Limits(red=1),
            nothing="no engine",
        ),
        figure(
            "Missing trades",
            "Trades in gaps within the time shown, those that were repaired later included.",
            "short",
            Query(f"round(sum(increase(k2_feed_missing_trades_total{{{SYMBOL}}}[$__range])))"),
            Limits(orange=1),
            nothing="no engine",
        ),
        figure(
            "Engines not ready",
            "Trades are not subscribed, or cannot be published (`k2-feed health --ready` says why), or it"
            " does not answer.",
            "short",
            Query(
                f'count((k2_feed_ready{{{INSTANCE}}} == 0) or (up{{{INSTANCE},job="feed"}} == 0)) or vector(0)',
            ),
            Limits(red=1),
        ),
        figure(
            "Alerts firing",
            "Of all engines, whichever are chosen above. Critical ones are marked in red on every chart.",
            "short",
            Query('count(ALERTS{alertstate="firing"}) or vector(0)'),
            Limits(orange=1, red=1),
        ),
        lines(
            "Trades by exchange",
            "Decoded a second.",
            "eps",
            Query(
                f"sum by (instance, exchange) (rate(k2_feed_trades_total{{{SYMBOL}}}[$__rate_interval]))",
                "{{instance}} {{exchange}}",
            ),
            look=Look(stacked=True),
        ),
        lines(
            "What goes wrong",
            "A second.",
            "eps",
            Query(
                f'sum(rate(k2_feed_frames_total{{{INSTANCE},outcome="rejected"}}[$__rate_interval]))', "frames rejected"
            ),
            Query(f"sum(rate(k2_feed_gaps_total{{{SYMBOL}}}[$__rate_interval]))", "gaps"),
            Query(f"sum by (outcome) (rate({LOST}[$__rate_interval]))", "records {{outcome}}"),
            Query(
                f'sum(rate(k2_feed_records_committed_total{{{INSTANCE},kind="dlq"}}[$__rate_interval]))', "dead letters"
            ),
        ),
    ]
