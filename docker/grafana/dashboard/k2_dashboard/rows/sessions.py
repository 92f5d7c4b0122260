"""What comes in: connections, breakers, symbols."""

from k2_dashboard.panels import Look, Panel, Query, lines, rows
from k2_dashboard.select import EXCHANGE, INSTANCE, SYMBOL

PER_SYMBOL = "instance, exchange, symbol"
#: What is counted of connections.
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
                f"sum by (instance, exchange, state) (k2_feed_connections{{{EXCHANGE}}}) > 0",
                "{{instance}} {{exchange}} {{state}}",
            ),
            across=3,
        ),
        lines(
            "What becomes of connections",
            "A minute, all cores: made anew after a break, failed, replaced in time, and so on.",
            "cpm",
            *(
                Query(
                    f"60 * sum by (instance) (rate({count}{{{INSTANCE}}}[$__rate_interval]))",
                    f"{{{{instance}}}} {words}",
                )
                for count, words in ENDS.items()
            ),
            across=3,
            look=Look(at_least=1),
        ),
        lines(
            "Breakers that are not closed",
            "1: the address is left alone (open) or tried (half_open).",
            "short",
            Query(
                f'k2_feed_breaker_state{{{EXCHANGE},state!="closed"}} > 0',
                "{{instance}} {{exchange}} {{state}} {{address}}",
            ),
            across=3,
            look=Look(up_to=1, points=True, nothing="all are closed"),
        ),
        lines(
            "Age of the last trade: the ten most silent",
            "Since it was received, or since the start if there was none. See the alert NoTrades: each symbol is judged"
            " by its own history.",
            "s",
            Query(f"topk(10, symbol:k2_feed_silence:seconds{{{SYMBOL}}})", "{{instance}} {{exchange}} {{symbol}}"),
            look=Look(log=True, points=True),
        ),
        lines(
            "Gaps and what became of them",
            "Within five minutes. repaired: from the history; filled: by another connection; else why it stays one.",
            "short",
            Query(f"round(sum(increase(k2_feed_gaps_total{{{SYMBOL}}}[5m]))) > 0", "gaps"),
            Query(f"round(sum by (outcome) (increase(k2_feed_repairs_total{{{INSTANCE}}}[5m]))) > 0", "{{outcome}}"),
            look=Look(points=True, nothing="no gap"),
        ),
        lines(
            "Twice, or late",
            "Trades a second that are no loss: of several connections the first is taken; late ones filled a gap.",
            "eps",
            Query(
                f"sum by (instance) (rate(k2_feed_duplicates_total{{{INSTANCE}}}[$__rate_interval]))",
                "{{instance}} duplicates dropped",
            ),
            Query(
                f"sum by (instance) (rate(k2_feed_late_trades_total{{{INSTANCE}}}[$__rate_interval]))",
                "{{instance}} late",
            ),
            across=1,
        ),
        rows(
            "Symbols",
            "Now; gaps and missing trades within the time shown.",
            {"instance": "Engine", "exchange": "Exchange", "symbol": "Symbol"},
            {
                "Last trade": ("s", f"max by ({PER_SYMBOL}) (symbol:k2_feed_silence:seconds{{{SYMBOL}}})"),
                "Trades a second": ("eps", f"sum by ({PER_SYMBOL}) (rate(k2_feed_trades_total{{{SYMBOL}}}[1m]))"),
                "Gaps": ("short", f"round(sum by ({PER_SYMBOL}) (increase(k2_feed_gaps_total{{{SYMBOL}}}[$__range])))"),
                "Missing": (
                    "short",
                    f"round(sum by ({PER_SYMBOL}) (increase(k2_feed_missing_trades_total{{{SYMBOL}}}[$__range])))",
                ),
            },
        ),
    ]
