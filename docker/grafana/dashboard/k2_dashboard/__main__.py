"""Write the dashboard's JSON, or with --check, say whether the file is as it would be written."""

import argparse
import difflib
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from k2_dashboard.board import board

FILE = Path(__file__).parents[2] / "dashboards" / "k2-feed.json"


def main() -> int:
    """Return the exit code: 1 if --check finds a difference."""
    arguments = argparse.ArgumentParser(prog="python -m k2_dashboard", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the file is not current")
    is_check = arguments.parse_args().check
    made = board().build()
    for number, panel in enumerate(made.panels or []):
        # Links to a panel and alerts name its number, so that it must not depend on Grafana.
        panel.id_val = number + 1
    wanted = JSONEncoder(sort_keys=True, indent=2).encode(made) + "\n"
    if not is_check:
        FILE.write_text(wanted)
        print(f"wrote {FILE}")
        return 0
    found = FILE.read_text() if FILE.exists() else ""
    difference = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), "checked in", "as it is made", lineterm=""
    )
    told = "\n".join(difference)
    if told:
        print(f"{told}\nerror: {FILE} is not current: run docker/monitoring.sh dashboard", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
