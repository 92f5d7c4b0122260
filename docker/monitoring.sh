#!/usr/bin/env bash
# Holds Prometheus' configuration, the alerts, and the dashboard to what they are meant to be. What needs a running
# engine (does it have every metric that is asked for?) is in engine/tests/end_to_end/monitoring.rs.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat >&2 <<'USAGE'
usage: monitoring.sh COMMAND
  check            all checks
  rules-check      configuration and rules are right, alerts fire when they are to, and README.md has each of them; needs
                   promtool (apt-get install prometheus)
  dashboard-check  the dashboard is as its code makes it, and the code is tidy; needs python3 with venv, and PyPI
                   or a mirror of it
  dashboard        write the dashboard's JSON
environment: K2_CACHE (~/.cache/k2-feed) has the Python packages
USAGE
  exit 2
}

die() { echo "error: $*" >&2; exit 1; }

rules_check() {
  command -v promtool >/dev/null || die "promtool is missing: apt-get install prometheus"
  promtool check config prometheus/prometheus.yml
  promtool test rules prometheus/rules_test.yml
  local alert
  while read -r alert; do
    grep --quiet "^| \`$alert\` " README.md || die "README.md does not say what to do about $alert"
  done < <(sed -n 's/^ *- alert: //p' prometheus/rules.yml)
}

python() {
  local interpreter
  interpreter=$(./python.sh dashboard grafana/dashboard/requirements.txt)
  (cd grafana/dashboard && "$interpreter" "$@")
}

dashboard_check() {
  python -m ruff check --quiet .
  python -m ruff format --check --quiet .
  python -m mypy
  python -m k2_dashboard --check
}

case ${1:-} in
  check) rules_check; dashboard_check ;;
  rules-check) rules_check ;;
  dashboard-check) dashboard_check ;;
  dashboard) python -m k2_dashboard ;;
  *) usage ;;
esac
