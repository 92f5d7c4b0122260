#!/usr/bin/env bash
# Looks whether what is in this folder holds, as far as this machine can tell: first what needs no Docker engine, then
# the image, built and run.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'USAGE'
usage: docker/verify.sh [--static] [--keep] [--help]
  --static  only what needs no Docker engine: versions, seccomp profile, Compose file, systemd unit, Dockerfile
  --keep    leave the image k2-feed:verify behind
Without --static, the image is then built, measured, and run: as another user than root, on a root that is read-only,
with and without the seccomp profile, until its health check is content; drained by `docker stop`, with the broker there
and away; and rolled back by Compose. The exchange and the broker are k2-feed's own, in containers that reach nothing
else.
What this machine lacks is skipped, with the reason.
environment:
  DOCKER_HOST        the engine, as for docker itself
  K2_VERIFY_BUILD    more options for docker build, such as --network=host
  K2_REQUIRE_DOCKER  if set, what cannot be looked at here is a failure
exit codes: 0 all that could be looked at holds, 1 something does not, 2 wrong usage
USAGE
}

# shellcheck disable=SC2034 # KEEP: verify-image.sh looks at it
STATIC='' KEEP=''
for argument in "$@"; do
  case $argument in
    --static) STATIC=yes ;;
    --keep) KEEP=yes ;;
    --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done

# The services that run the engine, or an exchange of our own, by profile.
EXCHANGES=(binance binance-usdm bybit coinbase kraken okx)
# Exposure by systemd's own measure, from 0 to 100: most that the unit may have.
MOST_EXPOSED=20

SKIPPED=()
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

step() { printf '\n== %s\n' "$*"; }
ok() { printf 'ok       %s\n' "$*"; }
fail() { printf 'FAILED   %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }

# skip WHAT WHY
skip() {
  [[ -z ${K2_REQUIRE_DOCKER:-} ]] || fail "$1: $2 (K2_REQUIRE_DOCKER is set)"
  printf 'skipped  %s: %s\n' "$1" "$2"
  SKIPPED+=("$1")
}

# Compose 2 or newer, or the one before it.
COMPOSE=()
if has docker && docker compose version &>/dev/null; then
  COMPOSE=(docker compose)
elif has docker-compose; then
  COMPOSE=(docker-compose)
fi

# Of the engine, its first number; 0 if none answers.
engine_version() {
  local version
  version=$(docker version --format '{{.Server.Version}}' 2>/dev/null) || version=0
  echo "${version%%.*}"
}

same() { [[ $2 == "$3" ]] || fail "$1: '$2' and '$3'"; }

check_versions() {
  step "versions that have to be the same"
  local toolchain version argument
  argument() { sed -n "s/^ARG $1=//p" docker/Dockerfile; }
  toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
  same "Rust of the Dockerfile and of rust-toolchain.toml" "$(argument RUST_VERSION)" "$toolchain"
  same "version of the Dockerfile and of Cargo.toml" "$(argument VERSION)" "$version"
  same "image of .env and version of Cargo.toml" "$(sed -n 's/^K2_FEED_IMAGE=//p' .env)" "k2-feed:$version"
  ok "Rust $toolchain, k2-feed $version"
  local spark
  spark=$(sed -n 's/^SPARK_VERSION=//p' .env)
  same "Spark of .env and of docker/spark/Dockerfile" "$spark" \
    "$(sed -n 's/^ARG SPARK_VERSION=//p' docker/spark/Dockerfile)"
  same "Spark of .env and of docker/spark/requirements.txt" "${spark%%-*}" \
    "$(sed -n 's/^pyspark==\([0-9.]*\).*/\1/p' docker/spark/requirements.txt)"
  same "image of .env and version of docker/spark/pyproject.toml" "$(sed -n 's/^K2_BRONZE_IMAGE=//p' .env)" \
    "k2-bronze:$(sed -n 's/^version = "\(.*\)"/\1/p' docker/spark/pyproject.toml)"
  ok "Spark ${spark%%-*}"
}

check_seccomp() {
  step "the seccomp profile is Docker's and io_uring"
  if ! has jq; then skip "seccomp.json" "jq is not here"; return; fi
  if ! docker/seccomp.sh --default >"$WORK/default.json" 2>"$WORK/why"; then
    skip "seccomp.json" "$(tail -1 "$WORK/why")"
    rm "$WORK/default.json"
    return
  fi
  docker/seccomp.sh --check >"$WORK/same" || fail "seccomp.json"
  ok "$(cat "$WORK/same")"
}

# Without the parts that only the whole system has: the program, and its folder.
check_unit() {
  step "the systemd unit"
  if ! has systemd-analyze; then skip "k2-feed.service" "systemd-analyze is not here"; return; fi
  local unit=$WORK/k2-feed.service said
  sed -e 's:^ExecStart=[^ ]*:ExecStart=/bin/true:' -e '/^WorkingDirectory=/d' docker/k2-feed.service >"$unit"
  said=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F k2-feed || true)
  [[ -z $said ]] || fail "systemd-analyze verify: $said"
  said=$(systemd-analyze security --offline=true --threshold=$MOST_EXPOSED --no-pager "$unit") ||
    fail "systemd-analyze security: $(tail -1 <<<"$said")"
  ok "$(systemd-analyze --version | head -1): $(tail -1 <<<"$said")"
}

