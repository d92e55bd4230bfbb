"""The grid in a real browser: thousands of pictures scrolled without pages, chosen in every way, and decided on."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.fixtures import OpenPage, eventually, held_back, settled, written_elsewhere
from tests.browser.test_components import rect_of

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Desk:
    """A page with a grid."""

    page: Page

    @property
    def panes(self) -> Locator:
        return self.page.locator(".pane")

    def tile(self, at: int, pane: int = 0) -> Locator:
        """The tile at a place of a pane, if it is there."""
        return self.panes.nth(pane).locator(f".cell[data-at='{at}'] .tile")

    def says(self, words: str) -> None:
        """The server says so, in a line of its own."""
        expect(self.page.get_by_text(words, exact=True)).to_be_visible()

    def scroll(self, px: int, pane: int = 0) -> None:
        self.panes.nth(pane).locator(".scroller").evaluate("(scroller, px) => { scroller.scrollTop = px }", px)


Open = Callable[..., Desk]


@pytest.fixture
def desk(harness: str, open_page: OpenPage, decisions_folder: Path) -> Open:
    def opened(query: str = "", *, run: str | None = None, width: int = 1400) -> Desk:
        desk = Desk(open_page(f"{harness}/?show=grid&run={run or uuid4().hex}&{query}", width=width))
        desk.tile(0).wait_for()
        settled(desk.page)
        return desk

    return opened


def test_thousands_scroll_only_those_in_sight_exist_and_keys_never_lose_the_focus(desk: Open) -> None:
    at = desk()
    expect(at.panes).to_have_count(2)
    expect(at.panes.first.get_by_role("heading")).to_have_text("Most ambiguous · 5,000")
    at.scroll(100_000)
    eventually(lambda: at.panes.first.locator(".cell .name").first.text_content() not in ("", "IMG_00000.jpg"))
    assert at.panes.first.locator(".cell").count() < 150
    at.scroll(10_000_000)
    last = at.tile(4999)
    expect(last.locator(".name")).to_have_text("IMG_04999.jpg")
    expect(at.tile(0)).to_have_count(0)
    expect(at.tile(0, pane=1).locator(".name")).to_have_text("IMG_04999.jpg")
    at.scroll(0)
    at.tile(0).focus()
    at.page.keyboard.press("End")
    expect(at.tile(4999)).to_be_focused()
    at.page.keyboard.press("Home")
    expect(at.tile(0)).to_be_focused()
    at.scroll(50_000)
    expect(at.tile(0)).to_be_focused()
    at.page.keyboard.press("ArrowRight")
    expect(at.tile(1)).to_be_focused()
    expect(at.tile(1)).to_be_in_viewport()
    at.page.keyboard.press("Enter")
    at.says(f"clicked {2**62 + 2}")


def test_a_key_leads_to_a_tile_that_is_not_known_yet(desk: Open) -> None:
    at = desk()
    held = held_back(at.page, re.compile("/url-viz/order/"))
    at.page.reload()
    at.tile(0).wait_for()
    eventually(lambda: bool(held))
    at.tile(0).focus()
    at.page.keyboard.press("End")
    expect(at.tile(0)).to_be_focused()
    for route in held:
        route.continue_()
    expect(at.tile(4999)).to_be_focused()
    expect(at.tile(4999)).to_be_in_viewport()


def test_a_choice_by_mouse_and_by_keys_which_decide_on_it_as_one_action(desk: Open) -> None:
    at = desk()
    at.tile(1).click(modifiers=["Control"])
    at.says("chosen 1")
    at.tile(4).click(modifiers=["Shift"])
    at.says("chosen 4")
    at.tile(2).click(modifiers=["Control"])
    at.says("chosen 3")
    at.page.keyboard.press("ArrowLeft")
    at.page.keyboard.press("Shift+ArrowLeft")  # from 2, which was toggled last, to 0
    at.says("chosen 5")
    at.page.keyboard.press("Space")  # and 0 no more
    at.says("chosen 4")
    at.panes.first.locator(".cell[data-at='5']").hover()
    at.panes.first.locator(".cell[data-at='5'] .pick").click()
    at.says("chosen 5")
    expect(at.page.get_by_text("clicked None")).to_be_visible()
    at.page.keyboard.press("Control+a")
    at.says("chosen 5000")
    at.page.get_by_role("button", name="5,000 selected").click()
    at.says("chosen 0")

    at.tile(0).click(modifiers=["Control"])
    at.tile(6).click(modifiers=["Shift"])
    at.page.keyboard.press("d")
    expect(at.page.locator(".pane").first.locator(".cell[data-decision='drop']")).to_have_count(7)
    at.says("decided drop:7")
    expect(at.page.get_by_text("Dropped 7 pictures")).to_be_visible()
    at.page.keyboard.press("u")
    at.says("decided")
    expect(at.page.locator(".pane").first.locator(".cell[data-decision]")).to_have_count(0)
    at.page.keyboard.press("Escape")
    at.says("chosen 0")
    at.tile(1).focus()
    at.page.keyboard.press("k")
    at.says("decided keep:1")
    expect(at.tile(2)).to_be_focused()


def test_a_decision_far_down_stays_when_the_server_has_it(desk: Open) -> None:
    at = desk()
    at.page.get_by_role("button", name="Most", exact=True).click()
    expect(at.panes).to_have_count(1)
    at.tile(0).focus()
    at.page.keyboard.press("End")
    at.page.keyboard.press("d")
    at.says("decided drop:1")
    cell = at.panes.first.locator(".cell[data-at='4999']")
    expect(cell).to_have_attribute("data-decision", "drop")
    at.page.wait_for_timeout(400)
    expect(cell).to_have_attribute("data-decision", "drop")
    at.scroll(0)
    at.scroll(10_000_000)
    expect(cell).to_have_attribute("data-decision", "drop")


def test_a_refused_decision_is_undrawn_wherever_its_tile_lies(desk: Open, decisions_folder: Path) -> None:
    run = uuid4().hex
    at = desk("busy=0.2", run=run)
    at.page.get_by_role("button", name="Most", exact=True).click()
    expect(at.panes).to_have_count(1)
    at.tile(1).focus()
    at.page.keyboard.press("k")
    at.says("decided keep:1")
    for key, place in (("End", 4999), ("Home", 0)):
        at.page.keyboard.press(key)
        expect(at.tile(place)).to_be_focused()
        expect(at.tile(place).locator(".name")).to_have_text(f"IMG_{place:05}.jpg")
        with written_elsewhere(decisions_folder / f"{run}.db"):
            at.page.keyboard.press("d")
            expect(at.page.get_by_text("Another process has been writing")).to_be_visible()
            expect(at.panes.first.locator(".cell[data-decision='drop']")).to_have_count(0)
        at.says("decided keep:1")
    expect(at.panes.first.locator(".cell[data-at='1']")).to_have_attribute("data-decision", "keep")


def test_the_size_of_tiles_is_kept_and_the_first_picture_in_sight_stays(desk: Open) -> None:
    at = desk()
    at.page.get_by_role("button", name="Least", exact=True).click()
    expect(at.panes.first.get_by_role("heading")).to_have_text("Least ambiguous · 5,000")
    size = at.page.get_by_role("slider", name="Size of the pictures, in pixels")
    widths = []
    for px in ("60", "200"):
        size.fill(px)
        eventually(lambda: at.tile(0).bounding_box() is not None)
        box = at.tile(0).bounding_box()
        assert box is not None
        widths.append(box["width"])
    assert 60 <= widths[0] < 75
    assert 200 <= widths[1] < 260
    at.scroll(20_000)
    first = at.panes.first.locator(".scroller").evaluate(
        "scroller => scroller.scrollTop / scroller.querySelector('.tiles').offsetHeight"
    )
    size.fill("100")
    after = at.panes.first.locator(".scroller").evaluate(
        "scroller => scroller.scrollTop / scroller.querySelector('.tiles').offsetHeight"
    )
    assert abs(first - after) < 0.01
    at.page.reload()
    at.tile(0).wait_for()
    expect(size).to_have_value("100")


def test_what_the_server_no_longer_knows_is_said_down_to_the_end_of_the_window(desk: Open) -> None:
    at = desk()
    refused = "This order has expired."
    at.page.route(re.compile("/url-viz/order/"), lambda route: route.fulfill(status=404, body=refused))
    at.page.reload()
    expect(at.panes.first.get_by_text(refused)).to_be_visible()
    expect(at.tile(0)).to_be_visible()
    grid = at.page.locator(".grid-view")

    def bottom() -> float:
        box = rect_of(grid)
        return box["y"] + box["height"]

    for height in (900, 700, 1100):  # and the grid ends with the window
        at.page.set_viewport_size({"width": 1400, "height": height})
        eventually(lambda height=height: height - 40 < bottom() < height)  # type: ignore[misc]


def test_no_control_of_a_tile_lies_on_another_and_small_ones_decide_by_keys(desk: Open) -> None:
    at = desk()
    for place, size_px in enumerate((60, 100, 120, 180)):
        at.page.get_by_role("slider", name="Size of the pictures, in pixels").fill(str(size_px))
        settled(at.page)
        cell = at.panes.first.locator(f".cell[data-at='{place}']")
        cell.hover()
        expect(cell.locator(".pick")).to_have_css("opacity", "1")
        choices, is_small = cell.locator(".choices"), rect_of(cell)["width"] < 130
        if is_small:
            expect(choices).to_be_hidden()
        else:
            expect(choices).to_be_visible()
            pick = rect_of(cell.locator(".pick"))
            assert pick["x"] + pick["width"] <= rect_of(choices)["x"]
        at.tile(place).focus()
        at.page.keyboard.press("d")
        expect(cell).to_have_attribute("data-decision", "drop")
        cell.hover()
        if is_small:
            expect(cell.locator(".decision")).to_be_visible()
    assert not is_small
