"""The map and the gallery in a real browser: what the user does comes back to Python, and what Python says is shown."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.fixtures import OpenPage, eventually, held_back, settled
from tests.browser.harness_components import FIRST_ID, HOSTILE_NAME, synthetic_points
from tests.drawing.decoded_points import decode_points
from url_viz.drawing.points import encode_points

pytestmark = pytest.mark.browser

LASSO_SLACK_PX = 4.0


@dataclass(frozen=True)
class Stage:
    """Where the map is on the page, and how it shows its points."""

    page: Page
    left: float
    top: float
    width: float
    height: float
    x: float
    y: float
    scale: float
    zoom: float

    def place_of(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the map is on the page."""
        return (
            self.left + self.width / 2 + (x - self.x) * self.scale,
            self.top + self.height / 2 + (self.y - y) * self.scale,
        )

    def map_at(self, left: float, top: float) -> tuple[float, float]:
        """The place of the map at a place of the page."""
        return (
            self.x + (left - self.left - self.width / 2) / self.scale,
            self.y - (top - self.top - self.height / 2) / self.scale,
        )


def rect_of(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box is not None
    return box


def ready(page: Page) -> Stage:
    """The map once its points are there and at rest."""
    stage = page.locator(".stage[data-state=ready][data-gliding=false]")
    stage.wait_for()
    box = rect_of(stage)
    x, y, scale, zoom = (float(part) for part in (stage.get_attribute("data-view") or "").split())
    return Stage(page, box["x"] + 1, box["y"] + 1, box["width"] - 2, box["height"] - 2, x, y, scale, zoom)


def relaid(before: Stage) -> Stage:
    """The map at rest in another layout than `before`: the view, which nobody moved, is another one too."""
    expect(before.page.locator(".stage")).not_to_have_attribute(
        "data-view", re.compile(rf"^{re.escape(str(before.x))} ")
    )
    return ready(before.page)


def shown_points(n: int, layout: str = "umap") -> np.ndarray:
    """Coordinates (n, 2) as the browser has them."""
    points = decode_points(encode_points(synthetic_points(n, layout)))
    return np.stack([points.x, points.y], axis=1).astype(np.float64)


def hover(stage: Stage, row: int, n: int) -> None:
    left, top = stage.place_of(*shown_points(n)[row])
    stage.page.mouse.move(left + 40, top)
    stage.page.mouse.move(left, top)


def drag_around(page: Page, corners: list[tuple[float, float]]) -> None:
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=12)
    page.mouse.up()


def middle_rectangle(stage: Stage) -> list[tuple[float, float]]:
    left, right = stage.left + 0.40 * stage.width, stage.left + 0.52 * stage.width
    top, bottom = stage.top + 0.3 * stage.height, stage.top + 0.6 * stage.height
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def count_in(stage: Stage, corners: list[tuple[float, float]], n: int, *, slack_px: float) -> int:
    places = np.array([stage.place_of(x, y) for x, y in shown_points(n)])
    low, high = np.array(corners[0]) - slack_px, np.array(corners[2]) + slack_px
    return int(((places > low) & (places < high)).all(axis=1).sum())


def expect_selected(page: Page, stage: Stage, corners: list[tuple[float, float]], n: int) -> None:
    expect(page.get_by_text(re.compile(rf"^selected [1-9]\d* of {n}$"))).to_be_visible()
    count = int(page.get_by_text(re.compile(r"^selected ")).inner_text().split()[1])
    least = count_in(stage, corners, n, slack_px=-LASSO_SLACK_PX)
    assert 0 < least <= count <= count_in(stage, corners, n, slack_px=LASSO_SLACK_PX)


