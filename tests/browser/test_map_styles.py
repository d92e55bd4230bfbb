"""The map's styles, masks, fixed colours and representatives in a real browser."""

import re
from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks.browser import MOVED
from tests.browser.fixtures import OpenPage, eventually, eventually_equals
from tests.browser.harness_components import CLASSES, FIRST_ID, synthetic_points
from tests.browser.test_components import drag_around, painted_pixels, ready, rect_of, shown_points

pytestmark = pytest.mark.browser


def pixel(page: Page, left: float, top: float) -> list[int]:
    """The colour of the raster at a place of the page."""
    script = """(canvas, [x, y]) => {
        const { left, top } = canvas.getBoundingClientRect();
        return [...canvas.getContext("2d").getImageData(x - left, y - top, 1, 1).data.slice(0, 3)];
    }"""
    return list(page.locator("canvas.raster").evaluate(script, [left, top]))


def tool(page: Page, name: str) -> Locator:
    return page.locator(".tools").get_by_role("button", name=name, exact=True)


def test_the_toolbar_draws_other_styles_and_the_page_hears_of_it(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=styles&n=2000")
    ready(page)
    assert tool(page, "Points").get_attribute("aria-pressed") == "true"
    painted = {"points": painted_pixels(page)}
    for style, hint in (
        ("Fog", "Small and crisp: unambiguous. Large and faint: ambiguous."),
        ("Density", "Stronger: more pictures. Colour: mean."),
    ):
        tool(page, style).click()
        expect(page.locator(f".stage[data-style={style.lower()}]")).to_be_visible()
        expect(page.locator(".hint")).to_have_text(hint)
        expect(page.get_by_text(f"style {style.lower()}")).to_be_visible()
        assert tool(page, style).get_attribute("aria-pressed") == "true"
        painted[style.lower()] = painted_pixels(page)
    assert painted["density"] > painted["fog"] > painted["points"] > 0
    page.locator(".stage").focus()
    page.keyboard.press("1")
    expect(page.get_by_text("style points")).to_be_visible()
    expect(page.locator(".hint")).to_be_hidden()
    eventually(lambda: painted_pixels(page) == painted["points"])


def test_the_page_sets_fog_where_the_clear_are_crisp_and_the_ambiguous_faint_and_another_style(
    harness: str, open_page: OpenPage
) -> None:
    page = open_page(f"{harness}/?show=styles&n=10&style=fog")
    stage = ready(page)
    ranks, places = synthetic_points(10, "umap").value, shown_points(10)
    clear, ambiguous = (stage.place_of(*places[int(i)]) for i in (np.argmin(ranks), np.argmax(ranks)))
    assert min(pixel(page, *clear)) < 150
    assert min(pixel(page, *ambiguous)) > 200
    assert pixel(page, *ambiguous) != [255, 255, 255]
    assert pixel(page, ambiguous[0] + 9, ambiguous[1]) != [255, 255, 255]  # large
    assert pixel(page, clear[0] + 9, clear[1]) == [255, 255, 255]  # small
    page.get_by_test_id("stButtonGroup").get_by_text("density").click()
    expect(page.locator(".stage[data-style=density]")).to_be_visible()
    expect(page.get_by_text("style density")).to_be_visible()


def test_a_mask_dims_what_filters_leave_out(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=styles&n=40")
    stage = ready(page)
    places = shown_points(40)
    before = pixel(page, *stage.place_of(*places[7]))
    page.get_by_text("Filter", exact=True).click()
    expect(page.locator(".stage[data-kept='20']")).to_be_visible()
    expect(page.locator(".status")).to_have_text("40 pictures · 20 pass the filters")
    now = pixel(page, *stage.place_of(*places[7]))
    assert now != before
    assert now != [255, 255, 255]
    page.mouse.click(*stage.place_of(*places[7]))
    page.mouse.click(*stage.place_of(*places[4]))
    expect(page.get_by_text(f"clicked {FIRST_ID + 4}")).to_be_visible()
    page.get_by_text("Filter", exact=True).click()
    expect(page.locator(".stage[data-kept='']")).to_be_visible()
    assert pixel(page, *stage.place_of(*places[7])) == before


def test_a_mask_of_other_points_changes_nothing(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=styles&n=40&mask=1&wrong=1")
    ready(page)
    expect(page.locator(".status")).to_have_text("40 pictures")


def test_a_point_has_the_colour_of_its_value_in_both_themes(harness: str, open_page: OpenPage) -> None:
    """Of the ramp's ends the low one is blue, the high one orange, and the high one is the lighter."""
    ranks, places = synthetic_points(10, "umap").value, shown_points(10)
    page = open_page(f"{harness}/?show=styles&n=10&ends=low,high")
    stage = ready(page)
    expect(page.locator(".scale .title")).to_have_text("Ambiguity, percentile")
    expect(page.locator(".scale .end")).to_have_text(["low", "high"])
    grounds: dict[Literal["light", "dark"], list[int]] = {"light": [255, 255, 255], "dark": [0x12, 0x15, 0x1B]}
    for scheme, ground in grounds.items():
        page.emulate_media(color_scheme=scheme)
        eventually_equals(lambda: pixel(page, stage.left + 1, stage.top + 1), ground)
        low, high = (pixel(page, *stage.place_of(*places[int(i)])) for i in (np.argmin(ranks), np.argmax(ranks)))
        assert low[2] > low[0]
        assert high[0] > high[2]
        assert sum(high) > sum(low)


def test_categories_are_named_and_keep_their_fixed_colours(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=styles&n=34&colour=category&decisions=1")
    stage = ready(page)
    expect(page.locator(".classes .title")).to_have_text("Decision")
    expect(page.locator(".classes button")).to_have_text(["keep", "drop", "look-again"])
    drawn_last = int(np.argmax(np.where(np.arange(34) % len(CLASSES) == 1, synthetic_points(34, "umap").value, -1)))
    assert pixel(page, *stage.place_of(*shown_points(34)[drawn_last])) == pytest.approx([0xD5, 0x5E, 0x00], abs=14)


@pytest.mark.parametrize("width", [1400, 420])
def test_representatives_cover_neither_each_other_nor_leave_the_map(
    harness: str, open_page: OpenPage, width: int
) -> None:
    page = open_page(f"{harness}/?show=styles&n=800", width=width)
    stage = ready(page)
    faces = page.locator(".faces button:visible")
    assert faces.count() == 0
    tool(page, "Representatives").click()
    expect(page.get_by_text("representatives True")).to_be_visible()
    eventually(lambda: faces.count() >= (12 if width == 1400 else 4))
    boxes = faces.evaluate_all("all => all.map((one) => one.getBoundingClientRect().toJSON())")  # all at one moment
    for i, a in enumerate(boxes):
        assert stage.left <= a["x"] <= stage.left + stage.width - a["width"]
        assert stage.top <= a["y"] <= stage.top + stage.height - a["height"]
        for b in boxes[:i]:
            assert abs(a["x"] - b["x"]) >= a["width"] or abs(a["y"] - b["y"]) >= a["height"]


def test_a_representative_opens_its_picture_goes_along_and_fades_when_zoomed(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=styles&n=400&faces=1")
    stage = ready(page)
    faces = page.locator(".faces button:visible")
    eventually(lambda: faces.count() >= 12)
    face = page.locator(f".faces button[data-id='{faces.first.get_attribute('data-id')}']")
    before = rect_of(face)
    assert re.match(r"Stands for 2\d pictures, 100% ", face.get_attribute("aria-label") or "")
    face.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"clicked {face.get_attribute('data-id')}")).to_be_visible()
    drag_around(page, [(stage.left + 30, stage.top + 30)])  # nothing selected, nothing moved
    page.locator(".stage").focus()
    page.keyboard.press("ArrowLeft")
    eventually(lambda: rect_of(face)["x"] == pytest.approx(before["x"] + 60, abs=1))
    for _ in range(7):
        page.keyboard.press("+")
    expect(faces).to_have_count(0)


@pytest.mark.torture
def test_many_points_are_panned_in_every_style(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=styles&n=100000&faces=1")
    ready(page)
    for style in ("points", "fog", "density"):
        tool(page, style.capitalize()).click()
        expect(page.locator(".stage")).to_have_attribute("data-style", style)
        before = ready(page)
        milliseconds = page.locator(".stage").evaluate(MOVED, [True, 7])
        assert len(milliseconds) == 2
        assert (ready(page).x, ready(page).y) != (before.x, before.y)
