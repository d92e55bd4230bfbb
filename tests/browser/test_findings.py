"""Findings in a real browser: a click opens the queue, and they leave room for the map however narrow the page is."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, eventually
from tests.imaging.pictures import drawing
from url_viz.image_set import ImageSet, embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENT_MS = 60_000
SHARE = 0.45
"""Of the height that controls may take above the map, on 1024 × 768."""


@pytest.fixture(scope="module")
def image_set(home: Path) -> ImageSet:
    """Drawings in train/ and test/: a copy across them, a burst, a blank, a file that is none, and a small class."""
    root = home / "drawings"
    for number in range(24):
        shape = ("ellipse", "rectangle")[number % 2]
        file = root / ("test" if number >= 18 else "train") / shape / f"{number:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        drawing(shape, number, size_px=160).save(file)
    first = root / "train" / "ellipse" / "0000.png"
    shutil.copy(first, root / "test" / "ellipse" / "again.png")
    for number in range(4):
        shutil.copy(root / "train" / "rectangle" / "0001.png", root / "train" / "rectangle" / f"burst_{number}.png")
    (root / "train" / "line").mkdir()
    drawing("line", 5, size_px=160).save(root / "train" / "line" / "1.png")
    (root / "train" / "line" / "broken.png").write_bytes(b"<html>404</html>")
    return embed_folder(root, workspace=home / "workspace")


def opened(open_page: OpenPage, app: str, image_set: ImageSet, **how: int) -> Page:
    page = open_page(f"{app}/?set={image_set.set_id}", **how)  # type: ignore[arg-type]
    page.locator(".st-key-findings").wait_for(timeout=PATIENT_MS, state="attached")
    return page


def top_of_map(page: Page) -> float:
    box = page.locator(".stage").first.bounding_box()
    return 0 if box is None else box["y"]  # not drawn yet


def test_a_click_opens_the_queue(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    assert len(image_set.findings()) >= 4
    page = opened(open_page, app, image_set)
    expect(page.get_by_text("1 picture of test has a twin in train")).to_be_visible()
    page.locator(".st-key-findings-leaks").get_by_role("button").first.click()
    expect(page.locator(".desk .question")).to_have_text("in test and train: keep which?", timeout=PATIENT_MS)
    expect(page.locator(".desk figcaption")).to_have_text("test/ellipse/again.png")
    expect(page.locator(".desk .mark")).to_have_text(["test", "train"])


def test_the_map_begins_above_the_middle(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    page = opened(open_page, app, image_set, width=1024, height=768)
    expect(page.locator(".st-key-findings-leaks")).to_be_visible()
    eventually(lambda: 0 < top_of_map(page) <= SHARE * 768)


def test_on_a_narrow_page_they_are_folded(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    page = opened(open_page, app, image_set, width=420, height=900)
    line = page.locator(".st-key-findings-leaks")
    expect(line).to_be_hidden()
    page.locator(".st-key-findings_fold").get_by_text("findings").click()
    expect(line).to_be_visible()
