#!/bin/sh
# How often the gate refuses an engine that is compared with itself: so many runs of what CI runs, 20 unless given.
set -eu
cd "$(dirname "$0")/../.."
runs=${1:-20}
cargo build --release --package k2-feed --package k2-gate
report=target/gate-alike
mkdir -p "$report"
refused=0
run=1
while [ "$run" -le "$runs" ]; do
    if target/release/k2-gate tails --before target/release/k2-feed --after target/release/k2-feed \
        --pairs 6 --for 8s --report "$report/run" > "$report/run-$run.txt" 2>&1; then
        echo "$run of $runs: holds"
    else
        refused=$((refused + 1))
        echo "$run of $runs: $(grep 'REFUSED$' "$report/run-$run.txt" || tail -n 1 "$report/run-$run.txt")"
    fi
    run=$((run + 1))
done
echo "refused $refused of $runs"
