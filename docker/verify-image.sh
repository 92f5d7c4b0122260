# shellcheck shell=bash
# The part of verify.sh that needs a Docker engine. Sourced by it.

IMAGE=k2-feed:verify
# The same with another label: what is rolled back to.
OLD=k2-feed:verify-old
# All containers, volumes, networks and the Compose project are named so.
NAME=k2-verify
MOST_MIB=60
MOST_ROLLBACK_MS=30000
# stop_grace_period of the Compose file.
GRACE_S=45
# How long the engine carries trades before it is looked at.
LOAD_S=5
# Trades a second meanwhile.
RATE=2000
LOCKED_DOWN=(--read-only --cap-drop ALL --security-opt no-new-privileges)
PROFILE=$PWD/docker/seccomp.json

check_image() {
  trap clean EXIT
  clean_containers
  build
  look_at_image
  look_at_configuration
  start_around
  look_at_profile
  run_and_drain
  drain_without_broker
  roll_back
  simulate
}

clean() {
  clean_containers
  [[ -n $KEEP ]] || docker image rm --force "$IMAGE" >/dev/null 2>&1 || true
  docker image rm --force "$OLD" >/dev/null 2>&1 || true
  rm -rf "$WORK"
}

clean_containers() {
  local left
  left=$(docker ps --all --quiet --filter "name=^$NAME")
  # shellcheck disable=SC2086 # numbers, one a word
  [[ -z $left ]] || docker rm --force $left >/dev/null
  left=$(docker volume ls --quiet --filter "name=^$NAME")
  # shellcheck disable=SC2086
  [[ -z $left ]] || docker volume rm $left >/dev/null
  left=$(docker network ls --quiet --filter "name=^$NAME")
  # shellcheck disable=SC2086
  [[ -z $left ]] || docker network rm $left >/dev/null
}

now_ms() { date +%s%3N; }
seconds() { printf '%d.%01d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# await SECONDS WHAT COMMAND…: until the command says yes.
await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if ((SECONDS > deadline)); then
      docker logs --tail 20 "$NAME-feed" 2>&1 || true
      fail "$what: not so in time"
    fi
    sleep 0.1
  done
}

# said CONTAINER TEXT: it is in its log.
said() { docker logs "$1" 2>&1 | grep -qF "$2"; }
health() { docker inspect --format '{{.State.Health.Status}}' "$1"; }
is_healthy() { [[ $(health "$1") == healthy ]]; }
has_ended_or_is_healthy() {
  [[ $(docker inspect --format '{{.State.Running}}' "$1") == false ]] || is_healthy "$1"
}
end_of() { docker logs --tail 3 "$1" 2>&1; }
# The engine's own last word.
stopped_with() { docker logs "$1" 2>&1 | sed -n 's/.*stopped: //p' | tail -1; }
is_ready() { docker exec "$1" k2-feed health --ready >/dev/null 2>&1; }

build() {
  step "build"
  local begun
  begun=$(now_ms)
  built "$IMAGE" REVISION="$(git rev-parse HEAD)"
  ok "built in $(seconds $(($(now_ms) - begun)))"
  begun=$(now_ms)
  built "$OLD" VERSION=old
  ok "built again from the cache, but for its labels, in $(seconds $(($(now_ms) - begun)))"
}

# built TAG ARGUMENT
built() {
  # shellcheck disable=SC2086 # options
  docker build ${K2_VERIFY_BUILD:-} --file docker/Dockerfile --tag "$1" --build-arg "$2" . >"$WORK/build" 2>&1 ||
    { tail -30 "$WORK/build"; fail "docker build"; }
}

look_at_image() {
  step "the image"
  local bytes mib container
  bytes=$(docker image inspect --format '{{.Size}}' "$IMAGE")
  mib=$((bytes / 1024 / 1024))
  ((mib < MOST_MIB)) || fail "$mib MiB, $MOST_MIB at most"
  same user "$(of_image .Config.User)" 1000:1000
  same entrypoint "$(of_image .Config.Entrypoint)" '[k2-feed]'
  same command "$(of_image .Config.Cmd)" '[run]'
  same "stop signal" "$(of_image .Config.StopSignal)" SIGTERM
  same "health check" "$(of_image .Config.Healthcheck.Test)" '[CMD k2-feed health]'
  same revision "$(of_image 'index .Config.Labels "org.opencontainers.image.revision"')" "$(git rev-parse HEAD)"
  ok "$mib MiB; user, entrypoint, stop signal, health check, labels"
  if has readelf; then
    container=$(docker create --name "$NAME-copy" "$IMAGE")
    docker cp "$container:/usr/local/bin/k2-feed" "$WORK/k2-feed"
    docker rm "$container" >/dev/null
    # All of it is read: grep -q would break the pipe.
    [[ $(readelf --sections --wide "$WORK/k2-feed" | grep -c '\.symtab') == 0 ]] || fail "the binary has symbols"
    ok "the binary is stripped, $(($(stat --format %s "$WORK/k2-feed") / 1024 / 1024)) MiB"
  else
    skip "that the binary is stripped" "readelf is not here"
  fi
}

