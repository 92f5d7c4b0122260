# What kafka.sh and registry.sh share. Sourced, with NAME set to what is run.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${K2_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/k2-feed}
HOST=127.0.0.1
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java
LEAST_JAVA=17
READY_S=90
STOP_S=30
# Small and quick to start rather than fast for hours.
JVM=(-Xlog:disable -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true)

die() { echo "$NAME: $*" >&2; exit 1; }

need_java() {
  local major
  major=$("$JAVA" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') || true
  ((${major:-0} >= LEAST_JAVA)) || die "no Java $LEAST_JAVA or newer as '$JAVA': install it, or set JAVA_HOME"
}

# version PROPERTY: as pom.xml has it.
version() { sed -n "s:.*<$1>\(.*\)</$1>.*:\1:p" "$HERE/pom.xml"; }

# fetch_to FOLDER GOAL [OPTION ...]: has Maven fill the folder, once.
fetch_to() { "$HERE/../../docker/maven.sh" "$1" "$HERE/pom.xml" "${@:2}"; }

# at FOLDER: all that belongs to one program is in there.
at() {
  [[ -n ${1:-} ]] || usage
  FOLDER=$(realpath -m "$1")
  PID_FILE=$FOLDER/pid
  LOG=$FOLDER/log
  # What Java unpacks there stays when it is killed.
  JVM+=(-Djava.io.tmpdir="$FOLDER/tmp")
}

check_port() {
  if ! [[ $1 =~ ^[0-9]{1,5}$ ]] || (($1 < 1 || $1 > 65535)); then die "not a port: $1"; fi
  if listening "$1"; then die "port $1 is taken by another program"; fi
}

listening() { (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null; }

# The pid, if it is alive and still that of the program in this folder: all their command lines name it.
live_pid() {
  local pid
  pid=$(cat "$PID_FILE" 2>/dev/null) || return 1
  grep -qzF "$FOLDER/" "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

# Waits until `is_ready`, and says so; ends the program if it takes too long.
await_ready() {
  local pid=$1 deadline=$((SECONDS + READY_S))
  while ! is_ready; do
    [[ -d /proc/$pid ]] || die "it ended: $(grep -m 1 -E 'ERROR|FATAL|Exception|Error' "$LOG" || tail -1 "$LOG"), see $LOG"
    if ((SECONDS > deadline)); then
      kill -9 "$pid"
      die "not ready after $READY_S s, see $LOG"
    fi
    sleep 0.1
  done
  after_start
  echo "ready at $(address), pid $pid, all in $FOLDER"
}

after_start() { :; }

# launch start|run COMMAND ...: in the background; or in this process, until its end or that of the standard input,
# whichever comes first, so that nothing outlives a caller that was killed.
launch() {
  local how=$1
  shift
  if live_pid >/dev/null; then die "$FOLDER is in use, pid $(live_pid)"; fi
  : >"$LOG"
  ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
  if [[ $how == start ]]; then
    setsid "$@" >"$LOG" 2>&1 </dev/null &
    echo $! >"$PID_FILE"
    await_ready $!
  else
    local self=$BASHPID
    echo "$self" >"$PID_FILE"
    exec 3<&0
    {
      await_ready "$self"
      cat <&3 >/dev/null
      # It may have ended by itself, and another have been started here.
      if [[ $(live_pid) == "$self" ]]; then kill -9 "$self"; fi
    } &
    exec "$@" >"$LOG" 2>&1 </dev/null 3<&-
  fi
}

stop() {
  local pid deadline=$((SECONDS + STOP_S))
  if pid=$(live_pid); then
    kill -TERM "$pid"
    kill -CONT "$pid" # it may be stopped
    # It may have ended, and whoever started it not have noticed.
    while live_pid >/dev/null; do
      if ((SECONDS > deadline)); then kill -9 "$pid"; fi
      sleep 0.1
    done
  fi
  rm -f "$PID_FILE"
}
