#!/bin/sh
# Measures any program that takes the K2_* variables of the environment beside the engine: the same simulated exchange, the
# same broker, by turns, from outside. See `cargo run --release -p k2-load -- --help` for the options.
#
#   perf/compare-external.sh 'java -jar handler.jar' --rates 160,1000,5000 --linger-us 10000
set -eu
if [ $# -eq 0 ] || [ "$1" = --help ]; then
    sed -n 's/^# \{0,1\}//p' "$0" | sed 1d
    exit 2
fi
command=$1
shift
cd "$(dirname "$0")/.."
exec cargo run --release --package k2-load -- --command "$command" --brokers real --report target/compare "$@"
