#!/usr/bin/env bash
# The interpreter of an environment that has what a lock says and nothing else: made once for each lock, printed at each
# call. Several may ask at the same time.
set -euo pipefail

usage() {
  cat >&2 <<'USAGE'
usage: python.sh NAME LOCK
  NAME  of the environment
  LOCK  the file of packages with their hashes, for pip
needs python3 with venv, and PyPI or a mirror of it
environment: K2_CACHE (~/.cache/k2-feed) has the environments
USAGE
  exit 2
}

die() { echo "error: $*" >&2; exit 1; }

(($# == 2)) || usage
name=$1 lock=$2
[[ -f $lock ]] || die "there is no lock $lock"
cache=${K2_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/k2-feed}
folder=$cache/$name-$(sha256sum "$lock" | cut -c 1-16)
mkdir -p "$cache"
(
  flock 9
  [[ ! -f $folder/complete ]] || exit 0
  python3 -m venv --clear "$folder" || die "python3 with venv is needed: apt-get install python3-venv"
  "$folder/bin/python" -m pip install --quiet --require-hashes --requirement "$lock" >&2
  touch "$folder/complete"
) 9>"$folder.lock"
echo "$folder/bin/python"
