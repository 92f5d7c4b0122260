#!/usr/bin/env bash
# Runs k2_bronze without Docker: Python's packages by the lock, the jars by pom.xml, each fetched once.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat >&2 <<'USAGE'
usage: bronze.sh COMMAND
  fetch     get packages and jars, once; needs python3 with venv, Maven, PyPI and Maven Central (or mirrors of them)
  check     the code is tidy
  stream, offsets, maintain, query …  as python -m k2_bronze has them, with --help; Java 17 or newer is needed
environment: K2_CACHE (~/.cache/k2-feed) has packages and jars
USAGE
  exit 2
}

CACHE=${K2_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/k2-feed}
JARS=$CACHE/bronze-jars-$(sha256sum pom.xml | cut -c 1-16)

fetch() {
  PYTHON=$(../python.sh bronze requirements.txt)
  ../maven.sh "$JARS" pom.xml dependency:copy-dependencies
}

run() {
  fetch
  export K2_BRONZE_JARS=${K2_BRONZE_JARS:-$JARS}
  export K2_BRONZE_SCHEMA=${K2_BRONZE_SCHEMA:-$PWD/../../schemas/normalized-trade.avsc}
  # Spark looks at the machine's name otherwise, and listens there.
  export SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1}
  exec "$PYTHON" "$@"
}

check() {
  (run -m ruff check --quiet .)
  (run -m ruff format --check --quiet .)
  (run -m mypy)
}

case ${1:-} in
  fetch) fetch ;;
  check) check ;;
  stream | offsets | maintain | query) run -m k2_bronze "$@" ;;
  *) usage ;;
esac
