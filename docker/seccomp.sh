#!/usr/bin/env bash
# Makes seccomp.json: Docker's own default profile, and io_uring's three calls, which Docker has left out since 25.0.
set -euo pipefail

PROFILE=$(cd "$(dirname "$0")" && pwd)/seccomp.json
# Where Docker keeps it, and of which version.
MODULE=github.com/moby/profiles/seccomp
VERSION=v0.2.3
# Beside the added calls, for who reads the profile and asks why.
REASON="k2-feed's feed cores read their sockets through io_uring"

usage() {
  cat <<'USAGE'
usage: docker/seccomp.sh [--check | --default | --help]
  (nothing)  write seccomp.json
  --check    show how seccomp.json differs from what would be written, and exit with 1 if it does
  --default  print Docker's own profile, unchanged
Needs jq, and Go, which fetches Docker's profile through the module proxy that it is configured for.
environment: K2_SECCOMP_URL is an address of Docker's profile (file:///… too), fetched by curl instead of Go
exit codes: 0 done, 1 failed or different, 2 wrong usage
USAGE
}

die() { echo "seccomp.sh: $*" >&2; exit 1; }

need() { command -v "$1" >/dev/null || die "$1 is needed to $2: install it"; }

# Docker's own profile, as it is in its source.
default() {
  local source
  if [[ -n ${K2_SECCOMP_URL:-} ]]; then
    need curl "fetch K2_SECCOMP_URL"
    curl --fail --silent --show-error --location "$K2_SECCOMP_URL"
    return
  fi
  need go "fetch Docker's profile (or set K2_SECCOMP_URL)"
  # Outside of any module, whose go.mod would have a say.
  source=$(cd / && go mod download -json "$MODULE@$VERSION" | jq --raw-output .Dir) ||
    die "Go could not fetch $MODULE@$VERSION (or set K2_SECCOMP_URL)"
  cat "$source/default.json"
}

# With io_uring; else as Docker writes it, so that diff shows nothing but that.
made() {
  default | jq --tab --arg reason "$REASON" '.syscalls += [{
    names: ["io_uring_enter", "io_uring_register", "io_uring_setup"],
    action: "SCMP_ACT_ALLOW",
    comment: $reason
  }]'
}

need jq "read profiles"
case ${1:-} in
  "")
    text=$(made)
    printf '%s\n' "$text" >"$PROFILE"
    ;;
  --check)
    diff --unified "$PROFILE" <(made) >&2 || die "$PROFILE is not $MODULE@$VERSION and io_uring: see above"
    echo "seccomp.json is $MODULE@$VERSION and io_uring's three calls"
    ;;
  --default) default ;;
  --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
