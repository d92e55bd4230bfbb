"""Check labels in a real browser: a pair of classes clicked, its pictures shown, one of them opened."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, assert_fits, settled
from tests.given import by_turns, dice
from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]
COUNT = 60


@pytest.fixture(scope="module")
def image_set(home: Path) -> ImageSet:
    """Two classes under given embeddings, of which a fifth look like the other one."""
    paths, folder = by_turns(COUNT), write_folder(home / "labels", COUNT, classes=("cat", "dog"))
    rows = 0.5 * dice(COUNT)
    rows[:, 0] += [3 if (number % 2 == 0) == (number % 10 > 1) else -3 for number in range(COUNT)]
    np.savez(home / "labels.npz", paths=np.array(paths), values=rows)
    return embed_folder(folder, embeddings=home / "labels.npz", workspace=home / "workspace")


def test_a_pair_is_clicked_and_its_pictures_are_shown(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/review?set={image_set.set_id}&model={image_set.source.name}", height=1600)
    expect(page.get_by_text(f"{image_set.labels.doubtful().words}.")).to_be_visible()
    expect(page.get_by_text("Classes that overlap · 1 pair")).to_be_visible()
    settled(page)
    pair = image_set.labels.confused().iloc[0]
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 18, box["y"] + 38 + 18)  # the box at the left edge of the first row
    words = f"{pair['pictures']} that look like the other class"
    expect(page.get_by_test_id("stMainBlockContainer").get_by_text(words)).to_be_visible()
    expect(page.get_by_test_id("stText").get_by_text(f"{pair['class_a']} ↔ {pair['class_b']}")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(min(18, int(pair["pictures"])))
    assert_fits(page)
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Nearest neighbours")).to_be_visible()
    settled(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".tile.ringed")).to_be_focused()
