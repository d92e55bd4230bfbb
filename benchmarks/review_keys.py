"""How soon an answer of the review shows: `python -m benchmarks.review_keys [FOLDER] [--answers 60]`.

In a headless Chromium without a GPU, milliseconds from the keydown to the frame in which the next picture's question
stands, and whether that picture was loaded by then; beside it, until the server has stored the answer. FOLDER holds
pictures in class folders; without one, the demo is taken.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import machine
from benchmarks.served import CHROMIUM_ARGUMENTS, chromium, served
from url_viz.base.workspace import Workspace
from url_viz.demo import build_demo
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAUSE_S = 0.7
"""Between two answers: faster than people decide."""
KEYS = "kdl12"

ANSWERED = """async (desk, key) => {
    const question = desk.querySelector("figcaption"), image = desk.querySelector(".large img");
    const before = question.textContent, started = performance.now();
    window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await new Promise(then => requestAnimationFrame(() => setTimeout(then, 0)));
    const painted = performance.now() - started;
    return { painted, isNext: question.textContent !== before, isLoaded: image.complete && image.naturalWidth > 0 };
}"""
"""Presses a key: milliseconds until the frame after it was painted, and whether the next picture stands there."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--answers", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.at(Path(place) / "workspace")
        folder = asked.folder or build_demo(workspace)
        image_set = embed_folder(folder, workspace=workspace.root)
        painted, loaded, stored = _measured(image_set, asked.answers)
    print(f"## Answers of the review, {len(image_set):,} pictures\n\n{machine()}\n\n| what | |\n|---|---|")
    print(f"| keydown to the next question painted, median | {statistics.median(painted):.0f} ms |")
    print(f"| the slowest of {len(painted)} | {max(painted):.0f} ms |")
    print(f"| the next picture loaded by then | {loaded} of {len(painted)} |")
    print(f"| until the server has stored it, median | {1000 * statistics.median(stored):.0f} ms |\n")


def _measured(image_set: ImageSet, answers: int) -> tuple[Sequence[float], int, Sequence[float]]:
    from playwright.sync_api import sync_playwright

    with served(image_set.workspace.root) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}/?set={image_set.set_id}&review={image_set.order().measure}")
        page.locator(".question").wait_for(timeout=60_000)
        time.sleep(3)
        rows = [_one(page, image_set, KEYS[number % len(KEYS)]) for number in range(answers)]
        browser.close()
    return [row[0] for row in rows], sum(row[1] for row in rows), [row[2] for row in rows]


def _one(page: "Page", image_set: ImageSet, key: str) -> tuple[float, bool, float]:
    version, started = image_set.decisions.version, time.monotonic()
    told = page.locator(".desk").evaluate(ANSWERED, key)
    if not told["isNext"]:
        raise RuntimeError(f"After the key {key!r} the next question did not stand there.")
    while image_set.decisions.version == version:
        time.sleep(0.005)
    stored = time.monotonic() - started
    time.sleep(PAUSE_S)
    return told["painted"], told["isLoaded"], stored


if __name__ == "__main__":
    main()
