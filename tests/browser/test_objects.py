"""Objects in a real browser: opened in their pictures, judged in a review, searched by a part that is drawn."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, assert_fits, eventually, settled, still
from tests.browser.test_access import problems
from tests.object_sets import SIDE, write_objects
from tests.read_sets import opened_again
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.pictures.set_files import DETECTOR
from url_viz.reading import embed_folder
from url_viz.store.columns.source_columns import BOX_IS_WRONG, NO_SUCH_OBJECT

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WHOLE, CROP = "img[src*='/whole/']", "img[src*='/picture/']"


@pytest.fixture(scope="module")
def objects(home: Path, shipped: Model) -> ImageSet:
    return embed_folder(write_objects(home / "shapes", 8), model=shipped, workspace=home / "workspace")


def assert_drawn(page: Page, image: str) -> None:
    """That the picture is there: a broken SVG has no size."""
    expect(page.locator(image).first).to_be_visible()
    eventually(lambda: page.locator(image).first.evaluate("image => image.naturalWidth > 0"))


def test_an_opened_object_is_shown_in_its_picture_and_a_key_shows_its_crop(
    app: str, objects: ImageSet, open_page: OpenPage
) -> None:
    one = int(objects.table()["id"].iloc[1])
    page = open_page(f"{app}/?set={objects.set_id}&picture={one}")
    dialog = page.get_by_role("dialog")
    assert_drawn(page, f"[role=dialog] {WHOLE}")
    expect(dialog.get_by_alt_text("with the box of rectangle and 2 other boxes")).to_be_visible()
    expect(dialog.get_by_role("button", name="Show the crop")).to_be_visible()  # which has the key
    expect(dialog.get_by_text("Search with this object")).to_be_visible()
    settled(page)
    still(page)
    page.keyboard.press("w")
    assert_drawn(page, f"[role=dialog] {CROP}")
    expect(dialog.locator(WHOLE)).to_have_count(0)
    dialog.get_by_role("button", name="Show the whole picture").click()
    assert_drawn(page, f"[role=dialog] {WHOLE}")


def test_both_verdicts_are_given_by_keys_and_by_mouse_and_taken_back(
    app: str, objects: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/?set={objects.set_id}&review=confusability", width=420)
    caption = page.locator("figcaption")
    page.locator(".question").wait_for()
    assert_drawn(page, f".large > {WHOLE}")
    assert_drawn(page, f".large .context {CROP}")
    settled(page)
    assert_fits(page)
    page.keyboard.press("w")
    assert_drawn(page, f".large > {CROP}")
    page.locator(".context").click()
    assert_drawn(page, f".large > {WHOLE}")
    first = caption.inner_text()
    page.keyboard.press("b")
    expect(page.locator(".said")).to_contain_text("Its class is asked still")
    expect(caption).to_have_text(first)
    page.keyboard.press("Space")
    expect(caption).not_to_have_text(first)
    expect(page.locator(".counts")).to_contain_text("1 done")
    second = caption.inner_text()
    page.get_by_role("button", name="No such object").click()
    expect(caption).not_to_have_text(second)
    page.keyboard.press("?")
    expect(page.get_by_text("its box is wrong, and is to be drawn again")).to_be_visible()
    page.keyboard.press("Escape")

    def said(path: str) -> tuple[str | None, str]:
        row: Any = opened_again(objects).table().set_index("path").loc[path]
        return row["decision"], row["tags"]

    eventually(lambda: (said(first), said(second)) == ((None, BOX_IS_WRONG), ("drop", NO_SUCH_OBJECT)))
    page.keyboard.press("Backspace")
    expect(page.get_by_role("button", name="No such object")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("n")
    eventually(lambda: said(second) == (None, ""))
    page.goto(f"{app}/review?set={objects.set_id}")
    expect(page.get_by_text("1 box is to be drawn again")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 420)])
def test_labelled_and_predicted_boxes_have_a_legend_where_they_are_drawn(
    app: str, objects: ImageSet, open_page: OpenPage, tmp_path: Path, scheme: str, width: int
) -> None:
    """A missed object, and one that is called something else, in the review and opened."""
    one, _, missed, *_ = (int(each) for each in objects.table()["id"])
    entry = {"image_id": "0", "category_id": "rectangle", "score": 0.7, "bbox": [10, 20, SIDE, SIDE]}
    (tmp_path / "results.json").write_text(json.dumps([entry]))
    objects.objects.predictions(tmp_path / "results.json")
    said = "predicted rectangle, score .70, IoU .81"
    page = open_page(f"{app}/review?set={objects.set_id}&review=other-class", width=width, scheme=scheme)  # type: ignore[arg-type]
    legend = page.locator(".large .boxes")
    expect(legend).to_contain_text("labelled box")
    expect(legend).to_contain_text(said)
    assert_drawn(page, f".large > {WHOLE}")
    expect(page.locator(".large > img")).to_have_attribute("alt", re.compile(f"solid: labelled box; dashed: {said}"))
    looks = [
        legend.locator(f"i.{line}").evaluate("one => getComputedStyle(one).backgroundImage")
        for line in ("solid", "dashed")
    ]
    assert "repeating" in looks[1]
    assert "repeating" not in looks[0]
    large, crop = (page.locator(f".large {part}").first.bounding_box() for part in ("> img", ".context"))
    assert large is not None
    assert crop is not None
    assert crop["y"] >= large["y"] + large["height"], "nothing lies on the boxes"
    settled(page)
    assert_fits(page)
    assert problems(page) == []
    page.keyboard.press("w")
    expect(legend).to_be_hidden()
    page.goto(f"{app}/review?set={objects.set_id}&review=missed")
    expect(legend).to_contain_text("not predicted")
    expect(legend.locator("i")).to_have_count(1)
    for image_id, words in ((one, said), (missed, "not predicted")):
        page.goto(f"{app}/?set={objects.set_id}&picture={image_id}")
        drawn = page.get_by_role("dialog").locator(".url-viz-boxes")
        expect(drawn).to_contain_text(words)
        assert_drawn(page, f"[role=dialog] {WHOLE}")
    page.get_by_role("dialog").get_by_role("button", name="Show the crop").click()
    expect(drawn).to_have_count(0)
    objects.columns.remove(DETECTOR)


def test_predictions_of_no_object_are_drawn_on_their_pictures(
    app: str, objects: ImageSet, open_page: OpenPage, tmp_path: Path
) -> None:
    near = {"image_id": "0", "category_id": "rectangle", "score": 0.9, "bbox": [290, 200, SIDE, SIDE]}
    alone = {**near, "image_id": "1", "score": 0.6, "bbox": [300, 0, 40, 30]}
    (tmp_path / "results.json").write_text(json.dumps([near, alone]))
    page = open_page(f"{app}/model?tab=Your+model&set={objects.set_id}", width=420, height=1200)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(tmp_path / "results.json")
    page.get_by_role("button", name="Match").click()
    page.locator("summary").filter(has_text="2 predictions of no object").click()
    legend, picture = page.locator(".url-viz-boxes"), "img[src^='data:image/svg+xml']"
    expect(legend).to_contain_text("predicted rectangle, score .90, IoU .46")
    expect(legend).to_contain_text("nearest labelled box: line")
    assert_drawn(page, picture)
    page.get_by_role("button", name="Next").click()
    expect(legend).to_contain_text("no labelled box overlaps it")
    expect(page.get_by_alt_text("images/1.png, with 3 labelled boxes; dashed: predicted rectangle")).to_be_visible()
    assert_drawn(page, picture)
    settled(page)
    assert_fits(page)
    assert problems(page) == []
    objects.columns.remove(DETECTOR)


def test_a_box_drawn_on_the_picture_is_searched_by_and_typed_numbers_too(
    app: str, objects: ImageSet, open_page: OpenPage
) -> None:
    one = int(objects.table()["id"].iloc[1])
    page = open_page(f"{app}/?set={objects.set_id}&search={one}")
    stage = page.locator(".part .stage")
    assert_drawn(page, ".part img")
    settled(page)
    box = stage.bounding_box()
    assert box is not None
    corners = [(box["x"] + share * box["width"], box["y"] + share * box["height"]) for share in (0.75, 0.25)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=4)
    page.mouse.up()
    expect(page.get_by_text("200 × 150 px of it")).to_be_visible()
    page.get_by_text("Part in numbers").click()
    width = page.get_by_label("Width %")
    expect(width).to_have_value("50")
    width.fill("25")
    width.press("Enter")
    expect(page.get_by_text("100 × 150 px of it")).to_be_visible()
    page.get_by_role("button", name="Clear the part").click()
    expect(page.get_by_text("px of it")).to_have_count(0)


def test_a_class_without_a_number_in_the_files_is_asked_about_twice(
    app: str, objects: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/?set={objects.set_id}&review=confusability")
    assert_drawn(page, f".large > {WHOLE}")
    settled(page)
    counts, history = page.locator(".counts").inner_text(), len(objects.decisions.history())
    page.keyboard.press("c")
    page.keyboard.type("cow")
    option = page.get_by_role("option", name="New class “cow”")
    expect(option).to_contain_text("no number in the files, whose export it stops")
    page.keyboard.press("Enter")
    expect(option).to_contain_text("Enter again to choose it")
    page.keyboard.press("Escape")
    expect(page.locator(".counts")).to_have_text(counts)
    assert len(objects.decisions.history()) == history
