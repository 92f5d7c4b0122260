"""Spark in this process: a JVM of its own, the jars, and the catalog."""

import argparse
import time
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from k2_bronze.names import CATALOG, NAMESPACE

LOCK_S = 60


class Session:
    """Spark, and its JVM for what Spark's Python does not reach."""

    def __init__(self, arguments: argparse.Namespace, name: str) -> None:
        """Starts it, on tables in the warehouse."""
        jars = sorted(arguments.jars.glob("*.jar"))
        if not jars:
            message = f"there are no jars in {arguments.jars}: fetch them with Maven (pom.xml)"
            raise FileNotFoundError(message)
        self.warehouse: Path = arguments.warehouse
        self.warehouse.mkdir(parents=True, exist_ok=True)
        conf = SparkConf()
        for key, value in {
            "spark.app.name": f"bronze-{name}",
            "spark.master": f"local[{arguments.cores}]",
            "spark.driver.memory": arguments.driver_memory,
            "spark.jars": ",".join(map(str, jars)),
            "spark.ui.enabled": str(arguments.ui_port != 0).lower(),
            "spark.ui.port": str(arguments.ui_port),
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": str(arguments.shuffle_partitions),
            # Plans are small and always the same.
            "spark.sql.adaptive.enabled": "false",
            # One for each partition that is read, or they are made anew in each batch.
            "spark.kafka.consumer.cache.capacity": "1024",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            **catalog(self.warehouse),
        }.items():
            conf.set(key, value)
        gateway = launch_gateway(conf)  # type: ignore[no-untyped-call]
        self.jvm: Any = gateway.jvm
        context = SparkContext(conf=conf, gateway=gateway)
        context.setLogLevel("WARN")
        # They warn of what is meant so: logicalType beside type, each time that the schema is read; and that what a
        # local checkpoint held is gone for good, each time that it is given back.
        log4j = self.jvm.org.apache.logging.log4j
        for source in ("org.apache.avro.Schema", "org.apache.spark.rdd.MapPartitionsRDD"):
            log4j.core.config.Configurator.setLevel(source, log4j.Level.ERROR)
        self.spark = SparkSession(context)
        # Names of the JVM are looked up in all jars: not in each batch.
        self.context: Any = self.jvm.org.apache.spark.api.java.JavaSparkContext(
            self.jvm.org.apache.spark.SparkContext.getOrCreate()
        )
        self.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{NAMESPACE}")

    def table(self, name: str) -> Any:  # noqa: ANN401
        """Iceberg's own handle of a table, as of now."""
        loaded = self.jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
            self.jvm.org.apache.spark.sql.classic.SparkSession.getDefaultSession().get(), name
        )
        loaded.refresh()
        return loaded

    def free(self) -> None:
        """Gives back what local checkpoints hold in memory: Spark itself would wait for a garbage collection."""
        for rdd in self.context.getPersistentRDDs().values():
            rdd.unpersist(False)  # noqa: FBT003

    def lock(self, name: str) -> Any:  # noqa: ANN401
        """A lock on the warehouse that the JVM holds to its end, since it is the JVM that writes.

        After kill -9 of Python alone the JVM may live on for a moment, and finish what it was at.
        """
        path = self.warehouse / f"{name}.lock"
        channel = self.jvm.java.io.RandomAccessFile(str(path), "rw").getChannel()
        deadline = time.monotonic() + LOCK_S
        while True:
            held = channel.tryLock()
            if held is not None:
                return held
            if time.monotonic() > deadline:
                message = f"another process holds {path}: only one may run '{name}' on a warehouse; end it first"
                raise RuntimeError(message)
            time.sleep(0.2)


def catalog(warehouse: Path) -> dict[str, str]:
    """A database of one file: its commit is one statement, whoever else commits. A folder has no such thing locally."""
    own = f"spark.sql.catalog.{CATALOG}"
    return {
        own: "org.apache.iceberg.spark.SparkCatalog",
        f"{own}.catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        f"{own}.uri": f"jdbc:sqlite:{warehouse}/catalog.db?busy_timeout=30000",
        f"{own}.jdbc.schema-version": "V1",
        f"{own}.warehouse": f"file://{warehouse}",
        # A table that another process has changed is to be seen.
        f"{own}.cache-enabled": "false",
    }
