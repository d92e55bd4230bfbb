"""The widget of a notebook in a real browser: its module on one side, its Python on the other, a channel between."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import comm
import numpy as np
import pytest
from comm.base_comm import BaseComm
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.fixtures import eventually, eventually_equals, new_tab
from tests.browser.test_components import drag_around, ready
from tests.given import by_turns, given_set
from url_viz.base.errors import ImageSetError
from url_viz.drawing.tiles import card_url
from url_viz.image_set import ImageSet
from url_viz.notebook import NotebookView, notebook_script
from url_viz.notebook import widget as widget_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLACE = "http://notebook.test/"
HOST = """async (esm) => {
    const listeners = new Set();
    window.deliver = (messages) => {
        for (const [content, buffers] of messages) {
            const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const views = buffers.map((text) => new DataView(bytes(text).buffer));
            for (const listener of listeners) listener(content, views);
        }
    };
    const model = {
        on: (name, listener) => listeners.add(listener),
        off: (name, listener) => listeners.delete(listener),
        send: async (content) => window.deliver(await window.toPython(content)),
    };
    const module = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    window.end = module.default.render({ model, el: document.body });
}"""


class Channel(BaseComm):
    """A kernel's channel whose other end is a page: what Python sends is taken by `taken`."""

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        if msg_type == "comm_msg" and data["method"] == "custom":
            self.__dict__.setdefault("sent", []).append((data["content"], list(map(bytes, buffers or []))))

    def taken(self) -> list[tuple[Any, list[bytes]]]:
        sent: list[tuple[Any, list[bytes]]] = self.__dict__.pop("sent", [])
        return sent

    def receive(self, content: object) -> None:
        """A message of the browser arrives."""
        self.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


