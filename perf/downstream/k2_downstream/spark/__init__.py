"""The job that writes the topics to Iceberg, killed, robbed of its checkpoint, and driven at its rate."""
