"""The page of models in a real browser: numbers are taken away, a class and a cell looked into, a lasso by training."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import url_viz
from tests.browser.fixtures import OpenPage, assert_fits, settled, still, unfold
from tests.browser.test_access import problems
from tests.browser.test_story import lasso_everything_on_the_right
from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 40


def test_a_labelled_set_is_evaluated_taken_away_and_looked_into(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/model?set={zoo.set_id}", height=1400)
    expect(page.get_by_text("orders these pictures").first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    settled(page)
    expect(page.locator(".js-plotly-plot").get_by_text("Nearest similarity")).to_be_visible()
    figures = rows_of(page, "CSV")
    assert [row["measure"] for row in figures][:3] == ["ambiguity", "confusability", "uncertainty"]

    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    assert download.value.suggested_filename == "zoo-measures.svg"
    shown = "button => getComputedStyle(button, '::after').content"
    assert page.get_by_role("button", name="Save as SVG").evaluate(shown) == '"SVG"', "in words, not a camera"
    drawing = Path(download.value.path()).read_text(encoding="utf-8")
    assert drawing.startswith("<svg ")
    assert "Nearest similarity" in drawing

    page.get_by_role("radio", name="Leaving out", exact=True).click()
    assert float(rows_of(page, "CSV", having="coverage")[-1]["coverage"]) == 1
    page.get_by_role("radio", name="Tenths", exact=True).click()
    assert sum(int(row["pictures"]) for row in rows_of(page, "CSV", having="pictures")) == COUNT
    page.get_by_role("radio", name="Classes", exact=True).click()
    expect(page.get_by_text("2 classes. Tick a row to see its pictures.")).to_be_visible()
    assert {row["label"] for row in rows_of(page, "CSV")} == {"cat", "dog"}
    expect(page.locator(".js-plotly-plot")).to_have_count(0)
    box = page.get_by_test_id("stDataFrame").last.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 18, box["y"] + 38 + 18)  # the box at the left edge of the first row
    expect(page.get_by_text("of 20 have a neighbour of another class")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(12)

    unfold(page, "Crop test: needs no classes")
    page.get_by_role("button", name="Run the crop test").click()
    expect(page.get_by_text("of 40 pictures (95 % interval").first).to_be_visible()
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    rows = rows_of(page, "Crop test (CSV)")
    assert len(rows) == COUNT
    assert all(0.1 < float(row["crop_share"]) < 0.75 for row in rows)

    page.get_by_text("Does leaving out help a search?").click()
    expect(page.get_by_text("Refusing ambiguous queries")).to_be_visible()
    settled(page)
    assert_fits(page)
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog").get_by_text("Nearest pictures")).to_be_visible()


def rows_of(page: Page, button: str, *, having: str = "") -> list[dict[str, str]]:
    """The rows of a table that is taken away, once it has a column."""
    while True:
        settled(page)
        with page.expect_download() as download:
            page.get_by_role("button", name=button, exact=True).click()
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
        if not having or having in rows[0]:
            return rows
        settled(page)


@pytest.fixture(scope="module")
def trained(home: Path, shipped: Model) -> ImageSet:
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


def test_a_cell_opens_its_review(app: str, trained: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/model?tab=Your+model&set={trained.set_id}", height=1600)
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


def test_a_lasso_on_the_map_by_training(app: str, trained: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={trained.set_id}")
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
