"""How far each table is, and where the stream would begin: the same with a checkpoint and without."""

import argparse

from k2_bronze import names, tables
from k2_bronze.kafka import Kafka
from k2_bronze.session import Session


def run(arguments: argparse.Namespace) -> int:
    """Prints a line for each partition. The exit code is 1 where records are on Kafka no more that no table has."""
    session = Session(arguments, "offsets")
    topics = names.topics(arguments.topic_prefix, arguments.exchanges)
    kafka = Kafka(arguments.kafka)
    partitions = kafka.partitions(list(topics))
    begins, ends = kafka.begins(partitions), kafka.ends(partitions)
    missing = 0
    print(f"{'topic/partition':<50}{'Kafka begins':>14}{'table ends':>14}{'Kafka ends':>14}{'lag':>12}")
    for name, all_of in partitions.items():
        table = topics[name].table
        has = tables.committed(session, table)[1].get(name, {}) if session.spark.catalog.tableExists(table) else {}
        for one in all_of:
            first, end = begins[name][one], ends[name][one]
            at = has.get(one, first)
            missing += max(0, first - at)
            note = "  Kafka has thrown away what is between" if at < first else ""
            print(f"{f'{name}/{one}':<50}{first:>14}{at:>14}{end:>14}{end - max(at, first):>12}{note}")
    return 1 if missing else 0
