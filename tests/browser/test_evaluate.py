"""Does the order hold, in a real browser: one chart of five, numbers taken away, a class looked into, another head."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, assert_fits, settled, unfold
from tests.conftest import dice_head
from url_viz.image_set import ImageSet
from url_viz.models.head import save_head

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 40


def turn(page: Page, chart: str) -> None:
    page.get_by_role("radio", name=chart, exact=True).click()
    settled(page)


def test_a_labelled_set_is_evaluated_taken_away_and_looked_into(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/model?set={zoo.set_id}", height=1400)
    expect(page.get_by_text("orders these pictures").first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    settled(page)
    expect(page.locator(".js-plotly-plot").get_by_text("Nearest similarity")).to_be_visible()
    figures = rows_of(page, "CSV")
    assert [row["measure"] for row in figures][:3] == ["ambiguity", "confusability", "uncertainty"]
    assert all(float(row["r_auroc_low"]) <= float(row["r_auroc"]) for row in figures)
    assert all(float(row["within_class_low"]) <= float(row["within_class"]) for row in figures)

    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    assert download.value.suggested_filename == "zoo-measures.svg"
    shown = "button => getComputedStyle(button, '::after').content"
    assert page.get_by_role("button", name="Save as SVG").evaluate(shown) == '"SVG"', "in words, not a camera"
    drawing = Path(download.value.path()).read_text(encoding="utf-8")
    assert drawing.startswith("<svg ")
    assert "Nearest similarity" in drawing

    turn(page, "Leaving out")
    assert float(rows_of(page, "CSV", having="coverage")[-1]["coverage"]) == 1
    turn(page, "Tenths")
    assert sum(int(row["pictures"]) for row in rows_of(page, "CSV", having="pictures")) == COUNT
    turn(page, "Classes")
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


def test_another_head_is_chosen_to_compare_with_and_left_again(
    app: str, home: Path, zoo: ImageSet, open_page: OpenPage
) -> None:
    path = home / "workspace" / "heads" / "zoo-1" / "head.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_head(dice_head(5), path)
    page = open_page(f"{app}/model?set={zoo.set_id}", height=1400)
    choice = page.get_by_role("combobox", name="Compare with another model")
    choice.click()
    page.get_by_role("option", name="zoo-1").click()
    expect(page.get_by_text("is the same under both.")).to_be_visible()
    settled(page)
    agreement = {row["measure"]: float(row["rank_correlation"] or 2) for row in rows_of(page, "CSV")}
    assert agreement["ambiguity"] == 1
    assert agreement["uncertainty"] < 1
    assert_fits(page)
    choice.click()
    page.get_by_role("option", name="No other model").click()
    expect(page.get_by_text("is the same under both.")).to_have_count(0)


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
