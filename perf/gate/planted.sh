#!/bin/sh
# Shows that the gate can fail: builds this commit with a pause of 20 us for one record of 100, and wants the gate to refuse
# it and to name the hop.
set -eu
cd "$(dirname "$0")/../.."
target=$PWD/target
cargo build --release --package k2-feed --package k2-gate
mkdir -p "$target/gate-planted"
cp "$target/release/k2-feed" "$target/gate-planted/before"
tree=$target/gate-planted/tree
git worktree remove --force "$tree" 2> /dev/null || true
git worktree add --quiet --force --detach "$tree" HEAD
trap 'git worktree remove --force "$tree"' EXIT
git -C "$tree" apply "$PWD/perf/gate/planted.patch"
(cd "$tree" && CARGO_TARGET_DIR=$target cargo build --release --package k2-feed)
cp "$target/release/k2-feed" "$target/gate-planted/after"
cp "$target/gate-planted/before" "$target/release/k2-feed"
if said=$("$target/release/k2-gate" tails --before "$target/gate-planted/before" \
    --after "$target/gate-planted/after" --pairs 5 --for 8s --report "$target/gate-planted/report"); then
    echo "$said"
    echo "error: the gate let the pause pass" >&2
    exit 1
fi
echo "$said"
echo "$said" | grep -q '^encode p99 .*REFUSED$' || { echo "error: the gate did not name encode" >&2; exit 1; }
echo "the gate refuses the pause, and names encode"
