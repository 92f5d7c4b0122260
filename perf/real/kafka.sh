#!/usr/bin/env bash
# A real Apache Kafka, without Docker: a KRaft node on loopback, or two. Needs Java 17 or newer, and Maven for the first time.
set -euo pipefail
NAME=kafka.sh
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat >&2 <<'USAGE'
usage: kafka.sh COMMAND
  fetch                                        get the libraries, once
  start PORT FOLDER [PROPERTIES [LISTENER…]]   start, or start again on the data in FOLDER; wait until ready
  run   PORT FOLDER [PROPERTIES [LISTENER…]]   the same in the foreground, to the end of the standard input
  stop  FOLDER                                 stop; the data stays
  pid   FOLDER                                 print the process's number, for kill -9, -STOP and -CONT
  tool  CLASS [ARG…]                           run one of Kafka's own tools, such as AclCommand, or another class of its
                                               libraries by its whole name
PROPERTIES is a file with more lines for server.properties. PORT is plaintext; more listeners are written as
SASL_SSL://localhost:9093. Several run at once, each on ports and in a folder of its own.
environment: K2_CACHE (~/.cache/k2-feed) has the libraries; K2_KAFKA_FORMAT has options for the first start, such as
--add-scram SCRAM-SHA-256=[name=alice,password=secret]; K2_KAFKA_JOIN is the FOLDER of a node to which this one is to be
the second
USAGE
  exit 2
}

KAFKA=$CACHE/kafka-tools-$(version kafka.version)
# A class path of one element: the JVM expands it.
CLASS_PATH="$KAFKA/*"

fetch() { fetch_to "$KAFKA" dependency:copy-dependencies -DincludeScope=runtime; }

address() { echo "$HOST:$PORT"; }

is_ready() { grep -q 'Kafka Server started' "$LOG" && listening "$PORT"; }

# A port below those that the system gives out, so that it stays free until the broker has it.
free_port() {
  local port=$((10000 + RANDOM % 20000))
  while listening "$port"; do port=$((10000 + RANDOM % 20000)); done
  echo "$port"
}

configure() {
  local listeners="PLAINTEXT://$HOST:$PORT" listener advertised controller roles=broker node=2 session=9000
  for listener in "${@:2}"; do listeners+=",$listener"; done
  advertised=$listeners
  if [[ -n ${K2_KAFKA_JOIN:-} ]]; then
    controller=$(sed -n 's/^controller.quorum.voters=1@//p' "$K2_KAFKA_JOIN/server.properties")
  else
    controller=$HOST:$(free_port)
    roles+=,controller node=1 listeners+=",CONTROLLER://$controller"
  fi
  # A broker that was killed is registered for a session longer, and its next start refused for as long.
  if [[ -f $FOLDER/data/meta.properties && ! -f $FOLDER/data/.kafka_cleanshutdown ]]; then session=1000; fi
  cat >"$FOLDER/server.properties" <<CONF
process.roles=$roles
node.id=$node
listeners=$listeners
advertised.listeners=$advertised
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
controller.listener.names=CONTROLLER
controller.quorum.voters=1@$controller
log.dirs=$FOLDER/data
num.partitions=3
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=$session
broker.heartbeat.interval.ms=250
log.cleaner.dedupe.buffer.size=4194304
CONF
  if [[ -n ${1:-} ]]; then cat "$1" >>"$FOLDER/server.properties"; fi
  cat >"$FOLDER/log4j2.properties" <<'CONF'
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %c{1} %m%n
CONF
}

format() {
  local id options
  if [[ -n ${K2_KAFKA_JOIN:-} ]]; then
    id=$(sed -n 's/^cluster.id=//p' "$K2_KAFKA_JOIN/data/meta.properties")
  else
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d =)
  fi
  read -ra options <<<"${K2_KAFKA_FORMAT:-}"
  "$JAVA" -Xmx128m "${JVM[@]}" -cp "$CLASS_PATH" kafka.tools.StorageTool format -t "$id" \
    -c "$FOLDER/server.properties" "${options[@]}" >"$LOG" 2>&1 || die "format failed: $(tail -1 "$LOG"), see $LOG"
}

begin() {
  local how=$1
  PORT=${2:-}
  at "${3:-}"
  need_java
  check_port "$PORT"
  fetch
  mkdir -p "$FOLDER/tmp"
  configure "${@:4}"
  [[ -f $FOLDER/data/meta.properties ]] || format
  launch "$how" "$JAVA" -Xmx512m "${JVM[@]}" -Dlog4j2.configurationFile="$FOLDER/log4j2.properties" \
    -cp "$CLASS_PATH" kafka.Kafka "$FOLDER/server.properties"
}

case ${1:-} in
  fetch) need_java; fetch ;;
  start | run) begin "$@" ;;
  stop) at "${2:-}"; stop ;;
  tool)
    need_java
    fetch
    class=${2:-}
    [[ $class == *.* ]] || class=org.apache.kafka.tools.$class
    exec "$JAVA" -Xmx128m "${JVM[@]}" -cp "$CLASS_PATH" "$class" "${@:3}"
    ;;
  pid) at "${2:-}"; live_pid || die "none runs in $FOLDER" ;;
  *) usage ;;
esac
