"""The sentence of Explore in a real browser: room for the map, queues that open, and nothing that jumps."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, eventually, eventually_equals, settled
from tests.imaging.pictures import drawing
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHARE = 0.4
"""Of the height that controls may take above the map, on 1024 × 768."""
PLACED = (".st-key-explore_sentence", ".st-key-explore_controls", ".stage", ".panes")
"""What stays where it is, and as wide."""
WIDE = (1440, 1024)


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


def places(page: Page) -> list[tuple[float, float, float]]:
    """Where the parts of the page are, from the left and from above, and how wide."""
    boxes = [page.locator(part).first.bounding_box() for part in PLACED]
    return [(0, 0, 0) if box is None else (box["x"], box["y"], box["width"]) for box in boxes]


def test_parts_leave_room_open_their_queue_and_hold_however_narrow_it_is(
    app: str, image_set: ImageSet, open_page: OpenPage
) -> None:
    assert len(image_set.findings()) >= 4
    page = open_page(f"{app}/?set={image_set.set_id}", width=1024, height=768)
    leaks = page.locator(".st-key-findings-leaks").get_by_role("button", name="1 leak", exact=True)
    expect(leaks).to_be_visible()
    eventually(lambda: 0 < places(page)[2][1] <= SHARE * 768)
    page.set_viewport_size({"width": 420, "height": 900})
    expect(leaks).to_be_visible()
    leaks.click()
    expect(page.locator(".desk .question")).to_have_text("In test and train: keep which side?")
    expect(page.locator(".desk figcaption")).to_have_text("test/ellipse/again.png")
    expect(page.locator(".desk .mark")).to_have_text(["test", "train"])


@pytest.mark.parametrize("width", WIDE)
def test_nothing_jumps_when_a_filter_or_a_lasso_begins_or_ends(
    app: str, image_set: ImageSet, open_page: OpenPage, width: int
) -> None:
    page = open_page(f"{app}/?set={image_set.set_id}", width=width, height=900)
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    expect(page.locator(".st-key-findings-unreadable")).to_be_visible()
    settled(page)
    before, bar = places(page), page.locator(".st-key-decide_bar")
    assert all(each[2] for each in before)
    page.locator("[class*=st-key-torn-all], .st-key-sentence-reason").get_by_role("button").first.click()
    expect(bar).to_be_visible()
    settled(page)
    eventually_equals(lambda: places(page), before)
    page.locator(".st-key-explore_chips").get_by_role("button").click()
    expect(bar).to_have_count(0)
    settled(page)
    eventually_equals(lambda: places(page), before)
    page.goto(f"{app}/?set={image_set.set_id}&lasso=-99,-99%2099,-99%2099,99%20-99,99")
    expect(bar).to_be_visible()
    expect(page.locator(".st-key-findings-unreadable")).to_be_visible()
    settled(page)
    eventually_equals(lambda: places(page), before)


def test_the_side_that_was_chosen_opens_at_the_next_visit_unless_the_address_names_one(
    app: str, image_set: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/?set={image_set.set_id}")
    head = page.locator(".pane .title")
    expect(head).to_have_text([re.compile("^Most ambiguous")])
    page.get_by_role("button", name="Both", exact=True).click()
    expect(head).to_have_text([re.compile("^Most ambiguous"), re.compile("^Least ambiguous")])
    expect(page).to_have_url(re.compile("side=both"))
    page.goto(f"{app}/?set={image_set.set_id}")
    expect(head).to_have_count(2)
    page.goto(f"{app}/?set={image_set.set_id}&side=clear")
    expect(head).to_have_text([re.compile("^Least ambiguous")])