of_image() { docker image inspect --format "{{$1}}" "$IMAGE"; }

# feed.toml and instruments.yaml, as the Compose file mounts them: for all exchanges, and for each alone.
look_at_configuration() {
  step "the engine's configuration for Docker"
  local exchange out feeds
  for exchange in "" "${EXCHANGES[@]}"; do
    feeds=$([[ $exchange ]] && echo 1 || echo ${#EXCHANGES[@]})
    out=$(docker run --rm --network none "${LOCKED_DOWN[@]}" --volume "$PWD/docker/feed:/etc/k2-feed:ro" \
      --env K2_EXCHANGE="$exchange" ${exchange:+--env K2_INSTRUMENTS_FILE=/etc/k2-feed/instruments.yaml} \
      "$IMAGE" run --print-config 2>&1) || fail "${exchange:-all}: $out"
    same "feeds of ${exchange:-all}" "$(grep -c '^\[\[feed\]\]' <<<"$out")" "$feeds"
  done
  ok "it is taken for all exchanges, and for each alone"
}

# Broker, registry and exchange, in one network with a loopback and nothing else: no port of this machine is taken.
start_around() {
  docker run --detach --name $NAME-broker --network none --no-healthcheck "${LOCKED_DOWN[@]}" "$IMAGE" \
    broker --listen 127.0.0.1:9092 --registry-listen 127.0.0.1:8081 >/dev/null
  await 20 "the broker listens" said $NAME-broker schema.registry.url
  docker run --detach --name $NAME-exchange --network container:$NAME-broker --no-healthcheck "${LOCKED_DOWN[@]}" \
    "$IMAGE" simulate binance --listen 127.0.0.1:9001 --rate $RATE >/dev/null
  await 20 "the exchange listens" said $NAME-exchange "listening on"
}

# engine OPTION…: runs it there, as the README says.
engine() {
  docker run --network container:$NAME-broker "${LOCKED_DOWN[@]}" --ulimit memlock=8388608 --memory 512m \
    --env K2_EXCHANGE=binance --env K2_SYMBOLS=BTCUSDT,ETHUSDT --env K2_BINANCE_WS_URL=ws://127.0.0.1:9001/ws \
    --env K2_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 --env K2_KAFKA_SCHEMA_REGISTRY_URL=http://127.0.0.1:8081 \
    --volume $NAME-state:/var/lib/k2-feed --env K2_STATE_DIR=/var/lib/k2-feed/verify "$@" "$IMAGE"
}

look_at_profile() {
  step "io_uring without the profile"
  local code=0 out version
  if [[ -f $WORK/default.json ]]; then
    out=$(engine --rm --security-opt "seccomp=$WORK/default.json" 2>&1) || code=$?
    same "exit code under Docker's own profile" "$code" 1
    grep -qF "io_uring is blocked" <<<"$out" || fail "it does not say what is missing: $out"
    ok "under Docker's own profile it ends with: $(grep -F "io_uring is blocked" <<<"$out")"
  else
    skip "that Docker's own profile blocks io_uring" "it could not be fetched"
  fi
  version=$(docker version --format '{{.Server.Version}}')
  code=0
  engine --detach --name $NAME-default >/dev/null
  await 60 "it ends, or is healthy" has_ended_or_is_healthy $NAME-default
  if is_healthy $NAME-default; then
    ((${version%%.*} < 25)) || fail "this engine is Docker $version, and does not block io_uring"
    ok "this engine's own profile, of Docker $version, allows io_uring"
  else
    said $NAME-default "io_uring is blocked" || fail "it ended for another reason: $(end_of $NAME-default)"
    ok "this engine's own profile, of Docker $version, blocks io_uring"
  fi
  docker rm --force $NAME-default >/dev/null
  docker volume rm $NAME-state >/dev/null
}

run_and_drain() {
  step "with the profile"
  local begun stopped
  begun=$(now_ms)
  engine --detach --name $NAME-feed --security-opt "seccomp=$PROFILE" >/dev/null
  await 60 "healthy" is_healthy $NAME-feed
  ok "healthy $(seconds $(($(now_ms) - begun))) after docker run"
  await 30 "ready" is_ready $NAME-feed
  same "user of the process" "$(docker top $NAME-feed -o pid,uid | awk 'END { print $2 }')" 1000
  sleep $LOAD_S
  ok "memory: $(docker stats --no-stream --format '{{.MemUsage}}' $NAME-feed)"
  stopped=$(now_ms)
  docker stop --time $GRACE_S $NAME-feed >/dev/null
  stopped=$(($(now_ms) - stopped))
  same "exit code" "$(docker inspect --format '{{.State.ExitCode}}' $NAME-feed)" 0
  said $NAME-feed "nothing lost" || fail "it was not drained: $(end_of $NAME-feed)"
  ok "drained in $(seconds $stopped) at $RATE trades/s: $(stopped_with $NAME-feed)"
}

# The longest stop there is: stop_grace_period must be longer.
drain_without_broker() {
  step "stopped while the broker is away"
  local stopped
  docker start $NAME-feed >/dev/null
  await 60 "healthy" is_healthy $NAME-feed
  await 30 "ready" is_ready $NAME-feed
  docker pause $NAME-broker >/dev/null
  sleep $LOAD_S
  stopped=$(now_ms)
  docker stop --time $GRACE_S $NAME-feed >/dev/null
  stopped=$(($(now_ms) - stopped))
  docker unpause $NAME-broker >/dev/null
  same "exit code" "$(docker inspect --format '{{.State.ExitCode}}' $NAME-feed)" 1
  said $NAME-feed "they are on disk" || fail "what was not delivered is not on disk: $(end_of $NAME-feed)"
  ((stopped < GRACE_S * 1000)) || fail "it was killed after $GRACE_S s"
  ok "ended in $(seconds $stopped), within the $GRACE_S s of stop_grace_period: $(stopped_with $NAME-feed)"
  docker start $NAME-feed >/dev/null
  await 60 "healthy again" is_healthy $NAME-feed
  await 30 "ready again" is_ready $NAME-feed
  docker stop --time $GRACE_S $NAME-feed >/dev/null
  same "exit code after the broker is back" "$(docker inspect --format '{{.State.ExitCode}}' $NAME-feed)" 0
  ok "after the next start all of it was delivered"
}

roll_back() {
  step "rolled back by Compose"
  if ! ((${#COMPOSE[@]})); then skip "the rollback" "Compose is not here"; return; fi
  local begun container
  cat >"$WORK/here.yml" <<YAML
services:
  feed-binance:
    network_mode: container:$NAME-broker
    environment:
      K2_KAFKA_BOOTSTRAP_SERVERS: 127.0.0.1:9092
      K2_KAFKA_SCHEMA_REGISTRY_URL: http://127.0.0.1:8081
      K2_BINANCE_WS_URL: ws://127.0.0.1:9001/ws
YAML
  up "$IMAGE" feed-binance
  container=$(engine_of feed-binance)
  await 60 "the new image is healthy" is_healthy "$container"
  begun=$(now_ms)
  up "$OLD" feed-binance
  container=$(engine_of feed-binance)
  await 60 "the old image is healthy" is_healthy "$container"
  begun=$(($(now_ms) - begun))
  same "image" "$(docker inspect --format '{{.Image}}' "$container")" "$(docker image inspect --format '{{.Id}}' $OLD)"
  await 30 "the old image feeds" is_ready "$container"
  ((begun < MOST_ROLLBACK_MS)) || fail "rolled back in $(seconds $begun)"
  ok "the old image was back and healthy in $(seconds $begun)"
}

# up IMAGE SERVICE…: with what here.yml changes, and without what they depend on.
up() {
  local image=$1
  shift
  K2_FEED_IMAGE=$image "${COMPOSE[@]}" --project-name $NAME --file docker-compose.yml --file "$WORK/here.yml" \
    up --detach --no-deps "$@" >"$WORK/up" 2>&1 || { cat "$WORK/up"; fail "up with $image"; }
}

# engine_of SERVICE: its container.
engine_of() {
  docker ps --quiet --filter "label=com.docker.compose.project=$NAME" --filter "label=com.docker.compose.service=$1"
}

# Profile simulated, but for what is not ours: the broker is the embedded one, which takes nothing but loopback.
simulate() {
  step "all exchanges, simulated, by Compose"
  if ! ((${#COMPOSE[@]})) || ! has curl; then skip "profile simulated" "it takes Compose and curl"; return; fi
  if ! docker network inspect bridge >/dev/null 2>&1; then
    skip "profile simulated" "this engine has no bridge"
    return
  fi
  local begun container
  cat >"$WORK/here.yml" <<YAML
services:
  feed-simulated:
    environment: {K2_KAFKA_BOOTSTRAP_SERVERS: "127.0.0.1:9092", K2_KAFKA_SCHEMA_REGISTRY_URL: "http://127.0.0.1:8081"}
  broker:
    image: $IMAGE
    network_mode: service:feed-simulated
    healthcheck: {disable: true}
    command: [broker, --listen, "127.0.0.1:9092", --registry-listen, "127.0.0.1:8081"]
YAML
  begun=$(now_ms)
  FEED_PORT=0 COMPOSE_PROFILES=simulated up "$IMAGE" feed-simulated broker "${EXCHANGES[@]/#/simulate-}"
  container=$(engine_of feed-simulated)
  await 60 "healthy" is_healthy "$container"
  await 30 "ready" is_ready "$container"
  METRICS=http://$(docker port "$container" 9090/tcp | head -1)/metrics
  await 30 "trades of each exchange" all_trade
  ok "trades of ${EXCHANGES[*]}, told at the published port, $(seconds $(($(now_ms) - begun))) after up"
}

all_trade() {
  local exchange told
  told=$(curl --silent --fail "$METRICS") || return
  for exchange in "${EXCHANGES[@]}"; do
    grep -q "^k2_feed_trades_total{.*exchange=\"$exchange\".*} [1-9]" <<<"$told" || return
  done
}