@pytest.fixture
def image_set(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setattr(comm, "create_comm", Channel)
    rows = np.random.default_rng(1).normal(size=(60, 8)) + 4 * np.eye(8)[np.arange(60) % 2]
    return given_set(tmp_path_factory.mktemp("notebook"), by_turns(60), rows)


@pytest.fixture
def page(chromium: Browser, image_set: ImageSet) -> Iterator[Page]:
    """An empty page that loads nothing but itself."""
    tab, asked = new_tab(chromium), list[str]()
    tab.page.route("**/*", lambda route: (asked.append(route.request.url), route.fulfill(body="<!doctype html>")))
    tab.page.goto(PLACE)
    yield tab.page
    tab.page.context.close()
    assert set(asked) == {PLACE}, "all else comes over the channel"
    assert tab.errors == []


def test_what_a_user_writes_is_no_address(image_set: ImageSet) -> None:
    """A class or path that reads like an address of ours stays as it is, within what stays JSON."""
    [image_id, *_] = image_set.core.ids.tolist()
    label = '"/url-viz/whole/zzz"'
    image_set.labels.give({image_id: label})
    widget = widget_of(image_set)
    widget.comm.taken()
    url = card_url(image_set, measure=None).replace("{id}", str(image_id))
    widget.comm.receive({"kind": "fetch", "number": "1", "url": url})
    [(told, [body])] = widget.comm.taken()
    card = json.loads(body)
    assert told["status"] == 200
    assert card["label"] == label
    assert base64.b64decode(card["thumbnail"].removeprefix("data:image/jpeg;base64,")).startswith(b"\xff\xd8")


def encoded(widget: NotebookView) -> list[Any]:
    """What Python has sent since, for the page."""
    channel: Channel = widget.comm
    return [[content, [base64.b64encode(each).decode() for each in buffers]] for content, buffers in channel.taken()]


def flush(widget: NotebookView, page: Page) -> None:
    page.evaluate("(messages) => window.deliver(messages)", encoded(widget))


def shown(widget: NotebookView, page: Page) -> None:
    """The widget's view is drawn on the page."""

    def to_python(content: object) -> list[Any]:
        widget.comm.receive(content)
        return encoded(widget)

    page.expose_function("toPython", to_python)
    page.evaluate(HOST, notebook_script())
    page.locator(".cell[data-at='0'] img").first.wait_for()


def selected(widget: NotebookView, page: Page) -> set[int]:
    """What is selected in Python, once the page has said what it had to."""
    page.wait_for_timeout(20)
    return set(widget.selected)


def decided(image_set: ImageSet, page: Page) -> dict[str, int]:
    page.wait_for_timeout(20)
    counts: dict[str, int] = image_set.table()["decision"].value_counts().to_dict()
    return counts


def tile(page: Page, at: int) -> Locator:
    return page.locator(".pane").first.locator(f".cell[data-at='{at}'] .tile")


def ids_of(page: Page, *places: int) -> list[int]:
    """The ids of the pictures at places of the first order."""
    cells = [page.locator(".pane").first.locator(f".cell[data-at='{at}']") for at in places]
    return [int(cell.get_attribute("data-id") or "") for cell in cells]


def test_lasso_choice_and_decisions_live_on_both_sides(image_set: ImageSet, page: Page) -> None:
    widget = widget_of(image_set)
    shown(widget, page)
    expect(page.locator(".stage")).to_have_attribute("data-drawn", "60")
    assert widget.selected == []

    tile(page, 0).click()
    eventually_equals(lambda: selected(widget, page), set(ids_of(page, 0)))
    expect(page.locator(".pane").first.locator(".cell.chosen")).to_have_count(1)
    tile(page, 2).click(modifiers=["Shift"])
    eventually_equals(lambda: selected(widget, page), set(ids_of(page, 0, 1, 2)))
    page.keyboard.press("d")
    eventually_equals(lambda: decided(image_set, page), {"drop": 3})
    expect(page.locator(".pane").first.locator(".cell[data-decision='drop']")).to_have_count(3)
    page.keyboard.press("u")
    eventually_equals(lambda: decided(image_set, page), {})

    chosen = ids_of(page, 5, 7)
    widget.selected = chosen
    flush(widget, page)
    expect(page.get_by_role("button", name="2 selected")).to_be_visible()
    image_set.decisions.decide(chosen, "keep")
    widget.refresh()
    flush(widget, page)
    expect(page.locator(".pane").first.locator(".cell[data-decision='keep']")).to_have_count(2)
    with pytest.raises(ImageSetError, match="There is no picture with id 7"):
        widget.selected = [7]
    assert widget.selected == chosen

    stage = ready(page)
    rows = image_set.table()
    places = np.array([stage.place_of(x, y) for x, y in rows[["x", "y"]].to_numpy()])
    middle = float(np.median(places[:, 0]))
    page.locator("button.lasso").click()
    edges = stage.left + 5, stage.top + 5, stage.top + stage.height - 5
    corners = [(edges[0], edges[1]), (middle, edges[1]), (middle, edges[2]), (edges[0], edges[2])]
    drag_around(page, corners)
    inside = set(rows["id"][places[:, 0] < middle - 1])
    eventually(lambda: inside <= selected(widget, page) < set(rows["id"]))
    expect(page.locator(".pane .title").first).to_have_text(f"Most ambiguous · {len(widget.selected)}")
    page.locator(".stage").focus()
    page.keyboard.press("Escape")
    eventually_equals(lambda: selected(widget, page), set())
    if page.locator("button.lasso").get_attribute("aria-pressed") == "false":
        page.locator("button.lasso").click()
    drag_around(page, corners)
    eventually(lambda: inside <= selected(widget, page))
    others = rows["id"][places[:, 0] > middle + 1].tolist()
    widget.selected = others
    flush(widget, page)
    expect(page.get_by_role("button", name=f"{len(others)} selected")).to_be_visible()
    expect(page.locator(".pane .title").first).to_have_text("Most ambiguous · 60")
    assert selected(widget, page) == set(others), "the lasso is gone"
    page.evaluate("window.end()")
    expect(page.locator(".stage")).to_have_count(0)


def test_a_colour_and_a_card(image_set: ImageSet, page: Page) -> None:
    shown(widget_of(image_set, colour="label"), page)
    expect(page.locator(".classes")).to_contain_text("cat")
    row, stage = image_set.table().iloc[0], ready(page)
    left, top = stage.place_of(float(row["x"]), float(row["y"]))
    page.mouse.move(left + 40, top)
    page.mouse.move(left, top)
    expect(page.locator(".card .name")).to_have_text(row["path"])
    expect(page.locator(".card img.crop")).to_have_attribute("src", re.compile("^data:image/jpeg;base64,"))
    with pytest.raises(ImageSetError, match="'size' is not a column of table"):
        widget_of(image_set, colour="size")
