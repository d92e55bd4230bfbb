"""No click is lost: the server's answer to one is held back until the next is made, as on a slow connection."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.fixtures import PATIENT_S, OpenPage, settled, still, unfold
from tests.imaging.pictures import write_folder
from tests.ui.pages import ended, reading
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.about import known_sets

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass
class Line:
    """The connection of a page, which can be slow: then what the server says is kept."""

    page: Page
    is_slow: bool = False
    kept: list[tuple[WebSocketRoute, str | bytes]] = field(default_factory=list)

    def connect(self, route: WebSocketRoute) -> None:
        def hear(message: str | bytes) -> None:
            if self.is_slow:
                self.kept.append((route, message))
            else:
                route.send(message)

        route.connect_to_server().on_message(hear)

    def after(self, click: Callable[[], None]) -> None:
        """Click, and keep all that the server answers; return once it has finished."""
        self.is_slow = True
        click()
        eventually(self.page, lambda: any(is_end(message) for _, message in self.kept), "no answer")

    def arrive(self) -> None:
        """Deliver what was kept, and from now on what comes."""
        self.is_slow = False
        for route, message in self.kept:
            route.send(message)
        self.kept.clear()


def is_end(message: str | bytes) -> bool:
    return isinstance(message, bytes) and ForwardMsg.FromString(message).WhichOneof("type") == "script_finished"


@pytest.fixture
def line(chromium: Browser) -> Iterator[Line]:
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    line = Line(page)
    page.route_web_socket(re.compile("/_stcore/"), line.connect)
    yield line
    page.close()


Press = Callable[[Page, bool], None]


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).fill(option)  # a long list draws the options in sight alone
    page.get_by_role("option", name=option, exact=True).click()
    expect(page.get_by_role("option")).to_have_count(0)  # until then Escape is the list's
    expect(page.get_by_role("combobox", name=label)).to_have_attribute("aria-expanded", "false")


def in_popover(page: Page, name: str, act: Callable[[Locator], None]) -> None:
    page.get_by_role("button", name=re.compile(rf"\b{name}\b")).click()
    act(page.get_by_test_id("stPopoverBody"))
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def typed(label: str, text: str, page: Page) -> None:
    def act(body: Locator) -> None:
        box = body.get_by_label(label)
        box.fill(text)
        box.press("Enter")

    in_popover(page, "Filter", act)


def switch(name: str) -> Press:
    def press(page: Page, is_on: bool) -> None:
        in_popover(page, "View", lambda body: body.get_by_text(name).click())

    return press


def threshold(page: Page, is_on: bool) -> None:
    if is_on:
        page.locator(".threshold").press("PageUp")
    else:
        page.get_by_role("button", name="Threshold").click()


def lasso(page: Page, is_on: bool) -> None:
    if not is_on:
        page.get_by_role("button", name="Selection").click()
        return
    box = page.locator("canvas").first.bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    corners = ((0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98))
    for number, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")


CONTROLS: dict[str, Press] = {
    "by": lambda page, is_on: choose(
        page, "Order by", "Order: torn between classes" if is_on else "Order: easily mistaken"
    ),
    "in.label": lambda page, is_on: in_popover(
        page, "Filter", lambda _: choose(page, "Class", "cat" if is_on else "All classes")
    ),
    "above": threshold,
    "name": lambda page, is_on: typed("Name contains", "cat" if is_on else "", page),
    "style": lambda page, is_on: page.get_by_role("button", name="Fog" if is_on else "Points").click(),
    "twins": switch("Show copies and views as one"),
    "side": lambda page, is_on: page.get_by_role("button", name="Least" if is_on else "Most", exact=True).click(),
    "colour": lambda page, is_on: choose(page, "Colour", "Colour: class" if is_on else "Colour: order"),
    "min.brightness": lambda page, is_on: typed("At least", "0.001" if is_on else "", page),
    "names": lambda page, is_on: page.get_by_role("button", name="Names").click(),
    "representatives": lambda page, is_on: page.get_by_role("button", name="Representatives").click(),
    "classwise": switch("Class by class"),
    "size": lambda page, is_on: in_popover(
        page, "View", lambda _: choose(page, "Size by", "Order" if is_on else "all the same")
    ),
    "lasso": lasso,
    "within": switch("Rank within class"),
    "in.reasons": lambda page, is_on: in_popover(
        page, "Filter", lambda body: body.locator(".st-key-explore_reasons button").first.click()
    ),
}
"""What is set on Explore, by its name in the address: how it is turned on, and off again."""


def eventually(page: Page, holds: Callable[[], bool], what: object) -> None:
    """Return once it holds, while messages come."""
    for _ in range(50 * PATIENT_S):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError(what)


def address(page: Page) -> set[str]:
    return set(parse_qs(urlsplit(page.url).query)) & set(CONTROLS)


def test_of_two_clicks_in_a_row_each_control_of_explore_keeps_its_own(app: str, line: Line, zoo: ImageSet) -> None:
    page, names = line.page, list(CONTROLS)
    page.goto(f"{app}/?set={zoo.set_id}")
    expect(page.locator(".stage[data-state=ready]").first).to_be_visible()
    in_popover(page, "Filter", lambda _: choose(page, "Column", "Brightness"))
    on = set[str]()
    pairs = [(names[i], names[i + 1], True) for i in range(0, len(names), 2)]
    pairs += [(names[i], names[(i + 1) % len(names)], False) for i in range(1, len(names), 2)]
    for first, second, is_on in pairs:
        settled(page)
        still(page)
        line.after(partial(CONTROLS[first], page, is_on))
        CONTROLS[second](page, is_on)
        line.arrive()
        on = on | {first, second} if is_on else on - {first, second}
        eventually(page, lambda on=on: address(page) == on, (first, second, is_on))  # type: ignore[misc]


def test_a_dialog_and_another_page_open_though_a_click_on_this_page_follows(
    app: str, line: Line, zoo: ImageSet
) -> None:
    page = line.page
    page.goto(f"{app}/?set={zoo.set_id}")
    expect(page.locator(".stage[data-state=ready]").first).to_be_visible()
    dialog, fog = page.get_by_role("dialog"), button(page, "Fog")
    settled(page)
    still(page)
    line.after(page.locator("button:has(img)").first.click)
    fog.click()
    line.arrive()
    expect(dialog).to_be_visible()
    expect(fog).to_have_attribute("aria-pressed", "true")
    settled(page)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    settled(page)
    expect(dialog).to_have_count(0)
    line.after(page.get_by_role("button", name=re.compile("^Review")).last.click)
    button(page, "Names").click()
    line.arrive()
    expect(page.get_by_role("heading", name="Review")).to_be_visible()
    settled(page)
    page.get_by_role("link", name="Explore").click()
    expect(page).to_have_url(re.compile("names=0"))


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name).first


def test_a_click_counts_though_the_next_comes_before_the_server_has_carried_it_out(
    app: str, line: Line, zoo: ImageSet
) -> None:
    page = line.page
    page.goto(f"{app}/?set={zoo.set_id}&in.label=cat&min.brightness=0.001&max.contrast=99")
    chips = page.locator('[class*="st-key-chip-"] button')
    expect(chips).to_have_count(3)
    settled(page)
    script = "names => names.forEach((name, i) => setTimeout(() => document.querySelector(name).click(), 30 * i))"
    page.evaluate(script, [f".st-key-chip-{name} button" for name in ("class", "brightness", "contrast")])
    expect(chips).to_have_count(0)
    settled(page)
    expect(chips).to_have_count(0)


@pytest.fixture
def own(home: Path, shipped: Model) -> ImageSet:
    """A set of one test, with two jobs that have ended."""
    own = embed_folder(write_folder(home / "own", 8), model=shipped, workspace=home / "workspace")
    for _ in range(2):
        ended(reading(own, ["-c", ""]))
    return own


def at_once(page: Page, *buttons: Locator, gap_ms: int = 30) -> None:
    """Click them sooner after each other than the server draws a page, each while it is there.

    A quick server may draw within the gap. Where the first click takes the place of the second away, leave none.
    """
    settled(page)
    still(page)
    script = """([all, gap]) => Promise.all(all.map((one, i) => new Promise((done) => setTimeout(() => {
        const isThere = one.isConnected;
        one.click();
        done(isThere);
    }, gap * i))))"""
    assert all(page.evaluate(script, [[one.element_handle() for one in buttons], gap_ms])), "drawn before the click"


def test_what_a_button_asks_for_is_done_though_another_click_comes_at_once(
    app: str, open_page: OpenPage, own: ImageSet
) -> None:
    page = open_page(f"{app}/settings?tab=Image+sets&set={own.set_id}")
    at_once(page, button(page, "Free space"), button(page, "Forget this image set"))
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("MB freed.")).to_be_visible()
    expect(dialog).to_have_count(0)

    page.get_by_role("textbox", name="Name").fill("mine")
    at_once(page, button(page, "Rename"), page.get_by_role("tab", name="Jobs"))
    expect(page.get_by_text("Jobs go on if")).to_be_visible()
    eventually(page, lambda: dict(known_sets(own.workspace))[own.set_id].name == "mine", "not renamed")

    jobs = page.locator("details", has_text="Read · ")
    expect(jobs).to_have_count(2)
    at_once(page, *(jobs.nth(i).get_by_text("Delete") for i in range(2)), gap_ms=0)
    expect(jobs).to_have_count(0)

    page.get_by_role("tab", name="Models").click()
    unfold(page, "Device, precision, second opinion")
    reads = page.get_by_role("switch", name="Second opinion")
    at_once(page, button(page, "Model card"), reads)
    expect(dialog.get_by_role("heading", name=re.compile("Uncertainty head"))).to_be_visible()
    expect(reads).not_to_be_checked()


def test_a_bar_that_appears_takes_no_click_that_was_meant_for_what_stood_there(
    app: str, zoo: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}&above=40&side=ambiguous")
    bar = page.locator(".st-key-decide_bar")
    bar.wait_for()
    at = "(bar, ms) => { const [a] = bar.getAnimations(); a.pause(); a.currentTime = ms; return style(); }"
    style = 'const style = () => getComputedStyle(bar.querySelector("button")).pointerEvents;'
    restarted = 'bar.style.animation = "none"; bar.offsetWidth; bar.style.animation = "";'
    look = at.replace("{ const [a]", f"{{ {style} {restarted} const [a]")
    assert [bar.evaluate(look, ms) for ms in (100, 499)] == ["none", "none"]
    bar.evaluate("bar => bar.getAnimations().forEach((each) => each.finish())")
    assert bar.evaluate("bar => getComputedStyle(bar).pointerEvents") == "auto"
