"""The dashboard as a whole."""

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard, Row
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from k2_dashboard import select
from k2_dashboard.rows import bronze, cores, delivery, latency, overview, sessions

ROWS = {
    "Overview": overview,
    "Latency by hop": latency,
    "Sessions": sessions,
    "Delivery": delivery,
    "Cores": cores,
    "Bronze": bronze,
}


def _alerts() -> AnnotationQuery:
    """Mark on every chart when an alert that wakes somebody up was firing."""
    return (
        AnnotationQuery()
        .name("Critical alerts")
        .datasource(select.DATASOURCE)
        .enable(enable=True)
        .icon_color("red")
        .title_format("{{alertname}}")
        .text_format("{{instance}}")
        .step("15s")
        .expr('ALERTS{alertstate="firing",severity="critical"}')
    )


def board() -> Dashboard:
    """Put variables, rows and panels together."""
    made = (
        Dashboard("k2-feed")
        .uid("k2-feed")
        .description("Trades from exchanges to Kafka: what comes in, how fast it goes out, and what is wrong.")
        .tags(["k2-feed"])
        .timezone("utc")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("10s")
        .time("now-30m", "now")
        .readonly()
        .annotation(_alerts())
        .with_variable(select.datasource())
    )
    for variable in select.variables():
        made = made.with_variable(variable)
    for title, row in ROWS.items():
        made = made.with_row(Row(title))
        for panel in row.panels():
            made = made.with_panel(panel)
    return made
