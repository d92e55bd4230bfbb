"""Compare in a real browser: two maps, a lasso on one that dims the other, a picture opened and ringed on both."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, assert_fits, settled
from tests.conftest import dice_head
from url_viz.image_set import ImageSet
from url_viz.models.head import save_head

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 40


@pytest.fixture(scope="module")
def image_set(home: Path, zoo: ImageSet) -> ImageSet:
    """And a second head to compare with."""
    assert len(zoo) == COUNT
    path = home / "workspace" / "heads" / "zoo-1" / "head.safetensors"
    path.parent.mkdir(parents=True)
    save_head(dice_head(5), path)
    return zoo


def test_a_lasso_on_one_map_leaves_the_same_pictures_lit_on_the_other_and_a_picture_opens(
    app: str, image_set: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/model?tab=Does+the+order+hold&set={image_set.set_id}", height=2200)
    expect(page.get_by_text("By “General model”, the orders are")).to_be_visible()
    expect(page.get_by_text(f"{COUNT} pictures", exact=True)).to_have_count(2)
    settled(page)
    expect(page.locator(".stage[data-state=ready][data-gliding=false]").first).to_be_visible()  # points lie still
    box = page.locator("canvas").first.bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    corners = ((0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98), (0.02, 0.02))
    for number, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.get_by_role("button", name="Selection")).to_be_visible()
    expect(page.get_by_text("pass the filters")).to_be_visible()
    page.get_by_role("button", name="Selection").click()
    expect(page.get_by_text("Draw a lasso on one map")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("<svg ")
    assert_fits(page)
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Nearest neighbours")).to_be_visible()
