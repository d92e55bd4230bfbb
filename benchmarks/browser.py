"""Page speed with a large image set, in a headless Chromium without a GPU: `python -m benchmarks.browser`.

Seconds until the map and the first pictures of the gallery are there, bytes of the map, milliseconds a frame while it
is panned and hovered in each style, and seconds from the end of a lasso to the gallery that it narrowed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import machine
from benchmarks.served import CHROMIUM_ARGUMENTS, chromium, served
from benchmarks.synthetic import write_synthetic_set
from url_viz.base.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STYLES = ("points", "fog", "density")
LASSOS = 5
PATIENT_MS = 60_000
PAUSE_MS = 1_500
"""Between two lassos, as people pause."""
TILE = "button:has(img)"

MOVED = """async (stage, [pressed, count]) => {
    const { left, top } = stage.getBoundingClientRect();
    const send = (type, x) => stage.dispatchEvent(new PointerEvent(type,
        { pointerId: 1, button: 0, clientX: left + x, clientY: top + 200, bubbles: true }));
    stage.setPointerCapture = () => {};
    const frame = () => new Promise(then => requestAnimationFrame(() => then(performance.now())));
    if (pressed) send("pointerdown", 300);
    const times = [];
    for (let i = 1; i <= count; i++) {
        const before = frame();
        const started = performance.now();
        send("pointermove", 300 + 3 * i);
        const handled = performance.now() - started;
        const after = frame();
        times.push(handled + await after - await before);
    }
    if (pressed) send("pointerup", 300 + 3 * count);
    return times.slice(5);
}"""
"""Moves the pointer so often, pans if `pressed`: milliseconds in our handler, and between the frames around ours.

The first five frames are left out.
"""
FRAMES = 60


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as place:
        workspace = Path(place) / "workspace"
        set_id = write_synthetic_set(Workspace.at(workspace), Path(place) / "pictures", count)
        with served(workspace) as url, _browser() as browser:
            rows = _rows(browser, f"{url}/?set={set_id}")
    print(f"## {count:,} pictures in the browser\n\n{machine()}\n\n| what | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    print()


def _rows(browser: "Browser", url: str) -> dict[str, str]:
    first, sent = _visit(browser, url)
    warm = [_visit(browser, url)[0] for _ in range(3)]
    rows = {
        "first visit, until map and gallery are there": f"{first:.2f} s",
        "later visits": f"{statistics.median(warm):.2f} s",
        "bytes of the map": f"{sent / 1e6:.2f} MB",
    }
    for style in STYLES:
        with _page(browser) as page:
            _open(page, f"{url}&style={style}")
            for name, pressed in (("panned", True), ("hovered", False)):
                rows[f"a frame of {style}, {name}: median, 95th percentile"] = _frames(page, pressed=pressed)
    with _page(browser) as page:
        _open(page, url)
        lassos = [_lasso_s(page, (0.2, 0.55)[i % 2]) for i in range(LASSOS)]
    rows["lasso to gallery, median"] = f"{statistics.median(lassos):.2f} s"
    return rows


def _visit(browser: "Browser", url: str) -> tuple[float, int]:
    """Seconds of one visit in a fresh profile, and the bytes of the map's points."""
    with _page(browser) as page:
        sizes: list[int] = []
        page.on("response", lambda answer: sizes.append(len(answer.body())) if "/points" in answer.url else None)
        started = time.perf_counter()
        _open(page, url)
        return time.perf_counter() - started, sum(sizes)


def _open(page: "Page", url: str) -> None:
    page.goto(url)
    page.locator(".stage[data-state=ready]").first.wait_for(timeout=PATIENT_MS)
    page.locator(TILE).first.wait_for(timeout=PATIENT_MS)


def _frames(page: "Page", *, pressed: bool) -> str:
    times = sorted(page.locator(".stage").first.evaluate(MOVED, [pressed, FRAMES]))
    middle, p95 = (times[int(share * len(times))] for share in (0.5, 0.95))
    return f"{middle:.0f} ms, {p95:.0f} ms"


def _lasso_s(page: "Page", left: float) -> float:
    """Seconds from the end of a lasso until the gallery shows other pictures than before it."""
    box = page.locator("canvas").first.bounding_box()
    assert box is not None
    corners = [(left, 0.3), (left + 0.2, 0.3), (left + 0.2, 0.7), (left, 0.7), (left, 0.3)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.wait_for_timeout(PAUSE_MS)
    before = page.locator(TILE).all_inner_texts()
    page.keyboard.down("Shift")
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    started = time.perf_counter()
    page.mouse.up()
    while page.locator(TILE).all_inner_texts() == before:
        if 1000 * (time.perf_counter() - started) > PATIENT_MS:
            raise TimeoutError("The lasso changed nothing in the gallery")
    page.keyboard.up("Shift")
    return time.perf_counter() - started


@contextmanager
def _browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _page(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    yield context.new_page()
    context.close()


if __name__ == "__main__":
    main()
