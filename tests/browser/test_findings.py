"""Findings in a real browser: a click opens the queue, and they leave room for the map however narrow the page is."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, eventually
from tests.imaging.pictures import drawing
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

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


def top_of_map(page: Page) -> float:
    box = page.locator(".stage").first.bounding_box()
    return 0 if box is None else box["y"]  # not drawn yet


def test_they_leave_room_are_folded_where_it_is_narrow_and_open_their_queue(
    app: str, image_set: ImageSet, open_page: OpenPage
) -> None:
    assert len(image_set.findings()) >= 4
    page = open_page(f"{app}/?set={image_set.set_id}", width=1024, height=768)
    line = page.locator(".st-key-findings-leaks")
    expect(line).to_be_visible()
    eventually(lambda: 0 < top_of_map(page) <= SHARE * 768)
    expect(page.get_by_text("1 picture of test has a copy or another view in train")).to_be_visible()
    page.set_viewport_size({"width": 420, "height": 900})
    expect(line).to_be_hidden()
    page.locator(".st-key-findings_fold").get_by_text("What to review first").click()
    expect(line).to_be_visible()
    line.get_by_role("button").first.click()
    expect(page.locator(".desk .question")).to_have_text("In test and train: keep which?")
    expect(page.locator(".desk figcaption")).to_have_text("test/ellipse/again.png")
    expect(page.locator(".desk .mark")).to_have_text(["test", "train"])
