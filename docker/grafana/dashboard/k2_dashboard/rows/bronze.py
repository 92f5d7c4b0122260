"""The Spark job that writes the topics to the bronze tables: empty where it does not run."""

from k2_dashboard.panels import Look, Panel, Query, lines

NOT_THERE = Look(nothing="the job does not run")


def panels() -> list[Panel]:
    """Latency and lag, what a batch takes, what is kept aside."""
    return [
        lines(
            "Bronze latency",
            "From the record's time in Kafka to the commit. An alert warns above 10 s at p99, and wakes above 30 s.",
            "s",
            Query("bronze_ingestion_latency_seconds", "{{instance}} p{{quantile}}"),
            look=NOT_THERE,
        ),
        lines(
            "Bronze lag",
            "Records on the topics that are not in the tables yet.",
            "short",
            Query("bronze_lag_records", "{{instance}} {{topic}}"),
            look=NOT_THERE,
        ),
        lines(
            "Bronze batches",
            "What a batch takes, and how late it begins. Above the trigger's interval, batches follow each other.",
            "s",
            Query("bronze_trigger_processing_time_seconds", "{{instance}} takes p{{quantile}}"),
            Query("bronze_scheduling_delay_seconds", "{{instance}} late p{{quantile}}"),
            look=NOT_THERE,
        ),
        lines(
            "Bronze rejects",
            "Records a second that cannot be read and are kept aside, or that Kafka had thrown away before.",
            "short",
            Query("rate(bronze_rejects_total[$__rate_interval])", "{{instance}} {{topic}} kept aside"),
            Query("rate(bronze_missing_records_total[$__rate_interval])", "{{instance}} {{topic}} missing"),
            look=NOT_THERE,
        ),
    ]
