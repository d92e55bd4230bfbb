"""The gallery in a real browser: its tiles are buttons, arrows move through them, and an empty one says why."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, still
from tests.browser.harness_components import FIRST_ID, HOSTILE_NAME


@pytest.mark.browser
def test_a_tile_is_a_button_that_gives_its_id_and_arrows_move_on(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=gallery&n=12&columns=4")
    page.get_by_role("button", name="IMG_00005.jpg").click()
    expect(page.get_by_text(f"clicked {FIRST_ID + 5}")).to_be_visible()
    expect(page.locator(".tile").nth(2).locator(".name")).to_have_text(HOSTILE_NAME)
    expect(page.locator(".tile").nth(0).locator(".twins")).to_have_text("+3 copies")
    expect(page.locator(".tile").nth(1).locator(".mark")).to_have_text("kept")
    expect(page.locator(".tile").nth(3)).to_have_attribute("aria-current", "true")
    expect(page.locator(".tile").nth(10).locator(".picture")).to_have_class(re.compile("broken"))
    tiles = page.locator(".tile")
    tiles.first.focus()
    for key, at in (
        ("ArrowRight", 1),
        ("ArrowDown", 5),
        ("ArrowLeft", 4),
        ("End", 11),
        ("ArrowRight", 11),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        expect(tiles.nth(at)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"clicked {FIRST_ID + 4}")).to_be_visible()
    page.keyboard.press("k")  # there is nothing to decide
    page.locator(".cell").nth(4).hover()
    expect(page.locator(".choices").nth(4)).to_be_hidden()
    expect(page.locator(".cell").nth(4)).not_to_have_attribute("data-decision", "keep")
    expect(tiles.nth(4)).to_be_focused()
    page.set_viewport_size({"width": 420, "height": 850})
    still(page)
    box = page.locator(".gallery").bounding_box()
    assert box is not None
    assert 0 <= box["x"] < box["x"] + box["width"] <= 420
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 420


@pytest.mark.browser
def test_an_empty_gallery_says_why(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=gallery&n=0")
    expect(page.get_by_text("Nothing is this ambiguous here.")).to_be_visible()
