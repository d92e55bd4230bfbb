"""No answer of a review is lost or stored twice, however its page is left before the server has confirmed it."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.fixtures import eventually, eventually_equals, settled
from tests.browser.test_clicks import Line
from url_viz.image_set import ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KEYS = "12d21"


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1400, "height": 900}) as context:
        yield context


def open_desk(context: BrowserContext, app: str, image_set: ImageSet) -> Page:
    page = context.new_page()
    page.goto(f"{app}/?set={image_set.set_id}")
    settled(page)
    page.goto(f"{app}/?set={image_set.set_id}&review=confusability")
    page.locator(".question").wait_for()
    settled(page)
    return page


def answer(page: Page, keys: str) -> dict[str, tuple[str | None, str | None]]:
    """Answer by keys 200 ms apart; what each picture was answered."""
    answers: dict[str, tuple[str | None, str | None]] = {}
    for key in keys:
        name = page.locator("figcaption").inner_text()
        answers[name] = ("drop", None) if key == "d" else (None, "cat" if key == "1" else "dog")
        expect(page.locator(".card.unseen").filter(visible=True)).to_have_count(0)  # an answer before is not taken
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    return answers


def stored(image_set: ImageSet) -> dict[str, tuple[str | None, str | None]]:
    table = image_set.table()
    table = table[table["decision"].notna() | table["label_checked"].notna()]
    given = table["label"].where(table["label_checked"].notna(), None)
    return dict(zip(table["path"], zip(table["decision"], given, strict=True), strict=True))


def by_the_menu(page: Page) -> None:
    page.get_by_test_id("stSidebarNavLink").filter(has_text="New pictures").click()
    expect(page.get_by_role("heading", name="New pictures")).to_be_visible()


def by_a_reload(page: Page) -> None:
    page.reload()


def by_the_browsers_back(page: Page) -> None:
    page.go_back()


def in_a_new_tab(page: Page) -> None:
    context, url = page.context, page.url
    page.close()
    context.new_page().goto(url)


@pytest.mark.parametrize(
    ("lost", "leave"),
    [
        *(("request", leave) for leave in (by_the_menu, by_a_reload, by_the_browsers_back, in_a_new_tab)),
        *(("reply", leave) for leave in (by_the_menu, by_a_reload)),  # in the same document, and in another
    ],
)
def test_every_answer_is_stored_once_however_its_page_is_left(
    app: str, own_set: ImageSet, context: BrowserContext, lost: str, leave: Callable[[Page], None]
) -> None:
    """What the server says is held back, and either it does not hear of the answers or its confirmation is lost."""
    line = Line(context.new_page())
    context.route_web_socket(re.compile("/_stcore/"), line.connect)

    def post(route: Route) -> None:
        if lost == "reply":
            route.fetch()
        route.abort()

    page = open_desk(context, app, own_set)
    line.is_slow = True
    context.route("**/answers/**", post)
    answers = answer(page, KEYS)
    if lost == "request":
        expect(page.get_by_text(f"saving {len(KEYS)} …")).to_be_visible()
    context.unroute("**/answers/**")
    line.is_slow = False
    leave(page)
    eventually_equals(lambda: stored(own_set), answers)
    eventually_equals(
        lambda: context.pages[-1].evaluate("Object.keys(localStorage).filter(name => name.includes('answers'))"), []
    )
    assert stored(own_set) == answers
    assert len(own_set.decisions.history()) == len(KEYS), "none is stored twice"


def test_a_late_answer_leaves_one_given_elsewhere_and_says_so(
    app: str, own_set: ImageSet, context: BrowserContext
) -> None:
    page = open_desk(context, app, own_set)
    context.route("**/answers/**", lambda route: route.abort())
    first, second = answer(page, "dd")
    [one] = own_set.table().query("path == @first")["id"]
    own_set.decisions.by("anna").decide([one], "keep")
    page.close()
    context.unroute("**/answers/**")
    page = context.new_page()
    page.goto(f"{app}/settings?tab=Jobs&set={own_set.set_id}")
    expect(page.get_by_text("answered elsewhere while the server could not be reached")).to_be_visible()
    assert stored(own_set) == {first: ("keep", None), second: ("drop", None)}


def test_answers_that_the_page_before_had_not_sent_stand_on_the_next_at_once(
    app: str, own_set: ImageSet, context: BrowserContext
) -> None:
    page = open_desk(context, app, own_set)
    context.route("**/answers/**", lambda route: route.abort())
    answer(page, "dk")
    counts, third = page.locator(".counts").inner_text(), page.locator("figcaption").inner_text()
    page.reload()
    expect(page.locator("figcaption")).to_have_text(third)
    expect(page.locator(".counts")).to_have_text(counts)
    context.unroute("**/answers/**")
    eventually(lambda: len(own_set.decisions.history()) == 2)
    expect(page.locator(".saving")).to_be_hidden()
