#!/usr/bin/env bash
# Run by the image at each start (CLICKHOUSE_ALWAYS_RUN_INITDB_SCRIPTS), before anybody else reaches the server: makes
# the tables that are not there yet. clickhouse-client takes user and password from the environment.
exec /etc/k2-clickhouse/tables.sh apply
