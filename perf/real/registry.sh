#!/usr/bin/env bash
# A real schema registry with Confluent's API, without Docker: Apicurio on loopback, its schemas in a file. Needs Java 17
# or newer, and Maven for the first time. Clients are given http://127.0.0.1:PORT/apis/ccompat/v7.
set -euo pipefail
NAME=registry.sh
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat >&2 <<'USAGE'
usage: registry.sh COMMAND
  fetch               get the registry, once
  start PORT FOLDER [OPTION…]  start, or start again on the schemas in FOLDER; wait until ready
  run   PORT FOLDER [OPTION…]  the same in the foreground, to the end of the standard input
  stop  FOLDER        stop; the schemas stay
  pid   FOLDER        print the process's number, for kill -9, -STOP and -CONT
OPTIONs are the JVM's, such as -Dquarkus.http.ssl-port=8443. Several run at once.
environment: K2_CACHE (~/.cache/k2-feed) has the program
USAGE
  exit 2
}

API=/apis/ccompat/v7
APICURIO=$CACHE/apicurio-$(version apicurio.version)

fetch() { fetch_to "$APICURIO" dependency:unpack; }

address() { echo "http://$HOST:$PORT$API"; }

# http METHOD PATH [BODY]: whether the answer is 200. This side closes: an answer read up to the server's close is at
# times lost in a reset.
http() {
  (
    body=${3:-}
    exec 3<>"/dev/tcp/$HOST/$PORT" || exit 1
    printf '%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
      "$1" "$API$2" "$HOST" "${#body}" "$body" >&3
    read -r -t 10 status <&3 && [[ $status == 'HTTP/1.1 200 '* ]]
  ) 2>/dev/null
}

is_ready() { http GET /subjects; }

# A new registry takes any schema: let it be as Confluent's.
after_start() {
  [[ ! -f $FOLDER/configured ]] || return 0
  http PUT /config '{"compatibility":"BACKWARD"}' || die "it refuses the compatibility level"
  touch "$FOLDER/configured"
}

begin() {
  local how=$1
  PORT=${2:-}
  at "${3:-}"
  need_java
  check_port "$PORT"
  fetch
  mkdir -p "$FOLDER/tmp"
  launch "$how" "$JAVA" -Xmx256m "${JVM[@]}" "${@:4}" --add-opens=java.base/java.lang=ALL-UNNAMED \
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager \
    -Dquarkus.http.host="$HOST" -Dquarkus.http.port="$PORT" \
    -Dquarkus.management.host="$HOST" -Dquarkus.management.port=0 \
    -Dapicurio.storage.snapshot.location="$FOLDER/tmp" -Dapicurio.import.work-dir="$FOLDER/tmp" \
    -Dapicurio.datasource.url="jdbc:h2:file:$FOLDER/registry;WRITE_DELAY=0" \
    -Dapicurio.datasource.jdbc.initial-size=1 -Dapicurio.datasource.jdbc.min-size=1 \
    -Dapicurio.datasource.jdbc.max-size=10 -Dapicurio.ccompat.use-canonical-hash=true \
    -jar "$APICURIO/apicurio-registry-app-$(version apicurio.version)-runner.jar"
}

case ${1:-} in
  fetch) need_java; fetch ;;
  start | run) begin "$@" ;;
  stop) at "${2:-}"; stop ;;
  pid) at "${2:-}"; live_pid || die "none runs in $FOLDER" ;;
  *) usage ;;
esac
