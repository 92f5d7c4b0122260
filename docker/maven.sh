#!/usr/bin/env bash
# Has Maven fill a folder, once: it is there when it is complete. Several may ask at the same time.
set -euo pipefail

usage() {
  cat >&2 <<'USAGE'
usage: maven.sh FOLDER POM GOAL [OPTION ...]
  FOLDER  to fill
  POM     what is fetched
  GOAL    that fetches it, such as dependency:copy-dependencies, with its options
needs Maven, and Maven Central or a mirror of it
USAGE
  exit 2
}

die() { echo "error: $*" >&2; exit 1; }

(($# >= 3)) || usage
folder=$1 pom=$2 goal=$3
work=$folder.part log=$folder.log
mkdir -p "$(dirname "$folder")"
(
  flock 9
  [[ ! -d $folder ]] || exit 0
  command -v mvn >/dev/null || die "Maven (mvn) is needed to fetch $folder: install it"
  rm -rf "$work"
  mkdir "$work"
  cp "$pom" "$work/pom.xml" # Maven leaves its marks beside it
  mvn -B -f "$work/pom.xml" -Dmaven.repo.local="$work/m2" "$goal" -DoutputDirectory="$work/out" "${@:4}" >"$log" 2>&1 ||
    die "Maven failed: $(grep -m 1 ERROR "$log"), see $log"
  mv "$work/out" "$folder"
  rm -rf "$work" "$log"
) 9>"$folder.lock"
