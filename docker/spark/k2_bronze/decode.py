"""Records of Kafka as columns: what they say, or why they cannot be read."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.types import StructType

from k2_bronze.names import Topic
from k2_bronze.registry import Schema

#: Confluent's frame: a zero, the schema's id in four bytes, Avro.
HEAD = 5
#: Exchanges that send numbers send some with an exponent.
DECIMAL = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


def wrong_schema(jvm: Any, text: str) -> str | None:  # noqa: ANN401
    """Why trades cannot be read by it: it is no Avro, or no record."""
    try:
        kind = jvm.org.apache.avro.Schema.Parser().parse(text).getType().getName()
    except Exception as error:  # noqa: BLE001
        return str(error).splitlines()[-1]
    return None if kind == "record" else f"it is of type {kind}"


def trade_type(spark: SparkSession, schema: str) -> StructType:
    """The columns that a trade has by its schema."""
    made = spark.range(0).select(from_avro(f.lit(None).cast("binary"), schema).alias("trade")).schema["trade"].dataType
    if not isinstance(made, StructType):
        message = f"the schema of trades is no record: {made}"
        raise TypeError(message)
    return made


def decoded(records: DataFrame, topics: Mapping[str, Topic], schemas: Mapping[int, Schema], reader: str) -> DataFrame:
    """Adds `trade`, `error`, and `unknown`: the id of a schema that has to be learned first."""
    is_raw = f.col("topic").isin([topic.name for topic in topics.values() if topic.is_raw])
    is_framed = ~is_raw & (f.length("value") > HEAD) & (f.substring("value", 1, 1) == f.lit(b"\0"))
    number = f.conv(f.hex(f.substring("value", 2, 4)), 16, 10).cast("long")
    framed = records.withColumn("schema_id", f.when(is_framed, number))
    schema_id = f.col("schema_id")

    trade, reasons = f.lit(None), dict[str, list[int]]()
    body = f.expr(f"substring(value, {HEAD + 1})")
    for known, schema in schemas.items():
        if schema.text is None:
            reasons.setdefault(str(schema.error), []).append(known)
        else:
            # A record that does not fit gives nulls.
            read = from_avro(body, schema.text, {"mode": "PERMISSIVE", "avroSchema": reader})
            trade = f.when(schema_id == known, read).otherwise(trade)
    if all(schema.text is None for schema in schemas.values()):
        trade = from_avro(f.lit(None).cast("binary"), reader)
    # Garbage may name thousands of schemas.
    why = f.lit(None).cast("string")
    for reason, ids in reasons.items():
        why = f.when(
            schema_id.isin(ids), f.concat(f.lit("schema "), schema_id.cast("string"), f.lit(reason))
        ).otherwise(why)
    is_known = schema_id.isin(list(schemas)) if schemas else f.lit(False)  # noqa: FBT003

    exchange = f.lit(None).cast("string")
    for topic in topics.values():
        exchange = f.when(f.col("topic") == topic.name, f.lit(topic.exchange)).otherwise(exchange)
    return (
        framed.withColumn("trade", trade)
        .withColumn("unknown", f.when(~is_known, schema_id))
        .withColumn("error", f.when(~is_raw, error(why, exchange)))
    )


def error(why: Column, exchange: Column) -> Column:
    """What is wrong with the record, or null."""

    def told(text: str, column: str) -> Column:
        return f.concat(f.lit(text), f.coalesce(f.col(column).cast("string"), f.lit("null")))

    def is_text(column: str) -> Column:
        return f.coalesce(f.length(column) > 0, f.lit(False))  # noqa: FBT003

    def is_decimal(column: str) -> Column:
        return f.coalesce(f.col(column).rlike(DECIMAL), f.lit(False))  # noqa: FBT003

    return (
        f.when(f.col("value").isNull(), "there is no value")
        .when(f.col("schema_id").isNull(), "it has not Confluent's frame: a zero, and a schema's id")
        .when(why.isNotNull(), why)
        .when(f.col("trade.exchange").isNull(), told("it does not fit its schema, ", "schema_id"))
        .when(f.col("trade.exchange") != exchange, told("it is of another exchange: ", "trade.exchange"))
        .when(~is_text("trade.symbol"), "it has no symbol")
        .when(~is_text("trade.trade_id"), "it has no trade_id")
        .when(~is_decimal("trade.price"), told("price is no decimal: ", "trade.price"))
        .when(~is_decimal("trade.quantity"), told("quantity is no decimal: ", "trade.quantity"))
    )
