"""Time to the first picture: server start, the demo from the click to its map, and the page of a set that was read.

    python -m benchmarks.start [--bare] [--rounds 3] [--look 5] [--folder photos/]

A bare round has an empty home and workspace and no compiled code of numba or OpenVINO, as on a machine where nothing
ran yet. A warm one has what the first left, but for the image sets. Told are seconds since the step's beginning (best
of the rounds) and, in brackets, CPU seconds of the server and its jobs by then, which other work disturbs less. The
server alone draws the page while a job reads. With a folder, that is opened in place of the demo.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.machine import machine
from benchmarks.served import CHROMIUM_ARGUMENTS, chromium, served
from url_viz.base.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PATIENT_MS = 300_000
CACHES = {"NUMBA_CACHE_DIR": "numba", "XDG_CACHE_HOME": "cache", "HOME": "home"}
"""Where compiled code and settings would come from, by variable, and the folder that is there instead."""
PICTURE, MAP = "button img", ".stage[data-state=ready]"
DRAWN = "part => part.tagName !== 'IMG' || (part.complete && part.naturalWidth > 0)"


@dataclass
class Step:
    """What is timed from one beginning: seconds of wall clock and of CPU by mark."""

    cpu_s: Callable[[], float]
    marks: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began, self._cpu_began = time.perf_counter(), self.cpu_s()

    def mark(self, name: str) -> None:
        """Note that this was reached now."""
        self.marks[name] = time.perf_counter() - self._began, self.cpu_s() - self._cpu_began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", action="store_true", help="Bare rounds alone.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="Read this folder in place of the demo.")
    parser.add_argument("--look", type=float, default=0, help="Seconds for which the first page is read: then a click.")
    options = parser.parse_args()
    with _browser() as browser:
        columns = (
            {"bare": [_bare(browser, options) for _ in range(options.rounds)]}
            if options.bare
            else _both(browser, options)
        )
    print(f"## Starting\n\n{machine()}\n\nLoad at the end: {os.getloadavg()[0]:.1f}.\n")
    print("| seconds (CPU seconds) | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in next(iter(columns.values()))[0]:
        best = [_best([marks[name] for marks in rounds]) for rounds in columns.values()]
        print(f"| {name} | {' | '.join(best)} |")
    print()


def _best(of: list[tuple[float, float]]) -> str:
    return f"{min(wall for wall, _ in of):.1f} ({min(cpu for _, cpu in of):.1f})"


Marks = dict[str, tuple[float, float]]


def _bare(browser: "Browser", options: argparse.Namespace) -> Marks:
    with tempfile.TemporaryDirectory() as place:
        return _round(browser, Path(place), options)


def _both(browser: "Browser", options: argparse.Namespace) -> dict[str, list[Marks]]:
    with tempfile.TemporaryDirectory() as place:
        bare = _round(browser, Path(place), options)
        return {"bare": [bare], "warm": [_round(browser, Path(place), options) for _ in range(options.rounds)]}


def _round(browser: "Browser", place: Path, options: argparse.Namespace) -> Marks:
    """One server from its start to its end, in whose workspace there are no image sets yet."""
    home = place / "workspace"
    for left in ("sets", "jobs", "demo"):
        shutil.rmtree(home / left, ignore_errors=True)
    environment = {name: str(place / folder) for name, folder in CACHES.items()}
    start = Step(_cpu_s)
    if options.folder is not None:
        environment["URL_VIZ_ROOTS"] = str(options.folder.resolve())
    with served(home, **environment) as url, _page(browser) as page:
        start.mark("server start → it answers")
        page.goto(url)
        page.get_by_role("button", name="Try the demo").wait_for(timeout=PATIENT_MS)
        start.mark("server start → first page")
        page.wait_for_timeout(1000 * options.look)
        read = _read(page, options.folder)
        (set_id,) = (folder.name for folder in Workspace.at(home).sets.iterdir() if folder.is_dir())
        with _page(browser) as other:
            opened = Step(_cpu_s)
            other.goto(f"{url}/?set={set_id}")
            _drawn(other, opened, "page of an open set")
    return {**start.marks, **read.marks, **opened.marks}


def _read(page: "Page", folder: Path | None) -> Step:
    """Have the demo or a folder read, with its page open."""
    named = "the demo" if folder is None else "“Read this folder”"
    if folder is None:
        button = page.get_by_role("button", name="Try the demo")
    else:
        page.get_by_role("button", name="Open a folder").last.click()
        field = page.get_by_role("dialog").get_by_role("textbox", name="Folder of pictures")
        field.fill(str(folder.resolve()))
        field.press("Enter")
        button = page.get_by_role("button", name="Read this folder")
        button.wait_for(timeout=PATIENT_MS)
    step, server = Step(_cpu_s), Step(_server_cpu_s)
    button.click()
    _drawn(page, step, f"click on {named}")
    page.locator(".st-key-stop_reading").wait_for(state="detached", timeout=PATIENT_MS)
    step.mark(f"click on {named} → read to its end")
    server.mark("of this, the server alone")
    step.marks.update(server.marks)
    return step


def _drawn(page: "Page", step: Step, begun_by: str) -> None:
    """Mark when the first picture and the map are drawn, in whichever order that is."""
    waiting = {"first picture": page.locator(PICTURE), "map": page.locator(MAP)}
    while waiting:
        for name in [name for name, part in waiting.items() if _is_there(part)]:
            step.mark(f"{begun_by} → {name}")
            del waiting[name]
        page.wait_for_timeout(20)


def _is_there(part: "Locator") -> bool:
    """Whether the browser has drawn it: of pictures, any."""
    return part.count() > 0 and bool(part.first.evaluate(DRAWN))


def _cpu_s() -> float:
    """CPU seconds so far of every process that was started from here, but the browser's."""
    return sum(_cpu_s_of(process) for process in psutil.Process().children(recursive=True))


def _server_cpu_s() -> float:
    """CPU seconds so far of the servers, without their jobs."""
    return sum(_cpu_s_of(process, ended=0) for process in psutil.Process().children())


def _cpu_s_of(process: psutil.Process, *, ended: int = 2) -> float:
    """CPU seconds of a process and, unless `ended` is 0, of its children that have ended; none of a browser's."""
    try:
        is_counted = "chrom" not in process.name() and "node" not in process.name()
        return sum(process.cpu_times()[: 2 + ended]) if is_counted else 0.0
    except psutil.Error:
        return 0.0


@contextmanager
def _browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _page(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


if __name__ == "__main__":
    main()
