"""What comes in: connections, breakers, symbols."""

from k2_dashboard.panels import Panel, Query, lines, rows
from k2_dashboard.select import EXCHANGE, INSTANCE, SYMBOL

PER_SYMBOL = "instance, exchange, symbol"
#: What is counted of connections, a second.
ENDS = {
    "k2_feed_reconnects_total": "made anew",
    "k2_feed_failed_connects_total": "failed",
    "k2_feed_connections_replaced_total": "replaced",
    "k2_feed_resubscribed_total": "subscriptions made anew",
    "k2_feed_breakers_opened_total": "breakers opened",
}


def panels() -> list[Panel]:
    """Connections and breakers, then symbols."""
    return [
        lines(
            "Connections by state",
            "subscribed: market data may come. connected: the subscription is not acknowledged yet.",
            "short",
            Query(
                f"sum by (instance, exchange, state) (k2_feed_connections{{{EXCHANGE}}})",
                "{{instance}} {{exchange}} {{state}}",
            ),
            across=3,
        ),
        lines(
            "What becomes of connections",
            "A second, all cores: made anew after a break, failed, replaced in time, and so on.",
            "cps",
            *(
                Query(f"sum by (instance) (rate({count}{{{INSTANCE}}}[$__rate_interval]))", f"{{{{instance}}}} {words}")
                for count, words in ENDS.items()
            ),
            across=3,
        ),
        lines(
            "Breakers that are not closed",
            "1: the address is left alone (open) or tried (half_open).",
            "short",
            Query(
                f'k2_feed_breaker_state{{{EXCHANGE},state!="closed"}}',
                "{{instance}} {{exchange}} {{state}} {{address}}",
            ),
            across=3,
        ),
        lines(
            "Age of the last trade: the ten most silent",
            "Since it was received, or since the start if there was none. See the alert NoTrades: each symbol is judged"
            " by its own history.",
            "s",
            Query(f"topk(10, symbol:k2_feed_silence:seconds{{{SYMBOL}}})", "{{instance}} {{exchange}} {{symbol}}"),
            log=True,
        ),
        lines(
            "Gaps and what became of them",
            "Within five minutes. repaired: from the history; filled: by another connection; else why it stays one.",
            "short",
            Query(f"sum(increase(k2_feed_gaps_total{{{SYMBOL}}}[5m]))", "gaps"),
            Query(f"sum by (outcome) (increase(k2_feed_repairs_total{{{INSTANCE}}}[5m]))", "{{outcome}}"),
        ),
        rows(
            "Symbols",
            "Now; gaps and missing trades within the time shown.",
            ["instance", "exchange", "symbol"],
            {
                "Last trade": ("s", f"max by ({PER_SYMBOL}) (symbol:k2_feed_silence:seconds{{{SYMBOL}}})"),
                "Trades a second": ("cps", f"sum by ({PER_SYMBOL}) (rate(k2_feed_trades_total{{{SYMBOL}}}[1m]))"),
                "Gaps": ("short", f"sum by ({PER_SYMBOL}) (increase(k2_feed_gaps_total{{{SYMBOL}}}[$__range]))"),
                "Missing": (
                    "short",
                    f"sum by ({PER_SYMBOL}) (increase(k2_feed_missing_trades_total{{{SYMBOL}}}[$__range]))",
                ),
            },
        ),
    ]
