"""Your model in a real browser: a cell of the confusions opens its review; a lasso on the map by training narrows."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

import url_viz
from tests.browser.fixtures import OpenPage, assert_fits, settled, still
from tests.browser.test_access import problems
from tests.browser.test_story import lasso_everything_on_the_right
from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 40


@pytest.fixture(scope="module")
def image_set(home: Path, shipped: Model) -> ImageSet:
    """Pictures with a run: three cats are dogs to it, and the later half varies more over its epochs."""
    folder = write_folder(home / "trained", COUNT, classes=("cat", "dog"))
    found = embed_folder(folder, model=shipped, workspace=home / "workspace")
    table, recorder = found.table(), url_viz.record(found, "r1")
    own = (table["label"] == "dog").to_numpy(int)
    varies = np.where(np.arange(COUNT) < COUNT // 2, 0.5, 4)
    for epoch in range(3):
        recorder.epoch(table["id"].tolist(), np.eye(2)[own] * (varies * epoch)[:, None], own)
    said = own.copy()
    said[np.flatnonzero(own == 0)[:3]] = 1
    recorder.epoch(table["id"].tolist(), np.eye(2)[said] * 2, own, split="val")
    return found


def test_a_cell_opens_its_review(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/model?tab=Your+model&set={image_set.set_id}", height=1600)
    expect(page.get_by_text("92.5 %")).to_be_visible()
    settled(page)
    still(page, quiet_ms=300)
    assert problems(page) == []
    assert_fits(page)
    page.set_viewport_size({"width": 1400, "height": 1600})
    settled(page)
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("canvas").first).to_be_visible()
    still(page)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 20, box["y"] + 35 + 18)  # cats (first row) that are dogs (last column)
    expect(page.get_by_text("3 pictures of cat that the model says are dog")).to_be_visible()
    page.locator(".st-key-run-cell").get_by_role("button").click()
    expect(page.locator(".desk .question")).to_be_visible()
    expect(page).to_have_url(re.compile(r"in\.label=cat&in\.model_class=dog"))
    expect(page.get_by_text("0 done of 3")).to_be_visible()


def test_a_lasso_on_the_map_by_training(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={image_set.set_id}")
    page.get_by_text("Map by training").click()
    expect(page.get_by_text("up: confidence, right: variability")).to_be_visible()
    lasso_everything_on_the_right(page)
    expect(page.get_by_role("button", name="Selection")).to_be_visible()
    expect(page.get_by_role("button", name=f"Review these {COUNT // 2}")).to_be_visible()
    expect(page).to_have_url(re.compile("map=training.*lasso="))
    page.reload()
    expect(page.get_by_role("button", name=f"Review these {COUNT // 2}")).to_be_visible()
    page.get_by_text("Map by look").click()
    expect(page.get_by_role("button", name="Selection")).to_have_count(0)
