"""ClickHouse's own engine, fed by Kafka with the tables of docker/clickhouse."""
