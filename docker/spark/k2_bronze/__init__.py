"""Trades and raw frames from Kafka to Iceberg: one streaming job, one table an exchange for each."""