def painted_pixels(page: Page) -> int:
    """How many pixels of the raster differ from its background."""
    script = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const pixels = new Uint32Array(data.buffer);
        return pixels.reduce((count, pixel) => count + (pixel !== pixels[0]), 0);
    }"""
    return int(page.locator("canvas.raster").evaluate(script))


def test_hovering_shows_the_card_with_the_name_as_text_and_a_click_gives_the_id_for_one_run(
    harness: str, open_page: OpenPage
) -> None:
    page = open_page(f"{harness}/?n=10")
    stage = ready(page)
    hover(stage, 6, 10)
    card = page.locator(".card")
    expect(card.locator(".name")).to_have_text(HOSTILE_NAME)
    expect(card.locator(".label")).to_have_text("Abyssinian")
    expect(card.locator(".between")).to_have_text(f"{HOSTILE_NAME} .46 or Bengal?")
    expect(card.locator("dt")).to_have_text(["Ambiguity", "<b>mine</b>"])
    expect(card.locator("dd")).to_have_text(["0.288", "below 94 %", "12,350", ""])
    assert card.locator("img:visible").count() == 1
    assert card.locator("b").count() == 0
    eventually(lambda: card.locator("img.crop").evaluate("image => image.naturalWidth > 0"))
    hover(stage, 7, 10)
    expect(card.locator(".name")).to_have_text("IMG_00007.jpg")
    expect(card.locator(".between")).to_have_text("Bengal 1.00")
    expect(card.locator("dt")).to_have_text(["Ambiguity"])
    hover(stage, 8, 10)
    expect(card.locator(".name")).to_have_text("IMG_00008.jpg")
    expect(card.locator(".between")).to_be_hidden()
    page.mouse.move(stage.left + 5, stage.top + 5)
    expect(card).to_be_hidden()
    page.mouse.click(*stage.place_of(*shown_points(10)[4]))
    expect(page.get_by_text(f"clicked {FIRST_ID + 4}")).to_be_visible()
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("clicked None")).to_be_visible()


@pytest.mark.parametrize("width", [1400, 420])
def test_the_card_never_leaves_the_map_nor_this_the_page(harness: str, open_page: OpenPage, width: int) -> None:
    page = open_page(f"{harness}/?n=60&height=420", width=width)
    stage = ready(page)
    places = shown_points(60)
    for row in {int(i) for i in (*places.argmax(axis=0), *places.argmin(axis=0))}:
        hover(stage, row, 60)
        name = HOSTILE_NAME if row % 5 == 1 else f"IMG_{row:05d}.jpg"
        expect(page.locator(".card .name")).to_have_text(name)
        card = rect_of(page.locator(".card"))
        assert card["x"] >= stage.left
        assert card["x"] + card["width"] <= stage.left + stage.width
        assert card["y"] >= stage.top
        assert card["y"] + card["height"] <= stage.top + stage.height
    box = rect_of(page.locator(".map"))
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_a_lasso_comes_back_as_a_polygon_and_stays_cleared_by_escape_or_the_page(
    harness: str, open_page: OpenPage
) -> None:
    page = open_page(f"{harness}/?n=1000")
    stage = ready(page)
    corners = middle_rectangle(stage)
    page.keyboard.down("Shift")
    drag_around(page, corners)
    page.keyboard.up("Shift")
    expect_selected(page, stage, corners, 1000)
    page.keyboard.press("Escape")
    expect(page.get_by_text("selected 0 of 1000")).to_be_visible()
    page.get_by_role("button", name="Lasso").click()
    drag_around(page, corners)
    expect_selected(page, stage, corners, 1000)
    for button in ("Clear selection", "Run again", "Grow"):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text(re.compile("^selected 0 of"))).to_be_visible()
    expect(page.get_by_text("selected 0 of 1500")).to_be_visible()


def test_a_lasso_drawn_while_another_layout_is_on_its_way_ends_with_it(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?n=1000")
    stage = ready(page)
    held = held_back(page, "**/harness/points**layout=pca**")
    page.get_by_role("button", name="Other layout").click()
    expect(page.locator(".stage")).to_have_attribute("data-state", "loading")
    settled(page)
    page.get_by_role("button", name="Lasso").click()
    drag_around(page, middle_rectangle(stage))
    settled(page)
    held[0].continue_()
    other = relaid(stage)
    page.get_by_role("button", name="Other layout").click()  # where the lasso would hold some of the pictures
    relaid(other)
    settled(page)
    expect(page.get_by_text("selected 0 of 1000")).to_be_visible()


def test_the_wheel_zooms_about_the_pointer_and_the_view_stays_when_the_map_comes_back_and_the_set_grows(
    harness: str, open_page: OpenPage
) -> None:
    page = open_page(f"{harness}/?n=1000")
    before = ready(page)
    pointer = (620.0, 300.0)
    place = before.map_at(*pointer)
    page.mouse.move(*pointer)
    page.mouse.wheel(0, -600)
    expect(page.locator(".stage")).not_to_have_attribute("data-view", re.compile(" 1$"))
    zoomed = ready(page)
    assert zoomed.zoom > 2
    assert zoomed.place_of(*place) == pytest.approx(pointer, abs=0.5)
    page.get_by_text("Hide").click()
    expect(page.locator(".stage")).to_have_count(0)
    page.get_by_text("Hide").click()
    again = ready(page)
    assert (again.x, again.y, again.zoom) == (zoomed.x, zoomed.y, zoomed.zoom)
    assert painted_pixels(page) > 0
    page.get_by_role("button", name="Grow").click()
    expect(page.locator(".stage")).to_have_attribute("data-drawn", "1500")
    grown = ready(page)
    assert (grown.x, grown.y, grown.scale) == pytest.approx((zoomed.x, zoomed.y, zoomed.scale))


def test_a_view_fits_every_new_layout_a_drag_pans_keys_move_and_zero_shows_everything(
    harness: str, open_page: OpenPage
) -> None:
    page = open_page(f"{harness}/?n=300")
    before = ready(page)
    page.get_by_role("button", name="Other layout").click()
    after = relaid(before)
    places = np.array([after.place_of(x, y) for x, y in shown_points(300, "pca")])
    assert (after.x, after.y, after.scale) != (before.x, before.y, before.scale)
    assert (places > [after.left, after.top]).all()
    assert (places < [after.left + after.width, after.top + after.height]).all()
    start = after
    page.mouse.move(start.left + 200, start.top + 200)
    page.mouse.down()
    page.mouse.move(start.left + 290, start.top + 180, steps=5)
    page.mouse.up()
    panned = ready(page)
    assert (start.x - panned.x) * start.scale == pytest.approx(90, abs=0.5)
    assert (start.y - panned.y) * start.scale == pytest.approx(20, abs=0.5)
    page.locator(".stage").focus()
    for key in ("+", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.locator(".stage")).to_have_attribute("data-view", re.compile(" 1[.]4$"))
    page.keyboard.press("0")
    expect(page.locator(".stage")).to_have_attribute(
        "data-view", f"{start.x} {start.y} {start.scale} 1".replace(".0 ", " ")
    )


def test_the_threshold_is_dragged_and_moved_by_keys(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?n=1000")
    ready(page)
    bar = rect_of(page.locator(".bar"))
    page.mouse.move(bar["x"] + 1, bar["y"] + 6)
    page.mouse.down()
    page.mouse.move(bar["x"] + 0.6 * bar["width"], bar["y"] + 6, steps=4)
    expect(page.get_by_text("threshold None")).to_be_visible()
    page.mouse.up()
    expect(page.get_by_text("threshold 60.0")).to_be_visible()
    for _ in range(5):  # sooner than the page answers to each
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("threshold 65.0")).to_be_visible()
    page.keyboard.press("Home")
    expect(page.get_by_text("threshold None")).to_be_visible()


def test_points_on_the_clear_side_of_the_threshold_are_fainter(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?n=10")
    stage = ready(page)
    place = stage.place_of(*shown_points(10)[int(np.argmin(synthetic_points(10, "umap").value))])
    at = [int(place[0] - stage.left), int(place[1] - stage.top)]
    darkness = f"canvas => 255 - canvas.getContext('2d').getImageData({at[0]}, {at[1]}, 1, 1).data[0]"
    before = page.locator("canvas.raster").evaluate(darkness)
    page.locator(".threshold").press("PageUp")
    expect(page.get_by_text("threshold 10.0")).to_be_visible()
    eventually(lambda: 0 < page.locator("canvas.raster").evaluate(darkness) < before / 3)  # once it is drawn anew


def test_a_failed_fetch_is_said_and_can_be_tried_again(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?n=50&fail=1&run=retry")
    expect(page.get_by_text("The map's points cannot be read: the server answered 503.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    ready(page)
    expect(page.locator(".message")).to_be_hidden()


def test_an_empty_image_set_is_said(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?n=0")
    expect(page.get_by_text("No pictures to show yet.")).to_be_visible()
    expect(page.locator(".status")).to_have_text("0 pictures")


def test_classes_are_found_and_chosen_in_the_legend_and_by_their_names_on_the_map(
    harness: str, open_page: OpenPage
) -> None:
    page = open_page(f"{harness}/?n=400&colour=category&pick=1")
    ready(page)
    expect(page.locator(".classes button")).to_have_count(8)  # the largest
    page.get_by_role("button", name="+9 more").click()
    panel = page.get_by_role("dialog", name="Choose classes")
    expect(panel.locator("button[data-index]")).to_have_count(17)
    panel.get_by_role("searchbox").fill("terr")
    expect(panel.locator("button[data-index]")).to_have_text(["wheaten terrier24", "Yorkshire terrier24"])
    panel.locator("button[data-index]").nth(1).click()
    page.get_by_text("picked Yorkshire terrier", exact=True).wait_for()
    expect(panel.locator("button[data-index]").nth(1)).to_have_attribute("aria-pressed", "true")
    panel.locator("button[data-index]").nth(0).click()
    page.get_by_text("picked wheaten terrier, Yorkshire terrier", exact=True).wait_for()
    expect(page.locator(".classes button[aria-pressed='true']")).to_have_text(["wheaten terrier", "Yorkshire terrier"])
    panel.get_by_role("button", name="Show all again").click()
    page.get_by_text("picked nothing", exact=True).wait_for()
    panel.get_by_role("searchbox").fill("no such class")
    expect(panel.get_by_text("No match.")).to_be_visible()
    panel.get_by_role("searchbox").press("Escape")
    expect(panel).to_be_hidden()
    expect(page.get_by_role("button", name="+9 more")).to_be_focused()
    page.locator(".classes button", has_text="Samoyed").click()
    page.get_by_text("picked Samoyed", exact=True).wait_for()
    page.locator(".classes button", has_text="Samoyed").click()
    page.get_by_text("picked nothing", exact=True).wait_for()

    stage = ready(page)
    with_names = drawn_over(page)
    assert with_names > 1000
    page.locator(".stage").focus()
    page.keyboard.press("n")
    page.get_by_text("names False", exact=True).wait_for()  # the page has heard of it, and its answer changes nothing
    settled(page)
    expect(page.get_by_role("button", name="Names")).to_have_attribute("aria-pressed", "false")
    eventually(lambda: drawn_over(page) == 0)
    page.get_by_role("button", name="Names").click()
    page.get_by_text("names True", exact=True).wait_for()
    eventually(lambda: drawn_over(page) == with_names)
    left, top = page.locator("canvas.overlay").evaluate(PLACE_OF_A_NAME)
    page.mouse.click(stage.left + left, stage.top + top)
    page.get_by_text(re.compile("picked (?!nothing)")).wait_for()
    expect(page.get_by_text("clicked None")).to_be_visible()


PLACE_OF_A_NAME = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const first = data.findIndex((value, i) => i % 4 === 3 && value > 250) >> 2;
  const density = canvas.width / canvas.clientWidth;
  return [(first % canvas.width) / density, Math.floor(first / canvas.width) / density];
}"""
"""Where the first pixel of a name is, from the stage's corner."""


def drawn_over(page: Page) -> int:
    """How many pixels of the overlay are not empty."""
    script = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.reduce((count, value, i) => count + (i % 4 === 3 && value > 0), 0);
    }"""
    return int(page.locator("canvas.overlay").evaluate(script))
