"""Trades with a known truth, sent through a real Kafka and a real registry to what is downstream of them."""