# What every service of ours must have, on the file as Compose understands it.
# shellcheck disable=SC2016 # jq's, not the shell's
RULES='.services | to_entries[] | .key as $name | .value
  | (if .image | test(":[^:/]*[0-9][^:/]*$") | not then "\($name): no version of its image: \(.image)" else empty end),
    (["restart", "mem_limit", "cpus", "logging", "security_opt"][] as $key
      | if has($key) then empty else "\($name): no \($key)" end),
    (if has("healthcheck") or (.image | startswith("k2-feed")) then empty else "\($name): no healthcheck" end),
    (if ($name | startswith("feed")) and .stop_grace_period != "45s" then "\($name): no time to drain" else empty end)'

check_clickhouse() {
  step "ClickHouse's tables"
  local file
  same "exchanges of docker/clickhouse/tables.sh and here" \
    "$(sed -n 's/^EXCHANGES=(\(.*\))/\1/p' docker/clickhouse/tables.sh)" "${EXCHANGES[*]}"
  for file in kafka.xml metrics.xml users.xml init.sh; do
    grep -q "docker/clickhouse/$file:" docker-compose.yml || fail "docker-compose.yml does not mount $file"
  done
  if ! has python3; then skip "ClickHouse's configuration" "python3 is not here"; return; fi
  for file in docker/clickhouse/*.xml; do
    python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$file" || fail "$file"
  done
  ok "exchanges and configuration"
}

check_compose() {
  step "the Compose file"
  if ! ((${#COMPOSE[@]})); then skip "docker-compose.yml" "Compose is not here"; return; fi
  local profile wrong
  for profile in feed per-exchange simulated; do
    COMPOSE_PROFILES=$profile "${COMPOSE[@]}" config --quiet || fail "profile $profile"
  done
  same "exchanges of feed.toml and here" \
    "$(sed -n 's/^exchange = "\(.*\)"/\1/p' docker/feed/feed.toml | sort | xargs)" "${EXCHANGES[*]}"
  ok "$("${COMPOSE[@]}" version --short) takes it, in each of its profiles"
  if [[ ${COMPOSE[*]} != "docker compose" ]] || ! has jq; then
    skip "limits, versions and services of the Compose file" "they take Compose 2, and jq"
    return
  fi
  same "engines of profile feed" "$(ours feed)" feed
  same "engines of profile per-exchange" "$(ours per-exchange)" "$(printf 'feed-%s\n' "${EXCHANGES[@]}" | xargs)"
  same "engines of profile simulated" "$(ours simulated)" \
    "feed-simulated $(printf 'simulate-%s\n' "${EXCHANGES[@]}" | xargs)"
  wrong=$(COMPOSE_PROFILES=feed,per-exchange,simulated docker compose config --format json | jq --raw-output "$RULES")
  [[ -z $wrong ]] || fail "$wrong"
  ok "every service has a version, limits, a restart policy and a health check"
}

ours() { COMPOSE_PROFILES=$1 docker compose config --services | grep -E '^(feed|simulate)' | LC_ALL=C sort | xargs; }

check_text() {
  local dockerfile
  step "Dockerfiles and scripts"
  # The engine's own reader of Dockerfiles has lints since 27.
  if has docker && [[ $(docker buildx build --help 2>&1) == *--check* ]] && (($(engine_version) >= 27)); then
    for dockerfile in docker/Dockerfile docker/spark/Dockerfile; do
      docker buildx build --check --file "$dockerfile" . >"$WORK/check" 2>&1 || fail "$(tail -5 "$WORK/check")"
    done
    ok "docker build --check"
  elif has hadolint; then
    # apt's packages are not pinned: the base's tag is.
    hadolint --ignore DL3008 docker/Dockerfile docker/spark/Dockerfile || fail "Dockerfile"
    ok "hadolint"
  else
    skip "the Dockerfile's lints" "neither Docker 27 with buildx nor hadolint is here"
  fi
  if has shellcheck; then
    shellcheck --external-sources docker/*.sh docker/clickhouse/*.sh docker/spark/*.sh || fail "shellcheck"
    ok "shellcheck"
  else
    skip "the scripts" "shellcheck is not here"
  fi
}

check_versions
check_seccomp
check_unit
check_clickhouse
check_compose
check_text
if [[ -n $STATIC ]]; then
  :
elif ! has docker || ! docker info &>/dev/null; then
  step "the image"
  skip "the image" "no Docker engine answers (DOCKER_HOST)"
else
  # shellcheck source=docker/verify-image.sh
  source docker/verify-image.sh
  check_image
fi
printf '\n'
((${#SKIPPED[@]})) && printf 'not looked at: %s\n' "${SKIPPED[@]}"
echo "VERIFIED all else"
