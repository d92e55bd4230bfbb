"""The command that runs every benchmark and writes build/performance.md: `python -m benchmarks`, or `make bench`."""

import datetime
import subprocess
import sys
from pathlib import Path

SCRIPTS = ("embedding", "scaled_decoding", "opening", "browser", "growth", "projection", "training", "caching", "start")
OUT = Path(__file__).parent.parent / "build" / "performance.md"
HEAD = """# Performance

Written by `make bench` on {date}. Every ratio is taken side by side in one run, medians of several; absolute figures
are of one machine on one day. On a GPU nothing is measured, unless a section says otherwise.

"""


def main() -> int:
    """Run the scripts one after another, in processes of their own; stop at the first that fails."""
    parts = [HEAD.format(date=datetime.date.today().isoformat())]  # noqa: DTZ011 (the day where it ran)
    for name in SCRIPTS:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            print(f"benchmarks.{name} failed with status {done.returncode}", file=sys.stderr)
            return 1
        print(done.stdout)
        parts.append(done.stdout)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
