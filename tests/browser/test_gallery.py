"""The gallery in a real browser: arrows move, keys and buttons decide at once, and nothing typed fast is lost."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.fixtures import OpenPage, eventually_equals, still, written_elsewhere
from tests.browser.harness_components import FIRST_ID, HOSTILE_NAME
from tests.browser.test_components import rect_of
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions
from url_viz.ui.session import new_records
from url_viz.ui.widgets.gallery import GalleryAction, actions_of

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Desk:
    """A page with twelve pictures to decide on."""

    page: Page

    @property
    def tiles(self) -> Locator:
        return self.page.locator(".tile")

    def decision(self, at: int) -> str | None:
        """The decision that a picture shows."""
        return self.page.locator(".cell").nth(at).get_attribute("data-decision")

    def expect_decided(self, text: str) -> None:
        """What the server knows in the end: a letter a picture."""
        expect(self.page.get_by_text(f"decided {text}", exact=True)).to_be_visible()

    def runs(self) -> int:
        return int(self.page.get_by_text("runs ").inner_text().removeprefix("runs "))


Open = Callable[..., Desk]


@pytest.fixture
def desk(harness: str, open_page: OpenPage, decisions_folder: Path) -> Open:
    def opened(query: str = "", *, run: str | None = None, width: int = 1400) -> Desk:
        address = f"{harness}/?show=decide&run={run or uuid4().hex}&{query}"
        desk = Desk(open_page(address, width=width))
        desk.tiles.first.wait_for()
        return desk

    return opened


def decisions_at(decisions_folder: Path, run: str) -> Decisions:
    """What a page writes to."""
    ids = np.arange(FIRST_ID, FIRST_ID + 12, dtype=np.int64)
    return Decisions(decisions_folder / f"{run}.db", FileKeys(ids, ids))


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


def test_an_empty_gallery_says_why(harness: str, open_page: OpenPage) -> None:
    page = open_page(f"{harness}/?show=gallery&n=0")
    expect(page.get_by_text("Nothing is this ambiguous here.")).to_be_visible()


def test_keys_decide_move_on_and_clear(desk: Open) -> None:
    at = desk()
    at.tiles.first.focus()
    for key in ("k", "d", "l"):
        at.page.keyboard.press(key)
    expect(at.tiles.nth(3)).to_be_focused()
    at.expect_decided("k,d,l" + ",-" * 9)
    expect(at.tiles.nth(3)).to_be_focused()
    label = "holiday/2024/IMG_00001.jpg, wheaten terrier, 0.422 · 96th, kept, decided: drop"
    expect(at.tiles.nth(1)).to_have_attribute("aria-label", label)
    mark, choices = (rect_of(at.page.locator(".cell").nth(1).locator(part)) for part in (".mark", ".choices"))
    assert mark["y"] >= choices["y"] + choices["height"], "the buttons of a picture hide no word"
    at.page.keyboard.press("ArrowLeft")
    at.page.keyboard.press("l")
    expect(at.tiles.nth(2)).to_be_focused()
    at.expect_decided("k,d,-" + ",-" * 9)
    at.page.keyboard.press("Enter")
    expect(at.page.get_by_text(f"clicked {FIRST_ID + 2}")).to_be_visible()


def test_undo_and_redo_lead_back_to_the_picture(desk: Open) -> None:
    at = desk()
    at.tiles.first.focus()
    at.page.keyboard.press("k")
    at.page.keyboard.press("d")
    at.expect_decided("k,d" + ",-" * 10)
    at.page.keyboard.press("u")
    at.expect_decided("k,-" + ",-" * 10)
    expect(at.tiles.nth(1)).to_be_focused()
    expect(at.page.get_by_text(f"Undone: dropped {FIRST_ID + 1}.jpg")).to_be_visible()
    at.page.keyboard.press("Shift+U")
    at.expect_decided("k,d" + ",-" * 10)
    at.page.keyboard.press("u")
    at.page.keyboard.press("u")
    at.expect_decided("-,-" + ",-" * 10)
    at.page.keyboard.press("y")
    at.expect_decided("k,-" + ",-" * 10)


def test_the_mark_is_there_before_the_server_answers_and_nothing_typed_is_lost(
    desk: Open, decisions_folder: Path
) -> None:
    """The server is held up, and then slower than the keys: runs overtake each other. Each key is one action."""
    run = uuid4().hex
    at = desk("slow=0.4", run=run)
    at.tiles.first.focus()
    held = decisions_folder / f"{run}.held"
    held.touch()
    for key in "kdlkd":
        at.page.keyboard.press(key)
    assert [at.decision(i) for i in range(6)] == ["keep", "drop", "look-again", "keep", "drop", None]
    assert at.runs() == 1, "no run has ended since"
    at.page.keyboard.press("u")
    assert at.decision(4) is None, "undo of what waits is there at once, too"
    held.unlink()
    for key in "lkkkk":
        at.page.keyboard.press(key)
        at.page.wait_for_timeout(60)
    at.expect_decided("k,d,l,k,l,k,k,k,k" + ",-" * 3)
    expect(at.tiles.nth(9)).to_be_focused()
    for _ in range(3):
        at.page.keyboard.press("u")
        at.page.wait_for_timeout(90)
    at.expect_decided("k,d,l,k,l,k" + ",-" * 6)
    decisions = decisions_at(decisions_folder, run)
    for _ in range(6):
        assert decisions.undo() is not None
    assert not decisions.can_undo


def test_a_refused_decision_is_undrawn(desk: Open, decisions_folder: Path) -> None:
    run = uuid4().hex
    at = desk("busy=0.2", run=run)
    at.tiles.first.focus()
    at.page.keyboard.press("k")
    at.expect_decided("k" + ",-" * 11)
    with written_elsewhere(decisions_folder / f"{run}.db"):
        at.page.keyboard.press("d")
        expect(at.page.get_by_text("Another process has been writing")).to_be_visible()
        expect(at.page.locator(".cell[data-decision='drop']")).to_have_count(0)
    at.expect_decided("k" + ",-" * 11)


def test_buttons_come_on_hover_and_move_nothing(desk: Open) -> None:
    at = desk()
    cell = at.page.locator(".cell").nth(4)
    before = [rect_of(tile) for tile in at.tiles.all()]
    expect(cell.locator(".choices")).to_have_css("opacity", "0")
    cell.hover()
    expect(cell.locator(".choices")).to_have_css("opacity", "1")
    cell.get_by_role("button", name="Drop", exact=True).click()
    at.expect_decided("-,-,-,-,d" + ",-" * 7)
    expect(cell.get_by_role("button", name="Drop", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(at.tiles.nth(4)).to_be_focused()
    assert [rect_of(tile) for tile in at.tiles.all()] == before
    expect(cell.locator("img")).to_have_css("opacity", "0.3")
    assert at.page.get_by_text("clicked None").count() == 1, "deciding opens nothing"


def test_the_focus_goes_on_where_decided_pictures_leave(desk: Open) -> None:
    at = desk("only=1")
    at.tiles.nth(2).focus()
    at.page.keyboard.press("d")
    expect(at.tiles).to_have_count(11)
    expect(at.tiles.nth(2)).to_be_focused()
    expect(at.tiles.nth(2).locator(".name")).to_have_text("IMG_00003.jpg")
    at.page.keyboard.press("End")
    at.page.keyboard.press("k")
    expect(at.tiles).to_have_count(10)
    expect(at.tiles.nth(9)).to_be_focused()


def test_two_windows_write_to_one_set(desk: Open, decisions_folder: Path) -> None:
    run = uuid4().hex
    one, other = desk(run=run), desk(run=run)
    one.tiles.first.focus()
    other.tiles.nth(11).focus()
    for _ in range(3):
        one.page.keyboard.press("k")
        other.page.keyboard.press("d")
        other.page.keyboard.press("ArrowLeft")
        other.page.keyboard.press("ArrowLeft")
    decisions = decisions_at(decisions_folder, run)
    expected = [*["keep"] * 3, *[None] * 5, "drop", "drop", None, "drop"]
    eventually_equals(lambda: list(decisions.now().decision), expected)
    one.page.reload()
    one.tiles.first.wait_for()
    one.expect_decided("k,k,k,-,-,-,-,-,d,d,-,d")


def test_actions_are_read_in_order_and_only_new_ones() -> None:
    state = {
        "clicked": None,
        "actions": [
            {"sequence": 5, "id": "9", "decision": "keep"},
            {"sequence": 6, "command": "undo"},
            {"sequence": 7, "id": str(FIRST_ID), "decision": None},
            {"sequence": 8, "id": "1", "decision": "<b>"},
            {"sequence": 9, "decision": "keep"},
        ],
    }
    expected = (GalleryAction(9, "keep"), GalleryAction(command="undo"), GalleryAction(FIRST_ID, None))
    assert actions_of(new_records(state, 0)) == expected
    assert actions_of(new_records(state, 6)) == expected[2:]
    assert actions_of(new_records({}, 0)) == ()
