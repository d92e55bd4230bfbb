"""Installation and start-up: environment size, seconds to the first page, and a small folder read end to end.

    python -m benchmarks.start [--rounds 3]

The first paint is timed in a headless Chromium from the start of `streamlit run`; without one, until it answers.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distributions, version
from pathlib import Path

from benchmarks.embedding import write_pictures
from benchmarks.machine import machine
from benchmarks.served import CHROMIUM_ARGUMENTS, ROOT, chromium, served

SLOW = ("torch", "timm", "umap", "numba", "openvino", "lancedb", "sklearn", "plotly", "pandas", "scipy")
PAGES = {
    "the package": "import url_viz",
    "opening a set": "import url_viz.image_set",
    "a page": "import url_viz.ui.explore.page",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    rounds = _rounds(parser)
    print(f"## Installing and starting\n\n{machine()}\n")
    print("| what | |\n|---|---|")
    megabytes = _environment_mb()
    print(f"| environment, all packages (torch {version('torch')}) | {megabytes:,.0f} MB |")
    print(f"| of it torch, and the largest others | {_largest()} |")
    for name, code in PAGES.items():
        print(f"| slow libraries that {name} imports | {', '.join(_imported(code)) or 'none'} |")
    with tempfile.TemporaryDirectory() as place:
        first, later = _ten_pictures(Path(place), rounds)
        print(f"| `embed` of ten pictures, first time (the backbone is converted) | {first:.1f} s |")
        print(f"| the same with ten others, from the second time on | {later:.1f} s |")
        print(f"| `streamlit run` until the first page is painted | {_first_paint(Path(place), rounds)} |")
    print()


def _rounds(parser: argparse.ArgumentParser) -> int:
    parser.add_argument("--rounds", type=int, default=3)
    return int(parser.parse_args().rounds)


def _sizes() -> dict[str, float]:
    """Megabytes by installed package."""
    return {
        d.metadata["Name"]: sum(
            (d.locate_file(f).stat().st_size for f in d.files or () if d.locate_file(f).is_file()), 0
        )
        / 1e6
        for d in distributions()
    }


def _environment_mb() -> float:
    return sum(_sizes().values())


def _largest() -> str:
    sizes = sorted(_sizes().items(), key=lambda pair: -pair[1])[:5]
    return ", ".join(f"{name} {mb:,.0f}" for name, mb in sizes)


def _imported(code: str) -> list[str]:
    script = f"{code}; import sys; print(*[m for m in {SLOW!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def _ten_pictures(place: Path, rounds: int) -> tuple[float, float]:
    """Seconds of whole `embed` processes: the first in a new workspace, and the median of those after."""
    taken = []
    for number in range(rounds + 1):
        folder = place / f"ten-{number}"
        write_pictures(folder, 10)
        command = [sys.executable, "-m", "url_viz", "embed", str(folder), "--workspace", str(place / "workspace")]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return taken[0], statistics.median(taken[1:])


def _first_paint(place: Path, rounds: int) -> str:
    found = chromium()
    painted = [_started(place, found) for _ in range(rounds)]
    until = "" if found else " (until the server answers; no Chromium here)"
    return f"{statistics.median(painted):.1f} s{until}"


def _started(place: Path, found: str | None) -> float:
    started = time.perf_counter()
    with served(place / "workspace") as url:
        if found is not None:
            _until_painted(url, found)
        return time.perf_counter() - started


def _until_painted(url: str, found: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page()
        page.goto(url)
        page.get_by_test_id("stMain").get_by_role("heading").first.wait_for(timeout=60_000)
        browser.close()


if __name__ == "__main__":
    main()
