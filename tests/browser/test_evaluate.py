"""Evaluate in a real browser: figures drawn, numbers taken away, a class looked into, the crop test run."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, assert_fits, settled
from url_viz.image_set import ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 40


def test_a_labelled_set_is_evaluated_taken_away_and_looked_into(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/model?tab=Does+the+order+hold&set={zoo.set_id}", height=2400)
    expect(page.get_by_text("Classes · 2")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    settled(page)
    expect(page.get_by_text("counted on 40 pictures of 2 classes")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first.get_by_text("Nearest similarity")).to_be_visible()

    taken = [rows_of(page, "CSV", place) for place in range(4)]
    assert [row["measure"] for row in taken[0]][:3] == ["ambiguity", "confusability", "uncertainty"]
    assert all(float(row["r_auroc_low"]) <= float(row["r_auroc"]) for row in taken[0])
    assert float(taken[1][-1]["coverage"]) == 1
    assert sum(int(row["pictures"]) for row in taken[2]) == COUNT
    assert {row["label"] for row in taken[3]} == {"cat", "dog"}

    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").first.click()
    assert download.value.suggested_filename == "zoo-measures.svg"
    shown = "button => getComputedStyle(button, '::after').content"
    assert page.get_by_role("button", name="Save as SVG").first.evaluate(shown) == '"SVG"', "in words, not a camera"
    drawing = Path(download.value.path()).read_text(encoding="utf-8")
    assert drawing.startswith("<svg ")
    assert "Nearest similarity" in drawing

    box = page.get_by_test_id("stDataFrame").last.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 18, box["y"] + 38 + 18)  # the box at the left edge of the first row
    expect(page.get_by_text("of 20 have a neighbour of another class")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(12)

    page.get_by_role("button", name="Run the crop test").click()
    expect(page.get_by_text("of 40 pictures (95 % interval").first).to_be_visible()
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    rows = rows_of(page, "Crop test (CSV)")
    assert len(rows) == COUNT
    assert all(0.1 < float(row["crop_share"]) < 0.75 for row in rows)

    assert_fits(page)
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Nearest neighbours")).to_be_visible()


def rows_of(page: Page, button: str, place: int = 0) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).nth(place).click()
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
