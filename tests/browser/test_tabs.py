"""A tab that a test leaves is to the next one as good as new."""

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.fixtures import HEALTH, new_tab

pytestmark = pytest.mark.browser

STATE = """() => [
    localStorage.length, sessionStorage.length, document.cookie.includes("kept=1"), shift, innerWidth,
    matchMedia("(prefers-color-scheme: dark)").matches, matchMedia("print").matches,
]"""


def state(page: Page) -> list[object]:
    """What is stored, whether Shift is held, and how the page looks."""
    page.evaluate("addEventListener('mousemove', (event) => (window.shift = event.shiftKey))")
    page.mouse.move(5, 5)
    return list(page.evaluate(STATE))


def test_nothing_stays_of_what_was_stored_held_or_shown(harness: str, chromium: Browser) -> None:
    url = f"{harness}{HEALTH}"
    tab = new_tab(chromium)
    tab.look_as(420, 900, "dark")
    tab.page.goto(url)
    tab.page.evaluate("localStorage.a = sessionStorage.a = '1'; document.cookie = 'kept=1'")
    tab.page.emulate_media(media="print")
    tab.page.keyboard.down("Shift")
    assert state(tab.page) == [1, 1, True, True, 420, True, True]
    tab.forget()
    tab.look_as(1400, 900, "light")
    tab.page.goto(url)
    assert state(tab.page) == [0, 0, False, False, 1400, False, False]
    assert tab.errors == []
    tab.page.context.close()
