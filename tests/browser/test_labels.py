"""Check labels in a real browser: a pair of classes clicked, its pictures shown, one of them opened."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, assert_fits, settled
from tests.imaging.pictures import noise, write_folder
from url_viz.image_set import ImageSet, embed_folder
from url_viz.models.model import Model

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def image_set(home: Path, shipped: Model) -> ImageSet:
    """Two classes by dice, which are taken for each other, and one picture in both."""
    folder = write_folder(home / "labels", 30, classes=("cat", "dog"))
    noise(0).save(folder / "dog" / "again.jpg", quality=90)
    return embed_folder(folder, model=shipped, workspace=home / "workspace")


def test_a_pair_is_clicked_and_its_pictures_are_shown(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/labels?set={image_set.set_id}", height=1600)
    suspects = image_set.labels.suspects()
    assert suspects is not None
    count = len(suspects)
    expect(page.get_by_text(f"{count} of {count} suspects")).to_be_visible()
    settled(page)
    pair = image_set.labels.confused().iloc[0]
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 18, box["y"] + 38 + 18)  # the box at the left edge of the first row
    words = f"{pair['pictures']} pictures that look like the other class"
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_test_id("stText").get_by_text(f"{pair['class_a']} ↔ {pair['class_b']}")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(min(18, int(pair["pictures"])))
    assert_fits(page)
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog").get_by_text("Nearest neighbours", exact=True)).to_be_visible()
