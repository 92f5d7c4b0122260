"""The Spark job that writes the topics to the bronze table: empty until it runs."""

from k2_dashboard.panels import Look, Panel, Query, lines

NOT_YET = Look(nothing="the job does not run")


def panels() -> list[Panel]:
    """Latency and lag."""
    return [
        lines(
            "Bronze latency",
            "From the record's time in Kafka to the commit. An alert warns above 10 s at p99, and wakes above 30 s.",
            "s",
            Query("bronze_ingestion_latency_seconds", "{{instance}} p{{quantile}}"),
            look=NOT_YET,
        ),
        lines(
            "Bronze lag",
            "Records on the topics that are not in the table yet.",
            "short",
            Query("bronze_lag_records", "{{instance}} {{topic}}"),
            look=NOT_YET,
        ),
    ]
